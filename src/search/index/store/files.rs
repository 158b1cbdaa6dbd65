//! The files of indexes: their names, and which of them are removed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Suffix of a complete index.
pub(super) const COMPLETE: &str = "sqlite";
/// Suffix of an index that is being written.
pub(super) const PARTIAL: &str = "building";
/// Suffix of the file whose lock the builder holds.
pub(super) const LOCK: &str = "lock";
/// Most complete indexes of each kind that are kept; the ones that were used last.
const KEPT: usize = 12;
/// Age at which the file of a build that did not end is removed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A file on disk, as it was when it was seen. It differs from one that replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    pub path: PathBuf,
    inode: u64,
    size: u64,
    modified: SystemTime,
}

impl IndexFile {
    /// The file at this path; `None` if there is none.
    pub(super) fn at(path: PathBuf) -> Option<Self> {
        let found = fs::metadata(&path).ok()?;
        Some(Self { path, inode: found.ino(), size: found.len(), modified: found.modified().ok()? })
    }
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The complete indexes of a kind with the time of their last use. A folder that cannot be read has none.
pub(super) fn complete_files(folder: &Path, prefix: &str) -> Vec<(SystemTime, PathBuf)> {
    files_with(folder, prefix, COMPLETE)
}

/// The files of a kind with this suffix, with the times at which they were written.
fn files_with(folder: &Path, prefix: &str, suffix: &str) -> Vec<(SystemTime, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{prefix}-")))
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|own| own == suffix))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect()
}

/// Removes the indexes of a kind beyond [`KEPT`] that were not used for longest, and what killed builds left.
pub(super) fn sweep(folder: &Path, prefix: &str, newest: &Path) {
    for path in files_with(folder, prefix, PARTIAL).into_iter().filter(|(time, _)| is_abandoned(*time)) {
        remove_with_lock(&path.1);
    }
    let mut files = complete_files(folder, prefix);
    files.retain(|(_, path)| path != newest);
    files.sort();
    let surplus = (files.len() + 1).saturating_sub(KEPT);
    for (_, path) in files.into_iter().take(surplus) {
        remove_with_lock(&path);
    }
}

/// Whether nobody has written to a build for a day.
fn is_abandoned(written: SystemTime) -> bool {
    written.elapsed().is_ok_and(|age| age > ABANDONED)
}

fn remove_with_lock(path: &Path) {
    for path in [path, &path.with_extension(LOCK)] {
        if let Err(error) = remove_if_there(path) {
            tracing::debug!(%error, path = %path.display(), "an old search index could not be removed");
        }
    }
}
