//! Using up an approval, and asking for one.

use std::time::Instant;

use serde_json::json;

use super::{
    Answer, Approval, ApprovalError, Approvals, Approver, Decision, NoForm, PATIENCE, Question, Spent, Yes,
    approval_name, decision, forms, named, recorded,
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
    /// Uses up the approval that lies beside the plan. Of several that try, one gets it.
    ///
    /// # Errors
    /// [`ApprovalError::Required`] where there is none, and whatever makes it not count.
    pub async fn spend(&self, stored: &StoredPlan, call: &Call) -> Result<Spent, ApprovalError> {
        let id = &stored.plan().id;
        self.require_trust()?;
        self.require_undecided(id)?;
        let Some(approval) = self.recorded(id)? else {
            // Somebody may have used or rejected it between the two looks.
            self.require_undecided(id)?;
            return Err(self.required(id, NoForm::Unavailable));
        };
        // A form's answer never lies there: it is used by the call it was given to.
        if approval.channel == ApprovalMethod::Elicitation {
            let problem = "a form's answer is never written down before it is used".to_owned();
            return Err(ApprovalError::Malformed { id: id.clone(), problem });
        }
        self.check(stored, &approval, call).await?;
        self.use_up(stored, approval).await
    }

    /// Uses up the plan's approval, or asks the person behind the call for one.
    ///
    /// Changes nothing before there is one, so that a call can be made again with the answer.
    ///
    /// # Errors
    /// See [`ApprovalError`]; each refusal is in the log.
    pub async fn obtain(
        &self,
        stored: &StoredPlan,
        approver: &dyn Approver,
        by: &Requester,
        call: &Call,
    ) -> Result<Spent, ApprovalError> {
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
            // That one says itself that the log cannot be written.
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
    ) -> Result<Spent, ApprovalError> {
        let plan = stored.plan();
        let id = &plan.id;
        let now = Timestamp::now();
        stored.require_current(now)?;
        if approver.shows()
            && let Err(no_form) = self.count_form(plan).await?
        {
            return Err(self.required(id, no_form));
        }
        let risks: Vec<String> = plan.blocking_risks().into_iter().map(str::to_owned).collect();
        let question = Question {
            plan_id: id.clone(),
            plan_digest: stored.digest().clone(),
            text: show::plan(plan, now),
            phrase: plan.phrase().to_owned(),
            risks,
            patience: plan.expires.since(now).min(PATIENCE),
        };
        call.report_message("waiting for a person's approval");
        let (phrase, risks, by) = match approver.ask(&question, call).await {
            Answer::Given { phrase, risks, by } => (phrase, risks, by),
            Answer::Declined => {
                let (plans, declined) = (self.plans.clone(), plan.clone());
                let rejected = self.reject(id, &format!("the user of {}", by.client), &by.client).await;
                // Each is written whether or not the other could be.
                let kept = writer::run(move |_| forms::declined(&plans, &declined)).await;
                let refusal = Decision::Rejected(rejected?).refusal(id);
                if let Err(error) = kept {
                    tracing::error!(%error, plan = %id, "the declined change is not remembered: it may be asked about again");
                }
                return Err(refusal);
            }
            Answer::Unanswered => return Err(ApprovalError::Unanswered(id.clone())),
            Answer::Asked => return Err(ApprovalError::Asked(id.clone())),
            Answer::Overtaken => return Err(ApprovalError::Overtaken(id.clone())),
            Answer::Stray => return Err(ApprovalError::Stray(id.clone())),
            Answer::Unavailable => return Err(self.required(id, NoForm::Unavailable)),
        };
        if phrase.trim() != question.phrase {
            return Err(ApprovalError::WrongWords { id: id.clone(), expected: question.phrase });
        }
        let yes =
            Yes { channel: ApprovalMethod::Elicitation, by, named_risks: named(&risks), signature: None };
        let approval = self.approval(stored, yes);
        // A person may have taken long, and the plan may have been rejected or altered meanwhile.
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

    /// Turns a checked approval into a [`Spent`], once.
    async fn use_up(&self, stored: &StoredPlan, approval: Approval) -> Result<Spent, ApprovalError> {
        let (this, stored) = (self.clone(), stored.clone());
        writer::run(move |begun| this.claim(stored, approval, begun)).await
    }

    fn claim(&self, stored: StoredPlan, approval: Approval, begun: Instant) -> Result<Spent, ApprovalError> {
        let id = &stored.plan().id;
        self.require_undecided(id)?;
        // Before it is used up: what cannot be recorded can be asked for again.
        if approval.channel == ApprovalMethod::Elicitation {
            self.audit.append_blocking(
                &recorded(AuditEvent::Approved, &stored, "elicitation", &approval.told()),
                begun,
            )?;
        }
        if let Some(before) = decision::claim(&self.plans, id, &Decision::Spent(approval.clone()))? {
            return Err(before.refusal(id));
        }
        self.plans.folder.remove(&approval_name(id))?;
        Ok(Spent { plan: stored, approval })
    }
}
