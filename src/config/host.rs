//! The `[hosts.NAME]` sections: deployment options of hosts whose configurations do not set them.

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

/// Deployment options of a host. A value that its configuration sets in `pantheros.deploy` overrules the one here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostFile {
    /// Name or address for SSH, as `pantheros.deploy.targetHost`.
    pub target_host: Option<Address>,
    /// User to log in as, who can use `sudo` without a password. Default: root.
    pub user: Option<UserName>,
    /// TCP port of SSH. Default: 22.
    pub port: Option<u16>,
    /// Tags besides those of its configuration. A deployment can be planned for all hosts with a tag.
    pub tags: Vec<String>,
    /// The machine that builds its system: `local` or `target`.
    pub build_on: Option<BuildOn>,
    /// Seconds until a new system that is not confirmed is rolled back. Default: 60.
    pub rollback_timeout: Option<u32>,
    /// Seconds that an activation may take. Default: 600.
    pub activation_timeout: Option<u32>,
    /// Checks that must succeed after activation: `{ tcp = 443 }`, `{ http = "https://…" }`, `{ command = ["…"] }`.
    pub health_checks: Vec<HealthCheck>,
    /// Whether the host fetches paths from its own substituters if they have them.
    pub substitute_on_target: Option<bool>,
    /// Whether the host reboots if its previous system cannot be restored otherwise.
    pub reboot_on_failure: Option<bool>,
}
