//! A plan: everything a deployment would do and everything it is bound to, as data.

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError, Digest};
pub use crate::config::{Action, BuildOn, HealthCheck};
use crate::flake::{Checkout, Flake, FlakeError};
use crate::names::{HostName, PlanId, StorePath, SystemName};
use crate::progress::Call;
use crate::text;
use crate::time::Timestamp;
pub use difference::{Change, Diff, PackageChange, UnitChanges};
pub use store::{Listed, PlanError, Plans, StoredPlan};

/// The version of the form plans have here.
///
/// 1: until 5229908. 2: `except`, `unreachable`, `overrides` and `asked_rev` of the flake, a risk's `file` and
/// `line`, `settling_seconds`. 3: the files and inputs of the flake that are not
/// committed.
pub const VERSION: u32 = 3;
/// Most files, and most inputs, named that are not committed.
const DIRTY: usize = 50;
/// Most hosts in one plan.
pub const HOSTS: usize = 1_000;

/// What is proposed for one or more hosts.
///
/// Its canonical form is what is approved: a field that is added changes the digest, and so needs
/// a new [`VERSION`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`].
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

/// The flake a plan's systems come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlakeSource {
    /// Its folder.
    pub folder: String,
    /// The commit; none where it is in no repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether tracked files differ from that commit, or an input is locked to no commit and no other one content.
    pub dirty: bool,
    /// Those files, relative to the root of the repository, as many as have room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirty_files: Vec<String>,
    /// Inputs that are locked to no commit and no other one content, such as a Git tree with uncommitted changes, by their
    /// names in the lock file, as many as have room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirty_inputs: Vec<String>,
    /// How many more there are that `dirty_files` and `dirty_inputs` do not name.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_dirty: u64,
    /// The revision that was asked for, as it was written; none means the folder as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_rev: Option<String>,
    /// Inputs that are others than those locked, by name: the reference in place of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, String>,
}

impl FlakeSource {
    /// A flake of which nothing is known but its folder.
    #[must_use]
    pub fn unknown(folder: String) -> Self {
        Self {
            folder,
            revision: None,
            dirty: false,
            dirty_files: Vec::new(),
            dirty_inputs: Vec::new(),
            more_dirty: 0,
            asked_rev: None,
            overrides: BTreeMap::new(),
        }
    }

    /// What `flake` is looked at as: a commit, or its folder as it lies there.
    ///
    /// # Errors
    /// That Git does not say, or that the call was cancelled.
    pub async fn of(flake: &Flake, call: &Call) -> Result<Self, FlakeError> {
        let inputs = flake.unpinned_inputs()?;
        let Checkout { commit, changed } = flake.checkout(call).await?.unwrap_or_default();
        let told = |names: &[String]| {
            names.iter().take(DIRTY).map(|name| text::bounded(&text::plain(name), 200)).collect()
        };
        let more = [&changed, &inputs].map(|names| names.len().saturating_sub(DIRTY) as u64);
        Ok(Self {
            revision: commit,
            dirty: !changed.is_empty() || !inputs.is_empty(),
            dirty_files: told(&changed),
            dirty_inputs: told(&inputs),
            more_dirty: more.iter().sum(),
            asked_rev: flake.commit_asked_for().map(|commit| commit.asked.to_string()),
            ..Self::unknown(flake.settings().flake.display().to_string())
        })
    }

    /// Whether all of it can be found again by its commit.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.revision.is_some() && !self.dirty
    }
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

/// How bad a risk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Worth a look before saying yes.
    Warning,
    /// Cannot be approved without naming it.
    Blocking,
}

/// Something that could go wrong, by evaluated facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Stable name, such as `no_root_key`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub evidence: String,
    /// What to do about it.
    pub mend: String,
    /// The file of the flake that says so, relative to its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// Whether a code of a risk can be typed by a person: 1 to 64 lower-case letters, digits and `_`.
pub(in crate::deploy) fn is_risk_code(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !code.is_empty() && code.len() <= 64 && code.bytes().all(plain)
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
            version: VERSION,
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

    /// The SHA-256 of its canonical form.
    ///
    /// # Errors
    /// As [`Plan::canonical`].
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        Ok(Digest::of(self.canonical()?.as_bytes()))
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
        if self.hosts.is_empty() || self.hosts.len() > HOSTS {
            return Err(format!("a plan is for 1 to {HOSTS} hosts, not {}", self.hosts.len()));
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

mod difference;
#[cfg(test)]
mod fixture;
pub mod show;
pub(in crate::deploy) mod store;
#[cfg(test)]
pub(crate) use fixture::fixture;
