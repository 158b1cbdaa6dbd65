//! A person's no to a plan.

use std::time::Instant;

use serde_json::json;

use super::record::VERSION;
use super::{ApprovalError, Approvals, Decision, Rejection, approval_name, decision, plain_name};
use crate::audit::{AuditEvent, AuditRecord};
use crate::deploy::plan::PlanError;
use crate::names::PlanId;
use crate::state::writer;
use crate::time::Timestamp;

impl Approvals {
    /// Decides that the plan is never deployed, and says who decided so: this person, or one before.
    ///
    /// # Errors
    /// [`ApprovalError::TooLate`] where it was deployed, or is being: nothing is undone. [`ApprovalError::Unlogged`] where
    /// it is rejected and the audit log does not say so yet: rejecting it again logs it. See [`ApprovalError`].
    pub async fn reject(&self, id: &PlanId, by: &str, client: &str) -> Result<Rejection, ApprovalError> {
        let (this, id, by, client) = (self.clone(), id.clone(), by.to_owned(), client.to_owned());
        writer::run(move |begun| this.decide_against(&id, &by, &client, begun)).await
    }

    fn decide_against(
        &self,
        id: &PlanId,
        by: &str,
        client: &str,
        begun: Instant,
    ) -> Result<Rejection, ApprovalError> {
        let plan_digest = match self.plans.load(id) {
            Ok(stored) => Some(stored.digest().clone()),
            // What cannot be read can be rejected all the same.
            Err(PlanError::Damaged { .. } | PlanError::OtherVersion { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let rejection = match self.decision(id)? {
            Some(Decision::Spent(_)) => return Err(ApprovalError::TooLate(id.clone())),
            Some(Decision::Rejected(before)) if decision::is_logged(&self.plans, id)? => return Ok(before),
            Some(Decision::Rejected(before)) => before,
            None => {
                let rejection = Rejection {
                    version: VERSION,
                    plan_id: id.clone(),
                    plan_digest,
                    rejected_by: plain_name(by),
                    at: Timestamp::now(),
                };
                // The no counts whether or not it can be logged, so it is decided first.
                decision::mark_unlogged(&self.plans, id)?;
                match decision::claim(&self.plans, id, &Decision::Rejected(rejection.clone()))? {
                    None => rejection,
                    // Another process said no in between, and logs its own.
                    Some(Decision::Rejected(before)) => return Ok(before),
                    Some(Decision::Spent(_)) => {
                        decision::mark_logged(&self.plans, id)?;
                        return Err(ApprovalError::TooLate(id.clone()));
                    }
                }
            }
        };
        self.plans.folder.remove(&approval_name(id))?;
        self.log(&rejection, client, begun)?;
        Ok(rejection)
    }

    /// Writes a no to the audit log, which stays marked as unlogged where that fails.
    fn log(&self, rejection: &Rejection, client: &str, begun: Instant) -> Result<(), ApprovalError> {
        let id = &rejection.plan_id;
        let record = AuditRecord {
            event: AuditEvent::Rejected,
            plan_id: Some(id.clone()),
            plan_digest: rejection.plan_digest.clone(),
            host: None,
            client: client.to_owned(),
            user: crate::user::current(),
            details: json!({"by": rejection.by(), "rejected_at": rejection.at()})
                .as_object()
                .cloned()
                .unwrap_or_default(),
        };
        self.audit.append_blocking(&record, begun).map_err(|cause| ApprovalError::Unlogged {
            id: id.clone(),
            by: rejection.by().to_owned(),
            command: self.settings.command.clone(),
            cause,
        })?;
        decision::mark_logged(&self.plans, id)
    }
}
