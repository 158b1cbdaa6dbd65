//! One host of a plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildOn, Diff, HealthCheck, Risk};
use crate::names::{HostName, StorePath, SystemName};

/// The SSH address of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Host name or IP address.
    pub address: String,
    /// The user to log in as.
    pub user: String,
    /// TCP port; `None` means 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What is proposed for one host, and the facts about the host that must be unchanged when it is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    /// Its name in the flake.
    pub host: HostName,
    /// The SSH address that it was surveyed at.
    pub target: Target,
    /// The SSH host keys it presented, as `ssh-ed25519 SHA256:…`.
    pub host_keys: Vec<String>,
    /// Its `/etc/machine-id`.
    pub machine_id: String,
    /// The ID of its current boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// Its platform, such as `x86_64-linux`.
    pub system: SystemName,
    /// The toplevel to deploy.
    pub toplevel: StorePath,
    /// The toplevel that it runs now: the target of `/run/current-system`.
    pub current: StorePath,
    /// The generation that its system profile names, which is the boot default; `None` if it has no profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_generation: Option<u64>,
    /// The toplevel of that generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_path: Option<StorePath>,
    /// Where the new toplevel comes from.
    pub source: SystemSource,
    /// The machine that builds it.
    pub build_on: BuildOn,
    /// Seconds in which the new system must be confirmed; after that the host rolls back by itself.
    pub rollback_timeout: u32,
    /// Seconds that activation may take.
    pub activation_timeout: u32,
    /// Whether the host may fetch what it can from its own substituters.
    #[serde(default)]
    pub substitute_on_target: bool,
    /// Whether the host reboots if it cannot return to its previous system otherwise.
    #[serde(default)]
    pub reboot_on_failure: bool,
    /// Seconds that the new system is watched before it is confirmed; `None` means that it is checked once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling_seconds: Option<u32>,
    /// Checks that the new system must pass before it is confirmed.
    pub health_checks: Vec<HealthCheck>,
    /// Risks found by comparing the facts of the current and the new system.
    pub risks: Vec<Risk>,
    /// The changes to packages, sizes and units.
    pub diff: Diff,
    /// Whether its boot loader can start an entry once.
    #[serde(default)]
    pub boot_once: bool,
    /// Whether the kernel, the initrd or the kernel modules change, which takes effect only after a reboot.
    pub needs_reboot: bool,
}

/// Where a plan's system comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SystemSource {
    /// It is evaluated from the flake.
    New,
    /// It is the generation of the host's system profile with this number.
    Generation(u64),
    /// It is in the host's store already, because it ran there before.
    Present,
}
