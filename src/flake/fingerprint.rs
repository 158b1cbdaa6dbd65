//! Fingerprints: one hash of everything that an evaluation of a flake depends on.
//!
//! Pure evaluation reads the flake's own files, the lock file among them, and the locked inputs. In a Git repository these are
//! the tracked files with their content in the work tree (`repository`); elsewhere all files below the folder. A fingerprint
//! does not cover the content of unpinned inputs (`lock`) and of submodules, and is then not whole. It covers the settings of
//! Nix (`nix_settings`). Taking one starts no program.

mod files;
mod git_settings;
mod hasher;
pub(super) mod index;
mod nix_settings;
pub(super) mod repository;
pub(super) mod stat;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use files::FileCache;
use hasher::FingerprintHasher;
use repository::Repository;
use stat::Stat;

use super::lock::are_inputs_pinned;
use crate::names::{InputName, InputReference};
use crate::{nix, reading};

/// Largest file of settings or attributes, in bytes; a flake with a larger one has no fingerprint.
const SETTINGS: u64 = 1024 * 1024;
/// Largest flake.nix or flake.lock that is read here, in bytes.
pub(super) const FLAKE: u64 = 16 * 1024 * 1024;

/// A hash of everything that an evaluation of the flake depends on. Equal fingerprints do not exclude writes between them: see
/// [`Fingerprint::is_untouched_since`].
#[derive(Clone, Debug)]
pub struct Fingerprint {
    hash: String,
    is_whole: bool,
    is_misleading: bool,
    /// A hash of the times and inodes of the files.
    written: blake3::Hash,
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        (&self.hash, self.is_whole) == (&other.hash, other.is_whole)
    }
}

impl Eq for Fingerprint {}

impl Fingerprint {
    /// The fingerprint of a commit whose inputs are all pinned, for a Nix with these settings files; `None` if they cannot be
    /// read.
    pub(super) fn of_commit(id: &str, settings: &[PathBuf]) -> Option<Self> {
        let mut hasher = FingerprintHasher::default();
        nix_settings::add(&mut hasher, settings)?;
        add_bytes(&mut hasher, b"commit");
        add_bytes(&mut hasher, id.as_bytes());
        // Misleading: Nix may have cached the work tree under this commit, with a change that Git is set to ignore.
        Some(Self::of(hasher, true, true))
    }

    fn of(hasher: FingerprintHasher, is_whole: bool, is_misleading: bool) -> Self {
        let (hash, written) = hasher.finish();
        Self { hash: hash.to_hex().to_string(), is_whole, is_misleading, written }
    }

    /// The fingerprint of the same flake with other inputs. It does not cover the content of a reference that is not pinned.
    pub(super) fn with_overrides(mut self, overrides: &BTreeMap<InputName, InputReference>) -> Self {
        if overrides.is_empty() {
            return self;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.hash.as_bytes());
        for (name, reference) in overrides {
            for part in [name.as_str(), reference.as_str()] {
                hasher.update(part.as_bytes()).update(b"\0");
            }
        }
        self.hash = hasher.finalize().to_hex().to_string();
        self.is_whole &= overrides.values().all(InputReference::is_pinned);
        self
    }

    /// Whether it covers everything: the flake has neither unpinned inputs nor submodules.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether nothing that an evaluation depends on was written since `before` was taken, not even with the same content. Nix
    /// can then have read nothing else in between.
    #[must_use]
    pub fn is_untouched_since(&self, before: &Self) -> bool {
        self == before && self.written == before.written
    }

    /// The hash as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.hash
    }

    /// Whether Nix may confuse this state with another, because Git is set to ignore changes of a file or to convert
    /// its content. The user's cache of Nix must then not be used.
    #[must_use]
    pub fn is_misleading(&self) -> bool {
        self.is_misleading
    }
}

/// Takes fingerprints, and caches the content of files that have not changed since the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingerprinter {
    files: Arc<Mutex<FileCache>>,
}

impl Fingerprinter {
    /// The present fingerprint of the flake, for a Nix with these settings files; `None` if a file cannot be read.
    pub(super) async fn take(&self, folder: &Path, settings: &[PathBuf]) -> Option<Fingerprint> {
        let (folder, settings, files) = (folder.to_owned(), settings.to_owned(), Arc::clone(&self.files));
        let taken = tokio::task::spawn_blocking(move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            let mut hasher = FingerprintHasher::default();
            nix_settings::add(&mut hasher, &settings)?;
            let is_misleading = add_tree(&mut hasher, &folder, &mut files)?;
            let is_whole = are_inputs_pinned(&folder)
                && !nix::repository_root(&folder).is_some_and(|root| has_submodules(&folder, root));
            Some(Fingerprint::of(hasher, is_whole, is_misleading))
        });
        taken.await.ok()?
    }
}

/// Adds the files of a flake that Nix reads. Returns whether the state is misleading; `None` if a file cannot be read.
fn add_tree(hasher: &mut FingerprintHasher, folder: &Path, files: &mut FileCache) -> Option<bool> {
    let Some(root) = nix::repository_root(folder) else {
        return files.add_folder(hasher, folder).map(|()| false);
    };
    Repository::at(root)?.add(hasher, files)
}

/// Whether the flake may use its submodules (`inputs.self.submodules`), which a fingerprint does not cover.
pub(super) fn has_submodules(folder: &Path, root: &Path) -> bool {
    let names_it = |mut text: Vec<u8>| {
        // In a quoted name each letter may be escaped.
        text.retain(|byte| *byte != b'\\');
        text.windows(b"submodules".len()).any(|part| part == b"submodules")
    };
    root.join(".gitmodules").exists()
        && match reading::bytes_if_exists(&folder.join("flake.nix"), FLAKE) {
            Ok(text) => text.is_some_and(names_it),
            // Its content is not known.
            Err(_) => true,
        }
}

/// Adds bytes, preceded by their length.
fn add_bytes(hasher: &mut FingerprintHasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Adds the path and content of a file, or that it is missing or not readable (Nix runs as the same user). Returns the
/// content; the outer `None` if the file cannot be read for another reason.
fn add_file(hasher: &mut FingerprintHasher, path: &Path) -> Option<Option<Vec<u8>>> {
    add_found(hasher, path.as_os_str().as_bytes(), &Stat::of(path), || path.to_owned())
}

/// As [`add_file`], with the name to add, a `stat` that was already made, and the path.
fn add_found(
    hasher: &mut FingerprintHasher,
    name: &[u8],
    found: &io::Result<Stat>,
    path: impl FnOnce() -> PathBuf,
) -> Option<Option<Vec<u8>>> {
    hasher.add_write_of(found);
    add_bytes(hasher, name);
    let text = match found {
        // Most of these files do not exist; the one `stat` shows it.
        Err(error) if reading::is_absence(error) => Ok(None),
        _ => reading::bytes_if_exists(&path(), SETTINGS),
    };
    let (kind, text) = match text {
        Ok(None) => (0, None),
        Ok(Some(text)) => (1, Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::IsADirectory) => {
            (2, None)
        }
        Err(_) => return None,
    };
    hasher.update(&[kind]);
    add_bytes(hasher, text.as_deref().unwrap_or_default());
    Some(text)
}

#[cfg(test)]
mod tests;
