//! The content of files, read again only if they have changed.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};

use super::hasher::FingerprintHasher;
use super::index::ObjectId;
use super::stat::Stat;
use crate::reading;

/// Largest file that is read, in bytes; for larger ones, size and times are hashed instead.
const LARGEST: u64 = 128 * 1024;
/// Least age of a file's last change for its times to identify its content: some file systems have times in steps of two
/// seconds.
const SETTLED: Duration = Duration::from_secs(3);
/// Most files of a flake; one with more has no fingerprint.
pub(super) const FILES: usize = 200_000;

/// Identifies a version of a file. `changed` (ctime) cannot be set by a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    fn of(stat: &Stat) -> Self {
        Self { size: stat.size, modified: stat.modified, changed: stat.changed }
    }

    /// Whether every write after `now` changes the stamp.
    fn is_settled(&self, now: Duration) -> bool {
        u64::try_from(self.changed.0).is_ok_and(|changed| Duration::from_secs(changed) + SETTLED < now)
    }
}

/// Two hashes of a file's content: BLAKE3, and Git's object id.
#[derive(Clone, Copy, Debug)]
struct FileContent {
    hash: blake3::Hash,
    object: ObjectId,
}

impl FileContent {
    fn of(bytes: &[u8]) -> Self {
        let object =
            Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize();
        Self { hash: blake3::hash(bytes), object: object.into() }
    }
}

/// The hashes of files that were read before, by inode.
#[derive(Debug, Default)]
pub(super) struct FileCache {
    by_inode: HashMap<(u64, u64), (FileStamp, FileContent)>,
}

impl FileCache {
    /// Adds a file: its kind, permissions, and content or link target. Returns Git's object id, or `Some(None)` if the file was
    /// not read; `None` if it cannot be read. `path` is called only if the file has to be read.
    pub(super) fn add(
        &mut self,
        hasher: &mut FingerprintHasher,
        stat: &Stat,
        path: impl FnOnce() -> PathBuf,
    ) -> Option<Option<ObjectId>> {
        hasher.add_write(stat);
        hasher.update(&stat.mode.to_le_bytes());
        let content = if stat.is_link() {
            FileContent::of(fs::read_link(path()).ok()?.as_os_str().as_bytes())
        } else if stat.is_file() && stat.size <= LARGEST {
            let stamp = FileStamp::of(stat);
            match self.by_inode.get(&stat.inode) {
                Some((known, content)) if *known == stamp => *content,
                _ => self.read(&path(), stat)?,
            }
        } else {
            if stat.is_file() {
                hasher.update(&settled_stamp(stat)?);
            }
            return Some(None);
        };
        hasher.update(content.hash.as_bytes());
        Some(Some(content.object))
    }

    /// Reads a file, and caches its hashes if it did not change meanwhile.
    fn read(&mut self, path: &Path, stat: &Stat) -> Option<FileContent> {
        let stamp = FileStamp::of(stat);
        // Taken before the file is read, so that later writes are newer.
        let is_settled = stamp.is_settled(SystemTime::now().duration_since(UNIX_EPOCH).ok()?);
        let content = FileContent::of(&reading::bytes(path, LARGEST).ok()?);
        if is_settled && Stat::without_following(path).ok()? == *stat {
            if self.by_inode.len() >= FILES {
                self.by_inode.clear();
            }
            self.by_inode.insert(stat.inode, (stamp, content));
        }
        Some(content)
    }

    /// Adds everything below a folder and the newest modification time, which Nix uses as `self.lastModified` (2.26 and 2.34:
    /// of files, links and folders, the flake's folder included). `None` if something cannot be read.
    pub(super) fn add_folder(&mut self, hasher: &mut FingerprintHasher, folder: &Path) -> Option<()> {
        let mut waiting: Vec<PathBuf> = vec![folder.to_owned()];
        let mut seen = 0;
        let root = Stat::of(folder).ok()?;
        hasher.add_write(&root);
        let mut newest = root.modified.0;
        while let Some(folder) = waiting.pop() {
            let mut entries: Vec<_> = fs::read_dir(&folder).ok()?.collect::<Result<_, _>>().ok()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                seen += 1;
                if seen > FILES {
                    return None;
                }
                let stat = Stat::from(&entry.metadata().ok()?);
                newest = newest.max(stat.modified.0);
                let path = entry.path();
                hasher.update(path.as_os_str().as_bytes());
                hasher.update(b"\0");
                self.add(hasher, &stat, || path.clone())?;
                if stat.is_folder() {
                    waiting.push(path);
                }
            }
        }
        hasher.update(&newest.to_le_bytes());
        Some(())
    }
}

/// A hash of the times and size, instead of the content; `None` if the file was just written.
fn settled_stamp(stat: &Stat) -> Option<[u8; 32]> {
    let stamp = FileStamp::of(stat);
    let is_settled = stamp.is_settled(SystemTime::now().duration_since(UNIX_EPOCH).ok()?);
    is_settled.then(|| *blake3::hash(format!("{:?} {stamp:?}", stat.inode).as_bytes()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_read_again() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        let mut files = FileCache::default();
        let mut hash = |text: &str| {
            fs::write(&path, text).unwrap();
            let mut hasher = FingerprintHasher::default();
            let stat = Stat::without_following(&path).unwrap();
            files.add(&mut hasher, &stat, || path.clone()).unwrap();
            hasher.finish().0
        };
        // Faster than the clock of the file system moves.
        let all: std::collections::HashSet<_> =
            (0..200).map(|number| hash(&format!("{number:03}"))).collect();
        assert_eq!(all.len(), 200);
        assert!(files.by_inode.is_empty(), "it was believed too early");
    }

    #[test]
    fn a_large_file_that_was_just_written_is_not_told() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        fs::write(&path, vec![b'x'; 200_000]).unwrap();
        let stat = Stat::without_following(&path).unwrap();
        assert!(
            FileCache::default().add(&mut FingerprintHasher::default(), &stat, || path.clone()).is_none()
        );
        assert!(FileStamp::of(&stat).is_settled(Duration::from_secs(u64::MAX)));
    }
}
