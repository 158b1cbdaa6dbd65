//! What Nix sees of a Git repository: the files Git tracks, with their content in the work tree, and of the
//! repository itself which commit is checked out and whether the files differ from it.
//!
//! Nix 2.26 and 2.34 take the list of files from the index and their content from the work tree, whatever filters,
//! line ends or flags of the index say; `rev` or `dirtyRev` come of libgit2's comparison. What that depends on is
//! added: the index, the state of the files it remembers where that is not today's, and the settings of Git. Nothing
//! is run.

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
use crate::reading;

/// Most steps from a name to a commit, and from one file of settings to the next.
const STEPS: usize = 8;
/// Most files of settings.
const SETTINGS_FILES: usize = 100;
/// Largest file that names a folder or a commit, in bytes.
const NAME: u64 = 64 * 1024;
/// Largest list of names, in bytes.
const NAMES: u64 = 64 * 1024 * 1024;
/// Largest index, in bytes: twice what [`FILES`] with long names take.
const INDEX: u64 = 128 * 1024 * 1024;

/// Where a work tree's repository is.
pub(in crate::flake) struct Repository {
    root: PathBuf,
    /// What is this work tree's own.
    own: PathBuf,
    /// What all work trees of the repository share.
    common: PathBuf,
}

/// The index as it lies there.
pub(in crate::flake) struct Index {
    /// `None` before anything was ever added.
    bytes: Option<Vec<u8>>,
    /// When it was written.
    written: (i64, i64),
}

impl Index {
    /// Its entries; `None` if it is damaged, or of a kind that Nix does not read.
    pub(in crate::flake) fn entries(&self) -> Option<Vec<IndexEntry<'_>>> {
        self.bytes.as_deref().map_or(Some(Vec::new()), index::parse)
    }
}

impl Repository {
    /// That of the work tree at `root` (gitrepository-layout(5)).
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

    /// What Git tracks; `None` if it cannot be read.
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
        // Names are kept otherwise there, and Nix does not read it.
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

    /// The commit of that name in the list of names; empty where it is not there.
    fn read_packed_ref(&self, name: &[u8]) -> Option<Vec<u8>> {
        let text =
            reading::bytes_if_exists(&self.common.join("packed-refs"), NAMES).ok()?.unwrap_or_default();
        let found = text.split(|byte| *byte == b'\n').find_map(|line| {
            let (object, rest) = line.split_at_checked(line.iter().position(|byte| *byte == b' ')?)?;
            (rest.trim_ascii() == name).then(|| object.to_vec())
        });
        Some(found.unwrap_or_default())
    }

    /// Adds all of it, and says whether Nix may take it for something else than it is.
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
        // Nix may have been shown a hidden change under the commit's name before, or may be until it reads.
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

    /// Adds a file, and says whether it is not what stands in the index, byte by byte.
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
        let stat = match Stat::below_itself(root, &entry.path) {
            Ok(stat) => stat,
            Err(error) if reading::is_absence(&error) => {
                hasher.update(b"gone");
                return Some(true);
            }
            Err(_) => return None,
        };
        let object = files.add(hasher, &stat, || self.root.join(path_of(&entry.path)))?;
        let is_seen = entry.is_as_seen(&stat);
        // Where the state is the one Git saw, and was old enough then to be believed, Git takes the content for the
        // same; elsewhere what it takes it for depends on that state.
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

    /// Adds what the folders on the way to `folder` are that are not on the way to `before`: behind a symbolic link
    /// Nix sees no file. Whether one of them has attributes.
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
                let stat = Stat::below_itself(root, step).ok();
                hasher.update(&stat.map_or(0, |stat| stat.mode).to_le_bytes());
                if let Some(stat) = &stat {
                    hasher.add_folder_write(stat);
                }
                has_attributes |= self.add_attributes(hasher, root, step)?;
            }
        }
        Some(has_attributes)
    }

    /// Adds the attributes of a folder, which count whether Git tracks the file or not (gitattributes(5)). Whether
    /// there are any.
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

    /// Adds the settings of Git that libgit2 reads: the repository's, the user's and the machine's (git-config(1),
    /// "FILES"), with what they include. Whether one of them has Git take a file for another one than it is.
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
        // What it names is there or not, whatever becomes of it.
        let named = |value: &[u8], beside: &Path| match (value.strip_prefix(b"~/"), &home) {
            (Some(below), Some(home)) => Some(home.join(path_of(below))),
            // Another user's home, or where Git was installed.
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
                        // Of another work tree the files would be listed, and this one's be read.
                        "core.worktree"
                            if self.own.join(path_of(value)).canonicalize().ok()?
                                != self.root.canonicalize().ok()? =>
                        {
                            return None;
                        }
                        // Whatever a condition says of it.
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

/// What a file that stands for a name holds; `None` in it where there is no such file.
fn read_loose_ref(path: &Path) -> Option<Option<Vec<u8>>> {
    match reading::bytes_if_exists(path, NAME) {
        Ok(text) => Some(text),
        // Of names below it that are gone the folder may be left.
        Err(error) if error.kind() == ErrorKind::IsADirectory => Some(None),
        Err(_) => None,
    }
}

/// A path as Git writes it down.
pub(in crate::flake) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
