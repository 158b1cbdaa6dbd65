//! Reads settings files: checks who can write them, and whether they can be read again.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};

use super::file::ConfigError;

/// Most bytes of a settings file.
const LARGEST_FILE: u64 = 1024 * 1024;
/// Longest wait for the end of a pipe.
const PIPE_TIMEOUT: Duration = Duration::from_secs(60);

/// The text of a settings file.
#[derive(Clone, Debug)]
pub(super) struct SettingsText {
    /// The path of the file.
    pub path: PathBuf,
    /// Device and inode number, which are the same under every name.
    identity: (u64, u64),
    /// The content.
    pub text: String,
    /// Whether it can be read again; `false` for a pipe.
    pub is_rereadable: bool,
}

/// Who may be able to write a settings file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllowedWriter {
    /// Only root.
    Root,
    /// This user, or root.
    User,
    /// Anybody. The file must not be a symbolic link, which could lead to a file of somebody else.
    Anybody,
}

/// The file types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllowedInput {
    /// Only regular files, without waiting.
    RegularFiles,
    /// Pipes and devices as well, until they end.
    Streams,
}

impl SettingsText {
    /// Whether `path`, once symbolic links are resolved, is this file.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|data| (data.dev(), data.ino()) == self.identity)
    }

    /// Reads the file; `None` if there is none.
    pub(super) fn read(
        path: &Path,
        writer: AllowedWriter,
        input: AllowedInput,
    ) -> Result<Option<Self>, ConfigError> {
        let unreadable = |cause: io::Error| ConfigError::Unreadable { path: path.to_owned(), cause };
        let Some(file) = open(path, writer)? else { return Ok(None) };
        let data = file.metadata().map_err(unreadable)?;
        require_writer(path, writer, &data)?;
        let is_rereadable = data.is_file();
        if !is_rereadable && input == AllowedInput::RegularFiles {
            return Err(unsafe_file(
                path,
                "is not a regular file",
                match writer {
                    AllowedWriter::User => {
                        "use a regular file, or restart this program: it reads a pipe only at its start"
                    }
                    AllowedWriter::Root | AllowedWriter::Anybody => {
                        "remove it, or replace it with a regular file"
                    }
                },
            ));
        }
        let deadline = if is_rereadable { None } else { Some(Instant::now() + PIPE_TIMEOUT) };
        let bytes = read_all(&file, deadline).map_err(unreadable)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(unsafe_file(
                path,
                "is too large",
                &format!("a settings file has at most {LARGEST_FILE} bytes"),
            ));
        }
        // An empty file is valid; an empty pipe comes from a program that failed.
        if bytes.is_empty() && !is_rereadable && !data.file_type().is_char_device() {
            return Err(unsafe_file(path, "ended without content", "check the program that writes to it"));
        }
        let invalid = |_| unreadable(io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"));
        let text = String::from_utf8(bytes).map_err(invalid)?;
        Ok(Some(Self { path: path.to_owned(), identity: (data.dev(), data.ino()), text, is_rereadable }))
    }
}

fn unsafe_file(path: &Path, problem: &str, mend: &str) -> ConfigError {
    ConfigError::Unsafe { path: path.to_owned(), problem: problem.to_owned(), mend: mend.to_owned() }
}

/// Opens the file; `None` if there is none. It does not wait for a writer if the file is a pipe.
fn open(path: &Path, writer: AllowedWriter) -> Result<Option<File>, ConfigError> {
    let nofollow = if writer == AllowedWriter::Anybody { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | nofollow;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(Some(File::from(descriptor))),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(rustix::io::Errno::LOOP) if writer == AllowedWriter::Anybody => Err(unsafe_file(
            path,
            "is a symbolic link, which could lead out of the flake",
            "replace the link with the file",
        )),
        Err(error) => Err(ConfigError::Unreadable { path: path.to_owned(), cause: error.into() }),
    }
}

fn require_writer(path: &Path, writer: AllowedWriter, data: &Metadata) -> Result<(), ConfigError> {
    let is_writable = data.mode() & 0o022 != 0;
    let uid = rustix::process::geteuid().as_raw();
    match writer {
        AllowedWriter::Root if data.uid() != 0 || is_writable => Err(unsafe_file(
            path,
            "must belong to root, and nobody else may write to it",
            &format!("run as root: chown root {0} && chmod go-w {0}", path.display()),
        )),
        AllowedWriter::User if data.uid() != uid && data.uid() != 0 => {
            Err(unsafe_file(path, "belongs to another user", "copy it to a file of your own"))
        }
        // The mode of a device such as /dev/null does not matter: no content can be stored in it.
        AllowedWriter::User if is_writable && !data.file_type().is_char_device() => Err(unsafe_file(
            path,
            "can be written by other users",
            &format!("run `chmod go-w {}`", path.display()),
        )),
        _ => Ok(()),
    }
}

/// Reads the file to its end, but at most one byte more than [`LARGEST_FILE`]. With a deadline it waits until then for
/// more data.
fn read_all(mut file: &File, deadline: Option<Instant>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(deadline) = deadline else {
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        return Ok(bytes);
    };
    let mut part = [0; 8 * 1024];
    while bytes.len() as u64 <= LARGEST_FILE {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let message = format!("it did not end within {} seconds", PIPE_TIMEOUT.as_secs());
            return Err(io::Error::new(ErrorKind::TimedOut, message));
        }
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match rustix::event::poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&left)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match file.read(&mut part) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
