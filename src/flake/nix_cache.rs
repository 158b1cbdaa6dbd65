//! Separate caches of Nix for states of a flake that Nix would confuse.
//!
//! Nix identifies a state by its commit and the files that libgit2 reports as changed. If two states have both in common,
//! Nix 2.26 returns the one it saw first, from its cache in the user's home. A cache folder for each such state avoids that,
//! and keeps the state out of the user's cache. Inputs that are not in the store are fetched again.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::Fingerprint;
use crate::nix::CACHE_HOME;
use crate::process::Command;
use crate::scratch::{ScratchError, ScratchFolder, large_candidate_folders};

/// Most cache folders at once.
const STATES: usize = 4;

/// The cache folders by state of the flake, newest last.
#[derive(Debug, Default)]
pub(super) struct NixCaches {
    folders: Mutex<VecDeque<(Fingerprint, NixCache)>>,
}

/// A cache folder for `nix`. Keep it until that `nix` has ended: dropping the last clone removes the folder.
#[derive(Clone, Debug, Default)]
pub struct NixCache(Option<Arc<CacheFolder>>);

/// A folder that may hold all of nixpkgs. It takes long to remove, so another thread does it.
#[derive(Debug)]
struct CacheFolder(Option<ScratchFolder>);

impl Drop for CacheFolder {
    fn drop(&mut self) {
        let (Some(scratch), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        runtime.spawn_blocking(move || drop(scratch));
    }
}

impl NixCache {
    /// The folder; `None` means the user's own cache.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.0.as_ref()?.0.as_ref().map(ScratchFolder::path)
    }

    /// Sets the cache folder for a command.
    #[must_use]
    pub fn apply_to(&self, command: Command) -> Command {
        match self.folder() {
            Some(folder) => command.env(CACHE_HOME, folder),
            None => command,
        }
    }
}

impl NixCaches {
    /// The cache for a state of the flake: the user's own, unless the state is [misleading](Fingerprint::is_misleading).
    pub(super) async fn for_state(&self, state: &Fingerprint) -> Result<NixCache, ScratchError> {
        if !state.is_misleading() {
            return Ok(NixCache::default());
        }
        let mut folders = self.folders.lock().await;
        if let Some((_, memory)) = folders.iter().find(|(known, _)| state.is_untouched_since(known)) {
            return Ok(memory.clone());
        }
        let memory = create().await?;
        folders.push_back((state.clone(), memory.clone()));
        if folders.len() > STATES {
            folders.pop_front();
        }
        Ok(memory)
    }
}

/// A new, empty cache.
pub(super) async fn create() -> Result<NixCache, ScratchError> {
    let places = large_candidate_folders();
    let first = places.first().cloned().unwrap_or_default();
    // The first call of a process also removes the folders that killed processes left.
    let scratch = spawn_blocking(move || ScratchFolder::make(&places, usize::MAX))
        .await
        .map_err(|error| ScratchError { tried: vec![(first, error.to_string())] })??;
    Ok(NixCache(Some(Arc::new(CacheFolder(Some(scratch))))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_thread_that_lets_go_of_a_folder_does_not_wait_until_it_is_gone() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let scratch = ScratchFolder::make(&large_candidate_folders(), usize::MAX).unwrap();
            let path = scratch.path().to_owned();
            // Until this ends, only this thread can remove folders.
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let busy = spawn_blocking(move || wait.recv());
            drop(NixCache(Some(Arc::new(CacheFolder(Some(scratch))))));
            assert!(path.exists(), "it was removed on this thread");
            go.send(()).unwrap();
            busy.await.unwrap().unwrap();
            while path.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
}
