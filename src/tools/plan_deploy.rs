//! `plan_deploy`: builds hosts and plans their deployment, for a person to approve.

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer_limit::{self, EntryLabel};
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::causes::{self, Failing, GroupedEntry};
use crate::config::Action;
use crate::deploy::{
    ApprovalError, Approvals, Change, Diff, FlakeSource, HostPlan, Intent, MOST_HOSTS, Pace, Plan, PlanError,
    Risk, Severity, propose_deployment,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Fingerprint;
use crate::flake::select::{SelectError, Selection, UnreadHosts};
use crate::names::{HostName, PlanId, Rev, StorePath};
use crate::text;
use crate::time::Timestamp;

/// Maximum number of hosts that are built and surveyed at the same time.
const MAX_CONCURRENT_PROPOSALS: usize = 8;
/// Maximum number of changed packages of a host in the answer; the plan has all.
const MAX_PACKAGES: usize = 40;
/// Maximum number of changed packages of a host in the text.
const MAX_NAMED_PACKAGES: usize = 15;

/// Maximum number of uncommitted inputs in the answer; the plan has more.
const MAX_INPUTS: usize = 10;

/// The tool `plan_deploy`.
pub struct PlanDeploy;

/// The arguments of `plan_deploy`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    #[serde(default)]
    hosts: Vec<HostName>,
    /// All hosts with this tag, instead of `hosts`.
    #[serde(default)]
    tag: Option<String>,
    /// Hosts to leave out, even if they do not evaluate.
    #[serde(default)]
    except: Vec<HostName>,
    /// Plan this commit, branch or tag instead of the working tree with its uncommitted changes.
    #[serde(default)]
    rev: Option<Rev>,
    #[serde(default)]
    action: Action,
    /// Number of hosts to deploy and confirm before all others. Default 1.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    canary: Option<u32>,
    /// Maximum number of hosts activated together after that. Default 16.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    wave: Option<u32>,
    /// With `boot`: reboot the hosts, and keep the new system only if it starts healthy.
    #[serde(default)]
    reboot: bool,
    /// Roll back confirmed hosts if a later one fails or the rollout is stopped.
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

/// The plan for one host.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PlannedHost {
    host: String,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    toplevel: Option<StorePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<StorePath>,
    /// Generation of `current`, if it is also the boot default.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    /// Generation of the boot default.
    #[serde(skip_serializing_if = "Option::is_none")]
    boots: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Diff>,
    risks: Vec<Risk>,
    /// Number of risks left out; blocking ones are kept first.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_risks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_reboot: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Diagnostic>,
}

impl Failing for PlannedHost {
    fn attr(&self) -> Cow<'_, str> {
        (&self.host).into()
    }

    fn words(&self) -> Vec<&str> {
        vec![&self.host]
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

/// The answer of `plan_deploy`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Absent if the plan of any host failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_id: Option<PlanId>,
    /// The command with which a person reads and approves the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    approve_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_rev: Option<String>,
    dirty: bool,
    /// Files with uncommitted changes, which are in the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dirty_files: Vec<String>,
    /// Inputs that are not locked to one content; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dirty_inputs: Vec<String>,
    /// Number of further dirty files and inputs.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_dirty_files: u64,
    hosts: Vec<GroupedEntry<PlannedHost>>,
    /// Number of hosts left out; failed ones and those with blocking risks are kept first. The plan has all.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_hosts: u64,
    /// Their names by state: `planned`, `blocking` (has blocking risks) or `failed`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    more_named: BTreeMap<String, Vec<String>>,
    /// Selected hosts that `except` leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except: Vec<HostName>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_except: u64,
    /// Hosts that do not evaluate, by cause; it is not known whether they have the tag.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<UnreadHosts>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_unread: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Diagnostic>,
}

impl Tool for PlanDeploy {
    const NAME: &'static str = "plan_deploy";
    const TITLE: &'static str = "Plan a deployment";
    const DESCRIPTION: &'static str = "Builds hosts and reports what deploying them would change (packages, units, reboot) \
        and its risks, above all a loss of access. Changes no host; a person approves the plan.";
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
            is_told: before.as_ref().is_some_and(Fingerprint::is_whole),
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
        let mut lines = Vec::new();
        if let (Some(id), Some(expires)) = (&output.plan_id, &output.expires_at) {
            lines.push(format!("{id}: {}, expires at {expires}", output.action));
            lines
                .extend(output.approve_with.iter().map(|command| format!("A person approves it: {command}")));
        } else {
            lines.push("No plan was made:".to_owned());
        }
        if let Some(error) = output.error.as_ref().filter(|_| output.hosts.is_empty()) {
            lines.push(error.to_string());
        }
        if let (Some(asked), Some(commit)) = (&output.asked_rev, &output.revision) {
            lines.push(format!("from {asked}, which is commit {commit}"));
        }
        if output.dirty {
            let more = output.more_dirty_files;
            let count = (output.dirty_files.len() + output.dirty_inputs.len()) as u64 + more;
            lines.push(format!("with uncommitted changes in {count} files and inputs:"));
            let files = output.dirty_files.iter().map(|file| text::line(file, 200));
            let inputs = output.dirty_inputs.iter().map(|name| format!("input {}", text::line(name, 200)));
            let mut names: Vec<String> = files.chain(inputs).collect();
            if more > 0 {
                names.push("…".to_owned());
            }
            lines.push(text::fenced(&names.join("\n")));
        }
        for cause in &output.unread {
            let names = text::words(cause.hosts.iter().map(String::as_str));
            lines.push(format!("✗ {names}{}: {}", more_suffix(cause.more_hosts), cause.error));
        }
        if !output.except.is_empty() {
            let names: Vec<&str> = output.except.iter().map(HostName::as_str).collect();
            let more = more_suffix(output.more_except);
            lines.push(format!("without {}{more}, left out by name", names.join(", ")));
        }
        if output.more_unread > 0 {
            lines.push(format!("✗ hosts that fail for {} more causes", output.more_unread));
        }
        for caused in &output.hosts {
            let GroupedEntry { entry: host, same_as, .. } = caused;
            match (&host.error, same_as) {
                (Some(error), _) => lines.push(format!("✗ {}: {error}", caused.named(&host.host))),
                (None, Some(first)) => lines.push(format!("✗ {}: same error as {first}", host.host)),
                (None, None) => lines.extend(host.render()),
            }
        }
        lines.extend(answer_limit::describe_omitted("hosts", output.more_hosts, &output.more_named));
        lines.join("\n")
    }
}

fn more_suffix(count: u64) -> String {
    if count > 0 { format!(" and {count} more") } else { String::new() }
}

/// Checks that everything is committed, if `deploy.clean` requires it.
fn require_clean(context: &Context, source: &FlakeSource) -> Result<(), ToolError> {
    if source.is_committed() || !context.settings().deploy.clean {
        return Ok(());
    }
    let (message, hint) = match (source.dirty_files.as_slice(), source.dirty_inputs.as_slice()) {
        ([first, others @ ..], inputs) => (
            format!(
                "the flake has uncommitted changes ({}{}), which `deploy.clean` forbids",
                text::word(first),
                more_suffix((others.len() + inputs.len()) as u64 + source.more_dirty)
            ),
            "commit them, or plan committed files only with `rev` (`HEAD`, a branch, a tag or a commit)",
        ),
        ([], [first, ..]) => (
            format!(
                "the input {} is not locked to one content, which `deploy.clean` requires",
                text::word(first)
            ),
            "commit the source of each such input, lock it again (`nix flake update INPUT`), and commit flake.lock",
        ),
        ([], []) => (
            "no file of the flake is committed, but `deploy.clean` requires that all are".to_owned(),
            "make the folder a repository (`git init`), and commit the flake",
        ),
    };
    let error = Diagnostic::new(Code::DirtyFlake, message).with_attr("rev").with_hint(hint);
    Err(error.into())
}

impl Output {
    /// An answer without a plan.
    fn without_plan(action: Action) -> Self {
        Self {
            plan_id: None,
            approve_with: None,
            expires_at: None,
            action,
            revision: None,
            asked_rev: None,
            dirty: false,
            dirty_files: Vec::new(),
            dirty_inputs: Vec::new(),
            more_dirty_files: 0,
            hosts: Vec::new(),
            more_hosts: 0,
            more_named: BTreeMap::new(),
            except: Vec::new(),
            more_except: 0,
            unread: Vec::new(),
            more_unread: 0,
            error: None,
        }
    }

    /// Adds the source that is evaluated.
    fn with_source(self, source: &FlakeSource) -> Self {
        Self {
            revision: source.revision.clone(),
            asked_rev: source.asked_rev.clone(),
            dirty: source.dirty,
            dirty_files: source.dirty_files.clone(),
            dirty_inputs: source.dirty_inputs.iter().take(MAX_INPUTS).cloned().collect(),
            more_dirty_files: source.more_dirty + source.dirty_inputs.len().saturating_sub(MAX_INPUTS) as u64,
            ..self
        }
    }

    /// The answer if the hosts with the tag could not be determined.
    fn unselected(action: Action, error: &SelectError) -> Self {
        Self { unread: error.unread().to_vec(), error: Some(error.into()), ..Self::without_plan(action) }
    }
}

impl PlannedHost {
    fn planned(plan: &HostPlan) -> Self {
        let mut diff = plan.diff.clone();
        let beyond = diff.packages.len().saturating_sub(MAX_PACKAGES);
        diff.packages.truncate(MAX_PACKAGES);
        diff.more_packages += beyond as u64;
        Self {
            host: plan.host.to_string(),
            target: format!("{}@{}", plan.target.user, plan.target.address),
            toplevel: Some(plan.toplevel.clone()),
            current: Some(plan.current.clone()),
            generation: plan.profile_generation.filter(|_| plan.profile_path.as_ref() == Some(&plan.current)),
            boots: plan.profile_generation,
            diff: Some(diff),
            risks: plan.risks.clone(),
            more_risks: 0,
            needs_reboot: Some(plan.needs_reboot),
            error: None,
        }
    }

    fn failed(host: &HostName, error: Diagnostic) -> Self {
        Self {
            host: host.to_string(),
            target: String::new(),
            toplevel: None,
            current: None,
            generation: None,
            boots: None,
            diff: None,
            risks: Vec::new(),
            more_risks: 0,
            needs_reboot: None,
            error: Some(error),
        }
    }

    fn render(&self) -> Vec<String> {
        let mut lines = vec![format!("{} ({})", self.host, self.target)];
        if let Some(diff) = &self.diff {
            let grows = diff.closure_delta_bytes;
            let sign = if grows < 0 { "-" } else { "+" };
            lines.push(format!(
                "  closure {}, {sign}{}",
                indicatif::HumanBytes(diff.closure_bytes),
                indicatif::HumanBytes(grows.unsigned_abs())
            ));
            let packages: Vec<_> = diff.packages.iter().filter(|p| p.change != Change::Changed).collect();
            for package in packages.iter().take(MAX_NAMED_PACKAGES) {
                let versions = match package.change {
                    Change::Added => format!("new {}", package.after.join(", ")),
                    Change::Removed => format!("removed {}", package.before.join(", ")),
                    _ => format!("{} → {}", package.before.join(", "), package.after.join(", ")),
                };
                lines.push(format!("  {}: {versions}", package.name));
            }
            let beyond = packages.len().saturating_sub(MAX_NAMED_PACKAGES) as u64 + diff.more_packages;
            if beyond > 0 {
                lines.push(format!("  {beyond} more packages"));
            }
            if let Some(units) = &diff.units {
                for (what, list) in [
                    ("stop", &units.stop),
                    ("start", &units.start),
                    ("restart", &units.restart),
                    ("reload", &units.reload),
                ] {
                    if !list.is_empty() {
                        lines.push(format!(
                            "  would {what}: {}",
                            text::words(list.iter().map(String::as_str))
                        ));
                    }
                }
            }
        }
        for risk in &self.risks {
            let mark = match risk.severity {
                Severity::Blocking => "BLOCKING",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            lines.push(format!("  {mark} {}:", text::word(&risk.code)));
            lines.push(text::fenced(&risk.evidence));
            lines.push(format!("    {}", risk.mend));
        }
        if self.more_risks > 0 {
            // Blocking risks come first.
            let are_all_blocking = self.risks.iter().all(|risk| risk.severity == Severity::Blocking);
            let blocking = if are_all_blocking { ", some of which may be BLOCKING" } else { "" };
            lines.push(format!(
                "  {} more risks{blocking}: the person who approves is shown all",
                self.more_risks
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
