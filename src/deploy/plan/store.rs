//! Plans in their folder: one file each, in canonical form, so that what lies there is what was approved.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{PLAN_VERSION, Plan};
use crate::advice::Remedy;
use crate::canonical::{CanonicalError, Digest};
use crate::config::DeploySettings;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::PlanId;
use crate::state::{StateError, StateFolder};
use crate::time::Timestamp;

/// Most bytes of one plan: a thousand hosts with everything that changes on each.
pub const LARGEST: u64 = 64 * 1024 * 1024;
/// How long a plan and what became of it stay after the last of it was written.
pub const KEPT: Duration = Duration::from_secs(8 * 24 * 3_600);

/// Where plans are within the state folder.
const FOLDER: &str = "plans";

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is nowhere to keep plans.
    #[error("there is neither `deploy.state_folder` nor a home folder to keep plans in")]
    NoFolder,
    /// The folder or a file in it.
    #[error(transparent)]
    State(#[from] StateError),
    /// No plan of that name.
    #[error("there is no {0}")]
    Unknown(PlanId),
    /// It was made by a newer or an older program, whose plans have another form.
    #[error("{id} is a plan of version {version}; this program knows version {PLAN_VERSION}")]
    OtherVersion {
        /// The plan.
        id: PlanId,
        /// The version it has.
        version: u64,
    },
    /// What lies there is not what was stored.
    #[error("{id} is damaged or was altered: {problem}")]
    Damaged {
        /// The plan.
        id: PlanId,
        /// What is wrong with it.
        problem: String,
    },
    /// It is too old, or from the future.
    #[error("{id} was made at {created} and expired at {expires}")]
    Expired {
        /// The plan.
        id: PlanId,
        /// When it was made.
        created: Timestamp,
        /// When it expired.
        expires: Timestamp,
    },
    /// It is none that can be stored.
    #[error("this is no plan: {0}")]
    Unfit(String),
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The system has no randomness to name it with.
    #[error("no randomness for a plan's name: {0}")]
    Randomness(std::io::Error),
}

impl From<&PlanError> for Diagnostic {
    fn from(error: &PlanError) -> Self {
        let diagnostic = |code| Self::new(code, error.to_string());
        match error {
            PlanError::NoFolder => diagnostic(Code::InvalidSettings)
                .with_hint(Remedy::Set("deploy.state_folder").after("set HOME, or ")),
            PlanError::State(_) => diagnostic(Code::StateUnusable)
                .with_hint("the state folder and all in it have to be the user's own, mode 0700"),
            PlanError::Unknown(_) => diagnostic(Code::UnknownPlan).with_hint(Remedy::ListPlans),
            PlanError::OtherVersion { version, .. } if *version > u64::from(PLAN_VERSION) => {
                diagnostic(Code::InvalidPlan)
                    .with_hint(Remedy::PlanAnew.after(format!("{}, or ", Remedy::UseNewerProgram)))
            }
            PlanError::OtherVersion { .. } => diagnostic(Code::InvalidPlan)
                .with_hint(Remedy::PlanAnew.after("an older version of this program made it: ")),
            PlanError::Damaged { .. } => diagnostic(Code::InvalidPlan).with_hint(Remedy::PlanAnew),
            PlanError::Expired { .. } => diagnostic(Code::PlanExpired).with_hint(Remedy::PlanAnew),
            PlanError::Unfit(_) | PlanError::Canonical(_) | PlanError::Randomness(_) => {
                diagnostic(Code::Internal)
            }
        }
    }
}

/// A plan as it lies in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPlan {
    plan: Plan,
    canonical: String,
    digest: Digest,
}

impl StoredPlan {
    fn new(plan: Plan) -> Result<Self, PlanError> {
        plan.check().map_err(PlanError::Unfit)?;
        let canonical = plan.canonical()?;
        Ok(Self { digest: Digest::sha256(canonical.as_bytes()), plan, canonical })
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its canonical form: what is signed.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The hash of its canonical form: what an approval is bound to.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Says that it can still be approved and deployed.
    ///
    /// # Errors
    /// [`PlanError::Expired`].
    pub fn require_current(&self, now: Timestamp) -> Result<(), PlanError> {
        let Plan { id, created, expires, .. } = &self.plan;
        if self.plan.is_expired(now) {
            return Err(PlanError::Expired { id: id.clone(), created: *created, expires: *expires });
        }
        Ok(())
    }
}

/// The plans there are.
#[derive(Clone, Debug)]
pub struct Plans {
    /// Also holds what became of each plan.
    pub(in crate::deploy) folder: StateFolder,
}

/// What lies in the folder under the name of a plan.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub id: PlanId,
    /// The plan, or why it cannot be read.
    pub plan: Result<StoredPlan, PlanError>,
}

impl Plans {
    /// The plans in the state folder of these settings, which is made where it is not there.
    ///
    /// # Errors
    /// [`PlanError::NoFolder`] and [`PlanError::State`].
    pub fn open(settings: &DeploySettings) -> Result<Self, PlanError> {
        let path = settings.state_folder.as_deref().ok_or(PlanError::NoFolder)?;
        Ok(Self { folder: StateFolder::open(path)?.folder(FOLDER)? })
    }

    /// Makes a new plan ready to be stored, and forgets those that are long over.
    ///
    /// # Errors
    /// See [`PlanError`]; [`PlanError::Unfit`] also where there is one of that name.
    pub(in crate::deploy) fn prepare(&self, plan: Plan) -> Result<StoredPlan, PlanError> {
        if plan.version != PLAN_VERSION {
            return Err(PlanError::Unfit(format!("its version is {}, not {PLAN_VERSION}", plan.version)));
        }
        self.sweep(SystemTime::now())?;
        let stored = StoredPlan::new(plan)?;
        if self.path(&stored.plan.id).symlink_metadata().is_ok() {
            return Err(another(&stored.plan.id));
        }
        Ok(stored)
    }

    /// Stores a plan that was made ready.
    ///
    /// # Errors
    /// See [`PlanError`]; [`PlanError::Unfit`] where there is one of that name.
    pub(in crate::deploy) fn put(&self, stored: &StoredPlan) -> Result<(), PlanError> {
        if self.folder.create(&file_name(&stored.plan.id), stored.canonical.as_bytes())? {
            Ok(())
        } else {
            Err(another(&stored.plan.id))
        }
    }

    /// Stores a new plan, and forgets those that are long over. Nobody is told of it.
    ///
    /// # Errors
    /// See [`PlanError`]; [`PlanError::Unfit`] also where there is one of that name.
    pub fn save(&self, plan: Plan) -> Result<StoredPlan, PlanError> {
        let stored = self.prepare(plan)?;
        self.put(&stored)?;
        Ok(stored)
    }

    /// The plan of that name, expired or not.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn load(&self, id: &PlanId) -> Result<StoredPlan, PlanError> {
        let bytes =
            self.folder.read(&file_name(id), LARGEST)?.ok_or_else(|| PlanError::Unknown(id.clone()))?;
        let damaged = |problem: String| PlanError::Damaged { id: id.clone(), problem };
        // Its version first: a newer one may have fields nobody here knows, and an older one may lack what is
        // shown to a person today.
        let Versioned { version } =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if version == 0 {
            return Err(damaged("there never was a version 0".to_owned()));
        }
        if version != u64::from(PLAN_VERSION) {
            return Err(PlanError::OtherVersion { id: id.clone(), version });
        }
        let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if plan.id != *id {
            return Err(damaged(format!("it says that it is {}", plan.id)));
        }
        let stored = StoredPlan::new(plan).map_err(|error| damaged(error.to_string()))?;
        // Else the file and what was approved could differ in what this program does not look at.
        if stored.canonical.as_bytes() != bytes {
            return Err(damaged("it is not in canonical form".to_owned()));
        }
        Ok(stored)
    }

    /// Every plan, oldest first; those that cannot be read with the reason.
    ///
    /// # Errors
    /// [`PlanError::State`] where the folder itself cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, PlanError> {
        let mut found: Vec<_> = self
            .folder
            .entries()?
            .into_iter()
            .filter_map(|(name, _)| name.strip_suffix(PLAN).and_then(|id| id.parse::<PlanId>().ok()))
            .map(|id| Listed { plan: self.load(&id), id })
            // Removed since the folder was read.
            .filter(|listed| !matches!(listed.plan, Err(PlanError::Unknown(_))))
            .collect();
        found.sort_by_key(|listed| listed.plan.as_ref().ok().map(|stored| stored.plan.created));
        Ok(found)
    }

    /// Forgets plans of which nothing was written for [`KEPT`], and files that were never finished. What
    /// is none of ours stays.
    fn sweep(&self, now: SystemTime) -> Result<(), PlanError> {
        let old = |changed: SystemTime| now.duration_since(changed).is_ok_and(|age| age > KEPT);
        let entries = self.folder.entries()?;
        let id_of = |name: &str| {
            let kinds = [APPROVAL, SPENT, UNLOGGED, PLAN].into_iter().chain(FORMS);
            kinds.filter_map(|kind| name.strip_suffix(kind)).find_map(|id| id.parse::<PlanId>().ok())
        };
        let fresh: std::collections::HashSet<PlanId> = entries
            .iter()
            .filter(|(_, changed)| !old(*changed))
            .filter_map(|(name, _)| id_of(name))
            .collect();
        for (name, changed) in entries {
            let over = match id_of(&name) {
                Some(id) => !fresh.contains(&id),
                None => (StateFolder::is_partial(&name) || name.starts_with(DECLINED)) && old(changed),
            };
            if over {
                self.folder.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Where the plan's file is.
    #[must_use]
    pub fn path(&self, id: &PlanId) -> PathBuf {
        self.folder.path().join(file_name(id))
    }
}

/// What the names of plans end in.
const PLAN: &str = ".json";
/// What the names of approvals end in.
pub(in crate::deploy) const APPROVAL: &str = ".approval.json";
/// What the names of decisions end in: approvals that were used, and rejections.
pub(in crate::deploy) const SPENT: &str = ".spent.json";
/// What the names of marks end in that say of a rejection that the audit log does not have it.
pub(in crate::deploy) const UNLOGGED: &str = ".unlogged";
/// What the names of forms end in that were shown about a plan: as many as may be shown.
pub(in crate::deploy) const FORMS: [&str; 2] = [".form-1.json", ".form-2.json"];
/// What the names of changes begin with that a person declined in a form.
pub(in crate::deploy) const DECLINED: &str = "declined-";

fn another(id: &PlanId) -> PlanError {
    PlanError::Unfit(format!("there is another {id}"))
}

fn file_name(id: &PlanId) -> String {
    format!("{id}{PLAN}")
}

/// What every version of a plan has.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[cfg(test)]
mod tests;
