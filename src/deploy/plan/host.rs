//! One host of a plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildOn, Diff, HealthCheck, Risk};
use crate::names::{HostName, StorePath, SystemName};

/// Where a host is reached over SSH.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name or address.
    pub address: String,
    /// Who logs in.
    pub user: String,
    /// TCP port; none leaves it to the SSH configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What is proposed for one host, and everything about it that must still be so when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    /// Its name in the flake.
    pub host: HostName,
    /// Where it is reached.
    pub target: Target,
    /// The SSH host keys it has shown, as `ssh-ed25519 AAAA…`.
    pub host_keys: Vec<String>,
    /// Its `/etc/machine-id`.
    pub machine_id: String,
    /// The boot it is in (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// What it runs on.
    pub system: SystemName,
    /// The system it is to have.
    pub toplevel: StorePath,
    /// The system it runs now: what `/run/current-system` is.
    pub current: StorePath,
    /// The newest generation of its system profile; none where it has no profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_generation: Option<u64>,
    /// What that generation is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_path: Option<StorePath>,
    /// Where the new system comes from.
    pub source: SystemSource,
    /// Where it is built.
    pub build_on: BuildOn,
    /// Seconds in which a new system has to be confirmed before the host goes back by itself.
    pub rollback_timeout: u32,
    /// Seconds that activation may take.
    pub activation_timeout: u32,
    /// Whether the host may fetch what it can from its own substituters.
    #[serde(default)]
    pub substitute_on_target: bool,
    /// Whether the host is started anew where its previous system cannot be brought back otherwise.
    #[serde(default)]
    pub reboot_on_failure: bool,
    /// Seconds that the new system is watched before it is confirmed; none means one look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling_seconds: Option<u32>,
    /// What has to hold once the new system runs.
    pub health_checks: Vec<HealthCheck>,
    /// What could go wrong, by the facts before and after.
    pub risks: Vec<Risk>,
    /// What would change.
    pub diff: Diff,
    /// Whether its boot loader can start an entry once.
    #[serde(default)]
    pub boot_once: bool,
    /// Whether some of it only takes effect after a reboot: kernel, initrd or boot loader.
    pub needs_reboot: bool,
}

/// Where a plan's system comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SystemSource {
    /// It is evaluated from the flake.
    New,
    /// It is this generation of the host's profile.
    Generation(u64),
    /// It is in the host's store already: what ran there before.
    Present,
}
