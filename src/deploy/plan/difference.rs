//! What changes on one host: packages, sizes, units and other effects.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Effects;

/// The difference between the toplevel that a host runs and the one to deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// Packages that are added or removed or have another version, then those that were rebuilt, the largest difference
    /// in size first.
    pub packages: Vec<PackageChange>,
    /// Number of changed packages that `packages` leaves out.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_packages: u64,
    /// Size of the new system's closure, in bytes.
    pub closure_bytes: u64,
    /// The new closure's size minus the current one's, in bytes.
    pub closure_delta_bytes: i64,
    /// The unit changes, as far as the unit files of both systems show them; `None` if they were not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<UnitChanges>,
    /// Changes to ports, users, keys, mounts, kernel parameters and files below `/etc`; `None` if they were not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Effects>,
}

/// One package that is added, removed or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub change: Change,
    /// Its versions in the current closure; empty if it is added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Its versions in the new closure; empty if it is removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Its new size minus its current size, in bytes.
    pub delta_bytes: i64,
}

/// What happens to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the new closure has it.
    Added,
    /// Only the current closure has it.
    Removed,
    /// Its version gets newer.
    Upgraded,
    /// Its version gets older.
    Downgraded,
    /// The same version is built differently, or the versions cannot be compared.
    Changed,
}

/// The systemd units that the activation would act on, by action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitChanges {
    /// Stopped.
    pub stop: Vec<String>,
    /// Started.
    pub start: Vec<String>,
    /// Stopped and started.
    pub restart: Vec<String>,
    /// Reloaded: they read their configuration again without a restart.
    pub reload: Vec<String>,
    /// Number of units that the lists leave out.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more: u64,
}
