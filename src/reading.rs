//! Reads files that somebody else may have put there: without waiting, and up to a limit.
//!
//! A file of a repository may be a link to a device that never ends, or a pipe without a writer, which blocks open(2). So
//! the type of a file is checked before it is opened, it is opened with `O_NONBLOCK`, and the type is checked again. Links
//! are followed; `state` and `config` must not follow them and open files themselves.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Users link a settings file to it to disable the file; it reads as empty.
const NULL: &str = "/dev/null";

/// The content of the file.
///
/// # Errors
/// [`ErrorKind::IsADirectory`]; [`ErrorKind::InvalidInput`] if it is not a regular file; [`ErrorKind::FileTooLarge`] if it
/// has more than `limit` bytes; any error of the system.
pub fn bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let data = fs::metadata(path)?;
    if is_null(&data) {
        return Ok(Vec::new());
    }
    let file = open_checked(path, &data)?;
    // One byte more than the file has: one read gets all of it, and the next one sees the end.
    let room = usize::try_from(data.len().min(limit)).unwrap_or_default().saturating_add(1);
    let mut bytes = Vec::with_capacity(room);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// As [`bytes`]; `None` if there is no file.
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
/// See [`bytes`]; [`ErrorKind::InvalidData`] if it is not UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    let invalid = |_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(bytes(path, limit)?).map_err(invalid)
}

/// The open file. The caller limits how much of it is read.
///
/// # Errors
/// See [`bytes`], without the limit.
pub fn open(path: &Path) -> io::Result<File> {
    open_checked(path, &fs::metadata(path)?)
}

/// Whether the error means that there is no such file.
#[must_use]
pub fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn open_checked(path: &Path, data: &Metadata) -> io::Result<File> {
    // Opening a device can have an effect, such as rewinding a tape.
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
    Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
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
