//! The description of a program to run.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Executable, ProcessError, network, orphans};
use crate::platform;

/// A program to run, with its arguments, environment and limits.
#[derive(Clone, Debug)]
pub struct Command {
    pub(super) program: Executable,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    without: Vec<OsString>,
    folder: Option<PathBuf>,
    pub(super) input: Option<PathBuf>,
    pub(super) time_limit: Duration,
    pub(super) output_limit: usize,
    pub(super) memory_limit: Option<u64>,
    network: bool,
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
            network: true,
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

    /// Sets how long the program may run, counted from its start or from the last
    /// [`Flow::MoreTime`](super::Flow::MoreTime) that the reader of standard error returned.
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

    /// Sets how much memory the program may use, in bytes. It is measured every [`MEMORY_INTERVAL`](super::MEMORY_INTERVAL), for the program alone
    /// and not for its descendants.
    #[must_use]
    pub fn memory_limit(mut self, limit: u64) -> Self {
        self.memory_limit = Some(limit);
        self
    }

    /// Takes the network away from the program and its descendants: see [`super::network`].
    #[must_use]
    pub fn without_network(mut self) -> Self {
        self.network = false;
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
    pub(super) fn builder(&self) -> tokio::process::Command {
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
        if !self.network {
            network::take_away(&mut builder);
        }
        // After a change of the user namespace, which would undo the binding to this process.
        prepare(&mut builder);
        builder
    }

    /// The error for a failed start: [`ProcessError::NotFound`] only if the program itself does not exist.
    pub(super) fn not_started(&self, cause: io::Error) -> ProcessError {
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

/// Makes the kernel terminate the program if this process is killed, and makes the program the parent of orphans among
/// its descendants. Linux only.
///
/// For the kernel the parent is the thread that forked (prctl(2), `PR_SET_PDEATHSIG`). Programs are therefore started
/// only on threads of the runtime, which live as long as the runtime, and never in `spawn_blocking`, whose threads end
/// earlier.
#[expect(unsafe_code, reason = "both can only be set between fork and exec")]
fn prepare(builder: &mut tokio::process::Command) {
    let parent = rustix::process::getpid();
    // SAFETY: the closure only makes system calls that are async-signal-safe and allocates nothing.
    unsafe {
        builder.pre_exec(move || Ok(platform::bind_to_parent(parent)?));
    }
}
