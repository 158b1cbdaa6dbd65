//! An approval as data, before and after it was used.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::canonical::Digest;
use crate::config::ApprovalMethod;
use crate::deploy::plan::{Plan, StoredPlan};
use crate::names::PlanId;
use crate::time::Timestamp;

/// The version of the form approvals have here.
pub(super) const VERSION: u32 = 1;

/// An approval as it lies beside its plan.
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
    /// How it came.
    #[must_use]
    pub fn channel(&self) -> ApprovalMethod {
        self.channel
    }

    /// Who gave it: a user of this machine, of a client, or a signer's name.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// What the log says of it.
    pub(super) fn told(&self) -> Value {
        json!({"channel": self.channel, "by": self.by, "named_risks": self.named_risks})
    }

    /// Whether it is for this plan as it is now.
    #[must_use]
    pub fn is_of(&self, stored: &StoredPlan) -> bool {
        self.plan_id == stored.plan().id && self.plan_digest == *stored.digest()
    }

    /// The signature over the plan's canonical form, for whoever wants to check it again.
    #[must_use]
    pub fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }
}

/// An approved plan whose approval was used up for whoever holds this: what a deployment begins with.
///
/// There is no other way to make one than [`spend`](super::Approvals::spend) and
/// [`obtain`](super::Approvals::obtain).
#[derive(Debug)]
pub struct Spent {
    pub(super) plan: StoredPlan,
    pub(super) approval: Approval,
}

impl Spent {
    /// What was approved.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.plan.plan()
    }

    /// The same, as it was hashed and signed.
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
