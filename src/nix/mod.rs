//! The `nix` command: the only place that knows its arguments, its output and its errors.

pub mod build;
pub mod build_log;
mod daemon;
pub mod diagnostics;
pub mod literal;
pub mod log;
pub mod program;
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

pub use program::{OLDEST, Version};

/// The folder in which Nix keeps what it remembers of flakes, if not in the user's (Nix manual, "Environment variables").
pub const CACHE_HOME: &str = "NIX_CACHE_HOME";
/// How long progress is held back, so that a build's chatter costs nothing.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Why `nix` gave no answer at all. What it answers about a flake is a [`NixRun`], failed or not.
#[derive(Debug, thiserror::Error)]
pub enum NixError {
    /// It is older than [`OLDEST`].
    #[error("{} is Nix {version}; {OLDEST} or newer is needed", path.display())]
    TooOld {
        /// Which program.
        path: PathBuf,
        /// Its version.
        version: Version,
    },
    /// What it said makes no sense here.
    #[error("nix said {what} in a way that could not be understood")]
    NotUnderstood {
        /// What was asked for.
        what: &'static str,
        /// What came, cut short.
        said: String,
    },
    /// It was asked something and failed.
    #[error("nix did not say {what}: {}", error.message)]
    Failed {
        /// What was asked for.
        what: &'static str,
        /// Its first error.
        error: Box<Diagnostic>,
    },
    /// The daemon took the connection, or refused it, and said nothing.
    #[error("the Nix daemon does not answer")]
    DaemonSilent,
    /// There is no place for a file that it reads.
    #[error(transparent)]
    NoFolder(#[from] ScratchError),
    /// It could not be run to its end.
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
                (Code::NixFailed, "check that the program is Nix and works by hand".into())
            }
            NixError::DaemonSilent => {
                (Code::DaemonUnreachable, "look at `systemctl status nix-daemon` and restart it".into())
            }
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

/// A `nix` that ran to its end, or was stopped by whoever listened to it.
#[derive(Debug)]
pub struct NixRun {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// All that its log said.
    pub state: log::LogState,
    /// Whether whoever listened to it had it stopped.
    pub stopped: bool,
}

impl NixRun {
    /// What it printed, where it succeeded; `what` it was asked for, where it did not.
    ///
    /// # Errors
    /// [`NixError::Failed`]: what a program that failed has printed is no answer.
    pub fn require_success(&self, what: &'static str) -> Result<&[u8], NixError> {
        if self.status.success() {
            return Ok(&self.stdout);
        }
        let nothing = diagnostics::SourceTree { folder: Path::new("/"), store_path: None, commit: None };
        let error = diagnostics::diagnose(&self.state, &nothing).into_iter().next().unwrap_or_else(|| {
            Diagnostic::new(Code::NixFailed, format!("it ended with {} and said nothing", self.status))
        });
        Err(NixError::Failed { what, error: Box::new(error) })
    }
}

/// The `nix` of this machine.
#[derive(Clone, Debug)]
pub struct Nix {
    program: Arc<program::NixProgram>,
}

impl Nix {
    /// The program of that name or path; nothing is run yet.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: Arc::new(program::NixProgram::new(program)) }
    }

    /// Finds it and checks its version.
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
        Ok(program::command(&self.find().await?.path, subcommand))
    }

    /// Runs it, reading its log as a stream: progress goes to the call, all else into [`NixRun::state`].
    ///
    /// # Errors
    /// See [`NixError`]; a `nix` that ran and failed is a [`NixRun`].
    pub async fn run(&self, command: Command, call: &Call) -> Result<NixRun, NixError> {
        self.run_with_line_handler(command, call, |_, _| None).await
    }

    /// As [`Nix::run`], with somebody who hears every line of the log before it is read here.
    ///
    /// `on_line` gets the line and the process; `None` says that the line is not meant for it.
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
                // A short question between two long steps has nothing to say; what was said stays.
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

/// The system of this machine by Nix's name for it, such as `x86_64-linux`.
#[must_use]
pub fn system() -> String {
    let kernel = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    format!("{}-{kernel}", std::env::consts::ARCH)
}

/// The root of the Git repository the folder is in.
#[must_use]
pub fn repository_root(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

/// Whether Git decides what of the flake's folder belongs to it; otherwise all of it does.
#[must_use]
pub fn is_in_repository(folder: &Path) -> bool {
    repository_root(folder).is_some()
}

/// The flake's folder as `nix` wants it: a URL that says whether Git decides what belongs to it.
///
/// The same choice `nix` makes for a bare path (Nix manual, "nix flake", path-like references),
/// but spelt out, so that a folder with `#`, `?` or a space in its name is no trap.
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

/// The flake as a commit has it.
#[must_use]
pub fn reference_at(folder: &Path, commit: &str) -> String {
    let reference = reference(folder);
    // Encoded as it is, it has no other question mark.
    let mark = if reference.contains('?') { '&' } else { '?' };
    format!("{reference}{mark}rev={commit}")
}

/// What stays as it is in a path within a URL: the unreserved characters of RFC 3986 and the slash.
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
