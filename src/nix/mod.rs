//! The `nix` command: the only place that knows its arguments, its output and its errors.

pub mod build;
pub mod build_log;
pub mod closure;
mod daemon;
pub mod diagnostics;
pub mod literal;
pub mod log;
pub mod program;
mod source_path;
pub mod store;
mod systems;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use crate::advice::{Hint, Remedy};
use crate::diagnostic::{Code, Diagnostic};
use crate::process::{Command, Flow, ProcessError};
use crate::progress::Call;
use crate::scratch::ScratchError;
use crate::text;

pub use program::{OLDEST, Version};
pub use source_path::source_path;

/// Environment variable with the folder of Nix's flake caches; without it Nix uses the user's cache folder (Nix manual,
/// "Environment variables").
pub const CACHE_HOME: &str = "NIX_CACHE_HOME";
/// Most derivations that an error names.
const PATHS: usize = 10;
/// Shortest time between two progress reports, so that a chatty build log costs little.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Why `nix` gave no answer. A `nix` that ran and failed on a flake is not an error but a [`NixRun`].
#[derive(Debug, thiserror::Error)]
pub enum NixError {
    /// The `nix` found is older than [`OLDEST`].
    #[error("{} is Nix {version}; {OLDEST} or newer is required", path.display())]
    TooOld {
        /// Path of the program.
        path: PathBuf,
        /// Its version.
        version: Version,
    },
    /// The output of `nix` could not be parsed.
    #[error("the output of nix for {what} could not be parsed")]
    NotUnderstood {
        /// What `nix` was asked for, as a noun: `its version`.
        what: &'static str,
        /// The output, cut short, or what is wrong with it.
        said: String,
    },
    /// `nix` ran and failed.
    #[error("nix failed to report {what}: {}", error.message)]
    Failed {
        /// What `nix` was asked for, as a noun: `its version`.
        what: &'static str,
        /// The first error in its log.
        error: Box<Diagnostic>,
    },
    /// `nix` waits for a daemon that answers no question.
    #[error("the Nix daemon does not answer")]
    DaemonSilent,
    /// The server runs offline, and builds by the daemon may fetch.
    #[error("the server makes no connection, and these builds may need one: {}", text::words(paths.iter().take(PATHS).map(|path| path.as_str())))]
    Offline {
        /// The derivations.
        paths: Vec<String>,
    },
    /// No folder could be made for a file that `nix` reads.
    #[error(transparent)]
    NoFolder(#[from] ScratchError),
    /// `nix` could not be started, or did not run to its end.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl From<&NixError> for Diagnostic {
    fn from(error: &NixError) -> Self {
        let (code, hint): (Code, Hint) = match error {
            NixError::Failed { error: own, .. } => {
                return Self { message: error.to_string(), ..(**own).clone() };
            }
            NixError::TooOld { .. } => {
                (Code::NixTooOld, Remedy::Set("nix.program").after("update Nix, or install a newer one and "))
            }
            NixError::NotUnderstood { .. } => {
                (Code::NixFailed, "check that the program is Nix and that it works in a terminal".into())
            }
            NixError::DaemonSilent => {
                (Code::DaemonUnreachable, "see `systemctl status nix-daemon` and restart the daemon".into())
            }
            NixError::Offline { .. } => (Code::NeedsNetwork, Remedy::GoOnline.into()),
            NixError::NoFolder(error) => return error.into(),
            NixError::Process(error) => return error.into(),
        };
        let said = match error {
            NixError::NotUnderstood { said, .. } => said,
            _ => "",
        };
        Self::new(code, error.to_string()).with_said(said).with_hint(hint)
    }
}

/// A `nix` that ran to its end, or was stopped by the line handler of the call.
#[derive(Debug)]
pub struct NixRun {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// What was read from its log.
    pub state: log::LogState,
    /// Whether the line handler stopped it before its end.
    pub stopped: bool,
}

impl NixRun {
    /// Standard output of a run that succeeded; `what` names it in the error.
    ///
    /// # Errors
    /// [`NixError::Failed`] if `nix` exited with an error: its output may then be incomplete.
    pub fn require_success(&self, what: &'static str) -> Result<&[u8], NixError> {
        if self.status.success() {
            return Ok(&self.stdout);
        }
        let nothing = diagnostics::SourceTree { folder: Path::new("/"), store_path: None, commit: None };
        let error = diagnostics::diagnose(&self.state, &nothing).into_iter().next().unwrap_or_else(|| {
            Diagnostic::new(Code::NixFailed, format!("it ended with {} and reported no error", self.status))
        });
        Err(NixError::Failed { what, error: Box::new(error) })
    }
}

/// The `nix` of this machine.
#[derive(Clone, Debug)]
pub struct Nix {
    program: Arc<program::NixProgram>,
    /// Whether no command may make a connection.
    offline: bool,
}

impl Nix {
    /// `program` is a name that is looked up on `PATH`, or a path. Nothing is run yet.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: Arc::new(program::NixProgram::new(program)), offline: false }
    }

    /// The same without a network if `offline`.
    #[must_use]
    pub fn offline_if(self, offline: bool) -> Self {
        Self { offline, ..self }
    }

    /// Whether no command may make a connection.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// Finds the program and checks its version.
    ///
    /// # Errors
    /// See [`program::NixProgram::find`].
    pub async fn find(&self) -> Result<&program::NixInstallation, NixError> {
        self.program.find().await
    }

    /// The command line of `nix SUBCOMMAND`; see [`program::command`].
    ///
    /// # Errors
    /// See [`program::NixProgram::find`].
    pub async fn command(&self, subcommand: &[&str]) -> Result<Command, NixError> {
        let command = program::command(&self.find().await?.path, subcommand);
        Ok(if self.offline { program::offline(command) } else { command })
    }

    /// The command line of an isolated `nix eval`; see [`program::isolated_eval`].
    ///
    /// # Errors
    /// See [`program::NixProgram::find`].
    pub async fn isolated_eval(&self) -> Result<Command, NixError> {
        Ok(program::isolated_eval(&self.find().await?.path))
    }

    /// Runs `nix` and reads its log as a stream: progress goes to the call, the rest to [`NixRun::state`].
    ///
    /// # Errors
    /// See [`NixError`]. A `nix` that ran and failed is a [`NixRun`].
    pub async fn run(&self, command: Command, call: &Call) -> Result<NixRun, NixError> {
        self.run_with_line_handler(command, call, |_, _| None).await
    }

    /// Like [`Nix::run`], with a handler that gets each line of the log first.
    ///
    /// `on_line` gets the line and the process id. If it returns `None`, the line is read as part of the log.
    ///
    /// # Errors
    /// See [`NixError`].
    pub async fn run_with_line_handler(
        &self,
        command: Command,
        call: &Call,
        mut on_line: impl FnMut(&[u8], u32) -> Option<Flow>,
    ) -> Result<NixRun, NixError> {
        let mut state = log::LogState::default();
        state.offline = self.offline;
        let activity = daemon::NixActivity::default();
        let mut reported = tokio::time::Instant::now();
        tracing::debug!(argv = ?command.argv(), "running");
        let running = command.run(&call.cancel, |line, process| {
            activity.count_line();
            if let Some(flow) = on_line(line, process) {
                return flow;
            }
            state.apply(log::Event::parse(line));
            activity.record_work(&state);
            if reported.elapsed() >= PROGRESS_INTERVAL {
                reported = tokio::time::Instant::now();
                let update = state.update();
                // Between two long steps there may be nothing to report: the client keeps the last message.
                if !update.message.is_empty() {
                    call.progress.report(update);
                }
            }
            Flow::Continue
        });
        let finished = tokio::select! {
            finished = running => finished?,
            () = self.wait_for_silent_daemon(&activity, call) => return Err(NixError::DaemonSilent),
        };
        Ok(NixRun { status: finished.status, stdout: finished.stdout, state, stopped: finished.stopped })
    }
}

/// Nix's name for the system of this machine, such as `x86_64-linux`.
#[must_use]
pub fn system() -> String {
    let kernel = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    format!("{}-{kernel}", std::env::consts::ARCH)
}

/// The root of the Git repository that contains the folder; `None` outside a repository.
#[must_use]
pub fn repository_root(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

/// Whether the flake's folder lies in a Git repository: then only tracked files belong to the flake, otherwise all
/// files.
#[must_use]
pub fn is_in_repository(folder: &Path) -> bool {
    repository_root(folder).is_some()
}

/// The flake reference of a folder: a `git+file:` URL in a repository, a `path:` URL otherwise.
///
/// `nix` makes the same choice for a bare path (Nix manual, "nix flake", path-like references). A URL also
/// works for a folder with `#`, `?` or a space in its name.
#[must_use]
pub fn reference(folder: &Path) -> String {
    let encode = |path: &Path| {
        use std::os::unix::ffi::OsStrExt;
        percent_encoding::percent_encode(path.as_os_str().as_bytes(), PATH_CHARACTERS).to_string()
    };
    let Some(root) = repository_root(folder) else { return format!("path:{}", encode(folder)) };
    let mut query = Vec::new();
    if let Ok(below) = folder.strip_prefix(root)
        && below.components().next().is_some()
    {
        query.push(format!("dir={}", encode(below)));
    }
    if root.join(".git/shallow").exists() {
        query.push("shallow=1".to_owned());
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("git+file://{}{query}", encode(root))
}

/// The flake reference of a folder at a commit.
#[must_use]
pub fn reference_at(folder: &Path, commit: &str) -> String {
    let reference = reference(folder);
    // Question marks in the path are percent-encoded.
    let mark = if reference.contains('?') { '&' } else { '?' };
    format!("{reference}{mark}rev={commit}")
}

/// Characters to encode in the path of a URL: all but the unreserved ones of RFC 3986 and the slash.
const PATH_CHARACTERS: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_becomes_a_url() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("a b#c?d");
        std::fs::create_dir_all(root.join("fleet")).unwrap();
        let plain = reference(&root);
        assert!(plain.starts_with("path:/") && plain.ends_with("/a%20b%23c%3Fd"), "{plain}");
        std::fs::create_dir_all(root.join(".git")).unwrap();
        assert!(reference(&root).starts_with("git+file:///"));
        assert!(reference(&root.join("fleet")).ends_with("/a%20b%23c%3Fd?dir=fleet"));
        assert!(reference_at(&root.join("fleet"), "0a1b").ends_with("?dir=fleet&rev=0a1b"));
        assert!(reference_at(&root, "0a1b").ends_with("d?rev=0a1b"));
        std::fs::write(root.join(".git/shallow"), "").unwrap();
        assert!(reference(&root.join("fleet")).ends_with("?dir=fleet&shallow=1"));
    }
}
