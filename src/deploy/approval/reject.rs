//! Rejecting a plan.

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
    /// Rejects the plan for good. Returns the rejection that counts, which is an earlier one if there is one.
    ///
    /// # Errors
    /// [`ApprovalError::TooLate`] if its deployment began already; nothing is undone then. [`ApprovalError::Unlogged`] if
    /// the rejection counts but could not be logged; rejecting again logs it. See [`ApprovalError`] for the rest.
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
            // An unreadable plan can be rejected too.
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
                // Decided before it is logged: the rejection must count even if logging fails.
                decision::mark_unlogged(&self.plans, id)?;
                match decision::claim(&self.plans, id, &Decision::Rejected(rejection.clone()))? {
                    None => rejection,
                    // Another process rejected the plan meanwhile, and logs its own rejection.
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

    /// Writes a rejection to the audit log. If that fails, the rejection stays marked as unlogged.
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
