//! The answer of the probe `explain.nix`.

use serde::Deserialize;
use serde_json::Value;

use super::answer::Condition;

/// The answer of the probe.
#[derive(Deserialize)]
pub(super) struct Probed {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) at: Vec<String>,
    #[serde(default)]
    pub(super) renamed: bool,
    #[serde(default)]
    pub(super) nixpkgs: Option<String>,
    #[serde(default)]
    pub(super) names: Vec<String>,
    #[serde(default)]
    pub(super) siblings: Vec<String>,
    #[serde(default)]
    pub(super) total: usize,
    #[serde(default)]
    pub(super) set: Vec<ProbedSet>,
    #[serde(default)]
    pub(super) freeform: bool,
    #[serde(default)]
    pub(super) has_losers: bool,
    #[serde(default, rename = "type")]
    pub(super) type_text: Option<String>,
    #[serde(default)]
    pub(super) declared: Vec<ProbedPlace>,
    #[serde(default)]
    pub(super) default: Value,
    #[serde(default)]
    pub(super) has_default: bool,
    #[serde(default)]
    pub(super) default_text: Value,
    #[serde(default)]
    pub(super) example: Value,
    #[serde(default)]
    pub(super) has_example: bool,
    #[serde(default)]
    pub(super) definitions: Vec<ProbedDefinition>,
    #[serde(default)]
    pub(super) conditional: Vec<ProbedDefinition>,
    /// Empty if it has none.
    #[serde(default)]
    pub(super) value: Vec<Value>,
}

#[derive(Clone, Deserialize)]
pub(in crate::flake) struct ProbedPlace {
    pub(super) file: String,
    #[serde(default)]
    pub(super) line: Option<u32>,
}

#[derive(Deserialize)]
pub(super) struct ProbedDefinition {
    #[serde(flatten)]
    pub(super) place: ProbedPlace,
    pub(super) wins: bool,
    #[serde(default)]
    pub(super) priority: Option<i64>,
    #[serde(default)]
    pub(super) value: Option<Value>,
    #[serde(default)]
    pub(super) condition: Option<Condition>,
    #[serde(default)]
    pub(super) lost_at: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct ProbedSet {
    pub(super) at: Vec<String>,
    #[serde(flatten)]
    pub(super) place: Option<ProbedPlace>,
    #[serde(default)]
    pub(super) more: u64,
    #[serde(default)]
    pub(super) priority: Option<i64>,
    #[serde(default)]
    pub(super) value: Option<Value>,
}
