//! Where Nix keeps what it remembers of a flake that misleads it.
//!
//! Nix goes by the commit, and by the files that Git says differ from it: of two states that have both in common it gives
//! the one it saw first, from its cache in the user's home (2.26; libgit2's status decides). A folder for each state keeps
//! them apart, and what is in such a state out of the user's cache. Inputs that are not in the store are fetched anew.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::Fingerprint;
use crate::scratch::{self, ScratchError};

/// Most folders there are at once: a call may still run on a state that is gone.
const STATES: usize = 4;

/// The folders, newest last.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    folders: Mutex<VecDeque<(Fingerprint, scratch::Scratch)>>,
}

impl Scratch {
    /// The folder for this state of the flake; none where Nix is not misled.
    pub(super) fn for_state(&self, state: &Fingerprint) -> Result<Option<PathBuf>, ScratchError> {
        if !state.is_misleading() {
            return Ok(None);
        }
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, folder)) = folders.iter().find(|(known, _)| known == state) {
            return Ok(Some(folder.path().to_owned()));
        }
        let folder = scratch::Scratch::make(&scratch::roomy_places(), usize::MAX)?;
        let path = folder.path().to_owned();
        folders.push_back((state.clone(), folder));
        if folders.len() > STATES {
            folders.pop_front();
        }
        Ok(Some(path))
    }
}
