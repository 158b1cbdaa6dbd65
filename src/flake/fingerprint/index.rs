//! Parses Git's index: the tracked files, with their flags (gitformat-index(5)).
//!
//! It is parsed here because running Git takes a process. Versions 2 to 4 with SHA-1 are enough: Nix refuses repositories with
//! a split or a sparse index, or with SHA-256.

use std::borrow::Cow;

use super::stat::Stat;

/// Length of an object id, in bytes.
const OBJECT: usize = 20;
/// Length of a file's state in the index, in bytes.
const STATE: usize = 40;
const ASSUME_UNCHANGED: u16 = 1 << 15;
const EXTENDED: u16 = 1 << 14;
const SKIP_WORKTREE: u16 = 1 << 14;
const NAME_LENGTH: u16 = 0xfff;
/// Most bytes of all paths together: an index of version 4 shares prefixes, so a small file can expand to very long paths.
const PATHS: usize = 128 * 1024 * 1024;

/// Git's id of an object; for a file, of its content without filters (gitformat-pack(5), "blob").
pub(in crate::flake) type ObjectId = [u8; OBJECT];

/// A file that Git tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::flake) struct IndexEntry<'a> {
    /// Its path from the root of the work tree.
    pub path: Cow<'a, [u8]>,
    /// Its mode: `0o100644`, `0o100755`, a symbolic link or a submodule.
    pub mode: u32,
    /// The id of its content.
    pub object: &'a ObjectId,
    /// The flags of the index, without the length of the name: assume-unchanged, stage, skip-worktree, intent to add.
    pub flags: u32,
    /// Whether Git is set to ignore changes of the file (git-update-index(1)).
    pub hidden: bool,
    state: &'a [u8; STATE],
}

impl IndexEntry<'_> {
    /// The file's `stat` data at Git's last check.
    pub(in crate::flake) fn state(&self) -> &[u8] {
        self.state
    }

    /// Whether the file's `stat` data are those of the index. Stricter than Git: all times count, regardless of
    /// `core.trustctime` and `core.checkStat`.
    pub(in crate::flake) fn has_stat(&self, stat: &Stat) -> bool {
        // The index keeps the lower half of each.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the index holds 32 bits of each"
        )]
        let now = [
            (0, stat.changed.0 as u32),
            (1, stat.changed.1 as u32),
            (2, stat.modified.0 as u32),
            (3, stat.modified.1 as u32),
            (5, stat.inode.1 as u32),
            (7, stat.user),
            (8, stat.group),
            (9, stat.size as u32),
        ];
        now.into_iter().all(|(place, value)| number(self.state, place * 4) == Some(value))
    }

    /// Whether the file has the kind and permissions of this entry.
    pub(in crate::flake) fn is_mode_of(&self, stat: &Stat) -> bool {
        match self.mode {
            // Files of a submodule are not files of the flake.
            0o160_000 => true,
            _ if stat.is_link() => self.mode == 0o120_000,
            _ => stat.is_file() && self.mode == if stat.mode & 0o100 == 0 { 0o100_644 } else { 0o100_755 },
        }
    }

    /// The time of the file's last change in the index, in seconds and nanoseconds.
    pub(in crate::flake) fn changed(&self) -> (u32, u32) {
        (number(self.state, 8).unwrap_or_default(), number(self.state, 12).unwrap_or_default())
    }
}

/// Parses the entries of an index; `None` if it is damaged, or of a kind that Nix does not read.
pub(in crate::flake) fn parse(bytes: &[u8]) -> Option<Vec<IndexEntry<'_>>> {
    let bytes = bytes.get(..bytes.len().checked_sub(OBJECT)?)?;
    let version = number(bytes, 4)?;
    if bytes.get(..4)? != b"DIRC" || !(2..=4).contains(&version) {
        return None;
    }
    let count = usize::try_from(number(bytes, 8)?).ok()?;
    let mut rest = bytes.get(12..)?;
    let mut room = PATHS;
    let mut entries: Vec<IndexEntry<'_>> = Vec::with_capacity(count.min(bytes.len() / (STATE + OBJECT)));
    for _ in 0..count {
        let entry = rest;
        let state: &[u8; STATE] = entry.get(..STATE)?.try_into().ok()?;
        let object: &ObjectId = entry.get(STATE..STATE + OBJECT)?.try_into().ok()?;
        let mut at = STATE + OBJECT;
        let flags = half(entry, at)?;
        at += 2;
        let mut more = 0;
        if flags & EXTENDED != 0 {
            more = half(entry, at)?;
            at += 2;
        }
        // Version 4 stores only the part of a path that it does not share with the path before it.
        let mut shared: &[u8] = b"";
        if version == 4 {
            let (cut, after) = offset(entry.get(at..)?)?;
            let before = entries.last().map_or(&b""[..], |entry| &entry.path);
            shared = before.get(..before.len().checked_sub(cut)?)?;
            at += after;
        }
        let name = entry.get(at..)?;
        let length = name.iter().position(|byte| *byte == 0)?;
        let name = name.get(..length)?;
        room = room.checked_sub(shared.len() + name.len())?;
        let path = if shared.is_empty() { Cow::from(name) } else { Cow::from([shared, name].concat()) };
        // libgit2 rejects an index with a path that leads out of the work tree.
        if path.split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
            return None;
        }
        at += length;
        // Older versions pad an entry to a multiple of eight bytes, with at least one zero byte.
        at = if version == 4 { at + 1 } else { (at + 8) / 8 * 8 };
        rest = entry.get(at..)?;
        entries.push(IndexEntry {
            path,
            mode: number(state, 24)?,
            object,
            flags: u32::from(flags & !NAME_LENGTH) << 16 | u32::from(more),
            hidden: flags & ASSUME_UNCHANGED != 0 || more & SKIP_WORKTREE != 0,
            state,
        });
    }
    // An extension whose name does not begin with a capital letter must be understood; none of them is supported here.
    while let [first, ..] = rest {
        if !first.is_ascii_uppercase() {
            return None;
        }
        rest = rest.get(8usize.checked_add(usize::try_from(number(rest, 4)?).ok()?)?..)?;
    }
    Some(entries)
}

/// Parses a variable-length number of the pack format; returns it and its length in bytes.
fn offset(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (place, byte) in bytes.iter().enumerate() {
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 127))?;
        if byte & 128 == 0 {
            return Some((value, place + 1));
        }
        value = value.checked_add(1)?;
    }
    None
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flake::fingerprint::tests::git;
    use proptest::prelude::*;

    #[test]
    fn every_version_is_what_git_says_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        git(folder, &["init", "-q"]);
        for (number, name) in
            ["a", "a b", "deep/er/file-with-a-longer-name", "deep/er/file", "zebra"].iter().enumerate()
        {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{number}")).unwrap();
        }
        std::os::unix::fs::symlink("a", folder.join("link")).unwrap();
        git(folder, &["add", "."]);
        std::fs::write(folder.join("new"), "").unwrap();
        git(folder, &["add", "--intent-to-add", "new"]);
        git(folder, &["update-index", "--skip-worktree", "a b"]);
        git(folder, &["update-index", "--assume-unchanged", "zebra"]);
        for version in ["2", "3", "4"] {
            git(folder, &["update-index", "--force-write-index", "--index-version", version]);
            let index = std::fs::read(folder.join(".git/index")).unwrap();
            let entries = parse(&index).unwrap();
            let listed: String = entries
                .iter()
                .map(|entry| {
                    let object: String = entry.object.iter().map(|byte| format!("{byte:02x}")).collect();
                    format!("{:06o} {object} 0\t{}\0", entry.mode, String::from_utf8_lossy(&entry.path))
                })
                .collect();
            assert_eq!(listed, git(folder, &["ls-files", "--stage", "-z"]), "version {version}");
            let hidden: Vec<_> =
                entries.iter().filter(|entry| entry.hidden).map(|entry| &*entry.path).collect();
            assert_eq!(hidden, [&b"a b"[..], b"zebra"]);
            for entry in entries.iter().filter(|entry| *entry.path != *b"new") {
                let path = folder.join(std::str::from_utf8(&entry.path).unwrap());
                let stat = Stat::without_following(&path).unwrap();
                assert!(entry.has_stat(&stat), "{entry:?}");
            }
        }
        git(folder, &["update-index", "--split-index"]);
        assert_eq!(parse(&std::fs::read(folder.join(".git/index")).unwrap()), None);
    }

    /// An index with these paths. Each number is how many bytes to cut from the path before; the text follows the rest.
    fn of_version_4(paths: impl IntoIterator<Item = (u8, String)>) -> Vec<u8> {
        let mut entries = Vec::new();
        let mut count = 0u32;
        for (cut, rest) in paths {
            entries.extend([0; STATE + OBJECT + 2]);
            entries.push(cut);
            entries.extend(rest.bytes());
            entries.push(0);
            count += 1;
        }
        [b"DIRC", &4u32.to_be_bytes()[..], &count.to_be_bytes(), &entries, &[0; OBJECT]].concat()
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_none() {
        let is_read = |path: &str| parse(&of_version_4([(0, path.to_owned())])).is_some();
        for path in ["a", "a/b", "...", "a/.b", "a/b..", "a./b"] {
            assert!(is_read(path), "{path}");
        }
        for path in ["", "/", "/a", "a/", "a//b", ".", "./a", "a/.", "..", "../a", "a/../b", "a/.."] {
            assert!(!is_read(path), "{path}");
        }
        let joined = of_version_4([(0, "a/b".to_owned()), (1, "..".to_owned())]);
        assert_eq!(parse(&joined), None, "a/..");
    }

    #[test]
    fn a_small_index_holds_no_more_than_a_large_one() {
        let index = |count: usize| {
            let more = (1..count).map(|_| (0, String::new()));
            of_version_4(std::iter::once((0, "a".repeat(1024 * 1024))).chain(more))
        };
        assert_eq!(parse(&index(100)).map(|entries| entries.len()), Some(100));
        assert_eq!(parse(&index(129)), None);
    }

    proptest! {
        #[test]
        fn no_bytes_end_the_program(version in 0u32..6, count in 0u32..4, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut index = b"DIRC".to_vec();
            index.extend(version.to_be_bytes());
            index.extend(count.to_be_bytes());
            index.extend(bytes);
            let _whatever = parse(&index);
        }
    }
}
