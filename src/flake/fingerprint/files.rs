//! What files hold, without reading again what was not written since.

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

/// Largest file that is read; of larger ones size and times have to do.
const LARGEST: u64 = 128 * 1024;
/// How long a file must have been left alone before its times tell whether it is still the same: some file systems
/// keep them in steps of two seconds.
const SETTLED: Duration = Duration::from_secs(3);
/// Most files looked at; beyond that nothing is said about the flake.
pub(super) const FILES: usize = 200_000;

/// What tells that a file is the one that was read. The time of its last change of any kind cannot be set by hand.
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

    /// Whether a write after `now` is sure to change it.
    fn is_settled(&self, now: Duration) -> bool {
        u64::try_from(self.changed.0).is_ok_and(|changed| Duration::from_secs(changed) + SETTLED < now)
    }
}

/// What a file holds, by two names.
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

/// The files read before.
#[derive(Debug, Default)]
pub(super) struct FileCache {
    by_inode: HashMap<(u64, u64), (FileStamp, FileContent)>,
}

impl FileCache {
    /// Adds a file to the hash: its kind and permissions, and what it holds or points to. `None` if that cannot be
    /// told; otherwise Git's name for it, if it was read. `path` is asked only for what has to be read.
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

    /// What a file holds, which is remembered if it stays as it was.
    fn read(&mut self, path: &Path, stat: &Stat) -> Option<FileContent> {
        let stamp = FileStamp::of(stat);
        // Before it is read: what is written from here on is newer.
        let is_settled = stamp.is_settled(SystemTime::now().duration_since(UNIX_EPOCH).ok()?);
        let content = FileContent::of(&reading::bytes(path, LARGEST).ok()?);
        if is_settled && Stat::of_itself(path).ok()? == *stat {
            if self.by_inode.len() >= FILES {
                self.by_inode.clear();
            }
            self.by_inode.insert(stat.inode, (stamp, content));
        }
        Some(content)
    }

    /// Adds everything below a folder, and when the newest of it was written: Nix takes that for `self.lastModified`
    /// (2.26 and 2.34: of files, links and folders, the flake's own too).
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

/// What stands for the content of a file that is not read; `None` for one that was just written.
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
        let mut told = |text: &str| {
            fs::write(&path, text).unwrap();
            let mut hasher = FingerprintHasher::default();
            let stat = Stat::of_itself(&path).unwrap();
            files.add(&mut hasher, &stat, || path.clone()).unwrap();
            hasher.finish().0
        };
        // Faster than the clock of the file system moves.
        let all: std::collections::HashSet<_> =
            (0..200).map(|number| told(&format!("{number:03}"))).collect();
        assert_eq!(all.len(), 200);
        assert!(files.by_inode.is_empty(), "it was believed too early");
    }

    #[test]
    fn a_large_file_that_was_just_written_is_not_told() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        fs::write(&path, vec![b'x'; 200_000]).unwrap();
        let stat = Stat::of_itself(&path).unwrap();
        assert!(
            FileCache::default().add(&mut FingerprintHasher::default(), &stat, || path.clone()).is_none()
        );
        assert!(FileStamp::of(&stat).is_settled(Duration::from_secs(u64::MAX)));
    }
}
