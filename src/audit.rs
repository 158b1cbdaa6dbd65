//! The audit log: plans, approvals with who gave them and how, deployments and their outcomes.
//!
//! It is a file of JSON lines in the state folder. Each entry is in canonical form and has the hash of the entry before it.
//! A change, removal or insertion changes the hashes of all later entries, so a hash that was noted later reveals it.
//! Without a noted hash, the removal of the last entries cannot be detected.

mod verify;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::advice::Remedy;
use crate::canonical::{self, CanonicalError, Digest};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{HostName, PlanId};
use crate::state::{StateError, StateFolder, writer};
use crate::time::Timestamp;

pub use verify::AuditReport;

/// Name of the log in the state folder.
pub const FILE_NAME: &str = "audit.jsonl";
/// Most bytes of an entry, with its line feed.
pub const LARGEST_ENTRY: usize = 64 * 1024;
/// Longest wait for the lock while another process writes an entry.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The log could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The state folder, or the log in it, cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A system call failed.
    #[error("the audit log {} could not be read or written: {cause}", path.display())]
    Io {
        /// The log.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// Another process held the lock for too long.
    #[error("the audit log {} is locked by another process", path.display())]
    Held {
        /// The log.
        path: PathBuf,
    },
    /// The last entry is not valid, so no entry can be chained to it.
    #[error("the last entry of the audit log {} is not valid: {problem}", path.display())]
    Broken {
        /// The log.
        path: PathBuf,
        /// What is wrong with the last entry.
        problem: String,
    },
    /// The entry is too large or has no canonical form.
    #[error("the entry cannot be written to the audit log: {0}")]
    Unfit(String),
}

impl From<CanonicalError> for AuditError {
    fn from(error: CanonicalError) -> Self {
        Self::Unfit(error.to_string())
    }
}

impl From<&AuditError> for Diagnostic {
    fn from(error: &AuditError) -> Self {
        let diagnostic = |code| Self::new(code, error.to_string());
        match error {
            AuditError::State(_) | AuditError::Io { .. } => diagnostic(Code::StateUnusable)
                .with_hint("repair the state folder: deployments must be recorded"),
            AuditError::Held { .. } => diagnostic(Code::Busy).with_hint("try again"),
            AuditError::Broken { .. } => diagnostic(Code::StateUnusable).with_hint(Remedy::VerifyAudit),
            AuditError::Unfit(_) => diagnostic(Code::Internal),
        }
    }
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditEvent {
    /// A plan was made.
    Planned,
    /// A plan was approved.
    Approved,
    /// A plan was rejected.
    Rejected,
    /// A deployment was refused: it had no approval, or one that is not accepted.
    Refused,
    /// A deployment began.
    DeployStarted,
    /// A host reached a final state.
    HostFinished,
    /// A host was rolled back to the system before.
    RolledBack,
}

/// The content of an entry.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord {
    /// The kind of the entry.
    pub event: AuditEvent,
    /// The plan; `None` if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// The digest of the plan; `None` if the plan cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<Digest>,
    /// The host; `None` if the entry is not about one host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// The MCP client, or `terminal`.
    pub client: String,
    /// The user that this program ran as.
    pub user: String,
    /// More fields. Texts in them are redacted and shortened when the entry is written.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// The number and hash of an entry.
#[derive(Serialize, Deserialize)]
struct ChainLink {
    seq: u64,
    hash: Digest,
}

/// The audit log.
#[derive(Clone, Debug)]
pub struct AuditLog {
    folder: StateFolder,
}

impl AuditLog {
    /// The log in this state folder. The first entry creates it.
    #[must_use]
    pub fn new(folder: StateFolder) -> Self {
        Self { folder }
    }

    /// The path of the log.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(FILE_NAME)
    }

    /// Appends an entry, and returns its hash once it is on the disk. It runs on the writer thread and blocks no other one.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub async fn append(&self, record: AuditRecord) -> Result<Digest, AuditError> {
        let this = self.clone();
        writer::run(move |handed| this.append_blocking(&record, handed)).await
    }

    /// The same on the current thread, for jobs on the [`writer`] thread. `begun` is the start of the wait for the lock.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub fn append_blocking(&self, record: &AuditRecord, begun: Instant) -> Result<Digest, AuditError> {
        let mut file = self.folder.open_to_append(FILE_NAME)?;
        self.lock(&file, begun)?;
        let last = self.last_link(&mut file)?;
        let mut value = serde_json::to_value(record).map_err(CanonicalError::from)?;
        let Some(entry) = value.as_object_mut() else {
            return Err(AuditError::Unfit("it has no fields".to_owned()));
        };
        for (key, field) in entry.iter_mut() {
            if !matches!(key.as_str(), "event" | "plan_id" | "plan_digest" | "host") {
                crate::redact::redact_value(field);
            }
        }
        let (seq, previous) = last.map_or((1, Digest::zero()), |link| (link.seq + 1, link.hash));
        entry.insert("seq".to_owned(), seq.into());
        entry.insert("at".to_owned(), Timestamp::now().to_string().into());
        entry.insert("previous".to_owned(), previous.to_string().into());
        let hash = Digest::sha256(canonical::form(&entry)?.as_bytes());
        entry.insert("hash".to_owned(), hash.to_string().into());
        let line = canonical::form(&entry)? + "\n";
        if line.len() > LARGEST_ENTRY {
            return Err(AuditError::Unfit(format!("it is larger than {LARGEST_ENTRY} bytes")));
        }
        // One write, so that only a crash can leave an incomplete entry.
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(|cause| AuditError::Io { path: self.path(), cause })?;
        Ok(hash)
    }

    /// Waits for the lock, which is released when the file is closed (flock(2)).
    fn lock(&self, file: &File, begun: Instant) -> Result<(), AuditError> {
        loop {
            match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(AuditError::Io { path: self.path(), cause: error.into() }),
            }
            if begun.elapsed() > LOCK_TIMEOUT {
                return Err(AuditError::Held { path: self.path() });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The link of the last entry; `None` in an empty log. Removes an incomplete entry that a crash left at the end.
    fn last_link(&self, file: &mut File) -> Result<Option<ChainLink>, AuditError> {
        let failed = |cause| AuditError::Io { path: self.path(), cause };
        let broken = |problem: String| AuditError::Broken { path: self.path(), problem };
        let length = file.metadata().map_err(failed)?.size();
        // Room for the last entry and for an incomplete one after it.
        let room = u64::try_from(2 * LARGEST_ENTRY).unwrap_or(u64::MAX);
        let begin = length.saturating_sub(room);
        file.seek(SeekFrom::Start(begin)).map_err(failed)?;
        let mut end = Vec::new();
        file.take(room).read_to_end(&mut end).map_err(failed)?;

        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, torn) = end.split_at(whole);
        if !torn.is_empty() {
            if verify::parse_link(torn).is_ok() {
                // The entry is complete except for its line feed.
                file.write_all(b"\n").map_err(failed)?;
                return verify::parse_link(torn).map(Some).map_err(broken);
            }
            if torn.len() > LARGEST_ENTRY {
                return Err(broken("it is not a complete entry".to_owned()));
            }
            let kept = length - u64::try_from(torn.len()).unwrap_or(0);
            tracing::warn!(bytes = torn.len(), "removed an incomplete entry at the end of the audit log");
            file.set_len(kept).map_err(failed)?;
        }
        let Some(lines) = lines.strip_suffix(b"\n") else { return Ok(None) };
        let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or(lines);
        verify::parse_link(last).map(Some).map_err(broken)
    }

    /// Checks every entry, and looks for the one with the hash `noted`.
    ///
    /// # Errors
    /// The log cannot be read. A broken entry is no error, but part of the [`AuditReport`].
    pub fn verify(&self, noted: Option<&Digest>) -> Result<AuditReport, AuditError> {
        match self.folder.open_to_read(FILE_NAME)? {
            Some(file) => {
                verify::check_log(file, noted).map_err(|cause| AuditError::Io { path: self.path(), cause })
            }
            None => Ok(AuditReport::default()),
        }
    }
}

#[cfg(test)]
mod tests;
