//! Whether a flake has changed: everything its evaluation depends on, in one hash.
//!
//! Pure evaluation sees the flake's own files and its locked inputs, and the lock file is one of
//! those files. In a Git repository the files are those Git tracks, with their content in the
//! work tree; elsewhere all files below the folder.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::git;

/// Most bytes of changed files that are hashed; beyond that nothing is said about the flake.
const CHANGED_BYTES: u64 = 64 * 1024 * 1024;
/// Most files looked at where Git does not say which changed.
const FILES: usize = 20_000;

/// A hash of all that an evaluation of the flake depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The hash as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The flake's fingerprint now; `None` where it cannot be told, so that nothing is remembered.
pub async fn take(folder: &Path) -> Option<Fingerprint> {
    let root = folder.ancestors().find(|folder| folder.join(".git").exists());
    let mut hash = blake3::Hasher::new();
    match root {
        Some(root) => {
            if has_submodules(folder, root) {
                return None;
            }
            let status = git::status(root).await?;
            let root = root.to_owned();
            tokio::task::spawn_blocking(move || {
                hash.update(&status);
                hash_changed(&mut hash, &root, &status)?;
                Some(hash)
            })
            .await
            .ok()?
        }
        None => {
            let folder = folder.to_owned();
            tokio::task::spawn_blocking(move || {
                hash_tree(&mut hash, &folder)?;
                Some(hash)
            })
            .await
            .ok()?
        }
    }
    .map(|hash| Fingerprint(hash.finalize().to_hex().to_string()))
}

/// Whether the flake may ask Nix for its submodules (`inputs.self.submodules`), in whose work trees nobody looks
/// for changes here.
fn has_submodules(folder: &Path, root: &Path) -> bool {
    root.join(".gitmodules").exists()
        && fs::read(folder.join("flake.nix"))
            .is_ok_and(|text| text.windows(b"submodules".len()).any(|part| part == b"submodules"))
}

/// The commit that is checked out, and whether tracked files differ from it; `None` where the flake is
/// in no repository, or Git does not say.
pub async fn commit(folder: &Path) -> Option<(Option<String>, bool)> {
    let root = folder.ancestors().find(|folder| folder.join(".git").exists())?;
    let status = git::status(root).await?;
    let mut records = status.split(|byte| *byte == 0).filter(|record| !record.is_empty());
    let head = records.clone().find_map(|record| record.strip_prefix(b"# branch.oid "));
    let head = head.and_then(|head| std::str::from_utf8(head).ok()).filter(|head| *head != "(initial)");
    Some((head.map(str::to_owned), records.any(|record| record.first() != Some(&b'#'))))
}

/// Adds the content of every file that `status` says differs.
fn hash_changed(hash: &mut blake3::Hasher, root: &Path, status: &[u8]) -> Option<()> {
    let mut room = CHANGED_BYTES;
    let mut records = status.split(|byte| *byte == 0);
    while let Some(record) = records.next() {
        let fields = match record.first() {
            Some(b'1') => 8,
            Some(b'2') => {
                // A rename's old name is a record of its own.
                records.next()?;
                9
            }
            Some(b'u') => 10,
            _ => continue,
        };
        let path = record.splitn(fields + 1, |byte| *byte == b' ').nth(fields)?;
        hash_file(hash, &root.join(std::ffi::OsStr::from_bytes(path)), &mut room)?;
    }
    Some(())
}

fn hash_file(hash: &mut blake3::Hasher, path: &Path, room: &mut u64) -> Option<()> {
    let Ok(data) = fs::symlink_metadata(path) else {
        hash.update(b"gone");
        return Some(());
    };
    hash.update(&data.mode().to_le_bytes());
    if data.is_symlink() {
        hash.update(fs::read_link(path).ok()?.as_os_str().as_bytes());
    } else if data.is_file() {
        *room = room.checked_sub(data.len())?;
        hash.update(blake3::hash(&fs::read(path).ok()?).as_bytes());
    } else {
        // A submodule: its own changes would have to be followed.
        return None;
    }
    Some(())
}

/// Adds name, size and times of every file: the change time cannot be set back by hand.
fn hash_tree(hash: &mut blake3::Hasher, folder: &Path) -> Option<()> {
    let mut waiting: Vec<PathBuf> = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(folder) = waiting.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder).ok()?.collect::<Result<_, _>>().ok()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            seen += 1;
            if seen > FILES {
                return None;
            }
            let data = entry.metadata().ok()?;
            let path = entry.path();
            hash.update(path.as_os_str().as_bytes());
            hash.update(b"\0");
            for number in [
                i64::from(data.mode()),
                i64::try_from(data.len()).ok()?,
                data.mtime(),
                data.mtime_nsec(),
                data.ctime(),
                data.ctime_nsec(),
            ] {
                hash.update(&number.to_le_bytes());
            }
            if data.is_dir() {
                waiting.push(path);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, arguments: &[&str]) {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[tokio::test]
    async fn a_repository_changes_with_what_git_tracks() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        git(folder, &["init", "-q"]);
        fs::write(folder.join("flake.nix"), "{ }").unwrap();
        git(folder, &["add", "."]);
        git(folder, &["commit", "-qm", "one"]);
        let clean = take(folder).await.unwrap();
        assert_eq!(take(folder).await.unwrap(), clean);

        fs::write(folder.join("untracked.nix"), "{ }").unwrap();
        assert_eq!(take(folder).await.unwrap(), clean, "Nix does not see untracked files");

        fs::write(folder.join("flake.nix"), "{ a = 1; }").unwrap();
        let dirty = take(folder).await.unwrap();
        assert_ne!(dirty, clean);
        fs::write(folder.join("flake.nix"), "{ a = 2; }").unwrap();
        assert_ne!(take(folder).await.unwrap(), dirty, "a second change of a dirty file counts");

        git(folder, &["commit", "-qam", "two"]);
        assert_ne!(take(folder).await.unwrap(), clean);
    }

    #[tokio::test]
    async fn submodules_that_nix_may_read_leave_it_untold() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        git(folder, &["init", "-q"]);
        fs::write(folder.join("flake.nix"), "{ inputs.self.submodules = true; }").unwrap();
        git(folder, &["add", "."]);
        assert!(take(folder).await.is_some());
        fs::write(folder.join(".gitmodules"), "").unwrap();
        assert!(take(folder).await.is_none());
        fs::write(folder.join("flake.nix"), "{ }").unwrap();
        assert!(take(folder).await.is_some());
    }

    #[tokio::test]
    async fn a_rename_in_the_index_is_understood() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        git(folder, &["init", "-q"]);
        fs::write(folder.join("a.nix"), "{ some = \"content\"; }\n").unwrap();
        git(folder, &["add", "."]);
        git(folder, &["commit", "-qm", "one"]);
        git(folder, &["mv", "a.nix", "b c.nix"]);
        let renamed = take(folder).await.unwrap();
        fs::write(folder.join("b c.nix"), "{ some = \"others\"; }\n").unwrap();
        assert_ne!(take(folder).await.unwrap(), renamed);
    }

    #[tokio::test]
    async fn a_plain_folder_changes_with_its_files() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        fs::write(folder.join("flake.nix"), "{ }").unwrap();
        let before = take(folder).await.unwrap();
        assert_eq!(take(folder).await.unwrap(), before);
        fs::write(folder.join("new.nix"), "{ }").unwrap();
        assert_ne!(take(folder).await.unwrap(), before);
    }
}
