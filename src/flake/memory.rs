//! Where Nix keeps what it remembers of a flake that misleads it.
//!
//! Nix goes by the commit, and by the files that Git says differ from it: of two states that have both in common it gives
//! the one it saw first, from its cache in the user's home (2.26; libgit2's status decides). A folder for each state keeps
//! them apart, and what is in such a state out of the user's cache. Inputs that are not in the store are fetched anew.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::Fingerprint;
use crate::nix::CACHE_HOME;
use crate::process::Command;
use crate::scratch::{Scratch, ScratchError, roomy_places};

/// Most folders that are kept at once.
const STATES: usize = 4;

/// The folders, newest last.
#[derive(Debug, Default)]
pub(super) struct Memories {
    folders: Mutex<VecDeque<(Fingerprint, Memory)>>,
}

/// What a `nix` remembers of flakes. To be held until that `nix` has ended: the folder goes with the last who holds it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Option<Arc<Scratch>>);

impl Memory {
    /// The folder it is in; `None` means the user's own.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.0.as_ref().map(|folder| folder.path())
    }

    /// The command, with this memory.
    #[must_use]
    pub fn given_to(&self, command: Command) -> Command {
        match self.folder() {
            Some(folder) => command.env(CACHE_HOME, folder),
            None => command,
        }
    }
}

impl Memories {
    /// That of this state of the flake; the user's own if Nix is not misled.
    pub(super) fn for_state(&self, state: &Fingerprint) -> Result<Memory, ScratchError> {
        if !state.is_misleading() {
            return Ok(Memory::default());
        }
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, memory)) = folders.iter().find(|(known, _)| known == state) {
            return Ok(memory.clone());
        }
        let memory = Memory(Some(Arc::new(Scratch::make(&roomy_places(), usize::MAX)?)));
        folders.push_back((state.clone(), memory.clone()));
        if folders.len() > STATES {
            folders.pop_front();
        }
        Ok(memory)
    }
}
