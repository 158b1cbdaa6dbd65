//! Validity of an approval, checked when it is recorded and again when it is used.

use super::error::ApprovalError;
use super::{Approval, Approvals, signature};
use crate::config::ApprovalMethod;
use crate::deploy::plan::StoredPlan;
use crate::progress::Call;
use crate::time::Timestamp;

impl Approvals {
    /// Checks that the approval is valid for this plan, at this moment, under these settings.
    pub(super) async fn check(
        &self,
        stored: &StoredPlan,
        approval: &Approval,
        call: &Call,
    ) -> Result<(), ApprovalError> {
        let plan = stored.plan();
        let id = &plan.id;
        stored.require_current(Timestamp::now())?;
        if !approval.is_of(stored) {
            return Err(ApprovalError::OtherPlan(id.clone()));
        }
        if !self.settings.approve_by.contains(&approval.channel) {
            return Err(ApprovalError::ChannelNotAllowed { id: id.clone(), channel: approval.channel });
        }
        if approval.at < plan.created || approval.at > Timestamp::now() {
            let problem =
                format!("it was given at {}, before the plan was made or in the future", approval.at);
            return Err(ApprovalError::Malformed { id: id.clone(), problem });
        }
        let missing: Vec<String> = plan
            .blocking_risks()
            .into_iter()
            .filter(|code| !approval.named_risks.iter().any(|named| named == code))
            .map(str::to_owned)
            .collect();
        if !missing.is_empty() {
            return Err(ApprovalError::RisksNotNamed { id: id.clone(), codes: missing });
        }
        match (approval.channel, &approval.signature) {
            (ApprovalMethod::Signature, Some(signature)) => {
                let approvers = self.settings.approvers.as_deref();
                let who = signature::verify(stored.canonical(), signature, approvers, &call.cancel).await?;
                if who != approval.by {
                    let problem =
                        format!("the record names {} as the signer, but {who} signed it", approval.by);
                    return Err(ApprovalError::Malformed { id: id.clone(), problem });
                }
                signature::require_scope(&who, self.settings.scopes.get(&who), plan)?;
            }
            (ApprovalMethod::Signature, None) => {
                let problem = "it has no signature".to_owned();
                return Err(ApprovalError::Malformed { id: id.clone(), problem });
            }
            (ApprovalMethod::Elicitation | ApprovalMethod::Terminal, _) => {}
        }
        Ok(())
    }
}
