//! What the settings say of a host whose own configuration does not: the `[hosts.NAME]` sections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{Address, UserName};

/// Where a system is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildOn {
    /// Here, or on the builders configured here.
    #[default]
    Local,
    /// On the host itself.
    Target,
}

/// Something that has to hold once a new system runs; as `pantheros.deploy.healthChecks` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheck {
    /// Program and arguments, run on the host; exit code 0 is health.
    Command(Vec<String>),
    /// A TCP port of the host that takes connections from here.
    Tcp(u16),
    /// A URL that answers from here with a status below 400.
    Http(String),
}

/// A host of a flake that does not use the module with `pantheros.deploy`; what its configuration does
/// say there counts, and this does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostFile {
    /// Name or address it is reached at over SSH, as `pantheros.deploy.targetHost`.
    pub target_host: Option<Address>,
    /// User to log in as, who may become root with `sudo` without a password; without it root.
    pub user: Option<UserName>,
    /// TCP port that SSH listens on; without it 22.
    pub port: Option<u16>,
    /// Groups it belongs to besides those of its configuration, to plan a deployment to all of them at once.
    pub tags: Vec<String>,
    /// Where its system is built: `local` or `target`.
    pub build_on: Option<BuildOn>,
    /// Seconds in which a new system has to be confirmed before the host goes back; without it 60.
    pub rollback_timeout: Option<u32>,
    /// Seconds that activating a system may take; without it 600.
    pub activation_timeout: Option<u32>,
    /// What has to hold once a new system runs: `{ tcp = 443 }`, `{ http = "https://…" }`, `{ command = ["…"] }`.
    pub health_checks: Vec<HealthCheck>,
    /// Whether it fetches from its own substituters what they have.
    pub substitute_on_target: Option<bool>,
    /// Whether it starts anew where its previous system cannot be brought back otherwise.
    pub reboot_on_failure: Option<bool>,
}
