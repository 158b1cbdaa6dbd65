//! What files hold, without reading again what was not written since.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};

use super::look::Look;
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
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(data: &Metadata) -> Self {
        Self {
            size: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }

    /// Whether a write after `now` is sure to change it.
    fn is_settled(&self, now: Duration) -> bool {
        u64::try_from(self.changed.0).is_ok_and(|changed| Duration::from_secs(changed) + SETTLED < now)
    }
}

/// What a file holds, by two names.
#[derive(Clone, Copy, Debug)]
struct Content {
    hash: blake3::Hash,
    object: Object,
}

/// The name Git has for a content as it is, without filters (gitformat-pack(5), "blob").
pub(super) type Object = [u8; 20];

impl Content {
    fn of(bytes: &[u8]) -> Self {
        let object =
            Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize();
        Self { hash: blake3::hash(bytes), object: object.into() }
    }
}

/// The files read before.
#[derive(Debug, Default)]
pub(super) struct Files {
    by_inode: HashMap<(u64, u64), (Stamp, Content)>,
}

impl Files {
    /// Adds what is at `path` to the hash: its kind and permissions, and what it holds or points to. `None` where that
    /// cannot be told; otherwise Git's name for it, where it was read.
    pub(super) fn add(&mut self, look: &mut Look, path: &Path, data: &Metadata) -> Option<Option<Object>> {
        look.written(data);
        look.update(&data.mode().to_le_bytes());
        let content = if data.is_symlink() {
            Content::of(fs::read_link(path).ok()?.as_os_str().as_bytes())
        } else if data.is_file() && data.len() <= LARGEST {
            self.content(path, data)?
        } else {
            if data.is_file() {
                look.update(&settled(data)?);
            }
            return Some(None);
        };
        look.update(content.hash.as_bytes());
        Some(Some(content.object))
    }

    fn content(&mut self, path: &Path, data: &Metadata) -> Option<Content> {
        let stamp = Stamp::of(data);
        let inode = (data.dev(), data.ino());
        if let Some((known, content)) = self.by_inode.get(&inode)
            && *known == stamp
        {
            return Some(*content);
        }
        // Before it is read: what is written from here on is newer.
        let is_settled = stamp.is_settled(SystemTime::now().duration_since(UNIX_EPOCH).ok()?);
        let content = Content::of(&reading::bytes(path, LARGEST).ok()?);
        if is_settled && Stamp::of(&fs::symlink_metadata(path).ok()?) == stamp {
            if self.by_inode.len() >= FILES {
                self.by_inode.clear();
            }
            self.by_inode.insert(inode, (stamp, content));
        }
        Some(content)
    }

    /// Adds everything below a folder, and when the newest of it was written: Nix takes that for `self.lastModified`
    /// (2.26 and 2.34: of files, links and folders, the flake's own too).
    pub(super) fn add_folder(&mut self, look: &mut Look, folder: &Path) -> Option<()> {
        let mut waiting: Vec<PathBuf> = vec![folder.to_owned()];
        let mut seen = 0;
        let root = fs::metadata(folder).ok()?;
        look.written(&root);
        let mut newest = root.mtime();
        while let Some(folder) = waiting.pop() {
            let mut entries: Vec<_> = fs::read_dir(&folder).ok()?.collect::<Result<_, _>>().ok()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                seen += 1;
                if seen > FILES {
                    return None;
                }
                let data = entry.metadata().ok()?;
                newest = newest.max(data.mtime());
                let path = entry.path();
                look.update(path.as_os_str().as_bytes());
                look.update(b"\0");
                self.add(look, &path, &data)?;
                if data.is_dir() {
                    waiting.push(path);
                }
            }
        }
        look.update(&newest.to_le_bytes());
        Some(())
    }
}

/// What stands for the content of a file that is not read; `None` for one that was just written.
fn settled(data: &Metadata) -> Option<[u8; 32]> {
    let stamp = Stamp::of(data);
    let is_settled = stamp.is_settled(SystemTime::now().duration_since(UNIX_EPOCH).ok()?);
    is_settled
        .then(|| *blake3::hash(format!("{} {} {stamp:?}", data.dev(), data.ino()).as_bytes()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_read_again() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        let mut files = Files::default();
        let mut told = |text: &str| {
            fs::write(&path, text).unwrap();
            let mut look = Look::default();
            files.add(&mut look, &path, &fs::symlink_metadata(&path).unwrap()).unwrap();
            look.finish().0
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
        let data = fs::symlink_metadata(&path).unwrap();
        assert!(Files::default().add(&mut Look::default(), &path, &data).is_none());
        assert!(Stamp::of(&data).is_settled(Duration::from_secs(u64::MAX)));
    }
}
