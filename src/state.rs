//! A private folder of state with files that are written atomically.
//!
//! Its content decides what is deployed. So a symbolic link, a pipe, a file of another user and a file that others can
//! write are errors.

pub mod writer;

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// Most entries that are listed of one folder.
pub const ENTRIES: usize = 10_000;

/// Keeps a new folder out of Git: a home folder may be a repository.
const IGNORE: &str = ".gitignore";

/// Prefix of unfinished files; the rest of the name is random.
const PARTIAL: &str = ".partial-";

/// The state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A system call failed.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// The file or folder has another type, or others can change it.
    #[error("{} {problem}", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The write was not attempted.
    #[error("nothing was written: {0}")]
    Unwritten(String),
    /// The file is larger than any file this program writes.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        path: PathBuf,
        /// Most bytes read.
        limit: u64,
    },
}

/// Adds the path to an error of the system.
fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |cause| StateError::Io { path, cause }
}

/// Requires that nobody but this user can change the file or folder.
fn require_private(path: &Path, data: &Metadata) -> Result<(), StateError> {
    let unsafe_because = |problem| Err(StateError::Unsafe { path: path.to_owned(), problem });
    if data.uid() != rustix::process::geteuid().as_raw() {
        unsafe_because("belongs to another user")
    } else if data.mode() & 0o022 != 0 {
        unsafe_because("can be written by other users: run `chmod go-w` on it")
    } else {
        Ok(())
    }
}

/// A folder of the state.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// The folder at `path`, created with mode 0700 if it does not exist. The path may contain symbolic links.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let is_new = !path.exists();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error(path))?;
        let path = path.canonicalize().map_err(io_error(path))?;
        require_private(&path, &fs::metadata(&path).map_err(io_error(&path))?)?;
        let folder = Self { path };
        if is_new {
            folder.create(IGNORE, b"*\n")?;
        }
        Ok(folder)
    }

    /// A folder in this one, created if it does not exist.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn folder(&self, name: &str) -> Result<Self, StateError> {
        let path = self.path.join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(&path)(error)),
            _ => {}
        }
        let data = fs::symlink_metadata(&path).map_err(io_error(&path))?;
        if !data.is_dir() {
            return Err(StateError::Unsafe { path, problem: "is not a folder" });
        }
        require_private(&path, &data)?;
        Ok(Self { path })
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content of the file; `None` if there is none.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.path.join(name);
        let Some(file) = open_file(&path, OFlags::RDONLY)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io_error(&path))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
            return Err(StateError::TooLarge { path, limit });
        }
        Ok(Some(bytes))
    }

    /// The file, open for reading, of any size; `None` if there is none.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open_to_read(&self, name: &str) -> Result<Option<File>, StateError> {
        open_file(&self.path.join(name), OFlags::RDONLY)
    }

    /// The file, open for appending, created if it does not exist.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open_to_append(&self, name: &str) -> Result<File, StateError> {
        let path = self.path.join(name);
        open_file(&path, OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)?
            .ok_or_else(|| io_error(&path)(io::ErrorKind::NotFound.into()))
    }

    /// Writes the file atomically: readers see all of the old content or all of the new.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path.join(name);
        let partial = self.synced_file(bytes)?;
        partial.persist(&path).map_err(|error| io_error(&path)(error.error))?;
        self.sync_folder()
    }

    /// As [`Self::replace`], without waiting for the disk: after a power cut the file may be damaged, or have the old
    /// content.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn replace_without_sync(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path.join(name);
        self.unsynced_file(bytes)?.persist(&path).map_err(|error| io_error(&path)(error.error))?;
        Ok(())
    }

    /// Writes the file atomically if the name is free, and returns whether it did. If several processes try at once, one
    /// succeeds.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn create(&self, name: &str, bytes: &[u8]) -> Result<bool, StateError> {
        let path = self.path.join(name);
        let partial = self.synced_file(bytes)?;
        // link(2), unlike rename(2), never replaces an existing file.
        match fs::hard_link(partial.path(), &path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(io_error(&path)(error)),
        }
        partial.close().map_err(io_error(&path))?;
        self.sync_folder()?;
        Ok(true)
    }

    /// Removes the file, and returns whether it existed.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn remove(&self, name: &str) -> Result<bool, StateError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Ok(()) => self.sync_folder().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_error(&path)(error)),
        }
    }

    /// The names in the folder and their modification times, at most [`ENTRIES`]. It leaves out the file for Git and names
    /// that are not UTF-8, which this program never writes.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn entries(&self) -> Result<Vec<(String, std::time::SystemTime)>, StateError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(io_error(&self.path))?.take(ENTRIES) {
            let entry = entry.map_err(io_error(&self.path))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name == IGNORE {
                continue;
            }
            // Another process may have removed it meanwhile.
            let Ok(data) = entry.metadata() else { continue };
            entries.push((name, data.modified().map_err(io_error(&self.path))?));
        }
        entries.sort();
        Ok(entries)
    }

    /// Whether a file of that name is unfinished.
    #[must_use]
    pub fn is_partial(name: &str) -> bool {
        name.starts_with(PARTIAL)
    }

    /// A temporary file in the folder with these bytes, synced to the disk. Dropping it removes it.
    fn synced_file(&self, bytes: &[u8]) -> Result<tempfile::NamedTempFile, StateError> {
        let file = self.unsynced_file(bytes)?;
        file.as_file().sync_all().map_err(io_error(file.path()))?;
        Ok(file)
    }

    fn unsynced_file(&self, bytes: &[u8]) -> Result<tempfile::NamedTempFile, StateError> {
        // Mode 0600 is what `tempfile` gives.
        let mut file =
            tempfile::Builder::new().prefix(PARTIAL).tempfile_in(&self.path).map_err(io_error(&self.path))?;
        file.write_all(bytes).map_err(io_error(file.path()))?;
        Ok(file)
    }

    /// Syncs the folder, so that the names in it survive a power cut.
    fn sync_folder(&self) -> Result<(), StateError> {
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(io_error(&self.path))
    }
}

/// Opens the regular file at `path` without following a link and without blocking on a pipe; `None` if there is none.
fn open_file(path: &Path, flags: OFlags) -> Result<Option<File>, StateError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => {
            return Err(StateError::Unsafe { path: path.to_owned(), problem: "is a symbolic link" });
        }
        Err(error) => return Err(io_error(path)(error.into())),
    };
    let data = file.metadata().map_err(io_error(path))?;
    if !data.is_file() {
        return Err(StateError::Unsafe { path: path.to_owned(), problem: "is not a regular file" });
    }
    require_private(path, &data)?;
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn state() -> (tempfile::TempDir, StateFolder) {
        let scratch = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(&scratch.path().join("a/state")).unwrap();
        (scratch, folder)
    }

    #[test]
    fn nobody_else_can_read_it() {
        let (_scratch, folder) = state();
        folder.replace("file", b"one").unwrap();
        folder.replace("file", b"two").unwrap();
        let inner = folder.folder("inner").unwrap();
        assert!(inner.create("other", b"three").unwrap());
        assert_eq!(folder.read("file", 3).unwrap().unwrap(), b"two");
        for (path, mode) in [("", 0o700), ("file", 0o600), ("inner", 0o700), ("inner/other", 0o600)] {
            let found = fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{path}");
        }
        assert_eq!(folder.entries().unwrap().len(), 2, "something unfinished was left");
    }

    #[test]
    fn what_is_there_is_not_created_again() {
        let (_scratch, folder) = state();
        assert!(folder.create("file", b"one").unwrap());
        assert!(!folder.create("file", b"two").unwrap());
        assert_eq!(folder.read("file", 9).unwrap().unwrap(), b"one");
        assert_eq!(folder.entries().unwrap().len(), 1, "something unfinished was left");
        assert!(folder.remove("file").unwrap());
        assert!(!folder.remove("file").unwrap());
        assert!(folder.read("file", 9).unwrap().is_none());
    }

    #[test]
    fn nothing_leads_out_of_it() {
        let (scratch, folder) = state();
        let outside = scratch.path().join("outside");
        fs::write(&outside, "secret").unwrap();
        symlink(&outside, folder.path().join("link")).unwrap();
        symlink(scratch.path(), folder.path().join("inner")).unwrap();
        assert!(matches!(folder.read("link", 99), Err(StateError::Unsafe { .. })));
        assert!(matches!(folder.open_to_append("link"), Err(StateError::Unsafe { .. })));
        assert!(matches!(folder.folder("inner"), Err(StateError::Unsafe { .. })));
        // Opening a pipe without a writer would block.
        let pipe = folder.path().join("pipe");
        crate::platform::make_pipe(&pipe);
        assert!(matches!(folder.read("pipe", 99), Err(StateError::Unsafe { .. })));
        // Writing replaces the link and does not change its target.
        folder.replace("link", b"mine").unwrap();
        assert_eq!(fs::read(&outside).unwrap(), b"secret");
        assert_eq!(folder.read("link", 99).unwrap().unwrap(), b"mine");
    }

    #[test]
    fn what_others_can_write_is_refused() {
        let (_scratch, folder) = state();
        folder.replace("file", b"one").unwrap();
        fs::set_permissions(folder.path().join("file"), fs::Permissions::from_mode(0o620)).unwrap();
        let error = folder.read("file", 9).unwrap_err().to_string();
        assert!(error.contains("chmod"), "{error}");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(StateFolder::open(folder.path()).is_err());
    }

    #[test]
    fn reading_is_bounded() {
        let (_scratch, folder) = state();
        folder.replace("file", &[b'x'; 100]).unwrap();
        assert!(matches!(folder.read("file", 99), Err(StateError::TooLarge { .. })));
    }

    #[test]
    fn one_of_many_creates() {
        let (_scratch, folder) = state();
        let won: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8)
                .map(|number| {
                    let folder = &folder;
                    scope.spawn(move || folder.create("file", format!("{number}").as_bytes()).unwrap())
                })
                .collect();
            tries.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
    }
}
