//! The flake of a plan.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flake::{Checkout, Flake, FlakeError};
use crate::progress::Call;
use crate::text;

/// Most files, and most inputs, named that are not committed.
const DIRTY: usize = 50;

/// The flake a plan's systems come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlakeSource {
    /// Its folder.
    pub folder: String,
    /// The commit; none where it is in no repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether tracked files differ from that commit, or an input is locked to no commit and no other one content.
    pub dirty: bool,
    /// Those files, relative to the root of the repository, as many as have room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirty_files: Vec<String>,
    /// Inputs that are locked to no commit and no other one content, such as a Git tree with uncommitted changes, by their
    /// names in the lock file, as many as have room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirty_inputs: Vec<String>,
    /// How many more there are that `dirty_files` and `dirty_inputs` do not name.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_dirty: u64,
    /// The revision that was asked for, as it was written; none means the folder as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_rev: Option<String>,
    /// Inputs that are others than those locked, by name: the reference in place of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, String>,
}

impl FlakeSource {
    /// A flake of which nothing is known but its folder.
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

    /// What `flake` is looked at as: a commit, or its folder as it lies there.
    ///
    /// # Errors
    /// That Git does not say, or that the call was cancelled.
    pub async fn of(flake: &Flake, call: &Call) -> Result<Self, FlakeError> {
        let inputs = flake.unpinned_inputs()?;
        let Checkout { commit, changed } = flake.checkout(call).await?.unwrap_or_default();
        let told = |names: &[String]| {
            names.iter().take(DIRTY).map(|name| text::bounded(&text::plain(name), 200)).collect()
        };
        let more = [&changed, &inputs].map(|names| names.len().saturating_sub(DIRTY) as u64);
        Ok(Self {
            revision: commit,
            dirty: !changed.is_empty() || !inputs.is_empty(),
            dirty_files: told(&changed),
            dirty_inputs: told(&inputs),
            more_dirty: more.iter().sum(),
            asked_rev: flake.commit_asked_for().map(|commit| commit.asked.to_string()),
            ..Self::unknown(flake.settings().flake.display().to_string())
        })
    }

    /// Whether all of it can be found again by its commit.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.revision.is_some() && !self.dirty
    }
}
