//! A person's approval of a plan: recorded, bound to the plan's digest, and valid for one deployment.
//!
//! A step that writes files may block on the disk and on the audit log's lock, so each such step runs as a whole on the
//! thread of [`crate::state::writer`].

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
pub use question::{ApprovalAnswer, ApprovalRequest, Approver, Nobody};
use record::VERSION;
pub use record::{Approval, SpentApproval};

/// Maximum wait for a person's answer to a form.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// A person's consent, before it is checked and recorded as an [`Approval`].
#[derive(Clone, Debug)]
pub struct Consent {
    /// How the person gave it.
    pub channel: ApprovalMethod,
    /// Who gave it.
    pub by: String,
    /// The codes of the blocking risks that the person named.
    pub named_risks: Vec<String>,
    /// The signature over the plan's canonical form; `None` for the other channels.
    pub signature: Option<String>,
}

/// Plans, their approvals and decisions, and the audit log.
#[derive(Clone, Debug)]
pub struct Approvals {
    plans: Plans,
    audit: AuditLog,
    settings: DeploySettings,
}

impl Approvals {
    /// Opens the state folder of these settings.
    ///
    /// # Errors
    /// `PlanError::NoFolder` and `PlanError::State`.
    pub fn open(settings: &DeploySettings) -> Result<Self, PlanError> {
        let path = settings.state_folder.as_deref().ok_or(PlanError::NoFolder)?;
        let audit = AuditLog::new(StateFolder::open(path)?);
        Ok(Self { plans: Plans::open(settings)?, audit, settings: settings.clone() })
    }

    /// The stored plans.
    #[must_use]
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// The audit log of plans, approvals and deployments.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Requires that a person trusts the settings that guard deployments.
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

    /// Loads the plan with this id, even if it can no longer be approved.
    ///
    /// # Errors
    /// See `PlanError`; [`ApprovalError::Rejected`] if it cannot be read and was rejected.
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

    /// Logs a new plan, then stores it.
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
        // Logged before it is stored, because a stored plan can be approved even if this call fails.
        self.audit.append_blocking(&recorded(AuditEvent::Planned, &stored, &client, &details), begun)?;
        self.plans.put(&stored)?;
        Ok(stored)
    }

    /// The decision about the plan; `None` if there is none yet.
    ///
    /// # Errors
    /// [`ApprovalError::State`] and [`ApprovalError::Malformed`].
    pub fn decision(&self, id: &PlanId) -> Result<Option<Decision>, ApprovalError> {
        decision::read(&self.plans, id)
    }

    /// Requires that the plan was neither deployed nor rejected.
    ///
    /// # Errors
    /// [`ApprovalError::Spent`] and [`ApprovalError::Rejected`], and as [`Approvals::decision`].
    pub fn require_undecided(&self, id: &PlanId) -> Result<(), ApprovalError> {
        decision::require_none(&self.plans, id)
    }

    /// The approval that is stored beside the plan, unchecked; `None` if there is none.
    ///
    /// # Errors
    /// [`ApprovalError::State`] and [`ApprovalError::Malformed`].
    pub fn recorded(&self, id: &PlanId) -> Result<Option<Approval>, ApprovalError> {
        let Some(bytes) = self.plans.folder.read(&approval_name(id), LARGEST)? else { return Ok(None) };
        let malformed = |problem: String| ApprovalError::Malformed { id: id.clone(), problem };
        let approval: Approval =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if approval.version != VERSION {
            return Err(malformed(format!("its format version is {}, not {VERSION}", approval.version)));
        }
        Ok(Some(approval))
    }

    /// Checks a person's consent and stores it beside the plan. It is checked again before it is used.
    ///
    /// # Errors
    /// See [`ApprovalError`].
    pub async fn record(
        &self,
        stored: &StoredPlan,
        consent: Consent,
        call: &Call,
    ) -> Result<Approval, ApprovalError> {
        let id = &stored.plan().id;
        self.require_trust()?;
        self.require_undecided(id)?;
        let approval = self.approval(stored, consent);
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
        self.audit.append_blocking(
            &recorded(AuditEvent::Approved, stored, "terminal", &approval.audit_details()),
            begun,
        )?;
        self.plans.folder.replace(&approval_name(id), bytes.as_bytes())?;
        // A decision that was made meanwhile did not consider this approval, unless it used it.
        match self.decision(id)? {
            None => Ok(approval),
            Some(Decision::Spent(used)) if used == approval => Ok(approval),
            Some(decision) => {
                self.plans.folder.remove(&approval_name(id))?;
                Err(decision.refusal(id))
            }
        }
    }

    fn approval(&self, stored: &StoredPlan, consent: Consent) -> Approval {
        Approval {
            version: VERSION,
            plan_id: stored.plan().id.clone(),
            plan_digest: stored.digest().clone(),
            channel: consent.channel,
            by: plain_name(&consent.by),
            at: Timestamp::now(),
            named_risks: consent.named_risks,
            signature: consent.signature,
        }
    }
}

/// An entry of the audit log about a plan.
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

/// The risk codes that a person typed, separated by white space or commas; sorted, each once.
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

/// Reduces a person's name to one line of at most 200 characters.
fn plain_name(name: &str) -> String {
    text::bounded(&text::plain(name).replace('\n', " "), 200)
}

#[cfg(test)]
mod tests;
