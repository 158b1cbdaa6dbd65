//! A person's yes to a plan: recorded, bound to what the plan says, and good for one deployment.
//!
//! What changes files waits for the disk, and for other processes that hold the log: each such step is done as a whole
//! on the thread that [`crate::state::writer`] has for that.

mod check;
mod decision;
mod error;
mod forms;
mod question;
mod record;
pub mod signature;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audit::{Audit, Event, Record};
use crate::config::{Channel, DeploySettings};
use crate::deploy::plan::store::APPROVAL;
use crate::deploy::plan::{Plan, PlanError, Plans, Requester, StoredPlan, show};
use crate::diagnostic::Diagnostic;
use crate::names::PlanId;
use crate::progress::Call;
use crate::state::{StateFolder, writer};
use crate::text;
use crate::time::Timestamp;

use decision::LARGEST;
pub use decision::{Decision, Rejection};
pub use error::{ApprovalError, NoForm};
pub use question::{Answer, Approver, Nobody, Question};
use record::VERSION;
pub use record::{Approval, Spent};

/// Longest wait for a person's answer to a form; longer ones are better typed in a terminal.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// A yes that is to be recorded.
#[derive(Clone, Debug)]
pub struct Yes {
    /// How it came.
    pub channel: Channel,
    /// Who gave it.
    pub by: String,
    /// The blocking risks they named.
    pub named_risks: Vec<String>,
    /// The signature, where that is the channel.
    pub signature: Option<String>,
}

/// Plans, the approvals beside them, and the log of both.
#[derive(Clone, Debug)]
pub struct Approvals {
    plans: Plans,
    audit: Audit,
    settings: DeploySettings,
}

impl Approvals {
    /// Those in the state folder of these settings.
    ///
    /// # Errors
    /// [`PlanError::NoFolder`] and [`PlanError::State`].
    pub fn open(settings: &DeploySettings) -> Result<Self, PlanError> {
        let path = settings.state_folder.as_deref().ok_or(PlanError::NoFolder)?;
        let audit = Audit::new(StateFolder::open(path)?);
        Ok(Self { plans: Plans::open(settings)?, audit, settings: settings.clone() })
    }

    /// The plans.
    #[must_use]
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// The log of what is done with them.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The settings they follow.
    #[must_use]
    pub fn settings(&self) -> &DeploySettings {
        &self.settings
    }

    /// Says that no settings about guarding deployments wait for a person's trust.
    ///
    /// # Errors
    /// [`ApprovalError::Untrusted`].
    pub fn require_trust(&self) -> Result<(), ApprovalError> {
        match &self.settings.untrusted {
            None => Ok(()),
            Some(untrusted) => Err(ApprovalError::Untrusted {
                settings: untrusted.clone(),
                command: format!("{} trust", self.settings.command),
            }),
        }
    }

    /// The plan of that name, whether or not it can still be approved.
    ///
    /// # Errors
    /// See [`PlanError`]; [`ApprovalError::Rejected`] for one that cannot be read and was rejected.
    pub fn load(&self, id: &PlanId) -> Result<StoredPlan, ApprovalError> {
        let error = match self.plans.load(id) {
            Ok(stored) => return Ok(stored),
            Err(error) => error,
        };
        match self.decision(id) {
            Ok(Some(decision @ Decision::Rejected(_))) => Err(decision.refusal(id)),
            _ => Err(error.into()),
        }
    }

    /// Keeps a new plan, once it is in the log.
    ///
    /// # Errors
    /// See [`ApprovalError`].
    pub async fn keep(&self, plan: Plan) -> Result<StoredPlan, ApprovalError> {
        let this = self.clone();
        writer::write(move |begun| this.save(plan, begun)).await
    }

    fn save(&self, plan: Plan, begun: Instant) -> Result<StoredPlan, ApprovalError> {
        let client = plan.requested_by.client.clone();
        let hosts: Vec<_> = plan.hosts.iter().map(|host| host.host.as_str()).collect();
        let details = json!({
            "action": plan.action,
            "hosts": text::bounded(&hosts.join(" "), 2_000),
            "revision": plan.flake.revision,
            "dirty": plan.flake.dirty,
        });
        let stored = self.plans.prepare(plan)?;
        // First: what lies there can be approved, whoever was told that it failed.
        self.audit.write(&recorded(Event::Planned, &stored, &client, &details), begun)?;
        self.plans.put(&stored)?;
        Ok(stored)
    }

    /// What became of the plan; none where it waits.
    ///
    /// # Errors
    /// [`ApprovalError::State`] and [`ApprovalError::Malformed`].
    pub fn decision(&self, id: &PlanId) -> Result<Option<Decision>, ApprovalError> {
        decision::read(&self.plans, id)
    }

    /// Says that the plan was neither deployed nor rejected.
    ///
    /// # Errors
    /// [`ApprovalError::Spent`] and [`ApprovalError::Rejected`], and as [`Approvals::decision`].
    pub fn require_undecided(&self, id: &PlanId) -> Result<(), ApprovalError> {
        decision::require_none(&self.plans, id)
    }

    /// The approval that lies beside the plan, whether or not it counts.
    ///
    /// # Errors
    /// [`ApprovalError::State`] and [`ApprovalError::Malformed`].
    pub fn recorded(&self, id: &PlanId) -> Result<Option<Approval>, ApprovalError> {
        let Some(bytes) = self.plans.folder.read(&approval_name(id), LARGEST)? else { return Ok(None) };
        let malformed = |problem: String| ApprovalError::Malformed { id: id.clone(), problem };
        let approval: Approval =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if approval.version != VERSION {
            return Err(malformed(format!("its version is {}, not {VERSION}", approval.version)));
        }
        Ok(Some(approval))
    }

    /// Records a person's yes beside the plan, after it was checked as it will be before it is spent.
    ///
    /// # Errors
    /// See [`ApprovalError`].
    pub async fn record(
        &self,
        stored: &StoredPlan,
        yes: Yes,
        call: &Call,
    ) -> Result<Approval, ApprovalError> {
        let id = &stored.plan().id;
        self.require_trust()?;
        self.require_undecided(id)?;
        let approval = self.approval(stored, yes);
        self.check(stored, &approval, call).await?;
        let (this, stored) = (self.clone(), stored.clone());
        writer::write(move |begun| this.put_beside(&stored, approval, begun)).await
    }

    fn put_beside(
        &self,
        stored: &StoredPlan,
        approval: Approval,
        begun: Instant,
    ) -> Result<Approval, ApprovalError> {
        let id = &stored.plan().id;
        let bytes = crate::canonical::form(&approval)?;
        self.require_undecided(id)?;
        self.audit.write(&recorded(Event::Approved, stored, "terminal", &approval.told()), begun)?;
        self.plans.folder.replace(&approval_name(id), bytes.as_bytes())?;
        // Who decided in between did not see this approval, unless they used it.
        match self.decision(id)? {
            None => Ok(approval),
            Some(Decision::Spent(used)) if used == approval => Ok(approval),
            Some(decision) => {
                self.plans.folder.remove(&approval_name(id))?;
                Err(decision.refusal(id))
            }
        }
    }

    /// Decides that the plan is never deployed, and says who decided so: this person, or one before.
    ///
    /// # Errors
    /// [`ApprovalError::TooLate`] where it was deployed, or is being: nothing is undone. [`ApprovalError::Unlogged`] where
    /// it is rejected and the audit log does not say so yet: rejecting it again logs it. See [`ApprovalError`].
    pub async fn reject(&self, id: &PlanId, by: &str, client: &str) -> Result<Rejection, ApprovalError> {
        let (this, id, by, client) = (self.clone(), id.clone(), by.to_owned(), client.to_owned());
        writer::write(move |begun| this.decide_against(&id, &by, &client, begun)).await
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
        let record = Record {
            event: Event::Rejected,
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
        self.audit.write(&record, begun).map_err(|cause| ApprovalError::Unlogged {
            id: id.clone(),
            by: rejection.by().to_owned(),
            command: self.settings.command.clone(),
            cause,
        })?;
        decision::mark_logged(&self.plans, id)
    }

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
        if approval.channel == Channel::Elicitation {
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
                if self.settings.approve_by.contains(&Channel::Elicitation) =>
            {
                self.ask(stored, approver, by, call).await
            }
            other => other,
        };
        if let Err(error) = &obtained
            && !matches!(error, ApprovalError::Asked(_))
        {
            let details = json!({"code": Diagnostic::from(error).code, "reason": error.to_string()});
            let logged = self.audit.append(recorded(Event::Refused, stored, &by.client, &details)).await;
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
        call.saying("waiting for a person's approval");
        let (phrase, risks, by) = match approver.ask(&question, call).await {
            Answer::Given { phrase, risks, by } => (phrase, risks, by),
            Answer::Declined => {
                let (plans, declined) = (self.plans.clone(), plan.clone());
                let rejected = self.reject(id, &format!("the user of {}", by.client), &by.client).await;
                // Each is written whether or not the other could be.
                let kept = writer::write(move |_| forms::declined(&plans, &declined)).await;
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
        let yes = Yes { channel: Channel::Elicitation, by, named_risks: named(&risks), signature: None };
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
        writer::write(move |_| forms::count(&plans, &plan)).await
    }

    fn required(&self, id: &PlanId, no_form: NoForm) -> ApprovalError {
        let (by, program) = (&self.settings.approve_by, &self.settings.command);
        let command = if by.contains(&Channel::Terminal) {
            Some(format!("{program} approve {id}"))
        } else {
            by.contains(&Channel::Signature).then(|| format!("{program} approve {id} --sign KEY"))
        };
        ApprovalError::Required { id: id.clone(), command, no_form }
    }

    fn approval(&self, stored: &StoredPlan, yes: Yes) -> Approval {
        Approval {
            version: VERSION,
            plan_id: stored.plan().id.clone(),
            plan_digest: stored.digest().clone(),
            channel: yes.channel,
            by: plain_name(&yes.by),
            at: Timestamp::now(),
            named_risks: yes.named_risks,
            signature: yes.signature,
        }
    }

    /// Turns a checked approval into a [`Spent`], once.
    async fn use_up(&self, stored: &StoredPlan, approval: Approval) -> Result<Spent, ApprovalError> {
        let (this, stored) = (self.clone(), stored.clone());
        writer::write(move |begun| this.claim(stored, approval, begun)).await
    }

    fn claim(&self, stored: StoredPlan, approval: Approval, begun: Instant) -> Result<Spent, ApprovalError> {
        let id = &stored.plan().id;
        self.require_undecided(id)?;
        // Before it is used up: what cannot be recorded can be asked for again.
        if approval.channel == Channel::Elicitation {
            self.audit.write(&recorded(Event::Approved, &stored, "elicitation", &approval.told()), begun)?;
        }
        if let Some(before) = decision::claim(&self.plans, id, &Decision::Spent(approval.clone()))? {
            return Err(before.refusal(id));
        }
        self.plans.folder.remove(&approval_name(id))?;
        Ok(Spent { plan: stored, approval })
    }
}

/// An entry about a plan.
fn recorded(event: Event, stored: &StoredPlan, client: &str, details: &Value) -> Record {
    Record {
        event,
        plan_id: Some(stored.plan().id.clone()),
        plan_digest: Some(stored.digest().clone()),
        host: None,
        client: client.to_owned(),
        user: crate::user::current(),
        details: details.as_object().cloned().unwrap_or_default(),
    }
}

/// The codes in what a person typed, in any order, with spaces or commas between.
#[must_use]
pub fn named(typed: &str) -> Vec<String> {
    let mut codes: Vec<String> = typed
        .split([' ', ',', '\n', '\t'])
        .filter(|code| !code.is_empty())
        .take(256)
        .map(|code| text::bounded(&text::plain(code), 64))
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn approval_name(id: &PlanId) -> String {
    format!("{id}{APPROVAL}")
}

/// What somebody is called, as a piece of one line.
fn plain_name(name: &str) -> String {
    text::bounded(&text::plain(name).replace('\n', " "), 200)
}

#[cfg(test)]
mod tests;
