//! `rollback_host`: returns a host to an older generation, with the same protection as a deployment.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::answer_limit::EntryLabel;
use super::deploy::{self, Output};
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::advice::Remedy;
use crate::config::Action;
use crate::deploy::{
    ApprovalError, Approvals, FlakeSource, Pace, Plan, PlanError, StoredPlan, SystemSource, propose_rollback,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{HostName, PlanId};

/// The tool `rollback_host`.
pub struct RollbackHost;

/// The arguments of `rollback_host`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
    /// Default: the one before the current one.
    #[serde(default)]
    generation: Option<u64>,
}

impl Tool for RollbackHost {
    const NAME: &'static str = "rollback_host";
    const TITLE: &'static str = "Roll a host back";
    const DESCRIPTION: &'static str = "Rolls a host back to an older generation (list_generations lists them) after a \
        person approved it, with the same protection as deploy.";
    const EFFECT: Effect = Effect::Host;
    const REACH: Reach = Reach::Hosts;
    const IDEMPOTENT: bool = false;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let approvals = Approvals::open(&context.settings().deploy).map_err(ApprovalError::from)?;
        approvals.require_trust()?;
        // The approval belongs to the plan that the person was asked about, not to a new one.
        let stored = match context.approver.answers() {
            Some(id) => load_asked_plan(&approvals, &id, &input)?,
            None => make_plan(context, &approvals, &input).await?,
        };
        deploy::carry_out(context, &approvals, &stored).await
    }

    fn is_failure(output: &Output) -> bool {
        deploy::Deploy::is_failure(output)
    }

    fn label(host: &Value) -> Option<EntryLabel<'_>> {
        deploy::Deploy::label(host)
    }

    fn render(output: &Output) -> String {
        deploy::Deploy::render(output)
    }
}

/// Loads the plan that the person was asked about.
///
/// # Errors
/// If the plan does not match these arguments.
fn load_asked_plan(approvals: &Approvals, id: &PlanId, input: &Input) -> Result<StoredPlan, ApprovalError> {
    let stored = approvals.plans().load(id)?;
    let is_asked_for = match stored.plan().hosts.as_slice() {
        [host_plan] => match host_plan.source {
            SystemSource::Generation(number) => {
                host_plan.host == input.host && input.generation.is_none_or(|wanted| wanted == number)
            }
            SystemSource::New | SystemSource::Present => false,
        },
        _ => false,
    };
    if is_asked_for { Ok(stored) } else { Err(ApprovalError::Stray(id.clone())) }
}

async fn make_plan(context: &Context, approvals: &Approvals, input: &Input) -> Result<StoredPlan, ToolError> {
    let (flake, settings) = (context.flake(), context.settings());
    let host_plan =
        propose_rollback(flake, &context.in_force.hosts, &input.host, input.generation, &context.call)
            .await?;
    let source = match FlakeSource::of(flake, &context.call).await {
        Ok(source) => source,
        Err(error) if Diagnostic::from(&error).code == Code::Cancelled => return Err(error.into()),
        // A rollback does not depend on the flake, so it continues without the revision.
        Err(error) => {
            tracing::warn!(%error, "the plan has no revision of the flake");
            FlakeSource::unknown(settings.flake.display().to_string())
        }
    };
    if !context.in_force.is_current().await {
        let message = "the settings changed while the host was surveyed";
        let error = Diagnostic::new(Code::PlanOutdated, message).with_hint(Remedy::CallAgain);
        return Err(error.into());
    }
    let plan = Plan::draft(
        Action::Switch,
        source,
        context.requester(),
        vec![host_plan],
        Pace::default(),
        settings.deploy.plan_lifetime,
    )
    .map_err(|error| ApprovalError::from(PlanError::Randomness(error)))?;
    Ok(approvals.keep(plan).await?)
}
