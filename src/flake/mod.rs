//! A flake's facts, always by evaluation: its hosts, its outputs, its shells, whether it changed.

mod cache;
pub mod check;
mod declared;
mod error;
mod evaluate;
mod fingerprint;
pub mod fleet;
mod git;
pub mod hosts;
pub mod lock;
mod nix_cache;
pub mod options;
pub mod outputs;
mod part;
mod remembered;
pub mod revision;
pub mod select;
pub mod shells;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};

use crate::config::Settings;
use crate::nix::build::{BuildRequest, BuiltDerivation};
use crate::nix::diagnostics::SourceTree;
use crate::nix::{self, Nix, NixError, NixRun};
use crate::progress::Call;

pub use cache::{AnswerCache, CacheKey};
pub use declared::DeclaredInput;
pub use error::FlakeError;
pub use evaluate::{Answer, Answers, AskOptions, Evaluation, Instantiate, OtherFlake, Question};
pub use fingerprint::Fingerprint;
pub use git::Checkout;
pub use lock::{Lock, LockError};
pub use nix_cache::NixCache;
pub use part::{Step, UnreadPart};

/// The flake the settings name, and the `nix` that evaluates it.
#[derive(Clone, Debug)]
pub struct Flake {
    settings: Arc<Settings>,
    nix: Nix,
    cache: Arc<AnswerCache>,
    fingerprinter: fingerprint::Fingerprinter,
    nix_caches: Arc<nix_cache::NixCaches>,
    /// The commit it is looked at as; none means as it lies in its folder.
    at: Option<Arc<revision::Commit>>,
    /// Questions being answered, so that the same one twice at once is answered once.
    under_way: Arc<Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>>,
    fleet_evaluations: Arc<fleet::FleetEvaluations>,
    /// Whether anything that may go away by itself failed on the way to the answer that is being found.
    transient: Arc<AtomicBool>,
}

impl Flake {
    /// The flake of these settings; nothing is read yet.
    #[must_use]
    pub fn new(settings: Arc<Settings>, nix: Nix) -> Self {
        let cache = Arc::new(AnswerCache::new(&settings.cache));
        Self {
            settings,
            nix,
            cache,
            fingerprinter: fingerprint::Fingerprinter::default(),
            nix_caches: Arc::default(),
            at: None,
            under_way: Arc::default(),
            fleet_evaluations: Arc::default(),
            transient: Arc::default(),
        }
    }

    /// The flake of other settings. What these say the same of is kept, and so is what does not depend on them: an
    /// answer is filed under the flake it is about.
    #[must_use]
    pub fn with_settings(&self, settings: Arc<Settings>) -> Self {
        let before = &self.settings;
        let nix = match before.nix == settings.nix {
            true => self.nix.clone(),
            false => Nix::new(settings.nix.clone()),
        };
        let cache = match before.cache == settings.cache {
            true => Arc::clone(&self.cache),
            false => Arc::new(AnswerCache::new(&settings.cache)),
        };
        // What another Nix is evaluating is no answer of this one's.
        let fleet_evaluations = match before.nix == settings.nix {
            true => Arc::clone(&self.fleet_evaluations),
            false => Arc::default(),
        };
        Self { settings, nix, cache, fleet_evaluations, ..self.clone() }
    }

    /// The `nix` that evaluates it.
    #[must_use]
    pub fn nix(&self) -> &Nix {
        &self.nix
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The flake as `nix` names it.
    #[must_use]
    pub fn reference(&self) -> String {
        match &self.at {
            Some(commit) => nix::reference_at(&self.settings.flake, &commit.id),
            None => nix::reference(&self.settings.flake),
        }
    }

    /// Where its files are, for whoever reads an error about them.
    #[must_use]
    pub fn source(&self) -> SourceTree<'_> {
        let commit = self.at.as_deref().map(revision::Commit::committed);
        SourceTree { folder: &self.settings.flake, store_path: None, commit }
    }

    /// What it is looked at as: the commit, and the tracked files that differ from it, also in the submodules it may ask
    /// for; `None` where it is in no repository.
    ///
    /// # Errors
    /// [`FlakeError::GitSilent`], or that the call was cancelled.
    pub async fn checkout(&self, call: &Call) -> Result<Option<Checkout>, FlakeError> {
        if let Some(commit) = &self.at {
            return Ok(Some(Checkout { commit: Some(commit.id.clone()), changed: Vec::new() }));
        }
        let Some(root) = nix::repository_root(&self.settings.flake) else { return Ok(None) };
        let folder = &self.settings.flake;
        let checkout = git::checkout(root, fingerprint::has_submodules(folder, root), call).await?;
        checkout.map(Some).ok_or_else(|| FlakeError::GitSilent(folder.clone()))
    }

    /// The lock file; `None` if the flake has none.
    ///
    /// # Errors
    /// That there is no flake, and [`FlakeError::Lock`].
    pub fn lock(&self) -> Result<Option<Lock>, FlakeError> {
        self.require()?;
        Ok(match &self.at {
            Some(commit) => commit.lock()?,
            None => Lock::in_folder(&self.settings.flake)?,
        })
    }

    /// The inputs that are locked to no commit and no other one content, such as a Git tree with uncommitted changes, by
    /// their names in the lock file.
    ///
    /// # Errors
    /// [`FlakeError::Lock`].
    pub fn unpinned_inputs(&self) -> Result<Vec<String>, FlakeError> {
        // A commit with any is refused when it is asked for.
        if self.at.is_some() {
            return Ok(Vec::new());
        }
        let lock = Lock::in_folder(&self.settings.flake)?;
        Ok(lock.map(|lock| lock.unpinned()).unwrap_or_default())
    }

    /// Says that there is a flake, and one that can be read without giving away what lies beside it.
    ///
    /// # Errors
    /// [`FlakeError::NotFound`] and [`FlakeError::Exposes`].
    pub fn require(&self) -> Result<(), FlakeError> {
        // That a commit has it was seen when it was found.
        if self.at.is_some() {
            return Ok(());
        }
        let folder = &self.settings.flake;
        let problem = match folder.join("flake.nix").metadata() {
            Ok(data) if data.is_file() => None,
            Ok(_) => Some("it is not a file".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            let from = self.settings.flake_discovery;
            return Err(FlakeError::NotFound { folder: folder.clone(), from, problem });
        }
        match &self.settings.private {
            Some(private) if !nix::is_in_repository(folder) => {
                Err(FlakeError::Exposes { folder: folder.clone(), private: private.clone() })
            }
            _ => Ok(()),
        }
    }

    /// All that an evaluation depends on, in one hash; `None` where it cannot be told.
    pub async fn fingerprint(&self) -> Option<Fingerprint> {
        self.outer_fingerprint().await.filter(Fingerprint::is_whole)
    }

    /// The same without what an evaluation depends on besides the flake's own files and pinned inputs, if there is such.
    pub(crate) async fn outer_fingerprint(&self) -> Option<Fingerprint> {
        // Where there is no flake there may be a whole disk to read.
        self.require().ok()?;
        let settings = self.nix.find().await.ok()?.settings.as_ref()?;
        match &self.at {
            Some(commit) => Fingerprint::of_commit(&commit.id, settings),
            None => self.fingerprinter.take(&self.settings.flake, settings).await,
        }
    }

    /// What a `nix` remembers that is about to read the flake: of a state that misleads it, in a folder of that state's
    /// own, and if it is not known whether the state does, in one that is used once. Taken anew for each, because the
    /// state may have changed since the last.
    ///
    /// # Errors
    /// That there is no room for such a folder: Nix would answer from what it remembers of another state.
    pub async fn nix_cache(&self) -> Result<NixCache, NixError> {
        match self.outer_fingerprint().await {
            Some(fingerprint) => Ok(self.nix_caches.for_state(&fingerprint).await?),
            None if nix::is_in_repository(&self.settings.flake) => Ok(nix_cache::create().await?),
            None => Ok(NixCache::default()),
        }
    }

    /// Whether nothing that evaluation depends on was written since `before` was taken.
    pub async fn is_untouched_since(&self, before: &Fingerprint) -> bool {
        self.outer_fingerprint().await.is_some_and(|now| now.is_untouched_since(before))
    }

    /// Builds what the flake is now.
    ///
    /// # Errors
    /// See [`Nix::build`].
    pub async fn build(
        &self,
        order: &BuildRequest<'_>,
        call: &Call,
    ) -> Result<(Vec<BuiltDerivation>, NixRun), NixError> {
        let nix_cache = self.nix_cache().await?;
        self.nix.build(order, nix_cache.folder(), call).await
    }
}
