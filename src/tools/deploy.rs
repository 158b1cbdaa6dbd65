//! `deploy`: carries out an approved plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer_limit::{self, EntryLabel};
use super::services::SlotReleasingApprover;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::advice::{Hint, Remedy};
use crate::causes::{self, GroupedEntry};
use crate::config::{Action, ApprovalMethod};
use crate::deploy::{ApprovalError, Approvals, Outcome, Rollout, StoredPlan};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::PlanId;
use crate::text;

/// The tool `deploy`.
pub struct Deploy;

/// The arguments of `deploy`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    plan_id: PlanId,
}

/// Who approved the plan, and how.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    by: String,
    channel: ApprovalMethod,
}

/// The answer of `deploy`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    plan_id: PlanId,
    #[serde(flatten)]
    deployed: Deployed,
    /// The first error; absent if every host ended as planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Diagnostic>,
}

/// How a rollout ended on each host.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Deployed {
    action: Action,
    approved: Approved,
    hosts: Vec<GroupedEntry<Outcome>>,
    /// Number of hosts left out; failed ones are kept first.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_hosts: u64,
    /// The names of the hosts left out, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    more_named: BTreeMap<String, Vec<String>>,
}

impl Tool for Deploy {
    const NAME: &'static str = "deploy";
    const TITLE: &'static str = "Deploy";
    const DESCRIPTION: &'static str = "Carries out a plan of plan_deploy after a person approved it: in this call, or with the command that \
        the error names. Unhealthy hosts roll back by themselves.";
    const EFFECT: Effect = Effect::Host;
    const REACH: Reach = Reach::Hosts;
    const IDEMPOTENT: bool = false;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let approvals = Approvals::open(&context.settings().deploy).map_err(ApprovalError::from)?;
        let stored = approvals.load(&input.plan_id)?;
        let (deployed, error) = carry_out(context, &approvals, &stored).await?;
        Ok(Output { plan_id: stored.plan().id.clone(), deployed, error })
    }

    fn is_failure(output: &Output) -> bool {
        output.error.is_some()
    }

    fn label(host: &Value) -> Option<EntryLabel<'_>> {
        Some(EntryLabel { name: host.get("host")?.as_str()?, state: host.get("state")?.as_str()? })
    }

    fn render(output: &Output) -> String {
        output.deployed.render(&output.plan_id)
    }
}

impl Deployed {
    /// The text for people.
    pub(super) fn render(&self, plan_id: &PlanId) -> String {
        let approved = &self.approved;
        let mut lines =
            vec![format!("{plan_id}: {}, approved by {} ({})", self.action, approved.by, approved.channel)];
        for grouped in &self.hosts {
            let GroupedEntry { entry: host, breaks, same_as, .. } = grouped;
            let generation =
                host.generation.map(|number| format!(", generation {number}")).unwrap_or_default();
            let is_well = host.state.is_success() && host.error.is_none() && same_as.is_none();
            let mark = if is_well { "✓" } else { "✗" };
            lines.push(format!("{mark} {}: {}{generation}", host.host, host.state.as_str()));
            if host.reached_again == Some(true) {
                lines.push("  a new connection reached it after that".to_owned());
            }
            if host.units_failed == Some(true) {
                lines.push("  some units failed to start or restart".to_owned());
            }
            if host.more_health > 0 {
                lines.push(format!("  and {} more checks", host.more_health));
            }
            for health in &host.health {
                let mark = if health.ok { "✓" } else { "✗" };
                lines.push(format!("  {mark}"));
                lines.push(text::fenced(&health.summary()));
            }
            match (&host.error, same_as) {
                (Some(error), _) if breaks.is_empty() => lines.push(format!("  {error}")),
                (Some(error), _) => {
                    let names = grouped.named(host.host.as_str());
                    lines.push(format!("  {error}\n  the same error: {names}"));
                }
                (None, Some(first)) => lines.push(format!("  same error as {first}")),
                (None, None) => {}
            }
        }
        lines.extend(answer_limit::describe_omitted("hosts", self.more_hosts, &self.more_named));
        lines.join("\n")
    }
}

/// The deployment failed as a whole after its approval was used up.
#[derive(Debug, thiserror::Error)]
#[error("the deployment ended early: {0}")]
struct EndedEarly(String);

impl From<&EndedEarly> for Diagnostic {
    fn from(error: &EndedEarly) -> Self {
        Self::new(Code::StateUnusable, error.to_string()).with_hint(
            Hint::from(Remedy::ShowStatus)
                .and("; correct the reported problem, and ", Remedy::PlanAndApproveAnew),
        )
    }
}

/// Obtains the approval of a plan, then carries the plan out. Returns how it ended, with the first error of a host.
pub(super) async fn carry_out(
    context: &Context,
    approvals: &Approvals,
    stored: &StoredPlan,
) -> Result<(Deployed, Option<Diagnostic>), ToolError> {
    let (by, call) = (context.requester(), &context.call);
    let spent = approvals.obtain(stored, &SlotReleasingApprover(context), &by, call).await?;
    // If this call is dropped, the rollout is cancelled; its task continues and rolls the hosts back.
    let stopped = call.cancel.clone().drop_guard();
    let (services, audit) = (Arc::clone(&context.services), approvals.audit().clone());
    let in_force = Arc::clone(&context.in_force);
    let call = call.clone();
    let rollout = async move {
        let rollout = Rollout {
            flake: &in_force.flake,
            hosts: &in_force.hosts,
            audit: &audit,
            spent: &spent,
            by: &by,
            call: &call,
            abandon: services.rollouts.abandon_token(),
        };
        (rollout.carry_out().await, spent)
    };
    let result = context.services.rollouts.run(rollout).await;
    stopped.disarm();
    let (rollout, spent) = result.map_err(|error| EndedEarly(error.to_string()))?;
    let rollout = rollout.map_err(|error| EndedEarly(error.to_string()))?;
    let unrecorded = rollout.unrecorded.as_ref().map(Diagnostic::from);
    let error = rollout.outcomes.iter().find_map(|host| host.error.clone()).or(unrecorded);
    let deployed = Deployed {
        action: spent.plan().action,
        approved: Approved { by: spent.approval().by().to_owned(), channel: spent.approval().channel() },
        hosts: causes::group_by_cause(rollout.outcomes),
        more_hosts: 0,
        more_named: BTreeMap::new(),
    };
    Ok((deployed, error))
}
