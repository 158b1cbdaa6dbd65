//! Private temporary folders that are removed when the process ends.
//!
//! The name of a folder has the id of its process, and the process holds a lock on it, which the kernel releases however
//! the process ends. [`remove_stale`] removes the folders that a killed process left.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;
use rustix::process::Pid;

use crate::diagnostic::{Code, Diagnostic};

/// Prefix of the folders' names, before the process id.
const NAME: &str = "pantheros-run-";
/// Prefix that older versions used, which took no lock.
const OLD_NAME: &str = "pantheros-ssh-";
/// Attempts to create a folder: another process may remove it before it is locked.
const ATTEMPTS: usize = 8;
/// Most bytes of a folder's name: the prefix, the largest process id, and the random part.
const LONGEST_NAME: usize = NAME.len() + "2147483647-".len() + 6;

/// The owner that a user namespace shows for files of users outside of it, root among them (user_namespaces(7)).
const OVERFLOW_UID: u32 = 65_534;

/// The folders of this process.
static LIVE: Mutex<LiveFolders> = Mutex::new(LiveFolders { folders: Vec::new(), is_ended: false });

struct LiveFolders {
    folders: Vec<PathBuf>,
    /// Whether [`remove_all`] was called. A thread that still runs must get no new folder after that.
    is_ended: bool,
}

fn live() -> MutexGuard<'static, LiveFolders> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary folder with mode 0700. Dropping it removes it.
#[derive(Debug)]
pub struct ScratchFolder {
    folder: tempfile::TempDir,
    _lock: File,
}

/// No folder could be made anywhere.
#[derive(Debug, thiserror::Error)]
pub struct ScratchError {
    /// Each parent folder that was tried, and why it could not be used.
    pub tried: Vec<(PathBuf, String)>,
}

impl fmt::Display for ScratchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no private temporary folder could be created")?;
        for (at, (parent, wrong)) in self.tried.iter().enumerate() {
            write!(f, "{} {}: {wrong}", if at == 0 { ":" } else { ";" }, parent.display())?;
        }
        Ok(())
    }
}

impl From<&ScratchError> for Diagnostic {
    fn from(error: &ScratchError) -> Self {
        Self::new(Code::ScratchUnusable, error.to_string()).with_hint(
            "set XDG_RUNTIME_DIR to a folder with a short path that belongs to you and that nobody else can \
                write to",
        )
    }
}

/// The parent folders to try, the best first: `XDG_RUNTIME_DIR` (XDG Base Directory Specification), `TMPDIR`, and `/tmp`,
/// whose path is short everywhere.
#[must_use]
pub fn candidate_folders() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut candidates: Vec<PathBuf> = Vec::new();
    for parent in runtime.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]) {
        if parent.is_absolute() && !candidates.contains(&parent) {
            candidates.push(parent);
        }
    }
    candidates
}

/// As [`candidate_folders`], for large files: without `XDG_RUNTIME_DIR`, which is in memory and small.
#[must_use]
pub fn large_candidate_folders() -> Vec<PathBuf> {
    let mut candidates = vec![std::env::temp_dir(), PathBuf::from("/tmp")];
    candidates.retain(|parent| parent.is_absolute());
    candidates.dedup();
    candidates
}

impl ScratchFolder {
    /// Creates a folder in the first of `candidates` that is safe and where its path has at most `longest_path` bytes.
    ///
    /// # Errors
    /// Why none of the candidates can be used.
    pub fn make(candidates: &[PathBuf], longest_path: usize) -> Result<Self, ScratchError> {
        remove_stale_once(candidates);
        let mut tried = Vec::new();
        for parent in candidates {
            let longest = parent.as_os_str().as_bytes().len() + 1 + LONGEST_NAME;
            let made = if longest > longest_path {
                Err(format!(
                    "a path there has up to {longest} bytes, but the system allows only {longest_path}"
                ))
            } else {
                require_safe(parent).and_then(|()| Self::make_in(parent).map_err(|error| error.to_string()))
            };
            match made {
                Ok(scratch) => return Ok(scratch),
                Err(wrong) => tried.push((parent.clone(), wrong)),
            }
        }
        Err(ScratchError { tried })
    }

    fn make_in(parent: &Path) -> io::Result<Self> {
        // Locked until the folder is registered, so that `remove_all` finds every folder.
        let mut live = live();
        if live.is_ended {
            return Err(io::Error::other("this process is ending"));
        }
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new()
                .prefix(&format!("{NAME}{}-", std::process::id()))
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            if let Some(lock) = lock(folder.path())? {
                live.folders.push(folder.path().to_owned());
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::other("another process removes the folders that are created there"))
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        let mut live = live();
        // Removed while it is still registered: `remove_all` waits for this, as the process may end before this thread does.
        if let Err(error) = std::fs::remove_dir_all(self.folder.path())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "{} is not removed yet", self.folder.path().display());
        }
        live.folders.retain(|path| path != self.folder.path());
    }
}

/// Removes all folders of this process, also those in use, and allows no new ones. To be called once, at the end.
pub fn remove_all() {
    let mut live = live();
    live.is_ended = true;
    for path in live.folders.drain(..) {
        if let Err(error) = std::fs::remove_dir_all(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "{} stays", path.display());
        }
    }
}

/// Calls [`remove_stale`] for the parents that this process did not clean yet.
fn remove_stale_once(candidates: &[PathBuf]) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh: Vec<PathBuf> = candidates.iter().filter(|parent| !swept.contains(*parent)).cloned().collect();
    remove_stale(&fresh);
    swept.extend(fresh);
}

/// Removes the folders in `candidates` whose processes were killed.
pub fn remove_stale(candidates: &[PathBuf]) {
    for parent in candidates {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let owner = entry.file_name().to_str().and_then(owner);
            if owner.is_some_and(is_gone)
                && let Err(error) = remove_unlocked(&entry.path())
            {
                tracing::debug!(%error, "{} stays", entry.path().display());
            }
        }
    }
}

/// The process id in a folder's name.
fn owner(name: &str) -> Option<Pid> {
    let rest = name.strip_prefix(NAME).or_else(|| name.strip_prefix(OLD_NAME))?;
    rest.split_once('-')?.0.parse().ok().and_then(Pid::from_raw)
}

fn is_gone(process: Pid) -> bool {
    rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH)
}

/// Removes a folder of this user that nobody has locked. The lock counts, and not the process id alone: the process may
/// run in another PID namespace.
fn remove_unlocked(path: &Path) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if !metadata.is_dir() || !is_ours(&metadata) {
        return Ok(());
    }
    match lock(path)? {
        Some(_lock) => std::fs::remove_dir_all(path),
        None => Ok(()),
    }
}

/// Locks a folder; `None` if another process holds the lock or removed the folder meanwhile.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let folder = File::open(path)?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let (held, there) = (folder.metadata()?, path.symlink_metadata());
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())).then_some(folder))
}

fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

/// Requires that no other user can replace a folder that is created in `parent`.
fn require_safe(parent: &Path) -> Result<(), String> {
    let metadata = parent.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    if !is_ours(&metadata) && ![0, OVERFLOW_UID].contains(&metadata.uid()) {
        return Err("it belongs to another user".to_owned());
    }
    if metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0 {
        return Err("other users can rename its content (no sticky bit)".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> usize {
        std::fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn the_first_place_that_will_do_is_taken() {
        let outer = tempfile::tempdir().unwrap();
        let long = outer.path().join("x".repeat(120));
        let open = outer.path().join("open");
        let short = outer.path().join("short");
        for parent in [&long, &open, &short] {
            std::fs::create_dir(parent).unwrap();
        }
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let candidates = [long.clone(), outer.path().join("missing"), open.clone(), short.clone()];
        let longest_path = short.as_os_str().len() + 1 + LONGEST_NAME;
        let scratch = ScratchFolder::make(&candidates, longest_path).unwrap();
        assert_eq!(scratch.path().parent(), Some(&*short));
        assert_eq!(scratch.path().metadata().unwrap().mode() & 0o777, 0o700);
        let error = ScratchFolder::make(&candidates[..3], longest_path).unwrap_err().to_string();
        assert!(error.contains(&format!("{}: a path there has up to", long.display())), "{error}");
        assert!(error.contains(&format!("but the system allows only {longest_path}; ")), "{error}");
        assert!(error.contains("sticky"), "{error}");
        drop(scratch);
        assert_eq!((names(&short), names(&long), names(&open)), (0, 0, 0));
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        // A process that has ended, and whose id is not reused this soon.
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let make = |name: String| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("1"), "").unwrap();
            path
        };
        let left = make(format!("{NAME}{}-abcdef", ended.id()));
        let left_by_old = make(format!("{OLD_NAME}{}-abcdef", ended.id()));
        let elsewhere = make(format!("{NAME}{}-locked", ended.id()));
        let _held = lock(&elsewhere).unwrap().unwrap();
        let alive = make(format!("{OLD_NAME}{}-abcdef", std::process::id()));
        let others = make("pantheros-run-of-something-else".to_owned());
        remove_stale(&[parent.path().to_owned()]);
        assert!(!left.exists() && !left_by_old.exists());
        assert!(elsewhere.exists() && alive.exists() && others.exists());
    }
}
