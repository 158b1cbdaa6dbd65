//! Records of the settings files that a person trusted, each with a hash of its content.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::{FlakeInfluence, SettingKey};
use super::merge::{IgnoredSetting, MergedSettings};
use super::{paths, text::SettingsText};
use crate::state::{StateError, StateFolder};

/// The folder of the records in the user's state folder.
const FOLDER: &str = "trust";
/// Most bytes of a record.
const LARGEST: u64 = 64 * 1024;

/// The records of trust could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no state folder.
    #[error("there is no folder for the record of trust: neither XDG_STATE_HOME nor HOME is set")]
    NoFolder,
    /// The state folder lies in the flake: anyone who edits the flake could write the record.
    #[error("the state folder {} lies in the flake, so anyone who edits the flake could trust its settings \
        file", .0.display())]
    InFlake(PathBuf),
    /// The state folder or a record in it.
    #[error(transparent)]
    State(#[from] StateError),
    /// A record is not valid JSON.
    #[error(transparent)]
    Form(#[from] serde_json::Error),
}

/// A trusted file: its path and the hash of its content.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TrustRecord {
    path: PathBuf,
    blake3: String,
}

/// The settings file beside the flake.
#[derive(Clone, Debug)]
pub struct FlakeSettingsFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The hash of its content.
    pub(super) digest: String,
    /// Whether a person trusted its current content.
    pub trusted: bool,
    /// Its settings that have no effect, as `section.key` and value. Paths are absolute.
    pub ignored: Vec<(&'static str, Value)>,
    /// Those of `ignored` that have an effect once the file is trusted.
    pub waiting: Vec<&'static str>,
    /// Those of `waiting` that block deployments.
    pub guards: Vec<&'static str>,
}

impl FlakeSettingsFile {
    pub(super) fn new(text: &SettingsText, trusted: bool) -> Self {
        let digest = content_hash(text);
        let path = text.path.clone();
        Self { path, digest, trusted, ignored: Vec::new(), waiting: Vec::new(), guards: Vec::new() }
    }

    /// Takes the settings that have no effect out of `merged`.
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

    /// Records that the person trusts the content that was read.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn trust(&self) -> Result<(), TrustError> {
        let folder = StateFolder::open(&state_root(&self.path)?)?.folder(FOLDER)?;
        let record = TrustRecord { path: self.path.clone(), blake3: self.digest.clone() };
        Ok(folder.replace(&record_name(&self.path), &serde_json::to_vec(&record)?)?)
    }
}

/// Removes the record of the file at `path`, which need not exist, and returns whether there was one.
///
/// # Errors
/// See [`TrustError`].
pub fn revoke(path: &Path) -> Result<bool, TrustError> {
    match open_records(path)? {
        Some(folder) => Ok(folder.remove(&record_name(path))?),
        None => Ok(false),
    }
}

/// Whether a person trusted the content that was read.
pub(super) fn is_trusted(text: &SettingsText) -> Result<bool, TrustError> {
    let Some(folder) = open_records(&text.path)? else { return Ok(false) };
    let Some(bytes) = folder.read(&record_name(&text.path), LARGEST)? else { return Ok(false) };
    let record: TrustRecord = serde_json::from_slice(&bytes)?;
    Ok(record == TrustRecord { path: text.path.clone(), blake3: content_hash(text) })
}

/// The folder of records; `None` if there is none.
fn open_records(path: &Path) -> Result<Option<StateFolder>, TrustError> {
    let root = match state_root(path) {
        // Without a state folder nothing was recorded.
        Err(TrustError::NoFolder) => return Ok(None),
        root => root?,
    };
    if !root.join(FOLDER).exists() {
        return Ok(None);
    }
    Ok(Some(StateFolder::open(&root)?.folder(FOLDER)?))
}

/// The user's default state folder. `deploy.state_folder` is not used, because the file to be trusted could set it.
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

/// The name of a path's record.
fn record_name(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    format!("{}.json", blake3::hash(path.as_os_str().as_bytes()).to_hex())
}
