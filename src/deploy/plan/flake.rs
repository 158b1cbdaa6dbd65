//! The flake that a plan's systems are evaluated from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flake::{Checkout, Flake, FlakeError};
use crate::names::{InputName, InputReference, NameError};
use crate::progress::Call;
use crate::text;

/// Maximum number of uncommitted files, and of unpinned inputs, that a plan names.
const DIRTY: usize = 50;

/// The flake a plan's systems come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlakeSource {
    /// Absolute path of the flake's folder.
    pub folder: String,
    /// The Git commit; `None` if the folder is in no repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether tracked files differ from that commit, or an input is locked to neither a commit nor a content hash.
    pub dirty: bool,
    /// The first of the files that differ, relative to the root of the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirty_files: Vec<String>,
    /// The first of the inputs that are locked to neither a commit nor a content hash, such as a Git tree with
    /// uncommitted changes; each by its name in the lock file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirty_inputs: Vec<String>,
    /// Number of files and inputs that `dirty_files` and `dirty_inputs` leave out.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_dirty: u64,
    /// The revision as the request wrote it; `None` if the request was for the folder with its uncommitted changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_rev: Option<String>,
    /// Inputs that the request replaced: the input's name, and the flake reference used instead of the locked one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, String>,
}

impl FlakeSource {
    /// A flake of which only the folder is known.
    #[must_use]
    pub fn unknown(folder: String) -> Self {
        Self {
            folder,
            revision: None,
            dirty: false,
            dirty_files: Vec::new(),
            dirty_inputs: Vec::new(),
            more_dirty: 0,
            asked_rev: None,
            overrides: BTreeMap::new(),
        }
    }

    /// Reads the commit, the uncommitted files and the unpinned inputs of `flake`.
    ///
    /// # Errors
    /// The lock file cannot be read, Git fails, or the call was cancelled.
    pub async fn of(flake: &Flake, call: &Call) -> Result<Self, FlakeError> {
        let inputs = flake.unpinned_inputs()?;
        let Checkout { commit, changed } = flake.checkout(call).await?.unwrap_or_default();
        let bounded_names = |names: &[String]| {
            names.iter().take(DIRTY).map(|name| text::bounded(&text::plain(name), 200)).collect()
        };
        let more = [&changed, &inputs].map(|names| names.len().saturating_sub(DIRTY) as u64);
        Ok(Self {
            revision: commit,
            dirty: !changed.is_empty() || !inputs.is_empty(),
            dirty_files: bounded_names(&changed),
            dirty_inputs: bounded_names(&inputs),
            more_dirty: more.iter().sum(),
            overrides: flake
                .settings()
                .override_inputs
                .iter()
                .map(|(name, reference)| (name.to_string(), reference.to_string()))
                .collect(),
            asked_rev: flake.commit_asked_for().map(|commit| commit.asked.to_string()),
            ..Self::unknown(flake.settings().flake.display().to_string())
        })
    }

    /// The inputs that were replaced.
    ///
    /// # Errors
    /// A name or a reference is invalid.
    pub fn override_inputs(&self) -> Result<BTreeMap<InputName, InputReference>, NameError> {
        let parsed = |(name, reference): (&String, &String)| Ok((name.parse()?, reference.parse()?));
        self.overrides.iter().map(parsed).collect()
    }

    /// Whether the commit, and the inputs that were replaced, reproduce the flake.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.revision.is_some() && !self.dirty
    }
}
