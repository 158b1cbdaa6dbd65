//! Commands in the user's database of nix-index (<https://github.com/nix-community/nix-index>), which `nix-locate` reads.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::{Command, Flow, ProcessError};
use crate::progress::Call;
use crate::text;

/// The program of nix-index that reads the database.
const PROGRAM: &str = "nix-locate";
/// The variable with the folder of the database.
const FOLDER: &str = "NIX_INDEX_DATABASE";
/// The file of the database in its folder.
const FILE: &str = "files";
/// Longest search of the database, which takes a second or two.
const TIME: Duration = Duration::from_secs(20);
/// Largest answer, in bytes: some thousand packages.
const ANSWER_BYTES: usize = 256 * 1024;
/// Most attribute paths that are returned.
const MOST: usize = 64;

/// What a database of nix-index has of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// It could not be asked, for this reason.
    Unknown(String),
    /// The attribute paths of the packages that have the command, those that are installed under their own name first.
    Found {
        attributes: Vec<String>,
        /// Days since the database was made; `None` if it is not known.
        days: Option<u64>,
    },
}

/// Asks `nix-locate` which packages have a command in `bin`.
///
/// # Errors
/// [`ProcessError::Cancelled`]. Any other failure is [`Located::Unknown`].
pub async fn locate(command: &str, call: &Call) -> Result<Located, ProcessError> {
    let Some(database) = database() else {
        return Ok(Located::Unknown("there is no folder for a database of nix-index".to_owned()));
    };
    let Ok(metadata) = std::fs::metadata(&database) else {
        return Ok(Located::Unknown("there is no database of nix-index".to_owned()));
    };
    let days =
        metadata.modified().ok().and_then(|time| time.elapsed().ok()).map(|age| age.as_secs() / 86_400);
    let run = Command::new(PROGRAM)
        .args(["--minimal", "--whole-name", "--at-root"])
        .arg(format!("/bin/{command}"))
        .time_limit(TIME)
        .output_limit(ANSWER_BYTES)
        .run(&call.cancel, |_, _| Flow::Continue)
        .await;
    let finished = match run {
        Err(ProcessError::Cancelled) => return Err(ProcessError::Cancelled),
        Err(error) => return Ok(Located::Unknown(text::line(&error.to_string(), 200))),
        Ok(finished) if !finished.status.success() => {
            return Ok(Located::Unknown(format!("{PROGRAM} failed: {}", finished.status)));
        }
        Ok(finished) => finished,
    };
    Ok(Located::Found { attributes: attributes(&String::from_utf8_lossy(&finished.stdout)), days })
}

/// The file of the database: in `$NIX_INDEX_DATABASE`, or in `nix-index` in the user's cache folder.
fn database() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable(FOLDER).or_else(|| {
        let caches = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
        Some(caches.join("nix-index"))
    })?;
    Some(folder.join(FILE))
}

/// The attribute paths in the output of `nix-locate --minimal`: one a line, with the output of the package at its end in most
/// versions, and in parentheses if the package is only a part of another. Each is returned with and without its last name,
/// because only the index tells which one is the package.
fn attributes(output: &str) -> Vec<String> {
    let mut own = Vec::new();
    let mut inside = Vec::new();
    for line in output.lines().map(str::trim) {
        let bare = line.strip_prefix('(').and_then(|line| line.strip_suffix(')'));
        let whole = bare.unwrap_or(line);
        let list = if bare.is_some() { &mut inside } else { &mut own };
        list.extend(whole.rsplit_once('.').map(|(attribute, _output)| attribute.to_owned()));
        if !whole.is_empty() {
            list.push(whole.to_owned());
        }
    }
    own.extend(inside);
    own.truncate(MOST);
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_parentheses_are_taken_off() {
        let output = "(gnome.keyring.out)\nlibsecret.out\npython3Packages.secretstorage\nhello\n\n";
        let expected = [
            "libsecret",
            "libsecret.out",
            "python3Packages",
            "python3Packages.secretstorage",
            "hello",
            "gnome.keyring",
            "gnome.keyring.out",
        ];
        assert_eq!(attributes(output), expected);
    }
}
