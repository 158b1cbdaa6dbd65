//! Using an approval, and asking a person for one.

use std::time::Instant;

use serde_json::json;

use super::{
    Approval, ApprovalAnswer, ApprovalError, ApprovalRequest, Approvals, Approver, Consent, Decision, NoForm,
    PATIENCE, SpentApproval, approval_name, decision, forms, named, recorded,
};
use crate::audit::AuditEvent;
use crate::config::ApprovalMethod;
use crate::deploy::plan::{Plan, Requester, StoredPlan, show};
use crate::diagnostic::Diagnostic;
use crate::names::PlanId;
use crate::progress::Call;
use crate::state::writer;
use crate::time::Timestamp;

impl Approvals {
    /// Uses the approval that is stored beside the plan. If several processes try, only one succeeds.
    ///
    /// # Errors
    /// [`ApprovalError::Required`] if there is no approval; other [`ApprovalError`]s if it is not accepted.
    pub async fn spend(&self, stored: &StoredPlan, call: &Call) -> Result<SpentApproval, ApprovalError> {
        let id = &stored.plan().id;
        self.require_trust()?;
        self.require_undecided(id)?;
        let Some(approval) = self.recorded(id)? else {
            // Another process may have used or rejected it since the check above.
            self.require_undecided(id)?;
            return Err(self.required(id, NoForm::Unavailable));
        };
        // A form's answer is never stored beside the plan: the call that receives it uses it at once.
        if approval.channel == ApprovalMethod::Elicitation {
            let problem = "this program does not store the answer to a form before it is used".to_owned();
            return Err(ApprovalError::Malformed { id: id.clone(), problem });
        }
        self.check(stored, &approval, call).await?;
        self.use_up(stored, approval).await
    }

    /// Uses the plan's approval, or asks the person behind the call for one.
    ///
    /// The call can be repeated with the person's answer, because nothing is deployed before there is an approval.
    ///
    /// # Errors
    /// See [`ApprovalError`]; the audit log gets an entry for each one but [`ApprovalError::Asked`].
    pub async fn obtain(
        &self,
        stored: &StoredPlan,
        approver: &dyn Approver,
        by: &Requester,
        call: &Call,
    ) -> Result<SpentApproval, ApprovalError> {
        let obtained = match self.spend(stored, call).await {
            Err(ApprovalError::Required { .. })
                if self.settings.approve_by.contains(&ApprovalMethod::Elicitation) =>
            {
                self.ask(stored, approver, by, call).await
            }
            other => other,
        };
        if let Err(error) = &obtained
            && !matches!(error, ApprovalError::Asked(_))
        {
            let details = json!({"code": Diagnostic::from(error).code, "reason": error.to_string()});
            let logged = self.audit.append(recorded(AuditEvent::Refused, stored, &by.client, &details)).await;
            // An `Unlogged` error already reports that the log cannot be written.
            if !matches!(error, ApprovalError::Unlogged { .. }) {
                logged?;
            }
        }
        obtained
    }

    async fn ask(
        &self,
        stored: &StoredPlan,
        approver: &dyn Approver,
        by: &Requester,
        call: &Call,
    ) -> Result<SpentApproval, ApprovalError> {
        let plan = stored.plan();
        let id = &plan.id;
        let now = Timestamp::now();
        stored.require_current(now)?;
        if approver.shows_form()
            && let Err(no_form) = self.count_form(plan).await?
        {
            return Err(self.required(id, no_form));
        }
        let risks: Vec<String> = plan.blocking_risks().into_iter().map(str::to_owned).collect();
        let question = ApprovalRequest {
            plan_id: id.clone(),
            plan_digest: stored.digest().clone(),
            text: show::plan(plan, now),
            phrase: plan.phrase().to_owned(),
            risks,
            patience: plan.expires.since(now).min(PATIENCE),
        };
        call.report_message("waiting for a person's approval");
        let (phrase, risks, by) = match approver.ask(&question, call).await {
            ApprovalAnswer::Given { phrase, risks, by } => (phrase, risks, by),
            ApprovalAnswer::Declined => {
                let (plans, declined) = (self.plans.clone(), plan.clone());
                let rejected = self.reject(id, &format!("the user of {}", by.client), &by.client).await;
                // Recorded even if the rejection failed.
                let kept = writer::run(move |_| forms::declined(&plans, &declined)).await;
                let refusal = Decision::Rejected(rejected?).refusal(id);
                if let Err(error) = kept {
                    tracing::error!(%error, plan = %id, "the declined change could not be recorded: a form may ask \
                        about it again");
                }
                return Err(refusal);
            }
            ApprovalAnswer::Unanswered => return Err(ApprovalError::Unanswered(id.clone())),
            ApprovalAnswer::Asked => return Err(ApprovalError::Asked(id.clone())),
            ApprovalAnswer::Overtaken => return Err(ApprovalError::Overtaken(id.clone())),
            ApprovalAnswer::Stray => return Err(ApprovalError::Stray(id.clone())),
            ApprovalAnswer::Unavailable => return Err(self.required(id, NoForm::Unavailable)),
        };
        if phrase.trim() != question.phrase {
            return Err(ApprovalError::WrongWords { id: id.clone(), expected: question.phrase });
        }
        let consent =
            Consent { channel: ApprovalMethod::Elicitation, by, named_risks: named(&risks), signature: None };
        let approval = self.approval(stored, consent);
        // The plan may have been rejected or altered while the person was asked.
        let again = self.plans.load(id)?;
        if again.digest() != stored.digest() {
            return Err(ApprovalError::OtherPlan(id.clone()));
        }
        self.check(stored, &approval, call).await?;
        self.use_up(stored, approval).await
    }

    async fn count_form(&self, plan: &Plan) -> Result<Result<(), NoForm>, ApprovalError> {
        let (plans, plan) = (self.plans.clone(), plan.clone());
        writer::run(move |_| forms::count(&plans, &plan)).await
    }

    fn required(&self, id: &PlanId, no_form: NoForm) -> ApprovalError {
        let (by, program) = (&self.settings.approve_by, &self.settings.command);
        let command = if by.contains(&ApprovalMethod::Terminal) {
            Some(format!("{program} approve {id}"))
        } else {
            by.contains(&ApprovalMethod::Signature).then(|| format!("{program} approve {id} --sign KEY"))
        };
        ApprovalError::Required { id: id.clone(), command, no_form }
    }

    /// Turns a checked approval into a [`SpentApproval`]; fails if the plan has a decision already.
    async fn use_up(&self, stored: &StoredPlan, approval: Approval) -> Result<SpentApproval, ApprovalError> {
        let (this, stored) = (self.clone(), stored.clone());
        writer::run(move |begun| this.claim(stored, approval, begun)).await
    }

    fn claim(
        &self,
        stored: StoredPlan,
        approval: Approval,
        begun: Instant,
    ) -> Result<SpentApproval, ApprovalError> {
        let id = &stored.plan().id;
        self.require_undecided(id)?;
        // Logged before it is used: if logging fails, the person can be asked again.
        if approval.channel == ApprovalMethod::Elicitation {
            self.audit.append_blocking(
                &recorded(AuditEvent::Approved, &stored, "elicitation", &approval.audit_details()),
                begun,
            )?;
        }
        if let Some(before) = decision::claim(&self.plans, id, &Decision::Spent(approval.clone()))? {
            return Err(before.refusal(id));
        }
        self.plans.folder.remove(&approval_name(id))?;
        Ok(SpentApproval { plan: stored, approval })
    }
}
