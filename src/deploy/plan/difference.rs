//! What changes on one host: packages, sizes and units.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is different between the system a host runs and the one it is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// Packages that come, go or change, by name.
    pub packages: Vec<PackageChange>,
    /// How many more there are that `packages` does not name.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_packages: u64,
    /// Size of the new system's closure, in bytes.
    pub closure_bytes: u64,
    /// By how many bytes it is larger than the current one's.
    pub closure_delta_bytes: i64,
    /// What `switch-to-configuration dry-activate` says would be done to units; none where it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<UnitChanges>,
}

/// One package of a closure that comes, goes or changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub change: Change,
    /// Its versions now; empty where it comes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Its versions then; empty where it goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// By how many bytes it grows.
    pub delta_bytes: i64,
}

/// What happens to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It comes.
    Added,
    /// It goes.
    Removed,
    /// It gets newer.
    Upgraded,
    /// It gets older.
    Downgraded,
    /// It is built otherwise, or its versions cannot be compared.
    Changed,
}

/// What would be done to units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitChanges {
    /// Stopped.
    pub stop: Vec<String>,
    /// Started.
    pub start: Vec<String>,
    /// Stopped and started.
    pub restart: Vec<String>,
    /// Told to read their configuration again.
    pub reload: Vec<String>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more: u64,
}
