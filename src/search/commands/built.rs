//! Commands in the store of this machine.

use std::fs;
use std::io;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Longest search of the store. Half a million paths take less on a disk that was read before.
const TIME: Duration = Duration::from_secs(2);
/// Most paths of the store with a command that are returned.
const MOST: usize = 64;
/// Why a search of the store ended early.
const LARGE: &str = "the store is large, so only a part of it was searched";
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

/// The paths of a store that have programs, as of the latest change of the store. Most paths are files, or have no `bin`.
#[derive(Debug, Default)]
pub struct ProgramPaths {
    latest: Mutex<Option<Listing>>,
}

impl ProgramPaths {
    /// Finds the paths of a store that have a command in `bin`. A path may only link to the one that has it, as `system-path`
    /// does: then both are returned. Reads the whole folder of a store that has changed, so call it where waiting is allowed.
    #[must_use]
    pub fn with_command(&self, store: &Path, command: &str) -> BuiltCommand {
        let begun = Instant::now();
        let (paths, incomplete) = self.list(store, begun);
        let mut found = BuiltCommand { names: Vec::new(), incomplete };
        for name in paths.iter() {
            if begun.elapsed() > TIME || found.names.len() >= MOST {
                found.incomplete = Some(LARGE.to_owned());
                break;
            }
            let program = store.join(name).join("bin").join(command);
            let (Some(package), Ok(metadata)) = (package_name(name), fs::symlink_metadata(&program)) else {
                continue;
            };
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

    /// The paths with programs, and why some may be missing.
    fn list(&self, store: &Path, begun: Instant) -> (Arc<Vec<String>>, Option<String>) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: io::Error| format!("{}: {error}", store.display());
        let changed = match fs::metadata(store).and_then(|folder| folder.modified()) {
            Ok(changed) => changed,
            Err(error) => return (Arc::default(), Some(failed(error))),
        };
        let known = latest.take().filter(|listing| listing.changed == changed);
        let mut listing = match known.map_or_else(|| Listing::begin(store, changed), Ok) {
            Ok(listing) => listing,
            Err(error) => return (Arc::default(), Some(failed(error))),
        };
        if let Err(error) = listing.go_on(store, begun + TIME) {
            return (listing.paths, Some(failed(error)));
        }
        let paths = Arc::clone(&listing.paths);
        let incomplete = listing.unread.as_ref().map(|_| LARGE.to_owned());
        *latest = Some(listing);
        (paths, incomplete)
    }
}

/// The paths of a store that have `bin`. If there is no time for all of them, the next search goes on where this one ended.
#[derive(Debug)]
struct Listing {
    /// The time of the store's folder, which changes with each path that is added or removed.
    changed: SystemTime,
    /// What has not been read; `None` if all has.
    unread: Option<fs::ReadDir>,
    /// The names of the paths.
    paths: Arc<Vec<String>>,
}

impl Listing {
    fn begin(store: &Path, changed: SystemTime) -> io::Result<Self> {
        Ok(Self { changed, unread: Some(fs::read_dir(store)?), paths: Arc::default() })
    }

    /// Reads until everything is read, or the time is over.
    fn go_on(&mut self, store: &Path, until: Instant) -> io::Result<()> {
        let Some(unread) = &mut self.unread else { return Ok(()) };
        let paths = Arc::make_mut(&mut self.paths);
        while Instant::now() < until {
            let Some(entry) = unread.next().transpose()? else {
                self.unread = None;
                break;
            };
            if let Ok(name) = entry.file_name().into_string()
                && package_name(&name).is_some()
                && store.join(&name).join("bin").is_dir()
            {
                paths.push(name);
            }
        }
        Ok(())
    }
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
        let paths = ProgramPaths::default();
        let found = paths.with_command(store.path(), "secret-tool");
        assert_eq!(found.names, ["system-path", "tools-1.2-bin"]);
        assert_eq!(found.incomplete, None);
        assert_eq!(paths.with_command(store.path(), "none"), BuiltCommand::default());
        // A path that is added changes the time of the folder.
        let later = path("4", "later-1");
        make(&later);
        fs::write(later.join("bin/none"), "").unwrap();
        fs::File::open(store.path()).unwrap().set_modified(SystemTime::now() + TIME).unwrap();
        assert_eq!(paths.with_command(store.path(), "none").names, ["later-1"]);
        assert!(paths.with_command(&store.path().join("none"), "x").incomplete.is_some());
    }

    #[test]
    fn a_listing_goes_on_where_it_ended() {
        let store = tempfile::tempdir().unwrap();
        for hash in ["0", "1", "2"] {
            let path = store.path().join(format!("{}-tools-{hash}", hash.repeat(HASH)));
            fs::create_dir_all(path.join("bin")).unwrap();
        }
        let now = Instant::now();
        let mut listing = Listing::begin(store.path(), SystemTime::now()).unwrap();
        listing.go_on(store.path(), now).unwrap();
        assert!(listing.unread.is_some() && listing.paths.is_empty());
        for _ in 0..2 {
            listing.go_on(store.path(), now + TIME * 100).unwrap();
            assert!(listing.unread.is_none());
            assert_eq!(listing.paths.len(), 3);
        }
        let paths = ProgramPaths::default();
        let over = now.checked_sub(TIME).unwrap();
        assert_eq!(paths.list(store.path(), over), (Arc::default(), Some(LARGE.to_owned())));
        let (all, incomplete) = paths.list(store.path(), Instant::now());
        assert_eq!((all.len(), incomplete), (3, None));
    }
}
