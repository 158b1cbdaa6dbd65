//! Files that anybody may have put there, read whole without waiting and within a limit.
//!
//! A file of a repository may be a link to a device that never ends, or a pipe that nobody writes to; opening the latter
//! already waits. So a file is looked at before it is opened, opened without waiting (open(2), `O_NONBLOCK`), and looked at
//! again. Links are followed: whoever must not follow them says so with a look of its own (`state`, `config`).

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// What takes no space and holds nothing: people link files of settings to it.
const NULL: &str = "/dev/null";

/// What the file holds.
///
/// # Errors
/// What the system says; [`ErrorKind::IsADirectory`], [`ErrorKind::InvalidInput`] for what else is no file, and
/// [`ErrorKind::FileTooLarge`] for one of more than `limit` bytes.
pub fn bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let data = fs::metadata(path)?;
    if is_null(&data) {
        return Ok(Vec::new());
    }
    let file = open_checked(path, &data)?;
    // With room for all of it one read does, and another to see the end.
    let room = usize::try_from(data.len().min(limit)).unwrap_or_default().saturating_add(1);
    let mut bytes = Vec::with_capacity(room);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// As [`bytes`], where there is a file; `None` where there is none.
///
/// # Errors
/// See [`bytes`].
pub fn bytes_if_exists(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    match bytes(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`bytes`], as text.
///
/// # Errors
/// See [`bytes`]; [`ErrorKind::InvalidData`] for what is not UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    let invalid = |_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(bytes(path, limit)?).map_err(invalid)
}

/// The file, to be read by somebody who bounds how much.
///
/// # Errors
/// As [`bytes`], but for the limit.
pub fn open(path: &Path) -> io::Result<File> {
    open_checked(path, &fs::metadata(path)?)
}

/// Whether an error says that there is no such file, and not that it could not be read.
#[must_use]
pub fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn open_checked(path: &Path, data: &Metadata) -> io::Result<File> {
    // Opening a device can already do something to it.
    require_file(data)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    require_file(&file.metadata()?)?;
    Ok(file)
}

fn require_file(data: &Metadata) -> io::Result<()> {
    if data.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if data.is_file() {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"))
}

fn is_null(data: &Metadata) -> bool {
    data.file_type().is_char_device() && fs::metadata(NULL).is_ok_and(|null| null.rdev() == data.rdev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_never_ends_or_never_begins_is_no_file() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        symlink("/dev/zero", at("zero")).unwrap();
        symlink(NULL, at("null")).unwrap();
        symlink(at("gone"), at("dangling")).unwrap();
        crate::platform::make_pipe(&at("pipe"));
        fs::write(at("file"), "12345").unwrap();
        symlink("file", at("link")).unwrap();
        let kind = |name: &str| bytes(&at(name), 4).unwrap_err().kind();
        assert_eq!(kind("zero"), ErrorKind::InvalidInput);
        assert_eq!(kind("pipe"), ErrorKind::InvalidInput);
        assert_eq!(open(&at("pipe")).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(kind("."), ErrorKind::IsADirectory);
        assert_eq!(kind("link"), ErrorKind::FileTooLarge);
        assert_eq!(bytes(&at("link"), 5).unwrap(), b"12345");
        assert_eq!(bytes(&at("null"), 0).unwrap(), b"");
        for name in ["gone", "dangling", "file/below"] {
            assert_eq!(bytes_if_exists(&at(name), 4).unwrap(), None, "{name}");
        }
        assert!(bytes_if_exists(&at("zero"), 4).is_err());
    }
}
