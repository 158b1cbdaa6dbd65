//! How often a person is shown a form. It is counted beside the plan, so that no restart and no second server
//! begins anew: who is asked again and again says yes in the end.

use serde::{Deserialize, Serialize};

use super::error::{ApprovalError, NoForm};
use crate::canonical::{self, Digest};
use crate::config::Action;
use crate::deploy::plan::store::{DECLINED, FORMS};
use crate::deploy::plan::{Plan, Plans};
use crate::names::{HostName, PlanId, StorePath};
use crate::time::Timestamp;

/// Most bytes of a file of these.
const LARGEST: u64 = 4_096;

/// A form that was shown.
#[derive(Serialize)]
struct Shown<'a> {
    version: u32,
    plan_id: &'a PlanId,
    at: Timestamp,
}

/// What a plan does, whatever its name: a plan made anew for it is asked about as this one is.
#[derive(Serialize)]
struct Subject<'a> {
    action: Action,
    reboot: bool,
    hosts: Vec<(&'a HostName, &'a StorePath)>,
}

/// A person's no in a form, to what a plan does.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declined {
    version: u32,
    plan_id: PlanId,
    until: Timestamp,
}

/// Counts a form as shown, before it is.
///
/// # Errors
/// Why none may be shown: it was shown as often as it may be, or a person declined this very change. And
/// [`ApprovalError::State`].
pub(super) fn count(plans: &Plans, plan: &Plan) -> Result<Result<(), NoForm>, ApprovalError> {
    if let Some(bytes) = plans.folder.read(&declined_name(plan)?, LARGEST)? {
        let declined: Declined = serde_json::from_slice(&bytes).map_err(|error| {
            let problem = format!("what was declined before cannot be read: {error}");
            ApprovalError::Malformed { id: plan.id.clone(), problem }
        })?;
        if Timestamp::now() < declined.until {
            let Declined { plan_id, until, .. } = declined;
            return Ok(Err(NoForm::DeclinedBefore { plan_id, until }));
        }
    }
    let shown = canonical::form(&Shown { version: 1, plan_id: &plan.id, at: Timestamp::now() })?;
    for name in FORMS {
        if plans.folder.create(&format!("{}{name}", plan.id), shown.as_bytes())? {
            return Ok(Ok(()));
        }
    }
    Ok(Err(NoForm::Shown))
}

/// Remembers a no to what the plan does, for as long as the plan would have lived.
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
