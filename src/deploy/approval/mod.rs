//! A person's yes to a plan: recorded, bound to what the plan says, and good for one deployment.
//!
//! What changes files waits for the disk, and for other processes that hold the log: each such step is done as a whole
//! on the thread that [`crate::state::writer`] has for that.

mod check;
mod decision;
mod error;
mod forms;
mod obtain;
mod question;
mod record;
mod reject;
pub mod signature;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audit::{AuditEvent, AuditLog, AuditRecord};
use crate::config::{ApprovalMethod, DeploySettings};
use crate::deploy::plan::store::APPROVAL;
use crate::deploy::plan::{Plan, PlanError, Plans, StoredPlan};
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
    pub channel: ApprovalMethod,
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
    audit: AuditLog,
    settings: DeploySettings,
}

impl Approvals {
    /// Those in the state folder of these settings.
    ///
    /// # Errors
    /// [`PlanError::NoFolder`] and [`PlanError::State`].
    pub fn open(settings: &DeploySettings) -> Result<Self, PlanError> {
        let path = settings.state_folder.as_deref().ok_or(PlanError::NoFolder)?;
        let audit = AuditLog::new(StateFolder::open(path)?);
        Ok(Self { plans: Plans::open(settings)?, audit, settings: settings.clone() })
    }

    /// The plans.
    #[must_use]
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// The log of what is done with them.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
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
        writer::run(move |begun| this.save(plan, begun)).await
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
        self.audit.append_blocking(&recorded(AuditEvent::Planned, &stored, &client, &details), begun)?;
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
        writer::run(move |begun| this.put_beside(&stored, approval, begun)).await
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
        self.audit
            .append_blocking(&recorded(AuditEvent::Approved, stored, "terminal", &approval.told()), begun)?;
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
}

/// An entry about a plan.
fn recorded(event: AuditEvent, stored: &StoredPlan, client: &str, details: &Value) -> AuditRecord {
    AuditRecord {
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
