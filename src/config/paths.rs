//! The paths of the flake and of the user's folders, and whether one lies in the other.

use std::path::{Component, Path, PathBuf};

use super::file::ConfigError;

/// How the flake's folder was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlakeDiscovery {
    /// By `--flake` or `PANTHEROS_FLAKE`.
    Named,
    /// As the nearest one upwards from the working folder.
    Nearest,
    /// Not at all: there is none upwards from the working folder.
    NotFound,
}

/// The flake's folder, or the folder where the search for one began, and how it was found.
///
/// # Errors
/// [`ConfigError::Relative`].
pub(super) fn flake(
    start: Option<&Path>,
    named: Option<&Path>,
) -> Result<(PathBuf, FlakeDiscovery), ConfigError> {
    Ok(match (named, start) {
        (Some(folder), _) => (absolute(start, folder, "--flake")?, FlakeDiscovery::Named),
        (None, Some(start)) => match nearest_flake(start) {
            Some(folder) => (folder, FlakeDiscovery::Nearest),
            None => (start.to_owned(), FlakeDiscovery::NotFound),
        },
        (None, None) => (PathBuf::from("/"), FlakeDiscovery::NotFound),
    })
}

/// The nearest folder from `start` upwards that has a `flake.nix`; `None` if there is none.
#[must_use]
pub fn nearest_flake(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join("flake.nix").is_file()).map(Path::to_owned)
}

/// The absolute path of a switch's value.
///
/// # Errors
/// [`ConfigError::Relative`] if the path is relative and the working folder was removed.
pub(super) fn absolute(
    start: Option<&Path>,
    path: &Path,
    switch: &'static str,
) -> Result<PathBuf, ConfigError> {
    match start {
        Some(start) => Ok(start.join(path)),
        None if path.is_absolute() => Ok(path.to_owned()),
        None => Err(ConfigError::Relative { switch, path: path.to_owned() }),
    }
}

/// `$XDG_CACHE_HOME/pantheros` or `~/.cache/pantheros` (XDG Base Directory Specification).
pub(super) fn cache_folder() -> Option<PathBuf> {
    xdg_folder("XDG_CACHE_HOME", ".cache")
}

/// `$XDG_CONFIG_HOME/pantheros` or `~/.config/pantheros` (XDG Base Directory Specification).
pub(super) fn config_folder() -> Option<PathBuf> {
    xdg_folder("XDG_CONFIG_HOME", CONFIG)
}

/// The default `XDG_CONFIG_HOME`, relative to the home folder.
const CONFIG: &str = ".config";

/// Whether a login shell of this user would find its settings in another folder than `config`'s.
pub(super) fn differs_from_login(config: &Path) -> bool {
    crate::user::home().is_none_or(|home| config.parent() != Some(&*home.join(CONFIG).join(FOLDER_NAME)))
}

/// `$XDG_STATE_HOME/pantheros` or `~/.local/state/pantheros` (XDG Base Directory Specification).
pub(super) fn state_folder() -> Option<PathBuf> {
    xdg_folder("XDG_STATE_HOME", STATE)
}

/// The default `XDG_STATE_HOME`, relative to the home folder.
const STATE: &str = ".local/state";

fn xdg_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    absolute_variable(variable)
        .or_else(|| home().map(|home| home.join(below_home)))
        .map(|base| base.join(FOLDER_NAME))
}

/// The name of this program's folder in each of them.
const FOLDER_NAME: &str = "pantheros";

/// `$HOME`.
fn home() -> Option<PathBuf> {
    absolute_variable("HOME")
}

/// The absolute path in an environment variable; the XDG specification ignores relative ones.
fn absolute_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Requires that the state folder is outside the flake: anyone who edits the flake could write approvals.
///
/// A flake that contains the home folder is an exception: anyone who edits it can write to all of the user's folders,
/// and another state folder would not help.
///
/// # Errors
/// A sentence that names the folder.
pub(super) fn require_outside_flake(state: &Path, flake: &Path) -> Result<(), String> {
    let home_is_in_it = home().is_some_and(|home| is_in(&home, flake));
    if is_in(state, flake) && !home_is_in_it {
        return Err(format!(
            "the state folder {} (`deploy.state_folder`, otherwise XDG_STATE_HOME) lies in the flake, so anyone who \
             edits the flake could write approvals",
            state.display()
        ));
    }
    Ok(())
}

/// A private folder inside the flake's folder, which must not be copied to the store, where all users can read it.
pub(super) fn private_folder_in_flake(flake: &Path, state: Option<&Path>) -> Option<PathBuf> {
    let homes = [home(), crate::user::home(), state.map(Path::to_owned)];
    homes.into_iter().flatten().find(|path| is_in(path, flake))
}

/// Whether `path`, which need not exist, is `folder` or lies in it, once symbolic links are resolved.
fn is_in(path: &Path, folder: &Path) -> bool {
    resolve_links(path).starts_with(resolve_links(folder))
}

/// The path without `..`, and without symbolic links as far as it exists.
fn resolve_links(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let Some((part, mut real)) = existing else { return path.to_owned() };
    for component in path.strip_prefix(part).unwrap_or(Path::new("")).components() {
        match component {
            Component::ParentDir => {
                real.pop();
            }
            other => real.push(other),
        }
    }
    real
}

/// The command that runs this program with the settings in force from any folder, up to the subcommand, quoted for a
/// shell.
pub(super) fn command(flake: Option<&Path>, config: Option<&Path>, default_state: Option<&Path>) -> String {
    let mut words: Vec<String> = Vec::new();
    // The person's terminal has the environment of a login, which may differ from this process's.
    let at_login = || crate::user::home().map(|home| home.join(STATE).join(FOLDER_NAME));
    if let Some(state) = default_state
        && at_login().is_none_or(|usual| usual != state)
        && let Some(base) = state.parent()
    {
        words.extend(["env".to_owned(), shell_quoted(&format!("XDG_STATE_HOME={}", base.display()))]);
    }
    words.push(shell_quoted(&program()));
    for (switch, value) in [("--flake", flake), ("--config", config)] {
        if let Some(value) = value {
            words.extend([switch.to_owned(), shell_quoted(&value.display().to_string())]);
        }
    }
    words.join(" ")
}

/// This program: its name if `PATH` finds it, else its path.
fn program() -> String {
    const NAME: &str = "pantheros-mcp";
    let Some(here) = std::env::current_exe().ok().filter(|path| path.is_file()) else {
        return NAME.to_owned();
    };
    let search = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&search)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(NAME))
        .find(|path| path.is_file());
    let same = found.and_then(|path| path.canonicalize().ok()) == here.canonicalize().ok();
    if same { NAME.to_owned() } else { here.display().to_string() }
}

/// The word, quoted for a shell.
fn shell_quoted(word: &str) -> String {
    // Only a NUL byte cannot be quoted, and no path has one.
    shlex::try_quote(word).map_or_else(|_| "?".to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_is_where_its_links_lead() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let flake = root.join("fleet");
        std::fs::create_dir_all(flake.join("inner")).unwrap();
        std::fs::create_dir_all(root.join("other")).unwrap();
        symlink(flake.join("inner"), root.join("link")).unwrap();
        for (path, inside) in [
            ("fleet", true),
            ("fleet/state", true),
            ("other/../fleet/state", true),
            ("other/new/../../fleet/state", true),
            ("link/state/deep", true),
            ("fleet/../other/state", false),
            ("fleets", false),
            ("other", false),
        ] {
            assert_eq!(is_in(&root.join(path), &flake), inside, "{path}");
        }
    }

    #[test]
    fn a_command_survives_a_shell() {
        let hostile = Path::new("/a b/'$(touch x)';\"\\\n");
        let line = command(Some(hostile), Some(hostile), None);
        let words = shlex::split(&line).unwrap();
        assert_eq!(words[1..], ["--flake", hostile.to_str().unwrap(), "--config", hostile.to_str().unwrap()]);
    }

    #[test]
    fn a_state_folder_that_a_login_would_not_have_is_named() {
        let line = command(None, None, Some(Path::new("/somewhere/else/pantheros")));
        assert!(line.starts_with("env 'XDG_STATE_HOME=/somewhere/else' "), "{line}");
        let usual = crate::user::home().unwrap().join(".local/state/pantheros");
        assert!(!command(None, None, Some(&usual)).contains("XDG_STATE_HOME"));
    }
}
