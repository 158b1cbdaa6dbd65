//! The folder of plans: one file each, in canonical form, so that its bytes are the ones that an approval covers.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{OLDEST_PLAN_VERSION, PLAN_VERSION, Plan};
use crate::advice::{Hint, Remedy};
use crate::canonical::{CanonicalError, Digest};
use crate::config::DeploySettings;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::PlanId;
use crate::state::{StateError, StateFolder};
use crate::time::Timestamp;

/// Maximum size of a plan file, in bytes: enough for a thousand hosts with all their changes.
pub const LARGEST: u64 = 64 * 1024 * 1024;
/// How long a plan's files are kept after the last of them was written.
pub const KEPT: Duration = Duration::from_secs(8 * 24 * 3_600);

/// The folder of plans, relative to the state folder.
const FOLDER: &str = "plans";

/// Why a plan could not be loaded or stored.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No folder is configured, and there is no home folder to derive one from.
    #[error("plans cannot be stored: `deploy.state_folder` is not set, and there is no home folder")]
    NoFolder,
    /// The state folder, or a file in it, cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// No plan has this id.
    #[error("there is no {0}")]
    Unknown(PlanId),
    /// A newer or an older program made it, in another format.
    #[error("{id} has the format version {version}; this program supports version {PLAN_VERSION}")]
    OtherVersion {
        id: PlanId,
        /// The version it has.
        version: u64,
    },
    /// The file differs from the plan that was stored.
    #[error("{id} is damaged or was altered: {problem}")]
    Damaged {
        id: PlanId,
        /// What is wrong with it.
        problem: String,
    },
    /// It is too old, or it was made in the future because the clock was set back.
    #[error("{id} was made at {created} and expired at {expires}")]
    Expired {
        id: PlanId,
        /// When it was made.
        created: Timestamp,
        /// When it expired.
        expires: Timestamp,
    },
    /// It breaks a rule of [`Plan::check`], or another plan has its id.
    #[error("the plan is invalid: {0}")]
    Unfit(String),
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The system provides no random bytes for the plan's id.
    #[error("the system provides no random bytes for the plan's id: {0}")]
    Randomness(std::io::Error),
}

impl From<&PlanError> for Diagnostic {
    fn from(error: &PlanError) -> Self {
        let diagnostic = |code| Self::new(code, error.to_string());
        match error {
            PlanError::NoFolder => diagnostic(Code::InvalidSettings)
                .with_hint(Remedy::Set("deploy.state_folder").after("set HOME, or ")),
            PlanError::State(_) => diagnostic(Code::StateUnusable).with_hint(
                "the state folder and everything in it must belong to the user and be writable by nobody \
                    else",
            ),
            PlanError::Unknown(_) => diagnostic(Code::UnknownPlan).with_hint(Remedy::ListPlans),
            PlanError::OtherVersion { version, .. } if *version > u64::from(PLAN_VERSION) => {
                diagnostic(Code::InvalidPlan)
                    .with_hint(Hint::from(Remedy::UseNewerProgram).and(", or ", Remedy::PlanAnew))
            }
            PlanError::OtherVersion { .. } => diagnostic(Code::InvalidPlan)
                .with_hint(Remedy::PlanAnew.after("it was made by an older version of this program: ")),
            PlanError::Damaged { .. } => diagnostic(Code::InvalidPlan).with_hint(Remedy::PlanAnew),
            PlanError::Expired { .. } => diagnostic(Code::PlanExpired).with_hint(Remedy::PlanAnew),
            PlanError::Unfit(_) | PlanError::Canonical(_) | PlanError::Randomness(_) => {
                diagnostic(Code::Internal)
            }
        }
    }
}

/// A plan with the canonical form that its file holds.
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

    /// Its canonical form: the message of a signature.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The SHA-256 of its canonical form, which an approval names.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Requires that it can still be approved and deployed.
    ///
    /// # Errors
    /// `PlanError::Expired`.
    pub fn require_current(&self, now: Timestamp) -> Result<(), PlanError> {
        let Plan { id, created, expires, .. } = &self.plan;
        if self.plan.is_expired(now) {
            return Err(PlanError::Expired { id: id.clone(), created: *created, expires: *expires });
        }
        Ok(())
    }
}

/// The stored plans.
#[derive(Clone, Debug)]
pub struct Plans {
    /// Holds the approvals and the decisions too.
    pub(in crate::deploy) folder: StateFolder,
}

/// One entry of [`Plans::list`].
#[derive(Debug)]
pub struct ListedPlan {
    pub id: PlanId,
    /// The plan, or why it cannot be read.
    pub plan: Result<StoredPlan, PlanError>,
}

impl Plans {
    /// Opens the plans in the state folder of these settings; creates the folder if it does not exist.
    ///
    /// # Errors
    /// [`PlanError::NoFolder`] and [`PlanError::State`].
    pub fn open(settings: &DeploySettings) -> Result<Self, PlanError> {
        let path = settings.state_folder.as_deref().ok_or(PlanError::NoFolder)?;
        Ok(Self { folder: StateFolder::open(path)?.folder(FOLDER)? })
    }

    /// Checks a new plan before it is stored, and removes outdated plans.
    ///
    /// # Errors
    /// See [`PlanError`]; [`PlanError::Unfit`] also if another plan has its id.
    pub(in crate::deploy) fn prepare(&self, plan: Plan) -> Result<StoredPlan, PlanError> {
        if plan.version != PLAN_VERSION {
            return Err(PlanError::Unfit(format!(
                "its format version is {}, not {PLAN_VERSION}",
                plan.version
            )));
        }
        self.sweep(SystemTime::now())?;
        let stored = StoredPlan::new(plan)?;
        if self.path(&stored.plan.id).symlink_metadata().is_ok() {
            return Err(another(&stored.plan.id));
        }
        Ok(stored)
    }

    /// Stores a plan that [`Plans::prepare`] returned.
    ///
    /// # Errors
    /// See [`PlanError`]; [`PlanError::Unfit`] if another plan has its id.
    pub(in crate::deploy) fn put(&self, stored: &StoredPlan) -> Result<(), PlanError> {
        if self.folder.create(&file_name(&stored.plan.id), stored.canonical.as_bytes())? {
            Ok(())
        } else {
            Err(another(&stored.plan.id))
        }
    }

    /// Stores a new plan without an entry in the audit log, and removes outdated plans.
    ///
    /// # Errors
    /// See [`PlanError`]; [`PlanError::Unfit`] also if another plan has its id.
    pub fn save(&self, plan: Plan) -> Result<StoredPlan, PlanError> {
        let stored = self.prepare(plan)?;
        self.put(&stored)?;
        Ok(stored)
    }

    /// Loads the plan with this id, even if it is expired.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn load(&self, id: &PlanId) -> Result<StoredPlan, PlanError> {
        let bytes =
            self.folder.read(&file_name(id), LARGEST)?.ok_or_else(|| PlanError::Unknown(id.clone()))?;
        let damaged = |problem: String| PlanError::Damaged { id: id.clone(), problem };
        // The version is read first: a newer plan may have unknown fields, and an older one may lack fields that a
        // person has to see.
        let Versioned { version } =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if version == 0 {
            return Err(damaged("its format version is 0, which does not exist".to_owned()));
        }
        if !(u64::from(OLDEST_PLAN_VERSION)..=u64::from(PLAN_VERSION)).contains(&version) {
            return Err(PlanError::OtherVersion { id: id.clone(), version });
        }
        let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if plan.id != *id {
            return Err(damaged(format!("its id is {}", plan.id)));
        }
        let stored = StoredPlan::new(plan).map_err(|error| damaged(error.to_string()))?;
        // The approval covers the canonical form, so other bytes in the file would not be approved.
        if stored.canonical.as_bytes() != bytes {
            return Err(damaged("it is not in canonical form".to_owned()));
        }
        Ok(stored)
    }

    /// All plans, unreadable ones first, then by age, oldest first.
    ///
    /// # Errors
    /// [`PlanError::State`] if the folder itself cannot be read.
    pub fn list(&self) -> Result<Vec<ListedPlan>, PlanError> {
        let mut found: Vec<_> = self
            .folder
            .entries()?
            .into_iter()
            .filter_map(|(name, _)| name.strip_suffix(PLAN).and_then(|id| id.parse::<PlanId>().ok()))
            .map(|id| ListedPlan { plan: self.load(&id), id })
            // Another process may have removed the file since the folder was read.
            .filter(|listed| !matches!(listed.plan, Err(PlanError::Unknown(_))))
            .collect();
        found.sort_by_key(|listed| listed.plan.as_ref().ok().map(|stored| stored.plan.created));
        Ok(found)
    }

    /// Removes plans of which no file was written for [`KEPT`], and partial files of that age. Files that are not
    /// this program's stay.
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

    /// The path of the plan's file.
    #[must_use]
    pub fn path(&self, id: &PlanId) -> PathBuf {
        self.folder.path().join(file_name(id))
    }
}

/// Suffix of a plan's file.
const PLAN: &str = ".json";
/// Suffix of an approval's file.
pub(in crate::deploy) const APPROVAL: &str = ".approval.json";
/// Suffix of a decision's file, which holds a used approval or a rejection.
pub(in crate::deploy) const SPENT: &str = ".spent.json";
/// Suffix of the file that marks a rejection as missing from the audit log.
pub(in crate::deploy) const UNLOGGED: &str = ".unlogged";
/// Suffixes of the files that count the forms shown for a plan: one for each form that may be shown.
pub(in crate::deploy) const FORMS: [&str; 2] = [".form-1.json", ".form-2.json"];
/// Prefix of the file that records a change declined in a form.
pub(in crate::deploy) const DECLINED: &str = "declined-";

fn another(id: &PlanId) -> PlanError {
    PlanError::Unfit(format!("another plan has the id {id}"))
}

fn file_name(id: &PlanId) -> String {
    format!("{id}{PLAN}")
}

/// The field that plans of every version have.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[cfg(test)]
mod tests;
