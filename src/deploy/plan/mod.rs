//! A plan: everything a deployment would do and everything it is bound to, as data.

mod difference;
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
#[cfg(test)]
pub(crate) use fixture::fixture;
pub use flake::FlakeSource;
pub use host::{HostPlan, SystemSource, Target};
pub(in crate::deploy) use risk::is_risk_code;
pub use risk::{Risk, Severity};
pub use store::{Listed, PlanError, Plans, StoredPlan};

/// The version of the form plans have here.
///
/// 1: until 5229908. 2: `except`, `unreachable`, `overrides` and `asked_rev` of the flake, a risk's `file` and
/// `line`, `settling_seconds`. 3: the files and inputs of the flake that are not
/// committed.
pub const PLAN_VERSION: u32 = 3;
/// Most hosts in one plan.
pub const MOST_HOSTS: usize = 1_000;

/// What is proposed for one or more hosts.
///
/// Its canonical form is what is approved: a field that is added changes the digest, and so needs
/// a new [`PLAN_VERSION`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// Its name.
    pub id: PlanId,
    /// When it was made.
    pub created: Timestamp,
    /// When it can no longer be approved or deployed.
    pub expires: Timestamp,
    /// What is done with the new systems.
    pub action: Action,
    /// What the systems were evaluated from.
    pub flake: FlakeSource,
    /// Who asked for it.
    pub requested_by: Requester,
    /// What is proposed for each host, in the order of the rollout.
    pub hosts: Vec<HostPlan>,
    /// Hosts of those asked for that were left out by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<HostName>,
    /// Hosts of those asked for that are not in it, because they could not be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<Unreachable>,
    /// Hosts deployed to before all others; the rest only follows where these are confirmed.
    pub canary: u32,
    /// Most hosts activated side by side after that.
    pub wave: u32,
    /// With the action `boot`: whether hosts are started anew, and confirmed after that.
    #[serde(default)]
    pub reboot: bool,
    /// Whether hosts that are confirmed already go back where a later one fails.
    pub revert_confirmed: bool,
}

/// A host that was asked for and could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unreachable {
    /// Its name in the flake.
    pub host: HostName,
    /// What the attempt to reach it said.
    pub why: String,
}

/// Who asked for a plan: what a client says of itself, and what the system says of its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// The client's name and version, or `terminal`.
    pub client: String,
    /// The user this program runs as.
    pub user: String,
}

/// How a plan with several hosts is carried out.
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
    /// That the system has no randomness to name it with.
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
    /// That a number in it is larger than every reader of JSON agrees on.
    pub fn canonical(&self) -> Result<String, CanonicalError> {
        canonical::form(self)
    }

    /// Whether it can no longer be approved or deployed. A plan from the future is no plan either: the
    /// clock was set back since.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires || now < self.created
    }

    /// What a person types to say that this is what they mean: the host's name, or, for several, the
    /// last characters of the plan's.
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

    /// What no plan may be, whoever made it.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.hosts.is_empty() || self.hosts.len() > MOST_HOSTS {
            return Err(format!("a plan is for 1 to {MOST_HOSTS} hosts, not {}", self.hosts.len()));
        }
        if self.wave == 0 {
            return Err("a wave is one host or more".to_owned());
        }
        if self.reboot && self.action != Action::Boot {
            return Err("only the action boot can reboot".to_owned());
        }
        if self.flake.asked_rev.is_some() && !self.flake.is_committed() {
            return Err("what a revision names is a commit, and nothing beside it".to_owned());
        }
        if self.expires <= self.created {
            return Err("it expires before it was made".to_owned());
        }
        let mut seen = HashSet::new();
        let left_out = self.except.iter().chain(self.unreachable.iter().map(|left| &left.host));
        for host in self.hosts.iter().map(|host| &host.host).chain(left_out) {
            if !seen.insert(host) {
                return Err(format!("{host} is in it twice"));
            }
        }
        for host in &self.hosts {
            // What says so would be approved, and not done.
            if let Some(seconds) = host.settling_seconds {
                return Err(format!(
                    "{} is to be watched for {seconds} s, which this program does not do",
                    host.host
                ));
            }
            // A code is typed by a person and named in an approval.
            for risk in &host.risks {
                if !is_risk_code(&risk.code) {
                    return Err(format!("{:?} is not the code of a risk", risk.code));
                }
            }
        }
        Ok(())
    }
}
