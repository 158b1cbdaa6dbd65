//! A plan as data: everything that a deployment would do, and the facts that it depends on.

mod difference;
mod effects;
#[cfg(test)]
mod fixture;
mod flake;
mod host;
mod risk;
pub mod show;
pub(in crate::deploy) mod store;

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
pub use crate::config::{Action, BuildOn, HealthCheck};
use crate::names::{HostName, PlanId};
use crate::time::Timestamp;

pub use difference::{Change, Diff, PackageChange, UnitChanges};
pub use effects::{
    AuthorizedKey, ComparedSystem, EffectPart, Effects, FileChanges, FirewallChange, ItemChanges, KeyChanges,
    NamedChange, ParamChanges, PortChanges, UnknownEffect,
};
#[cfg(test)]
pub(crate) use fixture::fixture;
pub use flake::FlakeSource;
pub use host::{HostPlan, SystemSource, Target};
pub(in crate::deploy) use risk::is_risk_code;
pub use risk::{Risk, Severity};
pub use store::{ListedPlan, PlanError, Plans, StoredPlan};

/// The version of the plan format.
///
/// 1: until 5229908. 2 added `except`, `unreachable`, `overrides` and `asked_rev` of the flake, a risk's `file`
/// and `line`, and `settling_seconds`. 3 added the uncommitted files and the unpinned inputs of the flake.
/// 4 added the effects.
pub const PLAN_VERSION: u32 = 4;
/// The oldest version that is read. Its plans say that the effects were not compared.
pub const OLDEST_PLAN_VERSION: u32 = 3;
/// Maximum number of hosts in one plan.
pub const MOST_HOSTS: usize = 1_000;

/// What is proposed for one or more hosts.
///
/// An approval covers the canonical form. A new field changes the digest and therefore needs a new [`PLAN_VERSION`].
/// Without the field, the canonical form has to stay the same as long as [`OLDEST_PLAN_VERSION`] lacks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// Its id.
    pub id: PlanId,
    /// When it was made.
    pub created: Timestamp,
    /// From this moment on it can be neither approved nor deployed.
    pub expires: Timestamp,
    /// How the new systems are activated.
    pub action: Action,
    /// What the systems were evaluated from.
    pub flake: FlakeSource,
    /// Who asked for it.
    pub requested_by: Requester,
    /// What is proposed for each host, in the order of the rollout.
    pub hosts: Vec<HostPlan>,
    /// Requested hosts that the request excluded by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<HostName>,
    /// Requested hosts that are not in the plan because they could not be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<Unreachable>,
    /// Number of hosts to deploy first; the others follow only if all of these are confirmed.
    pub canary: u32,
    /// Maximum number of hosts to activate at the same time after that.
    pub wave: u32,
    /// With the action `boot`: whether hosts reboot into the new system and are confirmed after that.
    #[serde(default)]
    pub reboot: bool,
    /// Whether confirmed hosts roll back if a later one fails or the rollout is stopped.
    pub revert_confirmed: bool,
}

/// A requested host that could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unreachable {
    /// Its name in the flake.
    pub host: HostName,
    /// The error of the attempt to reach it.
    pub why: String,
}

/// Who requested a plan: the client as it names itself, which nobody verifies, and the operating system's user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// The client's name and version, or `terminal`.
    pub client: String,
    /// The user this program runs as.
    pub user: String,
}

/// The order and pace of a plan with several hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// See [`Plan::canary`].
    pub canary: u32,
    /// See [`Plan::wave`].
    pub wave: u32,
    /// See [`Plan::reboot`].
    pub reboot: bool,
    /// See [`Plan::revert_confirmed`].
    pub revert_confirmed: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { canary: 1, wave: 16, reboot: false, revert_confirmed: false }
    }
}

impl Plan {
    /// A new plan, made now, that can be approved and deployed for `lifetime`.
    ///
    /// # Errors
    /// The system provides no random bytes for the plan's id.
    pub fn draft(
        action: Action,
        flake: FlakeSource,
        requested_by: Requester,
        hosts: Vec<HostPlan>,
        pace: Pace,
        lifetime: std::time::Duration,
    ) -> std::io::Result<Self> {
        let created = Timestamp::now();
        let Pace { canary, wave, reboot, revert_confirmed } = pace;
        Ok(Self {
            version: PLAN_VERSION,
            id: PlanId::random()?,
            created,
            expires: created.after(lifetime),
            action,
            flake,
            requested_by,
            hosts,
            except: Vec::new(),
            unreachable: Vec::new(),
            canary,
            wave,
            reboot,
            revert_confirmed,
        })
    }

    /// Its canonical form: what is stored, hashed and signed.
    ///
    /// # Errors
    /// The plan contains a number that not every JSON reader represents exactly.
    pub fn canonical(&self) -> Result<String, CanonicalError> {
        canonical::form(self)
    }

    /// Whether it can no longer be approved or deployed. A plan that was made after `now` counts as expired: the
    /// clock was set back since.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires || now < self.created
    }

    /// The phrase that a person types to confirm the plan: the host's name, or the last six characters of the plan's id
    /// if it has several hosts.
    #[must_use]
    pub fn phrase(&self) -> &str {
        match self.hosts.as_slice() {
            [only] => only.host.as_str(),
            _ => self.id.ending(),
        }
    }

    /// The codes of all blocking risks, each once, sorted.
    #[must_use]
    pub fn blocking_risks(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = self
            .hosts
            .iter()
            .flat_map(|host| &host.risks)
            .filter(|risk| risk.severity == Severity::Blocking)
            .map(|risk| risk.code.as_str())
            .collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// Checks the rules that every plan must follow, also one that was read from a file.
    ///
    /// # Errors
    /// A sentence with the first rule that is broken.
    pub fn check(&self) -> Result<(), String> {
        if self.hosts.is_empty() || self.hosts.len() > MOST_HOSTS {
            return Err(format!("a plan has 1 to {MOST_HOSTS} hosts, not {}", self.hosts.len()));
        }
        if self.wave == 0 {
            return Err("a wave needs at least one host".to_owned());
        }
        if self.reboot && self.action != Action::Boot {
            return Err("only the action boot can reboot".to_owned());
        }
        if self.flake.asked_rev.is_some() && !self.flake.is_committed() {
            return Err("a plan for a revision cannot contain uncommitted changes".to_owned());
        }
        if self.expires <= self.created {
            return Err("it expires before it is made".to_owned());
        }
        let mut seen = HashSet::new();
        let left_out = self.except.iter().chain(self.unreachable.iter().map(|left| &left.host));
        for host in self.hosts.iter().map(|host| &host.host).chain(left_out) {
            if !seen.insert(host) {
                return Err(format!("the plan names {host} twice"));
            }
        }
        for host in &self.hosts {
            if host.settling_seconds.is_some_and(|seconds| seconds >= host.rollback_timeout) {
                return Err(format!(
                    "{} is to be watched longer than it waits for the confirmation",
                    host.host
                ));
            }
            // A person has to type the code to accept the risk.
            for risk in &host.risks {
                if !is_risk_code(&risk.code) {
                    return Err(format!("{:?} is not the code of a risk", risk.code));
                }
            }
        }
        Ok(())
    }
}
