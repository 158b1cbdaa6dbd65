//! Limits how often a form is shown, because a person who is asked repeatedly approves in the end. The count is stored
//! beside the plan, so that neither a restart nor a second server resets it.

use serde::{Deserialize, Serialize};

use super::error::{ApprovalError, NoForm};
use crate::canonical::{self, Digest};
use crate::config::Action;
use crate::deploy::plan::store::{DECLINED, FORMS};
use crate::deploy::plan::{Plan, Plans};
use crate::names::{HostName, PlanId, StorePath};
use crate::time::Timestamp;

/// Maximum size of a file of this module, in bytes.
const LARGEST: u64 = 4_096;

/// A form that was shown.
#[derive(Serialize)]
struct ShownForm<'a> {
    version: u32,
    plan_id: &'a PlanId,
    at: Timestamp,
}

/// What a plan changes, without the plan's id: a second plan for the same change has the same subject.
#[derive(Serialize)]
struct Subject<'a> {
    action: Action,
    reboot: bool,
    hosts: Vec<(&'a HostName, &'a StorePath)>,
}

/// A change that a person declined in a form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declined {
    version: u32,
    plan_id: PlanId,
    until: Timestamp,
}

/// Counts a form before it is shown. Returns the reason if the form must not be shown: it was shown as often as
/// allowed, or a person declined the same change.
///
/// # Errors
/// [`ApprovalError::State`], and [`ApprovalError::Malformed`] if the record of a declined change cannot be read.
pub(super) fn count(plans: &Plans, plan: &Plan) -> Result<Result<(), NoForm>, ApprovalError> {
    if let Some(bytes) = plans.folder.read(&declined_name(plan)?, LARGEST)? {
        let declined: Declined = serde_json::from_slice(&bytes).map_err(|error| {
            let problem = format!("the record of a declined change cannot be read: {error}");
            ApprovalError::Malformed { id: plan.id.clone(), problem }
        })?;
        if Timestamp::now() < declined.until {
            let Declined { plan_id, until, .. } = declined;
            return Ok(Err(NoForm::DeclinedBefore { plan_id, until }));
        }
    }
    let shown = canonical::form(&ShownForm { version: 1, plan_id: &plan.id, at: Timestamp::now() })?;
    for name in FORMS {
        if plans.folder.create(&format!("{}{name}", plan.id), shown.as_bytes())? {
            return Ok(Ok(()));
        }
    }
    Ok(Err(NoForm::Shown))
}

/// Records until the plan's expiry that a person declined its change.
///
/// # Errors
/// [`ApprovalError::State`].
pub(super) fn declined(plans: &Plans, plan: &Plan) -> Result<(), ApprovalError> {
    let declined = canonical::form(&Declined { version: 1, plan_id: plan.id.clone(), until: plan.expires })?;
    Ok(plans.folder.replace(&declined_name(plan)?, declined.as_bytes())?)
}

fn declined_name(plan: &Plan) -> Result<String, ApprovalError> {
    let hosts = plan.hosts.iter().map(|host| (&host.host, &host.toplevel)).collect();
    let subject = canonical::form(&Subject { action: plan.action, reboot: plan.reboot, hosts })?;
    Ok(format!("{DECLINED}{}.json", Digest::sha256(subject.as_bytes())))
}
