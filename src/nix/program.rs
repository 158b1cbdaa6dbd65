//! Finds `nix`, and builds the command line that every use of it starts with.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::NixError;
use crate::process::{Command, Executable, Flow, ProcessError};

/// The oldest `nix` supported.
pub const OLDEST: Version = Version(2, 26, 0);

/// Environment variables by which Git uses another repository than the one of the folder; Git sets them for hooks
/// (`git rev-parse --local-env-vars`, without those for the configuration).
const OTHER_REPOSITORY: [&str; 13] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A version of Nix; compares as numbers, not as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

impl FromStr for Version {
    type Err = ();

    /// Parses the version after "nix (Nix) ", such as `2.34.8`, `2.26.3+dfsg` or `2.32.0pre20250101_abc`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..digits).unwrap_or_default().parse::<u32>()
        });
        let mut next = || parts.next();
        match (next(), next(), next()) {
            (Some(Ok(major)), Some(Ok(minor)), patch) => {
                Ok(Self(major, minor, patch.and_then(Result::ok).unwrap_or(0)))
            }
            _ => Err(()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The `nix` program, located at its first use.
#[derive(Debug)]
pub struct NixProgram {
    wanted: PathBuf,
    found: OnceCell<NixInstallation>,
}

/// A `nix` that was found and is new enough.
#[derive(Clone, Debug)]
pub struct NixInstallation {
    /// Absolute path, or the path from the settings.
    pub path: PathBuf,
    /// Version that it reports.
    pub version: Version,
    /// Files that it reads settings from; `None` if it does not list them.
    pub settings: Option<Vec<PathBuf>>,
}

impl NixProgram {
    /// `wanted` is a name that is looked up on `PATH`, or a path.
    pub fn new(wanted: impl Into<PathBuf>) -> Self {
        Self { wanted: wanted.into(), found: OnceCell::new() }
    }

    /// Finds the program and checks its version. Success is remembered; after a failure the next call tries again.
    ///
    /// # Errors
    /// [`NixError::TooOld`], [`NixError::NotUnderstood`], or [`NixError::Process`] if it is missing or does not run.
    pub async fn find(&self) -> Result<&NixInstallation, NixError> {
        self.found
            .get_or_try_init(|| async {
                let path = locate(&self.wanted, std::env::var_os("PATH").as_deref()).ok_or_else(|| {
                    ProcessError::NotFound { program: Executable::Nix(self.wanted.clone()) }
                })?;
                let (version, settings) = query_version(&path).await?;
                if version < OLDEST {
                    return Err(NixError::TooOld { path, version });
                }
                Ok(NixInstallation { path, version, settings })
            })
            .await
    }
}

/// The executable `wanted`: that path if it has a folder, otherwise the first match in the folders of `search`.
fn locate(wanted: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    let runnable = |path: &Path| {
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    if wanted.components().count() > 1 {
        return runnable(wanted).then(|| wanted.to_owned());
    }
    let search = crate::process::absolute_folders(search?);
    std::env::split_paths(&search).map(|folder| folder.join(wanted)).find(|path| runnable(path))
}

async fn query_version(path: &Path) -> Result<(Version, Option<Vec<PathBuf>>), NixError> {
    let mut first_error = String::new();
    let finished = Command::new(Executable::Nix(path.to_owned()))
        .args(["--version", "--verbose"])
        .time_limit(Duration::from_secs(10))
        .output_limit(64 * 1024)
        .run(&CancellationToken::new(), |line, _| {
            if first_error.is_empty() {
                first_error = crate::text::plain(&String::from_utf8_lossy(line));
            }
            Flow::Continue
        })
        .await?;
    // If the program fails, its first error line explains more than its output.
    let said = if finished.status.success() { String::from_utf8_lossy(&finished.stdout) } else { "".into() };
    let first = said.trim().lines().next().unwrap_or_default();
    let version = first
        .strip_prefix("nix (Nix) ")
        // Lix and Determinate Nix print another name: "nix (Lix, like Nix) 2.93.0".
        .or_else(|| first.rsplit(' ').next())
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| NixError::NotUnderstood {
            what: "its version",
            said: crate::text::bounded(
                &crate::text::plain(if said.trim().is_empty() { &first_error } else { &said }),
                200,
            ),
        })?;
    Ok((version, settings_files(&said)))
}

/// Parses the settings files from `nix --version --verbose` (`printVersion`, `shared.cc`).
fn settings_files(said: &str) -> Option<Vec<PathBuf>> {
    let after = |label: &str| said.lines().find_map(|line| line.strip_prefix(label));
    let system = after("System configuration file: ")?.trim_matches('"');
    let user = after("User configuration files: ")?;
    Some(std::iter::once(PathBuf::from(system)).chain(std::env::split_paths(user)).collect())
}

/// Identifies the program on disk, as part of the cache keys of answers that depend on it.
#[must_use]
pub fn identity(found: &NixInstallation) -> String {
    let stamp = found
        .path
        .metadata()
        .map(|data| {
            format!("{}:{}:{}:{}:{}", data.dev(), data.ino(), data.size(), data.mtime(), data.ctime_nsec())
        })
        .unwrap_or_default();
    format!("{}:{}:{stamp}", found.path.display(), found.version)
}

/// The command line of `nix SUBCOMMAND`, the same on every machine whatever its nix.conf says:
///
/// - It enables the experimental features, so that a stock installation works.
/// - It never accepts a flake's `nixConfig`, which can name substituters and keys, even if the user once answered
///   "always". (`NIX_DATA_HOME` holds those answers; Nix manual, "accept-flake-config" and "Environment
///   variables".)
/// - It uses no global registry: the lock file decides what a name in a flake means, not a server.
/// - It evaluates in pure mode.
/// - It asks no questions and prints no colours.
/// - It removes the Git variables of a hook, so that Git uses the repositories that Nix names.
#[must_use]
pub fn command(program: &Path, subcommand: &[&str]) -> Command {
    let command = Command::new(Executable::Nix(program.to_owned()))
        .args(subcommand)
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args(["--option", "accept-flake-config", "false"])
        .args(["--option", "flake-registry", ""])
        .args(["--option", "pure-eval", "true"]);
    quiet(command)
}

/// The command line of a `nix eval` of untrusted code, which reads nothing and reaches nothing:
///
/// - It evaluates in pure and in restricted mode, and no URI is allowed. `builtins.path` alone gives it a path of the store, if it
///   knows the hash of the content.
/// - Flakes are disabled. `builtins.getFlake` checks no URI, so it would fetch from any address and copy any folder to the
///   store (Nix 2.26 to 2.34).
/// - It has no network. `builtins.findFile` checks no URI either, and would download an entry of its search path.
/// - It builds nothing, writes no derivation to the store, and has no binary caches.
#[must_use]
pub fn isolated_eval(program: &Path) -> Command {
    let command = Command::new(Executable::Nix(program.to_owned()))
        .args(["eval", "--json", "--show-trace", "--read-only"])
        .args(["--experimental-features", "nix-command"])
        .args(["--option", "pure-eval", "true"])
        .args(["--option", "restrict-eval", "true"])
        .args(["--option", "allowed-uris", ""])
        .args(["--option", "allow-import-from-derivation", "false"])
        .args(["--option", "allow-unsafe-native-code-during-evaluation", "false"])
        .args(["--option", "substitute", "false"])
        .args(["--option", "builders", ""])
        .args(["--option", "download-attempts", "1"])
        .without("NIX_PATH")
        .without_network();
    quiet(command)
}

/// The same command without a network, whatever nix.conf says: no binary caches, no remote builders, and no fetchers. A build
/// in this process's own store has none either; one by a daemon has to be refused before, if it fetches. What an evaluation
/// imports may be such a build, so nothing is imported.
#[must_use]
pub fn offline(command: Command) -> Command {
    command
        .args(["--option", "substitute", "false"])
        .args(["--option", "builders", ""])
        .args(["--option", "download-attempts", "1"])
        .args(["--option", "allow-import-from-derivation", "false"])
        .without_network()
}

/// The parts of a command line that are the same for trusted and untrusted code.
fn quiet(command: Command) -> Command {
    let command = command
        .args(["--log-format", "internal-json"])
        .env("NIX_DATA_HOME", "/nonexistent")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("NO_COLOR", "1");
    OTHER_REPOSITORY.into_iter().fold(command, Command::without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("2.9.1") < OLDEST);
        assert!(version("2.26.3+dfsg") > OLDEST);
        assert!(version("2.100.0") > version("2.34.8"));
        assert_eq!(version("2.32pre20250101_abc"), Version(2, 32, 0));
        assert!("unknown".parse::<Version>().is_err());
    }

    #[test]
    fn the_command_line_is_fixed() {
        let command = command(Path::new("/bin/nix"), &["eval", "--json"]);
        let argv: Vec<_> = command.argv().iter().map(|part| part.to_string_lossy().into_owned()).collect();
        assert_eq!(
            argv.join("|"),
            "/bin/nix|eval|--json|--extra-experimental-features|nix-command flakes|--option|accept-flake-config|\
             false|--option|flake-registry||--option|pure-eval|true|--log-format|internal-json"
        );
    }

    #[test]
    fn a_folder_or_text_file_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("nix"), "").unwrap();
        assert_eq!(locate(Path::new("nix"), Some(folder.path().as_os_str())), None);
        assert_eq!(locate(folder.path(), None), None);
    }
}
