//! The only place that spawns a program.
//!
//! Arguments are vectors, standard input is empty or a file, each program leads a process group of its own,
//! and that group ends when the call is cancelled, runs out of time, or its future is dropped:
//! first a request to terminate, then, after [`GRACE`], a kill. The order matters: a killed `nix`
//! leaves its builders running, a terminated one stops them. What a builder put into the background ends with
//! it (see `orphans`).

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

/// How long a program may take to stop after it was asked to, before it is killed.
pub const GRACE: Duration = Duration::from_millis(1_500);
/// Longest line passed on from standard error, in bytes; the rest of a longer one is dropped.
pub const LINE_LIMIT: usize = 2 * 1024 * 1024;
/// How often the memory of a program with a limit is looked at.
pub const MEMORY_INTERVAL: Duration = Duration::from_millis(250);

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("{}", not_found_message(program))]
    NotFound {
        /// What was to be run.
        program: Executable,
    },
    /// The system refused to start it.
    #[error("{program} could not be started: {cause}")]
    Spawn {
        /// What was to be run.
        program: Executable,
        /// What the system said.
        cause: io::Error,
    },
    /// Reading from it or waiting for it failed.
    #[error("lost contact with {program}: {cause}")]
    Io {
        /// What was run.
        program: Executable,
        /// What the system said.
        cause: io::Error,
    },
    /// It wrote more than is kept.
    #[error("{program} wrote more than {limit} bytes")]
    OutputTooLarge {
        /// What was run.
        program: Executable,
        /// Most bytes kept.
        limit: usize,
    },
    /// It ran longer than allowed.
    #[error("{program} took longer than {} s", limit.as_secs_f32())]
    TimedOut {
        /// What was run.
        program: Executable,
        /// How long it was allowed to run.
        limit: Duration,
    },
    /// It held more memory than allowed.
    #[error("{program} held more than {} of memory", crate::text::bytes(*limit))]
    OutOfMemory {
        /// What was run.
        program: Executable,
        /// Most bytes it may hold.
        limit: u64,
    },
    /// The call was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// That there is no such program.
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

/// What to run: a program and its arguments, never a shell line.
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

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub struct FinishedProcess {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, whole; empty where a reader stopped it or took it as it came.
    pub stdout: Vec<u8>,
    /// Whether it ended because a reader had heard enough.
    pub stopped: bool,
}

/// What a reader wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// Read on, and let the program run for its whole time limit from now: what it was to do within that is done.
    MoreTime,
    /// End the program: enough is known, or it has grown beyond its budget.
    Stop,
}

impl Command {
    /// A command with no arguments, an hour's time and 64 MiB of output.
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

    /// Sets a variable of the program's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes a variable of ours out of the program's environment; one that is set for it stays.
    #[must_use]
    pub fn without(mut self, name: impl AsRef<OsStr>) -> Self {
        self.without.push(name.as_ref().to_owned());
        self
    }

    /// Sets the folder it runs in.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Sets the file that is its standard input; without it, that is empty.
    #[must_use]
    pub fn input_file(mut self, path: impl AsRef<Path>) -> Self {
        self.input = Some(path.as_ref().to_owned());
        self
    }

    /// Sets how long it may run, from its start or from the last [`Flow::MoreTime`] of whoever reads its errors.
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
        std::iter::once(self.program.path().as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str))
            .collect()
    }

    /// What is started, but for its pipes.
    fn builder(&self) -> tokio::process::Command {
        let mut builder = tokio::process::Command::new(self.program.path());
        if let Some(path) = std::env::var_os("PATH") {
            builder.env("PATH", absolute_folders(&path));
        }
        // The token is for clients of ours, not for what we run.
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

    /// Runs it to its end, passing each line of standard error on as it comes.
    ///
    /// # Errors
    /// See [`ProcessError`]. A program that ran and failed is no error: look at [`FinishedProcess::status`].
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

    /// The same with standard output passed on as it comes, and not kept.
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
            // Stopped by a reader: its end is part of the answer.
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

/// The folders of a `PATH` that are the same wherever a program is started. A relative or empty one is the folder it
/// happens to be started in, which may be a flake's, and programs there are not the user's.
#[must_use]
pub fn absolute_folders(path: &OsStr) -> OsString {
    let folders: Vec<_> = std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    match std::env::join_paths(folders) {
        Ok(path) if !path.is_empty() => path,
        // An empty one would mean the folder a program is started in, too.
        _ => "/nonexistent".into(),
    }
}

/// When a program has run out of time.
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

    /// Returns only when the time is up, however often it was renewed.
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

/// Returns only when the program holds more memory than its limit.
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

/// A program that is talked to over its standard input and output, and ends when this is dropped.
pub struct PipedChild {
    _group: ProcessGroup,
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
    /// What it means that the system did not start it.
    fn not_started(&self, cause: io::Error) -> ProcessError {
        let program = self.program.clone();
        match cause.kind() {
            // A missing working folder, or a missing interpreter, gives the same error as a missing program.
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
