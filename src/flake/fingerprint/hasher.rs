//! One look at a flake: what it holds, and which writes it was after.

use std::io;
use std::path::Path;

use super::stat::Stat;

/// How many bytes are hashed at once: as many as the widest of processors takes side by side.
const AT_ONCE: usize = 16 * 1024;

/// What was seen.
///
/// What a flake holds may be the same before an evaluation and after it, and another one between: a file that was
/// written twice. Each write gives a file another time of its last change, which cannot be set by hand, or puts another
/// file in its place.
#[derive(Debug, Default)]
pub(super) struct FingerprintHasher {
    content: BufferedHasher,
    writes: BufferedHasher,
}

impl FingerprintHasher {
    /// Adds what evaluation depends on.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.content.update(bytes);
    }

    /// Adds which write of a file this is.
    pub(super) fn add_write(&mut self, stat: &Stat) {
        for number in [stat.inode.0, stat.inode.1] {
            self.writes.update(&number.to_le_bytes());
        }
        for number in [stat.changed.0, stat.changed.1] {
            self.writes.update(&number.to_le_bytes());
        }
    }

    /// The same of the file that is at `path`, by whatever links, if any.
    pub(super) fn add_write_at(&mut self, path: &Path) {
        self.add_write_of(&Stat::of(path));
    }

    /// The same of what was found.
    pub(super) fn add_write_of(&mut self, found: &io::Result<Stat>) {
        match found {
            Ok(stat) => self.add_write(stat),
            Err(_) => self.writes.update(b"none"),
        }
    }

    /// Adds whether a folder of a work tree is in the place where it was. Git tracks no folders, so that what comes
    /// and goes in one is no write; it changes both times of the folder alike, and a rename of the folder only one.
    pub(super) fn add_folder_write(&mut self, stat: &Stat) {
        if stat.changed != stat.modified {
            self.add_write(stat);
        }
    }

    /// What it holds, and which writes this was after.
    pub(super) fn finish(self) -> (blake3::Hash, blake3::Hash) {
        (self.content.finish(), self.writes.finish())
    }
}

/// The hash of many small pieces. Handed over one by one they take several times as long as together.
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
