//! What an index is of, and what identifies its content.

use super::build::{BuildError, PackageSets, write_options, write_packages};
use super::database::{Fact, IndexWriter};
use super::entry::IndexEntry;
use super::package::Package;
use crate::flake::options::HostOption;
use crate::flake::{Flake, FlakeError, OtherFlake, StateKey};
use crate::names::HostName;
use crate::nix;
use crate::progress::Call;

/// What an index is of.
pub trait IndexSource: Clone + Send + Sync + 'static {
    /// What the index has.
    type Entry: IndexEntry + Send + 'static;

    /// The beginning of the names of its files.
    const PREFIX: &'static str;

    /// What identifies the content; `None` if it is not known, so that no index of it can be kept.
    ///
    /// # Errors
    /// See [`FlakeError`].
    fn identify(&self, flake: &Flake) -> impl Future<Output = Result<Option<ContentId>, FlakeError>> + Send;

    /// Whether an index is kept although a part failed in a way that another try may mend, such as a time limit. Then the index
    /// names what it lacks.
    fn is_kept_with_gaps(&self) -> bool;

    /// Evaluates the content and writes it. Returns whether Nix fetched something: an entry may be missing because a download
    /// failed.
    ///
    /// # Errors
    /// See [`BuildError`].
    fn write(
        &self,
        writer: &mut IndexWriter<Self::Entry>,
        flake: &Flake,
        call: &Call,
    ) -> impl Future<Output = Result<bool, BuildError>> + Send;
}

/// What identifies the content of an index.
#[derive(Clone, Debug)]
pub struct ContentId {
    /// The name of its file without the suffix.
    pub file_name: String,
    /// The state of the flake that it depends on; `None` if it depends on none.
    state: Option<StateKey>,
}

impl ContentId {
    /// For content that never changes.
    fn fixed(prefix: &str, parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self { file_name: format!("{prefix}-{}", &hasher.finalize().to_hex()[..32]), state: None }
    }

    /// For content that depends on the state of the flake.
    fn of_state(prefix: &str, state: StateKey) -> Self {
        Self { file_name: format!("{prefix}-{}", state.key()), state: Some(state) }
    }

    /// Whether the content is still what the flake has.
    pub(super) async fn is_current(&self, flake: &Flake) -> bool {
        match &self.state {
            Some(state) => flake.is_in(state).await,
            None => true,
        }
    }
}

/// The packages that a flake means by a name: those of the nixpkgs that it pins, or its own if it pins none.
#[derive(Clone, Debug)]
pub struct PackageSource {
    pub sets: PackageSets,
    /// The NAR hash of the pinned nixpkgs, or the reference that replaces it; `None` if its content is not fixed.
    pub hash: Option<String>,
    /// The commit of the pinned nixpkgs.
    pub revision: Option<String>,
}

impl PackageSource {
    /// The packages of a flake.
    ///
    /// # Errors
    /// If there is no flake, [`FlakeError::Lock`] or [`FlakeError::ReplacedNixpkgs`]: then it is not known which packages are meant.
    pub fn of(flake: &Flake) -> Result<Self, FlakeError> {
        let lock = flake.lock()?.filter(|lock| lock.has_input("nixpkgs"));
        let Some(lock) = lock else {
            return Ok(Self { sets: PackageSets::Own, hash: None, revision: None });
        };
        if let Some(replaced) = lock.override_of("nixpkgs", &flake.settings().override_inputs) {
            if !replaced.is_whole() {
                let (input, nixpkgs) = (replaced.input.clone(), replaced.path);
                return Err(FlakeError::ReplacedNixpkgs { input, nixpkgs });
            }
            let reference = replaced.reference.to_string();
            let revision = replaced.reference.commit().map(str::to_owned);
            // A reference with a commit has a fixed content.
            let hash = revision.as_ref().map(|_| reference.clone());
            let other_flake = OtherFlake { reference, inputs_from: None };
            return Ok(Self { sets: PackageSets::Pinned(other_flake), hash, revision });
        }
        let locked = lock.input("nixpkgs").and_then(|node| node.locked.as_ref());
        let other_flake =
            OtherFlake { reference: "nixpkgs".to_owned(), inputs_from: Some(flake.reference()) };
        Ok(Self {
            sets: PackageSets::Pinned(other_flake),
            hash: locked.and_then(|locked| locked.hash()).map(str::to_owned),
            revision: locked.and_then(|locked| locked.commit()).map(str::to_owned),
        })
    }

    /// What identifies the packages of a pinned nixpkgs; `None` if it is not fixed.
    #[must_use]
    pub fn fixed_content(&self) -> Option<ContentId> {
        let parts = [self.hash.as_deref()?, &nix::system(), super::database::VERSION, crate::flake::PROBES];
        matches!(self.sets, PackageSets::Pinned(_)).then(|| ContentId::fixed(Self::PREFIX, &parts))
    }
}

impl IndexSource for PackageSource {
    type Entry = Package;

    const PREFIX: &'static str = "packages";

    async fn identify(&self, flake: &Flake) -> Result<Option<ContentId>, FlakeError> {
        match &self.sets {
            // Without a hash its content is not fixed, as that of a folder.
            PackageSets::Pinned(_) => Ok(self.fixed_content()),
            PackageSets::Own => {
                let question = format!("index of packages {}", super::database::VERSION);
                let state = flake.state_key(&question).await?;
                Ok(state.map(|state| ContentId::of_state(Self::PREFIX, state)))
            }
        }
    }

    /// The pinned nixpkgs takes minutes to read, and has parts that always fail.
    fn is_kept_with_gaps(&self) -> bool {
        matches!(self.sets, PackageSets::Pinned(_))
    }

    async fn write(
        &self,
        writer: &mut IndexWriter<Package>,
        flake: &Flake,
        call: &Call,
    ) -> Result<bool, BuildError> {
        if let Some(revision) = &self.revision {
            writer.set_fact(Fact::Revision, revision)?;
        }
        write_packages(writer, flake, &self.sets, call).await
    }
}

/// The options of a host.
#[derive(Clone, Debug)]
pub struct HostOptionsSource {
    pub host: HostName,
}

impl IndexSource for HostOptionsSource {
    type Entry = HostOption;

    const PREFIX: &'static str = "options";

    async fn identify(&self, flake: &Flake) -> Result<Option<ContentId>, FlakeError> {
        let question = format!("index of options {} {}", super::database::VERSION, self.host);
        let state = flake.state_key(&question).await?;
        Ok(state.map(|state| ContentId::of_state(Self::PREFIX, state)))
    }

    fn is_kept_with_gaps(&self) -> bool {
        false
    }

    async fn write(
        &self,
        writer: &mut IndexWriter<HostOption>,
        flake: &Flake,
        call: &Call,
    ) -> Result<bool, BuildError> {
        write_options(writer, flake, &self.host, call).await
    }
}
