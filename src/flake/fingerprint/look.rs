//! One look at a flake: what it holds, and which writes it was after.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What was seen.
///
/// What a flake holds may be the same before an evaluation and after it, and another one between: a file that was
/// written twice. Each write gives a file another time of its last change, which cannot be set by hand, or puts another
/// file in its place.
#[derive(Debug, Default)]
pub(super) struct Look {
    holds: blake3::Hasher,
    written: blake3::Hasher,
}

impl Look {
    /// Adds what evaluation depends on.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.holds.update(bytes);
    }

    /// Adds which write of a file this is.
    pub(super) fn written(&mut self, data: &Metadata) {
        let inode = [data.dev(), data.ino()];
        let changed = [data.ctime(), data.ctime_nsec()];
        inode.into_iter().for_each(|number| _ = self.written.update(&number.to_le_bytes()));
        changed.into_iter().for_each(|number| _ = self.written.update(&number.to_le_bytes()));
    }

    /// The same of the file that is at `path`, by whatever links, if any.
    pub(super) fn written_at(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(data) => self.written(&data),
            Err(_) => _ = self.written.update(b"none"),
        }
    }

    /// Adds whether a folder of a work tree is in the place where it was. Git tracks no folders, so that what comes
    /// and goes in one is no write; it changes both times of the folder alike, and a rename of the folder only one.
    pub(super) fn folder_moved(&mut self, data: &Metadata) {
        if (data.ctime(), data.ctime_nsec()) != (data.mtime(), data.mtime_nsec()) {
            self.written(data);
        }
    }

    /// What it holds, and which writes this was after.
    pub(super) fn finish(&self) -> (blake3::Hash, blake3::Hash) {
        (self.holds.finalize(), self.written.finalize())
    }
}
