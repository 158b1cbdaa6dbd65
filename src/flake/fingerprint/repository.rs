//! The parts of a Git repository that Nix reads: the tracked files with their content in the work tree, the commit, and
//! whether the files differ from it.
//!
//! Nix 2.26 and 2.34 take the list of files from the index and their content from the work tree, regardless of filters, line
//! ends and flags of the index. `rev` and `dirtyRev` depend on libgit2's comparison, so its inputs are hashed too: the index,
//! the state of files that differs from the one in the index, and the settings of Git. No program is started.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::files::{FILES, FileCache};
use super::hasher::FingerprintHasher;
use super::index::{self, IndexEntry};
use super::stat::Stat;
use super::{add_bytes, add_file, add_found, git_settings};
use crate::{nix, reading};

/// Most steps from a symbolic ref to a commit, and most levels of included settings files.
const STEPS: usize = 8;
/// Most settings files.
const SETTINGS_FILES: usize = 100;
/// Largest file that names a folder or a commit, in bytes.
const NAME: u64 = 64 * 1024;
/// Largest `packed-refs`, in bytes.
const NAMES: u64 = 64 * 1024 * 1024;
/// Largest index, in bytes: twice what [`FILES`] with long names take.
const INDEX: u64 = 128 * 1024 * 1024;

/// The repository of a work tree.
pub(in crate::flake) struct Repository {
    root: PathBuf,
    /// The folder of this work tree's own files.
    own: PathBuf,
    /// The folder that all work trees of the repository share.
    common: PathBuf,
}

/// The index as it was read.
pub(in crate::flake) struct Index {
    /// Its content; `None` if the file does not exist, because nothing was added yet.
    bytes: Option<Vec<u8>>,
    /// The time of its last modification, in seconds and nanoseconds.
    written: (i64, i64),
}

impl Index {
    /// Its entries; `None` if it is damaged, or of a kind that Nix does not read.
    pub(in crate::flake) fn entries(&self) -> Option<Vec<IndexEntry<'_>>> {
        self.bytes.as_deref().map_or(Some(Vec::new()), index::parse)
    }
}

/// Whether the flake's folder has a file of this name that Nix does not see, because Git does not track it. `false` if the index
/// cannot be read.
pub(in crate::flake) fn is_untracked(folder: &Path, name: &str) -> bool {
    let Some(root) = nix::repository_root(folder) else { return false };
    let file = folder.join(name);
    let Ok(path) = file.strip_prefix(root) else { return false };
    let tracks = || {
        let index = Repository::at(root)?.index()?;
        let path = path.as_os_str().as_bytes();
        Some(index.entries()?.iter().any(|entry| *entry.path == *path))
    };
    file.symlink_metadata().is_ok() && tracks() == Some(false)
}

impl Repository {
    /// The repository of the work tree at `root` (gitrepository-layout(5)); `None` if it cannot be read.
    pub(in crate::flake) fn at(root: &Path) -> Option<Self> {
        let marker = root.join(".git");
        let own = if marker.is_dir() {
            marker
        } else {
            let text = reading::bytes(&marker, NAME).ok()?;
            root.join(path_of(text.strip_prefix(b"gitdir: ")?.trim_ascii_end()))
        };
        let common = match reading::bytes_if_exists(&own.join("commondir"), NAME).ok()? {
            Some(text) => own.join(path_of(text.trim_ascii_end())),
            None => own.clone(),
        };
        Some(Self { root: root.to_owned(), own, common })
    }

    /// Reads the index; `None` if it cannot be read.
    pub(in crate::flake) fn index(&self) -> Option<Index> {
        let path = self.own.join("index");
        let stat = match Stat::of(&path) {
            Ok(stat) => stat,
            Err(error) if reading::is_absence(&error) => return Some(Index { bytes: None, written: (0, 0) }),
            Err(_) => return None,
        };
        Some(Index { bytes: Some(reading::bytes(&path, INDEX).ok()?), written: stat.modified })
    }

    /// The commit that is checked out; empty before the first one.
    fn head(&self, hasher: &mut FingerprintHasher) -> Option<Vec<u8>> {
        // Nix does not read the reftable format.
        if self.common.join("reftable").exists() {
            return None;
        }
        hasher.add_write_at(&self.own.join("HEAD"));
        let mut text = reading::bytes(&self.own.join("HEAD"), NAME).ok()?;
        for _ in 0..STEPS {
            let Some(name) = text.strip_prefix(b"ref: ") else { return Some(text.trim_ascii().to_vec()) };
            let name = name.trim_ascii();
            if !name.starts_with(b"refs/") || name.windows(2).any(|two| two == b"..") {
                return None;
            }
            let file = path_of(name);
            hasher.add_write_at(&self.own.join(&file));
            hasher.add_write_at(&self.common.join(&file));
            let next = match read_loose_ref(&self.own.join(&file))? {
                Some(next) => Some(next),
                None => read_loose_ref(&self.common.join(&file))?,
            };
            match next {
                Some(next) => text = next,
                None => {
                    hasher.add_write_at(&self.common.join("packed-refs"));
                    return self.read_packed_ref(name);
                }
            }
        }
        None
    }

    /// The commit of a ref in `packed-refs`; empty if the ref is not there, `None` if the file cannot be read.
    fn read_packed_ref(&self, name: &[u8]) -> Option<Vec<u8>> {
        let text =
            reading::bytes_if_exists(&self.common.join("packed-refs"), NAMES).ok()?.unwrap_or_default();
        let found = text.split(|byte| *byte == b'\n').find_map(|line| {
            let (object, rest) = line.split_at_checked(line.iter().position(|byte| *byte == b' ')?)?;
            (rest.trim_ascii() == name).then(|| object.to_vec())
        });
        Some(found.unwrap_or_default())
    }

    /// Adds everything that Nix reads. Returns whether the state is misleading; `None` if a file cannot be read.
    pub(super) fn add(&self, hasher: &mut FingerprintHasher, files: &mut FileCache) -> Option<bool> {
        let head = self.head(hasher)?;
        add_bytes(hasher, &head);
        let mut is_converted = self.add_settings(hasher)?;
        hasher.add_write_at(&self.own.join("index"));
        let index = self.index()?;
        let entries = index.entries()?;
        if entries.len() > FILES {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&self.root, flags, Mode::empty()).ok()?;
        hasher.add_folder_write(&rustix::fs::fstat(&root).ok()?.into());
        let mut folder: &[u8] = b"";
        is_converted |= self.add_attributes(hasher, root.as_fd(), folder)?;
        // Nix may have cached a hidden change under this commit, or may do so before it reads the flake.
        let hides = entries.iter().any(|entry| entry.hidden);
        let mut differs = false;
        for entry in &entries {
            let parent =
                entry.path.iter().rposition(|byte| *byte == b'/').and_then(|at| entry.path.get(..at));
            let parent = parent.unwrap_or_default();
            if parent != folder {
                is_converted |= self.add_folders(hasher, root.as_fd(), folder, parent)?;
                folder = parent;
            }
            differs |= self.add_entry(hasher, root.as_fd(), files, entry, index.written)?;
        }
        Some(hides || differs && is_converted)
    }

    /// Adds a file. Returns whether it differs from the index in any byte; `None` if it cannot be read.
    fn add_entry(
        &self,
        hasher: &mut FingerprintHasher,
        root: BorrowedFd<'_>,
        files: &mut FileCache,
        entry: &IndexEntry<'_>,
        written: (i64, i64),
    ) -> Option<bool> {
        add_bytes(hasher, &entry.path);
        hasher.update(&entry.mode.to_le_bytes());
        hasher.update(&entry.flags.to_le_bytes());
        hasher.update(entry.object);
        let stat = match Stat::below_without_following(root, &entry.path) {
            Ok(stat) => stat,
            Err(error) if reading::is_absence(&error) => {
                hasher.update(b"gone");
                return Some(true);
            }
            Err(_) => return None,
        };
        let object = files.add(hasher, &stat, || self.root.join(path_of(&entry.path)))?;
        let is_seen = entry.has_stat(&stat);
        // If the state is the one in the index and was old enough then, Git assumes the same content. Otherwise the result of
        // its comparison depends on that state, which is added.
        let (seconds, nanoseconds) = entry.changed();
        let is_believed = (i64::from(seconds), i64::from(nanoseconds)) < written;
        if is_seen && is_believed {
            hasher.update(b"seen");
        } else {
            hasher.update(entry.state());
            for time in [stat.modified.0, stat.modified.1, stat.changed.0, stat.changed.1] {
                hasher.update(&time.to_le_bytes());
            }
        }
        Some(!entry.is_mode_of(&stat) || object.map_or(!is_seen, |object| object != *entry.object))
    }

    /// Adds the folders on the path to `folder` that are not on the path to `before`: Nix sees no file behind a symbolic link.
    /// Returns whether one of them has a `.gitattributes`.
    fn add_folders(
        &self,
        hasher: &mut FingerprintHasher,
        root: BorrowedFd<'_>,
        before: &[u8],
        folder: &[u8],
    ) -> Option<bool> {
        let mut has_attributes = false;
        let is_above = |above: &[u8], below: &[u8]| {
            below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        let ends = folder.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for step in ends.chain([folder.len()]).filter_map(|at| folder.get(..at)) {
            if !is_above(step, before) {
                let stat = Stat::below_without_following(root, step).ok();
                hasher.update(&stat.map_or(0, |stat| stat.mode).to_le_bytes());
                if let Some(stat) = &stat {
                    hasher.add_folder_write(stat);
                }
                has_attributes |= self.add_attributes(hasher, root, step)?;
            }
        }
        Some(has_attributes)
    }

    /// Adds the `.gitattributes` of a folder, which count even if Git does not track them (gitattributes(5)). Returns whether
    /// there is one.
    fn add_attributes(
        &self,
        hasher: &mut FingerprintHasher,
        root: BorrowedFd<'_>,
        folder: &[u8],
    ) -> Option<bool> {
        let above = if folder.is_empty() { &b""[..] } else { b"/" };
        let name = [folder, above, b".gitattributes"].concat();
        let path = || self.root.join(path_of(&name));
        Some(add_found(hasher, &name, &Stat::below(root, &name), path)?.is_some())
    }

    /// Adds the settings files of Git that libgit2 reads: the repository's, the user's and the machine's (git-config(1),
    /// "FILES"), with those they include. Returns whether a setting makes Git convert or misjudge files.
    fn add_settings(&self, hasher: &mut FingerprintHasher) -> Option<bool> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let configuration = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".config")))
            .map(|folder| folder.join("git"));
        let mut waiting =
            vec![self.common.join("config"), self.own.join("config.worktree"), "/etc/gitconfig".into()];
        waiting.extend(home.as_ref().map(|home| home.join(".gitconfig")));
        waiting.extend(configuration.as_ref().map(|folder| folder.join("config")));
        let attributes = configuration.as_ref().map(|folder| folder.join("attributes"));
        let mut is_converted = false;
        let everywhere = [self.common.join("info/attributes"), "/etc/gitattributes".into()];
        for file in everywhere.into_iter().chain(attributes) {
            is_converted |= add_file(hasher, &file)?.is_some();
        }
        // The path that a value names, whether or not the file exists.
        let named = |value: &[u8], beside: &Path| match (value.strip_prefix(b"~/"), &home) {
            (Some(below), Some(home)) => Some(home.join(path_of(below))),
            // A path in another user's home folder, or relative to the installation of Git, is not supported.
            _ if value.starts_with(b"~") || value.starts_with(b"%(") => None,
            _ => Some(beside.parent()?.join(path_of(value))),
        };
        let mut known = BTreeSet::new();
        for _ in 0..STEPS {
            let mut next = Vec::new();
            for file in waiting {
                if !known.insert(file.clone()) {
                    continue;
                }
                if known.len() > SETTINGS_FILES {
                    return None;
                }
                let Some(text) = add_file(hasher, &file)? else { continue };
                for (key, value) in git_settings::parse(&text)? {
                    // A key alone means "true".
                    let value = value.as_deref().unwrap_or(b"true");
                    match key.as_str() {
                        // Git would list the files of another work tree, but Nix reads those of this one.
                        "core.worktree"
                            if self.own.join(path_of(value)).canonicalize().ok()?
                                != self.root.canonicalize().ok()? =>
                        {
                            return None;
                        }
                        // Added even if the condition does not hold.
                        "include.path" | "includeif.path" => next.push(named(value, &file)?),
                        "core.attributesfile" => {
                            is_converted = true;
                            add_file(hasher, &named(value, &file)?)?;
                        }
                        "core.filemode" | "core.symlinks" | "core.trustctime" => {
                            is_converted |= !value.eq_ignore_ascii_case(b"true");
                        }
                        "core.autocrlf" | "core.ignorestat" => {
                            is_converted |= !value.eq_ignore_ascii_case(b"false");
                        }
                        "core.eol" | "core.checkstat" => is_converted = true,
                        _ => {}
                    }
                }
            }
            if next.is_empty() {
                return Some(is_converted);
            }
            waiting = next;
        }
        None
    }
}

/// The content of the file of a loose ref; `Some(None)` if there is no such file, `None` if it cannot be read.
fn read_loose_ref(path: &Path) -> Option<Option<Vec<u8>>> {
    match reading::bytes_if_exists(path, NAME) {
        Ok(text) => Some(text),
        // The folder of deleted refs may remain.
        Err(error) if error.kind() == ErrorKind::IsADirectory => Some(None),
        Err(_) => None,
    }
}

/// A path from the bytes that Git stores.
pub(in crate::flake) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
