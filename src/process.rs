//! The only place that spawns a program.
//!
//! Arguments are vectors, standard input is empty, each program leads a process group of its own,
//! and that group ends when the call is cancelled, runs out of time, or its future is dropped:
//! first a request to terminate, then, after [`GRACE`], a kill. The order matters: a killed `nix`
//! leaves its builders running, a terminated one stops them.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a program may take to stop after it was asked to, before it is killed.
pub const GRACE: Duration = Duration::from_millis(1_500);
/// Longest line passed on from standard error, in bytes; the rest of a longer one is dropped.
pub const LINE_LIMIT: usize = 2 * 1024 * 1024;
/// How often the memory of a program with a limit is looked at.
pub const MEMORY_INTERVAL: Duration = Duration::from_millis(250);
/// How much of a chunk is read at once.
const CHUNK: usize = 16 * 1024;

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("{} was not found", program.display())]
    NotFound {
        /// What was to be run.
        program: PathBuf,
    },
    /// The system refused to start it.
    #[error("{} could not be started: {source}", program.display())]
    Spawn {
        /// What was to be run.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading from it or waiting for it failed.
    #[error("lost contact with {}: {source}", program.display())]
    Io {
        /// What was run.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It wrote more than is kept.
    #[error("{} wrote more than {limit} bytes", program.display())]
    OutputTooLarge {
        /// What was run.
        program: PathBuf,
        /// Most bytes kept.
        limit: usize,
    },
    /// It ran longer than allowed.
    #[error("{} took longer than {} s", program.display(), limit.as_secs_f32())]
    TimedOut {
        /// What was run.
        program: PathBuf,
        /// How long it was allowed to run.
        limit: Duration,
    },
    /// It held more memory than allowed.
    #[error("{} held more than {} of memory", program.display(), crate::text::bytes(*limit))]
    OutOfMemory {
        /// What was run.
        program: PathBuf,
        /// Most bytes it may hold.
        limit: u64,
    },
    /// The call was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// What to run: a program and its arguments, never a shell line.
#[derive(Clone, Debug)]
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    time_limit: Duration,
    output_limit: usize,
    memory_limit: Option<u64>,
}

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, whole; empty where the reader stopped it.
    pub stdout: Vec<u8>,
    /// Whether it ended because the reader of its standard error had heard enough.
    pub stopped: bool,
}

/// What a reader of standard error wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// End the program: enough is known, or it has grown beyond its budget.
    Stop,
}

impl Command {
    /// A command with no arguments, an hour's time and 64 MiB of output.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            time_limit: Duration::from_secs(3_600),
            output_limit: 64 * 1024 * 1024,
            memory_limit: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the program's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the folder it runs in.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Sets how long it may run.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets how much standard output is kept, in bytes; more is an error.
    #[must_use]
    pub fn output_limit(mut self, limit: usize) -> Self {
        self.output_limit = limit;
        self
    }

    /// Sets how much memory it may hold, in bytes; looked at every [`MEMORY_INTERVAL`].
    #[must_use]
    pub fn memory_limit(mut self, limit: u64) -> Self {
        self.memory_limit = Some(limit);
        self
    }

    /// Program and arguments as they are passed on, for tests and logs.
    #[must_use]
    pub fn argv(&self) -> Vec<&OsStr> {
        std::iter::once(self.program.as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str))
            .collect()
    }

    /// Runs it to its end, passing each line of standard error on as it comes.
    ///
    /// # Errors
    /// See [`ProcessError`]. A program that ran and failed is no error: look at [`Finished::status`].
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        mut on_error_line: impl FnMut(&[u8], u32) -> Flow,
    ) -> Result<Finished, ProcessError> {
        let mut group = Group::start(self)?;
        let deadline = Instant::now() + self.time_limit;
        let leader = group.leader;
        let outcome = tokio::select! {
            outcome = group.talk(self, &mut on_error_line) => outcome,
            () = outgrown(leader, self.memory_limit) => Err(ProcessError::OutOfMemory {
                program: self.program.clone(),
                limit: self.memory_limit.unwrap_or_default(),
            }),
            () = cancel.cancelled() => Err(ProcessError::Cancelled),
            () = tokio::time::sleep_until(deadline) => {
                Err(ProcessError::TimedOut { program: self.program.clone(), limit: self.time_limit })
            }
        };
        match outcome {
            Ok(Some(finished)) => {
                group.finished();
                Ok(finished)
            }
            // Stopped by the reader: its end is part of the answer.
            Ok(None) => {
                let status = group.end().await;
                Ok(Finished { status, stdout: Vec::new(), stopped: true })
            }
            Err(error) => {
                group.end().await;
                Err(error)
            }
        }
    }
}

/// Returns only when the program holds more memory than its limit.
async fn outgrown(leader: Option<Pid>, limit: Option<u64>) {
    if let (Some(leader), Some(limit)) = (leader, limit) {
        let mut ticks = tokio::time::interval(MEMORY_INTERVAL);
        while resident_bytes(leader.as_raw_nonzero().get().unsigned_abs()).is_none_or(|held| held <= limit) {
            ticks.tick().await;
        }
    } else {
        std::future::pending().await
    }
}

/// Endings under way, so that the server can wait for them before it goes.
static ENDINGS: std::sync::LazyLock<TaskTracker> = std::sync::LazyLock::new(TaskTracker::new);

/// Waits until every program whose call was dropped has ended.
///
/// To be called once, when no new programs are started any more. Takes at most [`GRACE`] and a
/// little, because each ending does.
pub async fn settle() {
    ENDINGS.close();
    ENDINGS.wait().await;
}

/// A running program and all it started.
struct Group {
    child: Option<Child>,
    leader: Option<Pid>,
}

impl Group {
    fn start(command: &Command) -> Result<Self, ProcessError> {
        Self::start_with(command, Stdio::null(), Stdio::piped())
    }

    fn start_with(command: &Command, input: Stdio, errors: Stdio) -> Result<Self, ProcessError> {
        let mut builder = tokio::process::Command::new(&command.program);
        builder
            .args(&command.arguments)
            .envs(command.environment.iter().map(|(name, value)| (name, value)))
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(errors)
            // The token is for clients of ours, not for what we run.
            .env_remove("PANTHEROS_HTTP_TOKEN")
            .process_group(0);
        if let Some(folder) = &command.folder {
            builder.current_dir(folder);
        }
        die_with_parent(&mut builder);
        let child = builder.spawn().map_err(|source| match source.kind() {
            // A missing working folder gives the same error as a missing program.
            io::ErrorKind::NotFound if command.folder.as_ref().is_none_or(|folder| folder.is_dir()) => {
                ProcessError::NotFound { program: command.program.clone() }
            }
            _ => ProcessError::Spawn { program: command.program.clone(), source },
        })?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child: Some(child), leader })
    }

    /// Reads both pipes until they close, then waits. `None` where the reader asked to stop.
    async fn talk(
        &mut self,
        command: &Command,
        on_error_line: &mut impl FnMut(&[u8], u32) -> Flow,
    ) -> Result<Option<Finished>, ProcessError> {
        let io_error = |source| ProcessError::Io { program: command.program.clone(), source };
        let Some(child) = self.child.as_mut() else {
            return Err(io_error(io::Error::other("the program was already waited for")));
        };
        let id = child.id().unwrap_or_default();
        let (Some(mut output), Some(mut errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io_error(io::Error::other("the pipes are taken")));
        };
        let reading = read_bounded(&mut output, command.output_limit);
        let listening = read_lines(&mut errors, |line| on_error_line(line, id));
        tokio::pin!(reading, listening);
        let mut stdout = None;
        let mut listening_on = true;
        while stdout.is_none() || listening_on {
            tokio::select! {
                read = &mut reading, if stdout.is_none() => match read.map_err(io_error)? {
                    Some(bytes) => stdout = Some(bytes),
                    None => {
                        return Err(ProcessError::OutputTooLarge {
                            program: command.program.clone(),
                            limit: command.output_limit,
                        });
                    }
                },
                heard = &mut listening, if listening_on => match heard.map_err(io_error)? {
                    Flow::Continue => listening_on = false,
                    Flow::Stop => return Ok(None),
                },
            }
        }
        let status = child.wait().await.map_err(io_error)?;
        Ok(Some(Finished { status, stdout: stdout.unwrap_or_default(), stopped: false }))
    }

    /// The leader ended by itself; whatever it left in its group has no reason to stay.
    fn finished(&mut self) {
        self.child = None;
        if let Some(leader) = self.leader.take() {
            signal(leader, Signal::TERM);
        }
    }

    /// Ends the group and waits for that.
    async fn end(&mut self) -> ExitStatus {
        match (self.child.take(), self.leader.take()) {
            (Some(child), Some(leader)) => ENDINGS
                .spawn(end(child, leader))
                .await
                .unwrap_or_else(|_| ExitStatus::from_raw(Signal::KILL.as_raw())),
            _ => ExitStatus::from_raw(0),
        }
    }
}

impl Drop for Group {
    /// The call's future was dropped: its client went away, or the server is stopping.
    fn drop(&mut self) {
        if let (Some(child), Some(leader)) = (self.child.take(), self.leader.take()) {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => {
                    ENDINGS.spawn_on(end(child, leader), &runtime);
                }
                Err(_) => signal(leader, Signal::KILL),
            }
        }
    }
}

/// Terminate, wait [`GRACE`] at most, kill, and kill what has outlived its parent.
async fn end(mut child: Child, leader: Pid) -> ExitStatus {
    let descendants = descendants(leader);
    signal(leader, Signal::TERM);
    let status = match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(Ok(status)) => status,
        Ok(Err(_)) | Err(_) => {
            signal(leader, Signal::KILL);
            child.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(Signal::KILL.as_raw()))
        }
    };
    signal(leader, Signal::KILL);
    // Builders lead sessions of their own, so the group's signal does not reach them.
    for process in descendants {
        process.kill();
    }
    status
}

/// A program that is talked to over its standard input and output, and ends when this is dropped.
pub struct Companion {
    _group: Group,
    /// What it writes.
    pub output: tokio::process::ChildStdout,
    /// What it reads.
    pub input: tokio::process::ChildStdin,
}

impl Command {
    /// Starts it without waiting for its end; its standard error is ours.
    ///
    /// # Errors
    /// [`ProcessError::NotFound`] and [`ProcessError::Spawn`].
    pub fn accompany(&self) -> Result<Companion, ProcessError> {
        let mut group = Group::start_with(self, Stdio::piped(), Stdio::inherit())?;
        let pipes = group.child.as_mut().and_then(|child| Some((child.stdout.take()?, child.stdin.take()?)));
        let Some((output, input)) = pipes else {
            return Err(ProcessError::Io {
                program: self.program.clone(),
                source: io::Error::other("the pipes are missing"),
            });
        };
        Ok(Companion { _group: group, output, input })
    }
}

/// Signals a whole group. A group that is gone already is what was wanted.
fn signal(leader: Pid, signal: Signal) {
    if let Err(error) = rustix::process::kill_process_group(leader, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, leader = leader.as_raw_nonzero().get(), "could not signal a process group");
    }
}

/// Lets the kernel terminate the program when this process dies without a chance to do it.
#[expect(unsafe_code, reason = "PR_SET_PDEATHSIG can only be set between fork and exec")]
fn die_with_parent(builder: &mut tokio::process::Command) {
    let parent = rustix::process::getpid();
    // SAFETY: the closure only makes system calls that are async-signal-safe and allocates nothing.
    unsafe {
        builder.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            // The parent may have died before the call above took effect.
            if rustix::process::getppid() != Some(parent) {
                return Err(io::Error::from(rustix::io::Errno::SRCH));
            }
            Ok(())
        });
    }
}

/// A process and when it started, so that a reused number is not mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    id: i32,
    started: u64,
}

impl Process {
    fn kill(&self) {
        if read_stat(self.id).is_some_and(|(_, started)| started == self.started)
            && let Some(id) = Pid::from_raw(self.id)
        {
            // It may end by itself between the look and the signal.
            let _gone = rustix::process::kill_process(id, Signal::KILL);
        }
    }
}

/// Every process below `root`, by the parents that proc(5) names.
fn descendants(root: Pid) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<(Process, i32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|id| read_stat(id).map(|(parent, started)| (Process { id, started }, parent)))
        .collect();
    let mut known = HashSet::from([root.as_raw_nonzero().get()]);
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for (process, parent) in &all {
            if known.contains(parent) && known.insert(process.id) {
                found.push(process.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Parent and start time of a process (proc(5), `/proc/pid/stat`, fields 4 and 22).
fn read_stat(id: i32) -> Option<(i32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in parentheses and may itself contain both.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some((parent, started))
}

/// Resident memory of a process in bytes (proc(5), `/proc/pid/statm`); `None` when it is gone.
#[must_use]
pub fn resident_bytes(id: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Reads to the end; `None` when there is more than `limit`.
async fn read_bounded(pipe: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        bytes.reserve(CHUNK);
        if pipe.read_buf(&mut bytes).await? == 0 {
            return Ok(Some(bytes));
        }
        if bytes.len() > limit {
            return Ok(None);
        }
    }
}

async fn read_lines(
    pipe: &mut (impl AsyncRead + Unpin),
    mut on_line: impl FnMut(&[u8]) -> Flow,
) -> io::Result<Flow> {
    let mut chunk = vec![0; CHUNK];
    let mut line = Vec::new();
    loop {
        let count = pipe.read(&mut chunk).await?;
        if count == 0 {
            return Ok(if line.is_empty() { Flow::Continue } else { on_line(&line) });
        }
        let mut rest = chunk.get(..count).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            append(&mut line, rest.get(..end).unwrap_or_default());
            if on_line(&line) == Flow::Stop {
                return Ok(Flow::Stop);
            }
            line.clear();
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        append(&mut line, rest);
    }
}

fn append(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_LIMIT.saturating_sub(line.len());
    line.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(_: &[u8], _: u32) -> Flow {
        Flow::Continue
    }

    fn shell(script: &str) -> Command {
        Command::new("/bin/sh").args(["-c", script])
    }

    fn alive(marker: &str) -> bool {
        std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
            std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
        })
    }

    async fn gone(marker: &str) {
        let start = Instant::now();
        while alive(marker) {
            assert!(start.elapsed() < Duration::from_secs(2), "{marker} survived");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn both_pipes_are_read() {
        let mut lines = Vec::new();
        let finished = shell("echo out; echo one >&2; printf two >&2; exit 3")
            .run(&CancellationToken::new(), |line, _| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                Flow::Continue
            })
            .await
            .unwrap();
        assert_eq!(finished.stdout, b"out\n");
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(finished.status.code(), Some(3));
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Command::new("/no/such/program").run(&CancellationToken::new(), quiet).await.unwrap_err();
        assert!(matches!(error, ProcessError::NotFound { .. }), "{error}");
    }

    #[tokio::test]
    async fn output_is_bounded() {
        let error =
            shell("yes").output_limit(10_000).run(&CancellationToken::new(), quiet).await.unwrap_err();
        assert!(matches!(error, ProcessError::OutputTooLarge { .. }), "{error}");
    }

    #[tokio::test]
    async fn time_is_bounded_and_children_die() {
        let start = Instant::now();
        let error = shell("setsid sleep 7771.5 & sleep 7771.5")
            .time_limit(Duration::from_millis(200))
            .run(&CancellationToken::new(), quiet)
            .await
            .unwrap_err();
        assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(2));
        gone("7771.5").await;
    }

    #[tokio::test]
    async fn one_that_ignores_the_request_is_killed() {
        let cancel = CancellationToken::new();
        let running = tokio::spawn({
            let cancel = cancel.clone();
            async move { shell("trap '' TERM; while :; do sleep 7772.5; done").run(&cancel, quiet).await }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let start = Instant::now();
        cancel.cancel();
        assert!(matches!(running.await.unwrap(), Err(ProcessError::Cancelled)));
        assert!(start.elapsed() < Duration::from_secs(2));
        gone("7772.5").await;
    }

    #[tokio::test]
    async fn a_dropped_call_ends_its_program() {
        let running =
            tokio::spawn(async { shell("sleep 7773.5").run(&CancellationToken::new(), quiet).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(alive("7773.5"));
        running.abort();
        gone("7773.5").await;
    }

    #[tokio::test]
    async fn a_reader_can_stop_it() {
        let finished = shell("echo enough >&2; sleep 7774.5")
            .run(&CancellationToken::new(), |_, _| Flow::Stop)
            .await
            .unwrap();
        assert!(!finished.status.success());
        gone("7774.5").await;
    }

    #[tokio::test]
    async fn long_lines_are_cut() {
        let mut longest = 0;
        shell("head -c 3000000 /dev/zero | tr '\\0' x >&2")
            .run(&CancellationToken::new(), |line, _| {
                longest = longest.max(line.len());
                Flow::Continue
            })
            .await
            .unwrap();
        assert_eq!(longest, LINE_LIMIT);
    }
}
