//! Starts programs; nothing else in this crate does.
//!
//! Arguments are vectors, never shell lines, and standard input is empty or a file. Each program leads its own process
//! group. The group is ended if the call is cancelled, runs out of time, or its future is dropped: first SIGTERM, then,
//! after [`GRACE`], SIGKILL. A killed `nix` would leave its builders running; a terminated one stops them. Processes that a
//! builder left in the background are ended too (see `orphans`).

mod executable;
mod group;
mod orphans;
mod pipes;
mod signals;
mod table;
mod terminal;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Pid;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::advice::{Hint, Remedy};
use crate::diagnostic::{Code, Diagnostic};
use crate::platform;
pub use executable::Executable;
use group::ProcessGroup;
pub use group::end_all;
pub use orphans::adopt_orphans;
pub use signals::reset_signals;
pub use table::resident_bytes;

/// Time between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_millis(1_500);
/// Longest line of standard error that is passed on, in bytes; the rest of the line is dropped.
pub const LINE_LIMIT: usize = 2 * 1024 * 1024;
/// Time between two measurements of the memory of a program with a memory limit.
pub const MEMORY_INTERVAL: Duration = Duration::from_millis(250);

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("{}", not_found_message(program))]
    NotFound {
        /// The program.
        program: Executable,
    },
    /// The system could not start it.
    #[error("{program} could not be started: {cause}")]
    Spawn {
        /// The program.
        program: Executable,
        /// The error of the system.
        cause: io::Error,
    },
    /// Reading its output or waiting for its end failed.
    #[error("lost contact with {program}: {cause}")]
    Io {
        /// The program.
        program: Executable,
        /// The error of the system.
        cause: io::Error,
    },
    /// It wrote more to standard output than [`Command::output_limit`].
    #[error("{program} wrote more than {limit} bytes")]
    OutputTooLarge {
        /// The program.
        program: Executable,
        /// The limit, in bytes.
        limit: usize,
    },
    /// It ran longer than [`Command::time_limit`].
    #[error("{program} took longer than {} s", limit.as_secs_f32())]
    TimedOut {
        /// The program.
        program: Executable,
        /// The limit.
        limit: Duration,
    },
    /// It used more memory than [`Command::memory_limit`].
    #[error("{program} held more than {} of memory", crate::text::bytes(*limit))]
    OutOfMemory {
        /// The program.
        program: Executable,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The call was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// The message of [`ProcessError::NotFound`].
fn not_found_message(program: &Executable) -> String {
    if program.is_name() {
        format!("there is no `{program}` on PATH")
    } else {
        format!("there is no program {program}")
    }
}

impl From<&ProcessError> for Diagnostic {
    fn from(error: &ProcessError) -> Self {
        use ProcessError as E;
        let (code, hint): (Code, Hint) = match error {
            E::NotFound { program } => (program.missing_code(), program.install_hint()),
            E::Spawn { program, .. } => (
                Code::ProgramUnusable,
                format!("see that this user may run `{program}`, or {}", program.install_hint()).into(),
            ),
            E::Io { program: Executable::Nix(_), .. } => (Code::NixFailed, "try the same by hand".into()),
            E::Io { .. } => (Code::Internal, "see the server's log".into()),
            E::OutputTooLarge { .. } => (Code::OutputTooLarge, "ask for less at once".into()),
            E::OutOfMemory { .. } => (
                Code::OutOfMemory,
                Remedy::Raise(&["limits.evaluation_memory_mib"]).after("look for runaway recursion, or "),
            ),
            E::TimedOut { program: Executable::Nix(_), .. } => {
                (Code::TimedOut, Remedy::Raise(&["limits.evaluation_seconds", "limits.build_seconds"]).into())
            }
            E::TimedOut { .. } => (Code::TimedOut, Remedy::CallAgain.into()),
            E::Cancelled => (Code::Cancelled, Remedy::CallAgain.after("if the answer is wanted, ")),
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}

/// A program to run, with its arguments, environment and limits.
#[derive(Clone, Debug)]
pub struct Command {
    program: Executable,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    without: Vec<OsString>,
    folder: Option<PathBuf>,
    input: Option<PathBuf>,
    time_limit: Duration,
    output_limit: usize,
    memory_limit: Option<u64>,
}

/// The result of a program that ended.
#[derive(Debug)]
pub struct FinishedProcess {
    /// Its exit status; that of the signal if a reader stopped it.
    pub status: ExitStatus,
    /// Its whole standard output; empty if a reader stopped it, and for [`Command::stream`].
    pub stdout: Vec<u8>,
    /// Whether a reader stopped it with [`Flow::Stop`].
    pub stopped: bool,
}

/// What happens after a reader has seen a line or chunk of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// Read on, and begin the time limit anew: the program has finished one of its tasks.
    MoreTime,
    /// End the program: no more output is needed, or it uses too much memory.
    Stop,
}

impl Command {
    /// A command without arguments. It may run for one hour, write 64 MiB, and use any amount of memory.
    pub fn new(program: impl Into<Executable>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            without: Vec::new(),
            folder: None,
            input: None,
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

    /// Sets an environment variable of the program.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Does not pass this process's variable `name` on. A value set by [`Command::env`] is passed on all the same.
    #[must_use]
    pub fn without(mut self, name: impl AsRef<OsStr>) -> Self {
        self.without.push(name.as_ref().to_owned());
        self
    }

    /// Sets the program's working folder; without it, this process's is used.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Sets the file that is the program's standard input; without it, standard input is empty.
    #[must_use]
    pub fn input_file(mut self, path: impl AsRef<Path>) -> Self {
        self.input = Some(path.as_ref().to_owned());
        self
    }

    /// Sets how long the program may run, counted from its start or from the last [`Flow::MoreTime`] that the reader of
    /// standard error returned.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets how much the program may write to standard output, in bytes; more is [`ProcessError::OutputTooLarge`].
    #[must_use]
    pub fn output_limit(mut self, limit: usize) -> Self {
        self.output_limit = limit;
        self
    }

    /// Sets how much memory the program may use, in bytes. It is measured every [`MEMORY_INTERVAL`], for the program alone
    /// and not for its descendants.
    #[must_use]
    pub fn memory_limit(mut self, limit: u64) -> Self {
        self.memory_limit = Some(limit);
        self
    }

    /// The program and its arguments, for tests and logs.
    #[must_use]
    pub fn argv(&self) -> Vec<&OsStr> {
        std::iter::once(self.program.path().as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str))
            .collect()
    }

    /// The command without its pipes.
    fn builder(&self) -> tokio::process::Command {
        let mut builder = tokio::process::Command::new(self.program.path());
        if let Some(path) = std::env::var_os("PATH") {
            builder.env("PATH", absolute_folders(&path));
        }
        // The token authenticates clients of this server; the programs it runs must not have it.
        builder.args(&self.arguments).env_remove("PANTHEROS_HTTP_TOKEN");
        for name in &self.without {
            builder.env_remove(name);
        }
        builder.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            builder.current_dir(folder);
        }
        orphans::set_mark(&mut builder);
        prepare(&mut builder);
        builder
    }

    /// Runs the program to its end. Calls `on_error_line` with each line of standard error as it arrives, and with the id of
    /// the process.
    ///
    /// # Errors
    /// See [`ProcessError`]. A program that exits with an error is `Ok`: see [`FinishedProcess::status`].
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        on_error_line: impl FnMut(&[u8], u32) -> Flow,
    ) -> Result<FinishedProcess, ProcessError> {
        let mut stdout = Vec::new();
        let keep = |chunk: &[u8]| {
            stdout.extend_from_slice(chunk);
            if stdout.len() > self.output_limit { Flow::Stop } else { Flow::Continue }
        };
        let mut finished = self.stream(cancel, keep, on_error_line).await?;
        if stdout.len() > self.output_limit {
            return Err(ProcessError::OutputTooLarge {
                program: self.program.clone(),
                limit: self.output_limit,
            });
        }
        if !finished.stopped {
            finished.stdout = stdout;
        }
        Ok(finished)
    }

    /// As [`Command::run`], but calls `on_output` with standard output as it arrives, and does not keep it.
    ///
    /// # Errors
    /// See [`Command::run`].
    pub async fn stream(
        &self,
        cancel: &CancellationToken,
        mut on_output: impl FnMut(&[u8]) -> Flow,
        mut on_error_line: impl FnMut(&[u8], u32) -> Flow,
    ) -> Result<FinishedProcess, ProcessError> {
        if group::STOPPING.is_cancelled() {
            return Err(ProcessError::Cancelled);
        }
        let mut group = ProcessGroup::start(self)?;
        let deadline = Deadline::new(self.time_limit);
        let mut on_error_line = |line: &[u8], process| {
            let flow = on_error_line(line, process);
            if flow == Flow::MoreTime {
                deadline.renew();
            }
            flow
        };
        let leader = group.leader;
        let outcome = tokio::select! {
            outcome = group.read_until_exit(self, &mut on_output, &mut on_error_line) => outcome,
            () = memory_exceeded(leader, self.memory_limit) => Err(ProcessError::OutOfMemory {
                program: self.program.clone(),
                limit: self.memory_limit.unwrap_or_default(),
            }),
            () = cancel.cancelled() => Err(ProcessError::Cancelled),
            () = group::STOPPING.cancelled() => Err(ProcessError::Cancelled),
            () = deadline.reached() => {
                Err(ProcessError::TimedOut { program: self.program.clone(), limit: self.time_limit })
            }
        };
        match outcome {
            Ok(Some(status)) => {
                group.finished();
                Ok(FinishedProcess { status, stdout: Vec::new(), stopped: false })
            }
            // A reader stopped it, so its exit status is not an error.
            Ok(None) => {
                let status = group.end().await;
                Ok(FinishedProcess { status, stdout: Vec::new(), stopped: true })
            }
            Err(error) => {
                group.end().await;
                Err(error)
            }
        }
    }
}

/// The absolute folders of a `PATH`. A relative or empty entry means the working folder, which may be a flake's, and a flake
/// must not provide the programs that are run.
#[must_use]
pub fn absolute_folders(path: &OsStr) -> OsString {
    let folders: Vec<_> = std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    match std::env::join_paths(folders) {
        Ok(path) if !path.is_empty() => path,
        // An empty `PATH` would mean the working folder, too.
        _ => "/nonexistent".into(),
    }
}

/// The end of a program's time limit, which can be renewed.
struct Deadline {
    limit: Duration,
    at: Mutex<Instant>,
}

impl Deadline {
    fn new(limit: Duration) -> Self {
        Self { limit, at: Mutex::new(Instant::now() + limit) }
    }

    fn at(&self) -> MutexGuard<'_, Instant> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self) {
        *self.at() = Instant::now() + self.limit;
    }

    /// Returns when the time is up, however often it was renewed.
    async fn reached(&self) {
        loop {
            let at = *self.at();
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at).await;
        }
    }
}

/// Returns when the program uses more memory than its limit; never if there is no limit.
async fn memory_exceeded(leader: Option<Pid>, limit: Option<u64>) {
    if let (Some(leader), Some(limit)) = (leader, limit) {
        let mut ticks = tokio::time::interval(MEMORY_INTERVAL);
        while resident_bytes(leader.as_raw_nonzero().get().unsigned_abs()).is_none_or(|held| held <= limit) {
            ticks.tick().await;
        }
    } else {
        std::future::pending().await
    }
}

/// A running program whose standard input and output are pipes. Dropping this ends it.
pub struct PipedChild {
    _group: ProcessGroup,
    /// The program's standard output.
    pub output: tokio::process::ChildStdout,
    /// The program's standard input.
    pub input: tokio::process::ChildStdin,
}

impl Command {
    /// Starts the program and does not wait for its end. It inherits this process's standard error.
    ///
    /// # Errors
    /// [`ProcessError::NotFound`] and [`ProcessError::Spawn`].
    pub fn spawn_with_pipes(&self) -> Result<PipedChild, ProcessError> {
        let mut group = ProcessGroup::start_with(self, Stdio::piped(), Stdio::inherit())?;
        let pipes = group.child.as_mut().and_then(|child| Some((child.stdout.take()?, child.stdin.take()?)));
        let Some((output, input)) = pipes else {
            return Err(ProcessError::Io {
                program: self.program.clone(),
                cause: io::Error::other("the pipes are missing"),
            });
        };
        Ok(PipedChild { _group: group, output, input })
    }
}

impl Command {
    /// The error for a failed start: [`ProcessError::NotFound`] only if the program itself does not exist.
    fn not_started(&self, cause: io::Error) -> ProcessError {
        let program = self.program.clone();
        match cause.kind() {
            // The system gives the same error if the working folder or the script's interpreter is missing.
            io::ErrorKind::NotFound
                if self.folder.as_ref().is_none_or(|folder| folder.is_dir())
                    && (program.is_name() || !program.path().exists()) =>
            {
                ProcessError::NotFound { program }
            }
            _ => ProcessError::Spawn { program, cause },
        }
    }
}

/// Lets the kernel terminate the program when this process dies without a chance to do it, and hands the program what
/// those that it starts leave behind. Only Linux can.
///
/// The kernel takes the thread that forked for the parent (prctl(2), `PR_SET_PDEATHSIG`): programs are started by futures,
/// so by threads of the runtime, which last as long as it does, and never in `spawn_blocking`, whose threads come and go.
#[expect(unsafe_code, reason = "both can only be set between fork and exec")]
fn prepare(builder: &mut tokio::process::Command) {
    let parent = rustix::process::getpid();
    // SAFETY: the closure only makes system calls that are async-signal-safe and allocates nothing.
    unsafe {
        builder.pre_exec(move || Ok(platform::bind_to_parent(parent)?));
    }
}

#[cfg(test)]
mod tests;
