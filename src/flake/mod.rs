//! Questions about a flake, answered by evaluating it: hosts, outputs, shells, options, inputs, checks.

mod cache;
pub mod check;
mod declared;
mod error;
mod evaluate;
pub mod explain;
mod fingerprint;
pub mod fleet;
mod git;
pub mod hosts;
mod isolation;
pub mod lock;
mod nix_cache;
pub mod options;
pub mod outputs;
mod part;
mod remembered;
pub mod revision;
pub mod select;
pub mod set_values;
pub mod shells;
pub mod value;
pub mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};

use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{InputName, InputReference};
use crate::nix::build::{BuildRequest, BuiltDerivation};
use crate::nix::diagnostics::SourceTree;
use crate::nix::{self, Nix, NixError, NixRun, diagnostics};
use crate::progress::Call;

pub use cache::{AnswerCache, CacheKey};
pub use declared::DeclaredInput;
pub use error::FlakeError;
pub(crate) use evaluate::PROBES;
pub use evaluate::{Answer, AskOptions, Instantiate, OtherFlake, Question};
pub use fingerprint::Fingerprint;
pub use git::Checkout;
pub use isolation::Isolation;
use lock::LockedInput;
pub use lock::{Lock, LockError};
pub use nix_cache::NixCache;
pub use part::{PathStep, UnreadPart};
pub use remembered::StateKey;

/// The flake of the settings, and the `nix` that evaluates it.
#[derive(Clone, Debug)]
pub struct Flake {
    settings: Arc<Settings>,
    nix: Nix,
    cache: Arc<AnswerCache>,
    fingerprinter: fingerprint::Fingerprinter,
    nix_caches: Arc<nix_cache::NixCaches>,
    /// The commit to evaluate; `None` means the files in the folder.
    at: Option<Arc<revision::Commit>>,
    /// Locks by name: calls that do the same wait for one another.
    under_way: Arc<Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>>,
    fleet_evaluations: Arc<fleet::FleetEvaluations>,
    /// Whether the answer that is being evaluated met a transient failure.
    transient: Arc<AtomicBool>,
}

impl Flake {
    /// The flake of these settings. Nothing is read yet.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        let nix = nix_of(&settings);
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

    /// The same with other settings. The cache and `nix` are kept unless their settings differ: cached answers have the flake
    /// in their key.
    #[must_use]
    pub fn with_settings(&self, settings: Arc<Settings>) -> Self {
        let before = &self.settings;
        let same_nix = before.nix == settings.nix && before.offline == settings.offline;
        let nix = if same_nix { self.nix.clone() } else { nix_of(&settings) };
        let cache = match before.cache == settings.cache {
            true => Arc::clone(&self.cache),
            false => Arc::new(AnswerCache::new(&settings.cache)),
        };
        // An evaluation by another Nix, or with other inputs, does not answer for this one.
        let is_same = same_nix && before.override_inputs == settings.override_inputs;
        let fleet_evaluations = match is_same {
            true => Arc::clone(&self.fleet_evaluations),
            false => Arc::default(),
        };
        Self { settings, nix, cache, fleet_evaluations, ..self.clone() }
    }

    /// The same flake with these inputs replaced, and no others.
    #[must_use]
    pub fn with_override_inputs(&self, override_inputs: BTreeMap<InputName, InputReference>) -> Self {
        if override_inputs == self.settings.override_inputs {
            return self.clone();
        }
        let mut settings = Settings::clone(&self.settings);
        settings.override_inputs = override_inputs;
        self.with_settings(Arc::new(settings))
    }

    /// The arguments by which `nix` replaces the inputs of the flake.
    #[must_use]
    pub fn override_arguments(&self) -> Vec<String> {
        let arguments = |(name, reference): (&InputName, &InputReference)| {
            ["--override-input".to_owned(), name.to_string(), reference.to_string()]
        };
        self.settings.override_inputs.iter().flat_map(arguments).collect()
    }

    /// The `nix` that evaluates it.
    #[must_use]
    pub fn nix(&self) -> &Nix {
        &self.nix
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its flake reference.
    #[must_use]
    pub fn reference(&self) -> String {
        match &self.at {
            Some(commit) => nix::reference_at(&self.settings.flake, &commit.id),
            None => nix::reference(&self.settings.flake),
        }
    }

    /// The location of its files, to make the paths in errors relative.
    #[must_use]
    pub fn source(&self) -> SourceTree<'_> {
        let commit = self.at.as_deref().map(revision::Commit::committed);
        SourceTree { folder: &self.settings.flake, store_path: None, commit }
    }

    /// The commit, and the tracked files that differ from it, those in submodules that the flake may use included. `None` if the
    /// flake is in no Git repository.
    ///
    /// # Errors
    /// [`FlakeError::GitSilent`], and [`FlakeError::Nix`] if the call is cancelled.
    pub async fn checkout(&self, call: &Call) -> Result<Option<Checkout>, FlakeError> {
        if let Some(commit) = &self.at {
            return Ok(Some(Checkout { commit: Some(commit.id.clone()), changed: Vec::new() }));
        }
        let Some(root) = nix::repository_root(&self.settings.flake) else { return Ok(None) };
        let folder = &self.settings.flake;
        let checkout = git::checkout(root, fingerprint::has_submodules(folder, root), call).await?;
        checkout.map(Some).ok_or_else(|| FlakeError::GitSilent(folder.clone()))
    }

    /// The lock file; `None` if the flake has none, or if [Nix does not see it](Self::has_untracked_lock).
    ///
    /// # Errors
    /// Those of [`Flake::require`], and [`FlakeError::Lock`].
    pub fn lock(&self) -> Result<Option<Lock>, FlakeError> {
        self.require()?;
        Ok(match &self.at {
            Some(commit) => commit.lock()?,
            None => Lock::seen_in_folder(&self.settings.flake)?,
        })
    }

    /// The folders of the flake's own inputs in the store, each with a slash at its end, and the inputs' names. An input that is
    /// replaced, or that the lock file does not pin, is left out.
    ///
    /// # Errors
    /// See [`Flake::lock`].
    pub(in crate::flake) fn input_folders(&self) -> Result<Vec<(String, String)>, FlakeError> {
        let Some(lock) = self.lock()? else { return Ok(Vec::new()) };
        let folder = |input: &LockedInput<'_>| {
            let [name] = input.path[..] else { return None };
            let hash = input.node?.locked.as_ref()?.hash()?;
            Some((format!("{}/", nix::source_path(hash)?), name.to_owned()))
        };
        Ok(lock.inputs().iter().filter_map(folder).collect())
    }

    /// Whether the flake has a lock file that Git does not track: Nix then evaluates as if there was none.
    #[must_use]
    pub fn has_untracked_lock(&self) -> bool {
        self.at.is_none() && fingerprint::repository::is_untracked(&self.settings.flake, lock::LOCK)
    }

    /// Names the lock file that Git does not track, if the error is that inputs are not locked.
    pub(crate) fn explain_lock(&self, error: Diagnostic) -> Diagnostic {
        match error.code {
            Code::LockFileOutdated if self.has_untracked_lock() => diagnostics::not_tracked(lock::LOCK),
            _ => error,
        }
    }

    /// The names, in the lock file, of inputs without a fixed content, such as a Git tree with uncommitted changes.
    ///
    /// # Errors
    /// [`FlakeError::Lock`].
    pub fn unpinned_inputs(&self) -> Result<Vec<String>, FlakeError> {
        // `Flake::at` refuses a commit with unpinned inputs.
        if self.at.is_some() {
            return Ok(Vec::new());
        }
        let lock = Lock::seen_in_folder(&self.settings.flake)?;
        let locked = lock.map(|lock| lock.unpinned()).unwrap_or_default();
        Ok(locked.into_iter().chain(self.unpinned_overrides()).collect())
    }

    /// The inputs that are replaced by references without a fixed content.
    fn unpinned_overrides(&self) -> impl Iterator<Item = String> {
        let overrides = self.settings.override_inputs.iter();
        overrides.filter(|(_, reference)| !reference.is_pinned()).map(|(name, _)| name.to_string())
    }

    /// Requires that the flake exists, and that evaluating it copies no private file into the store.
    ///
    /// # Errors
    /// [`FlakeError::NotFound`] and [`FlakeError::Exposes`].
    pub fn require(&self) -> Result<(), FlakeError> {
        self.require_overridden_inputs()?;
        // `Flake::at` has checked that the commit has a flake.
        if self.at.is_some() {
            return Ok(());
        }
        let folder = &self.settings.flake;
        let problem = match folder.join("flake.nix").metadata() {
            Ok(data) if data.is_file() => None,
            Ok(_) => Some("it is not a regular file".to_owned()),
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

    /// Requires that the flake has the inputs that are to be replaced: Nix only warns about others.
    fn require_overridden_inputs(&self) -> Result<(), FlakeError> {
        if self.settings.override_inputs.is_empty() {
            return Ok(());
        }
        let lock = match &self.at {
            Some(commit) => commit.lock()?,
            None => Lock::seen_in_folder(&self.settings.flake)?,
        };
        let Some(lock) = lock else { return Ok(()) };
        let first = |name: &InputName| name.as_str().split('/').next().unwrap_or_default().to_owned();
        match self.settings.override_inputs.keys().find(|name| !lock.has_input(&first(name))) {
            None => Ok(()),
            Some(name) => Err(FlakeError::NoInput(name.clone())),
        }
    }

    /// The hash of everything that an evaluation depends on; `None` if it cannot be determined.
    pub async fn fingerprint(&self) -> Option<Fingerprint> {
        self.outer_fingerprint().await.filter(Fingerprint::is_whole)
    }

    /// As [`Flake::fingerprint`], but also for a flake with unpinned inputs or submodules, whose content it does not cover.
    pub(crate) async fn outer_fingerprint(&self) -> Option<Fingerprint> {
        // Without a flake, the folder may be a whole disk.
        self.require().ok()?;
        let settings = self.nix.find().await.ok()?.settings.as_ref()?;
        let taken = match &self.at {
            Some(commit) => Fingerprint::of_commit(&commit.id, settings),
            None => self.fingerprinter.take(&self.settings.flake, settings).await,
        };
        taken.map(|fingerprint| fingerprint.with_overrides(&self.settings.override_inputs))
    }

    /// The cache for a `nix` that is about to read the flake: a separate one if the flake's state is
    /// [misleading](Fingerprint::is_misleading), and one for a single use if that is not known. Call it before each run, because
    /// the state may have changed.
    ///
    /// # Errors
    /// If the folder cannot be created. With the user's cache, Nix might answer for another state of the flake.
    pub async fn nix_cache(&self) -> Result<NixCache, NixError> {
        match self.outer_fingerprint().await {
            Some(fingerprint) => Ok(self.nix_caches.for_state(&fingerprint).await?),
            None if nix::is_in_repository(&self.settings.flake) => Ok(nix_cache::create().await?),
            None => Ok(NixCache::default()),
        }
    }

    /// Whether nothing that an evaluation depends on was written since `before` was taken.
    pub async fn is_untouched_since(&self, before: &Fingerprint) -> bool {
        self.outer_fingerprint().await.is_some_and(|now| now.is_untouched_since(before))
    }

    /// Builds installables of the flake as it is now.
    ///
    /// # Errors
    /// See [`Nix::build`].
    pub async fn build(
        &self,
        order: &BuildRequest<'_>,
        call: &Call,
    ) -> Result<(Vec<BuiltDerivation>, NixRun), NixError> {
        let nix_cache = self.nix_cache().await?;
        self.nix.build(order, &self.override_arguments(), nix_cache.folder(), call).await
    }
}

/// The `nix` that these settings name.
fn nix_of(settings: &Settings) -> Nix {
    Nix::new(settings.nix.clone()).offline_if(settings.offline)
}
