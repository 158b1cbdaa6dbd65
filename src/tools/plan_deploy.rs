//! `plan_deploy`: builds hosts and plans their deployment, for a person to approve.

mod output;
mod planned_host;

use futures::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::answer_limit::EntryLabel;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::advice::{Hint, Remedy};
use crate::causes;
use crate::config::Action;
use crate::deploy::{
    ApprovalError, Approvals, FlakeSource, Intent, MOST_HOSTS, Pace, Plan, PlanError, propose_deployment,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Fingerprint;
use crate::flake::select::Selection;
use crate::names::{HostName, Rev};
use crate::text;
pub use output::Output;
use output::more_suffix;
pub(super) use planned_host::PlannedHost;

/// Maximum number of hosts that are built and surveyed at the same time.
const MAX_CONCURRENT_PROPOSALS: usize = 8;

/// The tool `plan_deploy`.
pub struct PlanDeploy;

/// The arguments of `plan_deploy`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    #[serde(default)]
    hosts: Vec<HostName>,
    #[serde(default)]
    tag: Option<String>,
    /// Hosts to leave out.
    #[serde(default)]
    except: Vec<HostName>,
    /// A commit, branch or tag; default: the working tree.
    #[serde(default)]
    rev: Option<Rev>,
    #[serde(default)]
    action: Action,
    /// Hosts deployed and confirmed first. Default 1.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    canary: Option<u32>,
    /// Hosts activated together after that. Default 16.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    wave: Option<u32>,
    /// With `boot`: reboot; keep the new system only if it starts healthy.
    #[serde(default)]
    reboot: bool,
    /// Also roll back confirmed hosts if a later one fails.
    #[serde(default)]
    revert_confirmed: bool,
}

/// Maximum of `wave`.
const MAX_WAVE: u32 = 100;

impl Input {
    fn pace(&self) -> Result<Pace, ToolError> {
        let usual = Pace::default();
        let wave = self.wave.unwrap_or(usual.wave);
        if !(1..=MAX_WAVE).contains(&wave) {
            return Err(ToolError::input("wave", format!("a wave has 1 to {MAX_WAVE} hosts")));
        }
        if self.reboot && self.action != Action::Boot {
            return Err(ToolError::input("reboot", "`reboot` needs the action `boot`"));
        }
        Ok(Pace {
            canary: self.canary.unwrap_or(usual.canary),
            wave,
            reboot: self.reboot,
            revert_confirmed: self.revert_confirmed,
        })
    }
}

impl Tool for PlanDeploy {
    const NAME: &'static str = "plan_deploy";
    const TITLE: &'static str = "Plan a deployment";
    const DESCRIPTION: &'static str = "Builds hosts and reports what deploying them would change and its risks, above all a loss of \
        access. Changes no host; a person approves the plan.";
    const EFFECT: Effect = Effect::Store;
    const REACH: Reach = Reach::Hosts;
    // Each call makes a plan.
    const IDEMPOTENT: bool = false;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let call = &context.call;
        let flake = &context.flake().at(input.rev.as_ref(), call).await?;
        flake.require_committed_hosts(call).await?;
        let before = flake.outer_fingerprint().await;
        let source = FlakeSource::of(flake, call).await?;
        require_clean(context, &source)?;
        let action = input.action;
        let pace = input.pace()?;
        let selection = Selection { hosts: input.hosts, tag: input.tag, except: input.except };
        let selected = match flake.select(&selection, call).await {
            Ok(selected) => selected,
            Err(error) if !error.unread().is_empty() => return Ok(Output::unselected(action, &error)),
            Err(error) => return Err(error.into()),
        };
        if selected.hosts.len() > MOST_HOSTS {
            return Err(ToolError::input("hosts", format!("a plan has at most {MOST_HOSTS} hosts")));
        }
        let intent = Intent {
            dirty: source.dirty,
            reboot: pace.reboot,
            detects_every_change: before.as_ref().is_some_and(Fingerprint::is_whole),
        };
        let proposals: Vec<_> = futures::stream::iter(selected.hosts)
            .map(|host| async move {
                let proposal = propose_deployment(flake, &context.in_force.hosts, &host, intent, call).await;
                (host, proposal)
            })
            .buffered(MAX_CONCURRENT_PROPOSALS)
            .collect()
            .await;
        let mut output =
            Output { except: selected.except, ..Output::without_plan(action).with_source(&source) };
        let (mut hosts, mut plans) = (Vec::new(), Vec::new());
        for (host, proposal) in proposals {
            match proposal {
                Ok(plan) => {
                    hosts.push(PlannedHost::planned(&plan));
                    plans.push(plan);
                }
                Err(error) => {
                    let error = Diagnostic::from(&error);
                    output.error.get_or_insert_with(|| error.clone());
                    hosts.push(PlannedHost::failed(&host, error));
                }
            }
        }
        output.hosts = causes::group_by_cause(hosts);
        // A plan for some of the hosts is not the plan that was requested.
        if output.error.is_some() {
            return Ok(output);
        }
        // Assessing and building have to use the same state of the flake and of the settings.
        let untouched = match &before {
            // Unpinned inputs and submodules are not part of this fingerprint. Each proposal evaluates them once, and
            // fails if they change during its build.
            Some(before) => flake.is_untouched_since(before).await,
            None => flake.outer_fingerprint().await.is_none(),
        };
        let same =
            untouched && FlakeSource::of(flake, call).await? == source && context.in_force.is_current().await;
        if !same {
            let message = "the flake or the settings changed during the build";
            let error = Diagnostic::new(Code::PlanOutdated, message).with_hint("plan again");
            return Err(error.into());
        }
        let settings = context.settings();
        let mut plan =
            Plan::draft(action, source, context.requester(), plans, pace, settings.deploy.plan_lifetime)
                .map_err(|error| ApprovalError::from(PlanError::Randomness(error)))?;
        plan.except.clone_from(&output.except);
        let stored = Approvals::open(&settings.deploy).map_err(ApprovalError::from)?.keep(plan).await?;
        output.expires_at = Some(stored.plan().expires);
        let id = &stored.plan().id;
        output.approve_with = Some(format!("{} approve {id}", settings.deploy.command));
        output.plan_id = Some(id.clone());
        Ok(output)
    }

    fn is_failure(output: &Output) -> bool {
        output.error.is_some()
    }

    fn label(host: &Value) -> Option<EntryLabel<'_>> {
        let has = |field: &str| host.get(field).is_some();
        let is_blocking = |risk: &Value| risk.get("severity").is_some_and(|severity| severity == "blocking");
        let state = match host.get("risks").and_then(Value::as_array) {
            _ if has("error") || has("same_as") => "failed",
            Some(risks) if risks.iter().any(is_blocking) => "blocking",
            _ => "planned",
        };
        Some(EntryLabel { name: host.get("host")?.as_str()?, state })
    }

    fn render(output: &Output) -> String {
        output.text()
    }
}

/// Checks that everything is committed, if `deploy.clean` requires it.
fn require_clean(context: &Context, source: &FlakeSource) -> Result<(), ToolError> {
    if !context.settings().deploy.clean {
        return Ok(());
    }
    if let Some(name) = source.overrides.keys().next() {
        let message =
            format!("the input {} is not the committed one, which `deploy.clean` requires", text::word(name));
        let error = Diagnostic::new(Code::DirtyFlake, message)
            .with_hint("start without `--override-input` and `nix.override_inputs`, or lock the input and commit flake.lock");
        return Err(error.into());
    }
    if source.is_committed() {
        return Ok(());
    }
    let (message, hint): (String, Hint) = match (source.dirty_files.as_slice(), source.dirty_inputs.as_slice()) {
        ([first, others @ ..], inputs) => (
            format!(
                "the flake has uncommitted changes ({}{}), which `deploy.clean` forbids",
                text::word(first),
                more_suffix((others.len() + inputs.len()) as u64 + source.more_dirty)
            ),
            Remedy::NameRev.after("commit them, or "),
        ),
        ([], [first, ..]) => (
            format!(
                "the input {} is not locked to one content, which `deploy.clean` requires",
                text::word(first)
            ),
            "commit the source of each such input, lock it again (`nix flake update INPUT`), and commit flake.lock".into(),
        ),
        ([], []) => (
            "no file of the flake is committed, but `deploy.clean` requires that all are".to_owned(),
            "make the folder a repository (`git init`), and commit the flake".into(),
        ),
    };
    let error = Diagnostic::new(Code::DirtyFlake, message).with_attr("rev").with_hint(hint);
    Err(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flake::select::UnreadHosts;
    use crate::tools::answer_limit;

    #[test]
    fn hosts_of_a_cause_that_have_no_room_are_counted() {
        let said = "x".repeat(2_000);
        let cause = |number: usize| UnreadHosts {
            error: Diagnostic::new(Code::EvaluationFailed, said.clone()),
            hosts: (0..50).map(|host| format!("host-{number}-{host}")).collect(),
            more_hosts: 0,
        };
        let whole = Output { unread: (0..30).map(cause).collect(), ..Output::without_plan(Action::Switch) };
        let fitted = answer_limit::fit_answer(&whole, PlanDeploy::label).unwrap().shorter.unwrap();
        assert!(fitted.unread.iter().any(|cause| cause.more_hosts > 0));
        let hosts = |cause: &UnreadHosts| cause.hosts.len() as u64 + cause.more_hosts;
        assert!(fitted.unread.iter().all(|cause| hosts(cause) == 50));
        let more = format!(" and {} more: ", fitted.unread[0].more_hosts);
        assert!(PlanDeploy::render(&fitted).contains(&more));
    }
}
