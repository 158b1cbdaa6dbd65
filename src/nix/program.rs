//! Finding `nix`, and the command line every use of it starts with.

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

/// What makes Git look at another repository than the one of the folder, as it is set for hooks
/// (`git rev-parse --local-env-vars`, without what says how to read the configuration).
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

    /// Reads `2.34.8`, `2.26.3+dfsg`, `2.32.0pre20250101_abc` and what else follows "nix (Nix) ".
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

/// The `nix` program, looked for when it is first needed.
#[derive(Debug)]
pub struct NixProgram {
    wanted: PathBuf,
    found: OnceCell<NixInstallation>,
}

/// A `nix` that was found and is new enough.
#[derive(Clone, Debug)]
pub struct NixInstallation {
    /// Where it is.
    pub path: PathBuf,
    /// What it says its version is.
    pub version: Version,
    /// The files it says it reads its settings from; `None` where it does not say.
    pub settings: Option<Vec<PathBuf>>,
}

impl NixProgram {
    /// The program of that name or path.
    pub fn new(wanted: impl Into<PathBuf>) -> Self {
        Self { wanted: wanted.into(), found: OnceCell::new() }
    }

    /// Finds it and checks its version, once; a failure is tried again at the next call.
    ///
    /// # Errors
    /// [`NixError::TooOld`], or what running it gave.
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

/// The executable `wanted` names: itself where it has a folder, otherwise the first on `search`.
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
    // Of a program that fails the complaint is the better answer.
    let said = if finished.status.success() { String::from_utf8_lossy(&finished.stdout) } else { "".into() };
    let first = said.trim().lines().next().unwrap_or_default();
    let version = first
        .strip_prefix("nix (Nix) ")
        // Lix and Determinate Nix name themselves otherwise: "nix (Lix, like Nix) 2.93.0".
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

/// The files of settings that `nix --version --verbose` names (`printVersion`, `shared.cc`).
fn settings_files(said: &str) -> Option<Vec<PathBuf>> {
    let after = |label: &str| said.lines().find_map(|line| line.strip_prefix(label));
    let system = after("System configuration file: ")?.trim_matches('"');
    let user = after("User configuration files: ")?;
    Some(std::iter::once(PathBuf::from(system)).chain(std::env::split_paths(user)).collect())
}

/// What identifies the program on disk, for keys of answers that depend on it.
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

/// The command line of `nix SUBCOMMAND`, for any machine however it is configured.
///
/// - The experimental features are asked for here, so that a stock installation works.
/// - A flake's `nixConfig` is never accepted, not even where somebody once answered "always":
///   it can name substituters and keys. (`NIX_DATA_HOME` holds those answers; Nix manual,
///   "accept-flake-config" and "Environment variables".)
/// - No global registry: a name in a flake is what its lock file says, never what a server does.
/// - Evaluation is pure whatever the configuration says.
/// - Nothing asks questions, nothing draws.
/// - What is fetched with Git is fetched from and to where Nix says, in a hook as well.
#[must_use]
pub fn command(program: &Path, subcommand: &[&str]) -> Command {
    let command = Command::new(Executable::Nix(program.to_owned()))
        .args(subcommand)
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args(["--option", "accept-flake-config", "false"])
        .args(["--option", "flake-registry", ""])
        .args(["--option", "pure-eval", "true"])
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
