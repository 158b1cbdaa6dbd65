//! The decision about a plan, which is made once: using the approval and rejecting the plan both create the same file, and
//! only one process can create it.

use serde::{Deserialize, Serialize};

use super::error::ApprovalError;
use super::record::{Approval, VERSION};
use crate::canonical::Digest;
use crate::deploy::plan::Plans;
use crate::deploy::plan::store::{SPENT, UNLOGGED};
use crate::names::PlanId;
use crate::time::Timestamp;

/// Maximum size of a decision's or an approval's file, in bytes.
pub(super) const LARGEST: u64 = 256 * 1024;

/// A rejection as it is stored beside its plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    pub(super) version: u32,
    pub(super) plan_id: PlanId,
    /// `None` if the plan could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plan_digest: Option<Digest>,
    pub(super) rejected_by: String,
    pub(super) at: Timestamp,
}

impl Rejection {
    /// Who rejected the plan: a user of this machine, or the user of a client.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.rejected_by
    }

    /// When the plan was rejected.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// The final decision about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its approval was used: it is deployed, or being deployed.
    Spent(Approval),
    /// A person rejected it.
    Rejected(Rejection),
}

impl Decision {
    /// Why the plan can no longer be approved or deployed.
    #[must_use]
    pub fn refusal(self, id: &PlanId) -> ApprovalError {
        match self {
            Self::Spent(_) => ApprovalError::Spent(id.clone()),
            Self::Rejected(Rejection { rejected_by: by, at, .. }) => {
                ApprovalError::Rejected { id: id.clone(), by, at }
            }
        }
    }

    fn canonical(&self) -> Result<String, ApprovalError> {
        Ok(match self {
            Self::Spent(approval) => crate::canonical::form(approval)?,
            Self::Rejected(rejection) => crate::canonical::form(rejection)?,
        })
    }
}

/// Reads the decision about the plan; `None` if there is none yet.
///
/// # Errors
/// [`ApprovalError::State`], and [`ApprovalError::Malformed`] if this program did not write the file.
pub(super) fn read(plans: &Plans, id: &PlanId) -> Result<Option<Decision>, ApprovalError> {
    let Some(bytes) = plans.folder.read(&name(id), LARGEST)? else { return Ok(None) };
    let malformed = |problem: String| ApprovalError::Malformed { id: id.clone(), problem };
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if version != Some(u64::from(VERSION)) {
        return Err(malformed(format!("its decision does not have the format version {VERSION}")));
    }
    let read = if value.get("rejected_by").is_some() {
        serde_json::from_value(value).map(Decision::Rejected)
    } else {
        serde_json::from_value(value).map(Decision::Spent)
    };
    read.map(Some).map_err(|error| malformed(error.to_string()))
}

/// Requires that no decision about the plan exists yet.
///
/// # Errors
/// [`ApprovalError::Spent`] and [`ApprovalError::Rejected`], and as [`read`].
pub(super) fn require_none(plans: &Plans, id: &PlanId) -> Result<(), ApprovalError> {
    match read(plans, id)? {
        Some(decision) => Err(decision.refusal(id)),
        None => Ok(()),
    }
}

/// Stores the decision and returns `None`; if one exists already, stores nothing and returns that one.
///
/// # Errors
/// As [`read`].
pub(super) fn claim(
    plans: &Plans,
    id: &PlanId,
    decision: &Decision,
) -> Result<Option<Decision>, ApprovalError> {
    if plans.folder.create(&name(id), decision.canonical()?.as_bytes())? {
        return Ok(None);
    }
    let gone = || ApprovalError::Malformed { id: id.clone(), problem: "its decision was removed".to_owned() };
    read(plans, id)?.ok_or_else(gone).map(Some)
}

/// Marks the plan's rejection as missing from the audit log.
///
/// # Errors
/// [`ApprovalError::State`].
pub(super) fn mark_unlogged(plans: &Plans, id: &PlanId) -> Result<(), ApprovalError> {
    Ok(plans.folder.replace(&mark(id), b"")?)
}

/// Removes the mark of [`mark_unlogged`].
///
/// # Errors
/// [`ApprovalError::State`].
pub(super) fn mark_logged(plans: &Plans, id: &PlanId) -> Result<(), ApprovalError> {
    plans.folder.remove(&mark(id))?;
    Ok(())
}

/// Whether there is no mark of [`mark_unlogged`].
///
/// # Errors
/// [`ApprovalError::State`].
pub(super) fn is_logged(plans: &Plans, id: &PlanId) -> Result<bool, ApprovalError> {
    Ok(plans.folder.read(&mark(id), LARGEST)?.is_none())
}

fn mark(id: &PlanId) -> String {
    format!("{id}{UNLOGGED}")
}

fn name(id: &PlanId) -> String {
    format!("{id}{SPENT}")
}
