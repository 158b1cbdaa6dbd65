//! `rollback_host`: returns a host to an older generation, with the same protection as a deployment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer_limit::EntryLabel;
use super::deploy::{self, Deployed};
use super::plan_deploy::PlannedHost;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::advice::Remedy;
use crate::config::Action;
use crate::deploy::{
    ApprovalError, Approvals, FlakeSource, Pace, Plan, PlanError, Rollback, StoredPlan, SystemSource,
    propose_rollback,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{HostName, PlanId};

/// The tool `rollback_host`.
pub struct RollbackHost;

/// The arguments of `rollback_host`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
    /// Default: the one before.
    #[serde(default)]
    generation: Option<u64>,
}

/// The answer of `rollback_host`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Absent if there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan_id: Option<PlanId>,
    /// The generation to return to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    /// Whether its system runs already and is the boot default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    already_there: bool,
    /// What it changes, and its risks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned: Option<PlannedHost>,
    /// Absent if it did not begin.
    #[serde(flatten)]
    deployed: Option<Deployed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Diagnostic>,
}

impl Tool for RollbackHost {
    const NAME: &'static str = "rollback_host";
    const TITLE: &'static str = "Roll a host back";
    const DESCRIPTION: &'static str = "Rolls a host back to an older generation (list_generations) after a person approved it, \
        protected as deploy is.";
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
            None => match make_plan(context, &approvals, &input).await? {
                Request::Plan(stored) => *stored,
                Request::AlreadyAt(generation) => return Ok(Output::already_at(generation)),
            },
        };
        let planned = Output::planned(stored.plan());
        Ok(match deploy::carry_out(context, &approvals, &stored).await {
            Ok((deployed, error)) => Output { deployed: Some(deployed), error, ..planned },
            Err(error) => Output { error: Some(error.into()), ..planned },
        })
    }

    fn is_failure(output: &Output) -> bool {
        output.error.is_some()
    }

    fn label(host: &Value) -> Option<EntryLabel<'_>> {
        deploy::Deploy::label(host)
    }

    fn render(output: &Output) -> String {
        let (Some(plan_id), Some(generation)) = (&output.plan_id, output.generation) else {
            let generation = output.generation.map(|number| format!(" {number}")).unwrap_or_default();
            return format!("Nothing to do: generation{generation} runs already and is the boot default.");
        };
        let mut lines = Vec::new();
        match (&output.deployed, &output.error) {
            (Some(deployed), _) => lines.push(deployed.render(plan_id)),
            (None, Some(error)) => lines.push(error.to_string()),
            (None, None) => {}
        }
        lines.push(format!("what the rollback to generation {generation} changes:"));
        lines.extend(output.planned.iter().flat_map(PlannedHost::render));
        lines.join("\n")
    }
}

impl Output {
    /// The answer if the system of this generation runs already and is the boot default.
    fn already_at(generation: u64) -> Self {
        Self {
            plan_id: None,
            generation: Some(generation),
            already_there: true,
            planned: None,
            deployed: None,
            error: None,
        }
    }

    /// The part of the answer that is known before the approval.
    fn planned(plan: &Plan) -> Self {
        let host = plan.hosts.first();
        let generation = host.and_then(|host| match host.source {
            SystemSource::Generation(number) => Some(number),
            SystemSource::New | SystemSource::Present => None,
        });
        Self {
            plan_id: Some(plan.id.clone()),
            generation,
            already_there: false,
            planned: host.map(PlannedHost::planned),
            deployed: None,
            error: None,
        }
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

/// What a call that asked nobody before has to do.
enum Request {
    /// Have this plan approved.
    Plan(Box<StoredPlan>),
    /// Nothing: the host is at this generation already.
    AlreadyAt(u64),
}

async fn make_plan(context: &Context, approvals: &Approvals, input: &Input) -> Result<Request, ToolError> {
    let (flake, settings) = (context.flake(), context.settings());
    let hosts = &context.in_force.hosts;
    let host_plan = match propose_rollback(flake, hosts, &input.host, input.generation, &context.call).await?
    {
        Rollback::Planned(host_plan) => *host_plan,
        Rollback::AlreadyThere(generation) => return Ok(Request::AlreadyAt(generation)),
    };
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
    Ok(Request::Plan(Box::new(approvals.keep(plan).await?)))
}
