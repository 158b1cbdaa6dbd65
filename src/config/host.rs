//! The `[hosts.NAME]` sections: deployment options that the hosts' configurations do not set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{Address, UserName};

/// The machine that builds a system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildOn {
    /// This machine, or its configured builders.
    #[default]
    Local,
    /// The host itself.
    Target,
}

/// A check that must succeed after a new system was activated, as in `pantheros.deploy.healthChecks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheck {
    /// Program and arguments, run on the host; it must exit with 0.
    Command(Vec<String>),
    /// A TCP port of the host that must accept connections from this machine.
    Tcp(u16),
    /// A URL that must answer this machine with a status below 400.
    Http(String),
}

/// Deployment options of one host. A value that its configuration sets in `pantheros.deploy` overrules the value here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostFile {
    /// Name or address to connect to with SSH, as `pantheros.deploy.targetHost`.
    pub target_host: Option<Address>,
    /// User to log in as: root, or a user who can use `sudo` without a password. Default: root.
    pub user: Option<UserName>,
    /// TCP port of SSH. Default: 22.
    pub port: Option<u16>,
    /// Tags, in addition to those of the host's configuration. A deployment can be planned for all hosts with a tag.
    pub tags: Vec<String>,
    /// The machine that builds the host's system: `local` (this machine or its builders) or `target` (the host itself).
    pub build_on: Option<BuildOn>,
    /// Time to confirm a new system before the host rolls back, in seconds. Default: 60.
    pub rollback_timeout: Option<u32>,
    /// Time limit for an activation, in seconds. Default: 600.
    pub activation_timeout: Option<u32>,
    /// Checks that must succeed after activation: `{ tcp = 443 }`, `{ http = "https://…" }`, `{ command = ["…"] }`.
    pub health_checks: Vec<HealthCheck>,
    /// Whether the host fetches store paths from its own substituters, if they have them, instead of from this machine.
    pub substitute_on_target: Option<bool>,
    /// Whether the host reboots if its previous system cannot be restored in another way.
    pub reboot_on_failure: Option<bool>,
}
