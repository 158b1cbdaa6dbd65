//! The hashes of a fingerprint: one of the content, one of the writes.

use std::io;
use std::path::Path;

use super::stat::Stat;

/// Bytes hashed at once: the most that BLAKE3 processes in parallel on any processor.
const AT_ONCE: usize = 16 * 1024;

/// Hashes the content of a flake, and the times and inodes of its files.
///
/// A file may be changed and changed back during an evaluation, so equal content proves nothing. Each write changes the time of
/// the file's last change (ctime), which no program can set, or replaces the file and so its inode.
#[derive(Debug, Default)]
pub(super) struct FingerprintHasher {
    content: BufferedHasher,
    writes: BufferedHasher,
}

impl FingerprintHasher {
    /// Adds content.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.content.update(bytes);
    }

    /// Adds the inode and the time of the last change of a file.
    pub(super) fn add_write(&mut self, stat: &Stat) {
        for number in [stat.inode.0, stat.inode.1] {
            self.writes.update(&number.to_le_bytes());
        }
        for number in [stat.changed.0, stat.changed.1] {
            self.writes.update(&number.to_le_bytes());
        }
    }

    /// The same for the file at `path`, following links, or that there is none.
    pub(super) fn add_write_at(&mut self, path: &Path) {
        self.add_write_of(&Stat::of(path));
    }

    /// The same for the result of a `stat`.
    pub(super) fn add_write_of(&mut self, found: &io::Result<Stat>) {
        match found {
            Ok(stat) => self.add_write(stat),
            Err(_) => self.writes.update(b"none"),
        }
    }

    /// Adds a folder of a work tree if it was renamed. Git tracks no folders, so entries that come and go in it do not count:
    /// they set both times of the folder, and a rename sets only one.
    pub(super) fn add_folder_write(&mut self, stat: &Stat) {
        if stat.changed != stat.modified {
            self.add_write(stat);
        }
    }

    /// The hash of the content and the hash of the writes.
    pub(super) fn finish(self) -> (blake3::Hash, blake3::Hash) {
        (self.content.finish(), self.writes.finish())
    }
}

/// Hashes many small pieces. They are collected, because hashing each piece takes several times as long.
#[derive(Debug, Default)]
struct BufferedHasher {
    hash: blake3::Hasher,
    waiting: Vec<u8>,
}

impl BufferedHasher {
    fn update(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > AT_ONCE {
            self.hash.update(&self.waiting);
            self.waiting.clear();
        }
        if bytes.len() > AT_ONCE {
            self.hash.update(bytes);
        } else {
            self.waiting.extend_from_slice(bytes);
        }
    }

    fn finish(mut self) -> blake3::Hash {
        self.hash.update(&self.waiting);
        self.hash.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_pieces_is_that_of_the_whole() {
        let whole: Vec<u8> = (0..5 * AT_ONCE).map(|at| (at % 251) as u8).collect();
        for size in [1, 7, 32, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE + 3] {
            let mut sum = BufferedHasher::default();
            for (number, piece) in whole.chunks(size).enumerate() {
                // Large ones behind small ones and before them.
                let (first, second) = piece.split_at(piece.len().min(number % 3));
                sum.update(first);
                sum.update(second);
            }
            assert_eq!(sum.finish(), blake3::hash(&whole), "pieces of {size}");
        }
        assert_eq!(BufferedHasher::default().finish(), blake3::hash(b""));
    }
}
