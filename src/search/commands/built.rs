//! Commands in the store of this machine.

use std::fs;
use std::path::{Component, Path};
use std::time::{Duration, Instant};

/// Longest search of the store. Half a million paths take less on a disk that was read before.
const TIME: Duration = Duration::from_secs(2);
/// Most paths of the store with a command that are returned.
const MOST: usize = 64;
/// Length of the hash before the name in a path of the store (Nix manual, "Store Path").
const HASH: usize = 32;

/// What the store has of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuiltCommand {
    /// The names of the paths that have it in `bin`, without their hashes, in order.
    pub names: Vec<String>,
    /// Why not every path was looked at; `None` if all were.
    pub incomplete: Option<String>,
}

/// Finds the paths of a store that have a command in `bin`. A path may only link to the one that has it, as `system-path` does:
/// then both are returned. Reads the whole folder of the store, so call it where waiting is allowed.
#[must_use]
pub fn built_with_command(store: &Path, command: &str) -> BuiltCommand {
    let begun = Instant::now();
    let mut found = BuiltCommand::default();
    let entries = match fs::read_dir(store) {
        Ok(entries) => entries,
        Err(error) => {
            found.incomplete = Some(format!("{}: {error}", store.display()));
            return found;
        }
    };
    for entry in entries {
        if begun.elapsed() > TIME || found.names.len() >= MOST {
            found.incomplete = Some("the store is large, so only a part of it was searched".to_owned());
            break;
        }
        let name = match entry {
            Ok(entry) => entry.file_name(),
            Err(error) => {
                found.incomplete = Some(format!("{}: {error}", store.display()));
                break;
            }
        };
        let Some(package) = name.to_str().and_then(package_name) else { continue };
        let program = store.join(&name).join("bin").join(command);
        // Most paths are files, or have no `bin`.
        let Ok(metadata) = fs::symlink_metadata(&program) else { continue };
        found.names.push(package.to_owned());
        if metadata.is_symlink()
            && let Ok(target) = fs::canonicalize(&program)
            && let Some(package) = path_in(store, &target)
        {
            found.names.push(package.to_owned());
        }
    }
    found.names.sort();
    found.names.dedup();
    found
}

/// The name of the path of the store in which a file is.
fn path_in<'a>(store: &Path, file: &'a Path) -> Option<&'a str> {
    let Component::Normal(first) = file.strip_prefix(store).ok()?.components().next()? else { return None };
    package_name(first.to_str()?)
}

/// The name in a path of the store; `None` for a derivation and what else is no output.
fn package_name(name: &str) -> Option<&str> {
    let (hash, package) = name.split_at_checked(HASH)?;
    let is_hash = hash.bytes().all(|byte| byte.is_ascii_alphanumeric());
    package.strip_prefix('-').filter(|package| is_hash && !package.ends_with(".drv"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_command_is_found_with_what_it_links_to() {
        let store = tempfile::tempdir().unwrap();
        let path = |hash: &str, name: &str| store.path().join(format!("{}-{name}", hash.repeat(HASH)));
        let make = |path: &Path| fs::create_dir_all(path.join("bin")).unwrap();
        let (tools, other, all) =
            (path("0", "tools-1.2-bin"), path("1", "other-1"), path("2", "system-path"));
        [&tools, &other, &all].into_iter().for_each(|path| make(path));
        fs::write(tools.join("bin/secret-tool"), "").unwrap();
        symlink(tools.join("bin/secret-tool"), all.join("bin/secret-tool")).unwrap();
        fs::write(path("3", "tools-1.2.drv"), "").unwrap();
        fs::create_dir(store.path().join(".links")).unwrap();
        let found = built_with_command(store.path(), "secret-tool");
        assert_eq!(found.names, ["system-path", "tools-1.2-bin"]);
        assert_eq!(found.incomplete, None);
        assert_eq!(built_with_command(store.path(), "none"), BuiltCommand::default());
        assert!(built_with_command(&store.path().join("none"), "x").incomplete.is_some());
    }
}
