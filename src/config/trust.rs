//! Which files beside flakes a person trusted, each as it was then.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::{FlakeInfluence, SettingKey};
use super::merge::{IgnoredSetting, MergedSettings};
use super::{paths, text::SettingsText};
use crate::state::{StateError, StateFolder};

/// The folder of these records, in the user's own folder of state.
const FOLDER: &str = "trust";
/// Most bytes of a record.
const LARGEST: u64 = 64 * 1024;

/// Why it is not known which files are trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no folder for it.
    #[error("there is no folder to record it in: neither XDG_STATE_HOME nor HOME names one")]
    NoFolder,
    /// Whoever edits the flake could write the record.
    #[error("the folder of state {} lies in the flake: whoever edits that could trust its own file", .0.display())]
    InFlake(PathBuf),
    /// The folder, or what is in it.
    #[error(transparent)]
    State(#[from] StateError),
    /// The record has no form.
    #[error(transparent)]
    Form(#[from] serde_json::Error),
}

/// A file and its content, which a person trusted.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TrustRecord {
    path: PathBuf,
    blake3: String,
}

/// The file beside the flake, as it was read.
#[derive(Clone, Debug)]
pub struct FlakeSettingsFile {
    /// Where it is.
    pub path: PathBuf,
    /// The hash of its content.
    pub(super) digest: String,
    /// Whether a person trusted it as it is.
    pub trusted: bool,
    /// What it says in vain, as `section.key` and its value, its paths from the root.
    pub ignored: Vec<(&'static str, Value)>,
    /// What of it waits for a person's trust.
    pub waiting: Vec<&'static str>,
    /// Of these, what keeps deployments back.
    pub guards: Vec<&'static str>,
}

impl FlakeSettingsFile {
    pub(super) fn new(text: &SettingsText, trusted: bool) -> Self {
        let digest = content_hash(text);
        let path = text.path.clone();
        Self { path, digest, trusted, ignored: Vec::new(), waiting: Vec::new(), guards: Vec::new() }
    }

    /// Takes over what became of what it says.
    pub(super) fn record_merge(&mut self, merged: &mut MergedSettings) {
        let waits = |key: &SettingKey| !self.trusted && key.flake_influence != FlakeInfluence::Never;
        self.waiting = merged
            .ignored
            .iter()
            .map(|ignored| ignored.key)
            .filter(|key| waits(key))
            .map(|key| key.path)
            .collect();
        let ignored = std::mem::take(&mut merged.ignored);
        self.ignored = ignored.into_iter().map(|IgnoredSetting { key, value }| (key.path, value)).collect();
        self.guards = std::mem::take(&mut merged.guards);
    }

    /// Records that a person trusts it as it was read, in their own folder.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn trust(&self) -> Result<(), TrustError> {
        let folder = StateFolder::open(&state_root(&self.path)?)?.folder(FOLDER)?;
        let record = TrustRecord { path: self.path.clone(), blake3: self.digest.clone() };
        Ok(folder.replace(&record_name(&self.path), &serde_json::to_vec(&record)?)?)
    }
}

/// Takes back the trust in the file at this path, which need not be there any more; whether it was trusted.
///
/// # Errors
/// See [`TrustError`].
pub fn revoke(path: &Path) -> Result<bool, TrustError> {
    match open_records(path)? {
        Some(folder) => Ok(folder.remove(&record_name(path))?),
        None => Ok(false),
    }
}

/// Whether a person trusted the file as it was read.
pub(super) fn is_trusted(text: &SettingsText) -> Result<bool, TrustError> {
    let Some(folder) = open_records(&text.path)? else { return Ok(false) };
    let Some(bytes) = folder.read(&record_name(&text.path), LARGEST)? else { return Ok(false) };
    let record: TrustRecord = serde_json::from_slice(&bytes)?;
    Ok(record == TrustRecord { path: text.path.clone(), blake3: content_hash(text) })
}

/// The folder of records, where there is one.
fn open_records(path: &Path) -> Result<Option<StateFolder>, TrustError> {
    let root = match state_root(path) {
        // Where nothing can be recorded, nothing was.
        Err(TrustError::NoFolder) => return Ok(None),
        root => root?,
    };
    if !root.join(FOLDER).exists() {
        return Ok(None);
    }
    Ok(Some(StateFolder::open(&root)?.folder(FOLDER)?))
}

/// The user's own folder of state: never one that a file names, since that file might be the one in question.
fn state_root(path: &Path) -> Result<PathBuf, TrustError> {
    let state = paths::state_folder().ok_or(TrustError::NoFolder)?;
    match path.parent() {
        Some(flake) if paths::require_outside_flake(&state, flake).is_err() => {
            Err(TrustError::InFlake(state))
        }
        _ => Ok(state),
    }
}

fn content_hash(text: &SettingsText) -> String {
    blake3::hash(text.text.as_bytes()).to_hex().to_string()
}

/// A path's record.
fn record_name(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    format!("{}.json", blake3::hash(path.as_os_str().as_bytes()).to_hex())
}
