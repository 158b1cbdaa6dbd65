//! Tells whether a token file has changed since it was read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// The age at which a file's times are reliable: on some file systems a later change within this time has the same times.
const STAMP_RESOLUTION: Duration = Duration::from_secs(2);

/// The identity, size and times of a file when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenFileStamp([i64; 6]);

impl TokenFileStamp {
    pub(super) fn from_metadata(metadata: &Metadata) -> Self {
        let number = |number: u64| i64::from_ne_bytes(number.to_ne_bytes());
        Self([
            number(metadata.dev()),
            number(metadata.ino()),
            number(metadata.size()),
            metadata.mtime(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ])
    }

    /// The same; `None` if the file changed so recently that a later change could have the same stamp.
    pub(super) fn if_settled(metadata: &Metadata) -> Option<Self> {
        let changed = u64::try_from(metadata.ctime()).ok().map(Duration::from_secs)?;
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH.checked_add(changed)?).ok()?;
        (age > STAMP_RESOLUTION).then(|| Self::from_metadata(metadata))
    }
}
