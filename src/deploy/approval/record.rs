//! An approval as data, before and after it is used.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::canonical::Digest;
use crate::config::ApprovalMethod;
use crate::deploy::plan::{Plan, StoredPlan};
use crate::names::PlanId;
use crate::time::Timestamp;

/// The version of the format of approvals and decisions.
pub(super) const VERSION: u32 = 1;

/// An approval as it is stored beside its plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub(super) version: u32,
    pub(super) plan_id: PlanId,
    pub(super) plan_digest: Digest,
    pub(super) channel: ApprovalMethod,
    pub(super) by: String,
    pub(super) at: Timestamp,
    pub(super) named_risks: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<String>,
}

impl Approval {
    /// How the person gave it.
    #[must_use]
    pub fn channel(&self) -> ApprovalMethod {
        self.channel
    }

    /// Who gave it: a user of this machine, of a client, or a signer's name.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// The details of its entry in the audit log.
    pub(super) fn audit_details(&self) -> Value {
        json!({"channel": self.channel, "by": self.by, "named_risks": self.named_risks})
    }

    /// Whether it is for this plan with exactly these contents.
    #[must_use]
    pub fn is_of(&self, stored: &StoredPlan) -> bool {
        self.plan_id == stored.plan().id && self.plan_digest == *stored.digest()
    }

    /// The signature over the plan's canonical form; `None` if it was not given by signature.
    #[must_use]
    pub fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }
}

/// An approved plan whose approval is used: the permission to deploy the plan once.
///
/// Only [`spend`](super::Approvals::spend) and [`obtain`](super::Approvals::obtain) make one.
#[derive(Debug)]
pub struct SpentApproval {
    pub(super) plan: StoredPlan,
    pub(super) approval: Approval,
}

impl SpentApproval {
    /// The approved plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.plan.plan()
    }

    /// The approved plan with its canonical form and digest.
    #[must_use]
    pub fn stored(&self) -> &StoredPlan {
        &self.plan
    }

    /// Who approved it and how.
    #[must_use]
    pub fn approval(&self) -> &Approval {
        &self.approval
    }
}
