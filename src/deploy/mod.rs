//! Deployment: survey a host, propose a plan, obtain an approval, roll the plan out.
//!
//! This module does not depend on MCP: it takes a [`crate::progress::Call`] and returns its own types and errors.

mod approval;
mod host;
mod plan;
mod propose;
mod rollout;
mod supervisor;

pub use approval::Nobody;
pub(crate) use approval::{ApprovalAnswer, ApprovalRequest, Approver, Consent, signature};
pub use approval::{ApprovalError, Approvals, Decision};
pub(crate) use host::{DiskSpace, HostEndpoint, HostState, SurveyError, endpoint_of, survey};
#[cfg(test)]
pub(crate) use plan::fixture;
pub(crate) use plan::{
    Change, Diff, Effects, FlakeSource, HostPlan, ListedPlan, MOST_HOSTS, Pace, PlanError, Requester, Risk,
    Severity, SystemSource, show,
    show::{EffectStyle, effect_lines},
};
pub use plan::{PLAN_VERSION, Plan, StoredPlan};
pub(crate) use propose::{
    Intent, ProposeError, Rollback, closure_of, difference, propose_deployment, propose_rollback,
};
pub(crate) use rollout::{Outcome, Rollout};
pub use supervisor::SUPERVISOR_SCRIPT;
pub(crate) use supervisor::{DeploymentStep, LatestDeployment, SuperviseError, latest_deployment};
