//! `deploy` and `rollback`: plan, approve and deploy in one command, for a person at a terminal.

use std::io::{IsTerminal, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::approve::{self, ApproveError, ApproveOptions};
use super::call::{run_tool, terminal_progress};
use super::prompt::cancel_on_signal;
use super::signals::Signals;
use super::{FAILED, GlobalOptions, INTERRUPTED, OK, USAGE, clean_up, exit_with_error, runtime};
use crate::config::{Action, HostFile, Settings};
use crate::deploy::{Nobody, show};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{Address, HostName, PlanId, Rev, UserName};
use crate::progress::{Call, NoProgress, Progress};
use crate::time::Timestamp;
use crate::tools::{self, CallSlot, Context, Services, ToolOutcome};

/// Deploy hosts: plan, approve, activate
///
/// Builds the systems, shows the changes and the risks, asks for an approval, and deploys. A new
/// system is kept only if the host can be reached over a new connection and is healthy. Otherwise the
/// host rolls back by itself, even if this program is killed.
///
/// Exits with 0 if the action succeeded on every host, or the plan was only shown (--dry-run); with 1
/// if it failed on a host, no plan could be made, or the plan was not approved; with 2 if the arguments
/// or the settings are wrong; and with 130 if it was interrupted before anything was deployed.
#[derive(Args, Debug)]
pub struct DeployCommand {
    /// The hosts
    #[arg(required_unless_present = "tag")]
    hosts: Vec<HostName>,
    /// All hosts with this tag
    #[arg(long, conflicts_with = "hosts")]
    tag: Option<String>,
    /// Leave this host out, even if it does not evaluate; may be repeated
    #[arg(long, value_name = "HOST")]
    except: Vec<HostName>,
    /// Deploy this commit, branch or tag [default: the folder, with uncommitted changes]
    #[arg(long, value_name = "REVISION")]
    rev: Option<Rev>,
    /// What to do with the systems: switch, boot, test or dry-activate
    #[arg(long, default_value = "switch", value_parser = parse_action)]
    action: Action,
    /// Number of hosts that are deployed and confirmed before the others [default: 1]
    #[arg(long, value_name = "COUNT")]
    canary: Option<u32>,
    /// Maximum number of hosts that are activated at the same time after that [default: 16]
    #[arg(long, value_name = "COUNT")]
    wave: Option<u32>,
    /// With --action boot: reboot the hosts, and keep the new system only if it is healthy after that
    #[arg(long)]
    reboot: bool,
    /// Roll back confirmed hosts if a later one fails or the rollout is stopped
    #[arg(long)]
    revert_confirmed: bool,
    /// Make and show the plan only; deploy nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    approval: ApprovalOptions,
}

/// Roll a host back to an older generation
///
/// Has the same steps, protection and exit codes as `deploy`. If the host runs the system of that generation and boots it,
/// does nothing and exits with 0.
#[derive(Args, Debug)]
pub struct RollbackCommand {
    /// The host
    host: HostName,
    /// The generation; list_generations shows them [default: the one before the current one]
    #[arg(long, value_name = "NUMBER")]
    generation: Option<u64>,
    /// Make and show the plan only; deploy nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    approval: ApprovalOptions,
}

/// Connection options that overrule the settings.
#[derive(Args, Debug)]
struct ConnectionOptions {
    /// Current address of the host, as `[USER@]ADDRESS[:PORT]`; an IPv6 address needs brackets
    #[arg(long, value_name = "TARGET", value_parser = parse_target)]
    target: Option<HostFile>,
    /// Log in only with this private key, even if an agent has others
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Accept only the host keys in this file
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
}

/// Options of the approval.
#[derive(Args, Debug)]
struct ApprovalOptions {
    /// Sign the plan with this private key, or with this public key if an agent has the private one
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Do not ask: the signature is the approval. For CI, with a key of its own
    #[arg(long, requires = "sign")]
    batch: bool,
    /// Accept this blocking risk; may be repeated. Without --batch, type it when asked
    #[arg(long, value_name = "CODE", requires = "batch")]
    risk: Vec<String>,
}

fn parse_action(text: &str) -> Result<Action, String> {
    serde_json::from_value(text.into()).map_err(|_| "switch, boot, test or dry-activate".to_owned())
}

/// Parses `[USER@]ADDRESS[:PORT]`.
fn parse_target(text: &str) -> Result<HostFile, String> {
    let (user, rest) = text.split_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
    let (address, port) = if let Some(rest) = rest.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return Err(format!("`{port}` is not a port")),
            some => some,
        };
        (address, port)
    } else if rest.matches(':').count() > 1 {
        return Err("an IPv6 address must be in brackets, as in root@[2001:db8::1]".to_owned());
    } else {
        rest.split_once(':').map_or((rest, None), |(address, port)| (address, Some(port)))
    };
    let port = port.map(|port| port.parse::<NonZeroU16>().map_err(|_| format!("`{port}` is not a port")));
    Ok(HostFile {
        target_host: Some(address.parse::<Address>().map_err(|error| error.to_string())?),
        user: user.map(str::parse::<UserName>).transpose().map_err(|error| error.to_string())?,
        port: port.transpose()?.map(NonZeroU16::get),
        ..HostFile::default()
    })
}

impl ConnectionOptions {
    fn settings(&self, global: &GlobalOptions, host: Option<&HostName>) -> Result<Settings, Diagnostic> {
        let wrong = |message: &str| Diagnostic::new(Code::InvalidInput, message);
        let target = match (&self.target, host) {
            (None, _) => None,
            (Some(_), None) => return Err(wrong("--target can be used with one host only")),
            (Some(place), Some(host)) => Some((host.clone(), place.clone())),
        };
        global
            .settings_with(|overrides| {
                overrides.identity.clone_from(&self.identity);
                overrides.known_hosts.clone_from(&self.known_hosts);
                overrides.target = target;
            })
            .map_err(|error| Diagnostic::from(&error))
    }
}

impl DeployCommand {
    /// Plans, asks for the approval, and deploys.
    pub fn run(&self, global: &GlobalOptions) -> ExitCode {
        let only = match self.hosts.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        let settings = match self.connection.settings(global, only) {
            Ok(settings) => settings,
            Err(error) => return exit_with_error(&error, USAGE),
        };
        let mut arguments = json!({
            "action": self.action,
            "except": self.except,
            "reboot": self.reboot,
            "revert_confirmed": self.revert_confirmed,
        });
        if let Some(rev) = &self.rev {
            arguments["rev"] = rev.as_str().into();
        }
        match &self.tag {
            Some(tag) => arguments["tag"] = tag.as_str().into(),
            None => arguments["hosts"] = json!(self.hosts),
        }
        for (name, count) in [("canary", self.canary), ("wave", self.wave)] {
            if let Some(count) = count {
                arguments[name] = count.into();
            }
        }
        run_planner(settings, "plan_deploy", arguments, self.dry_run, &self.approval)
    }
}

impl RollbackCommand {
    /// Plans, asks for the approval, and deploys.
    pub fn run(&self, global: &GlobalOptions) -> ExitCode {
        let settings = match self.connection.settings(global, Some(&self.host)) {
            Ok(settings) => settings,
            Err(error) => return exit_with_error(&error, USAGE),
        };
        let mut arguments = json!({"host": self.host});
        if let Some(generation) = self.generation {
            arguments["generation"] = generation.into();
        }
        run_planner(settings, "rollback_host", arguments, self.dry_run, &self.approval)
    }
}

/// Runs the tool `planner`, asks for the approval, and runs the tool `deploy`.
fn run_planner(
    settings: Settings,
    planner: &str,
    arguments: Value,
    dry_run: bool,
    approval: &ApprovalOptions,
) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED),
    };
    let services = Arc::new(Services::new(settings));
    let code = runtime.block_on(plan_approve_deploy(&services, planner, arguments, dry_run, approval));
    runtime.block_on(clean_up());
    code
}

async fn plan_approve_deploy(
    services: &Arc<Services>,
    planner: &str,
    arguments: Value,
    dry_run: bool,
    approval: &ApprovalOptions,
) -> ExitCode {
    // One stream of signals for all steps: a signal between two steps cancels the next.
    let mut signals = Signals::catch();
    let planned = call_tool(services, planner, arguments, &mut signals).await;
    // The settings that the plan was made with.
    let settings = &services.in_force().settings;
    let stored = match planned_id(&planned).and_then(|id| approve::load(settings, &id).ok()) {
        Some(stored) => stored,
        None => return print_outcome(&planned, INTERRUPTED),
    };
    if dry_run {
        return print(&show::plan(stored.plan(), Timestamp::now()), OK);
    }
    let options = ApproveOptions {
        sign: approval.sign.as_deref(),
        signature: None,
        batch: approval.batch,
        risks: &approval.risk,
    };
    let approved = cancel_on_signal(&mut signals, async |cancel| {
        approve::approve(settings, &stored, options, cancel).await?;
        if cancel.is_cancelled() { Err(ApproveError::NotDeployed(stored.plan().id.clone())) } else { Ok(()) }
    })
    .await;
    if let Err(refusal) = approved {
        let code = refusal.exit_code();
        return exit_with_error(&Diagnostic::from(&refusal), code);
    }
    let deployed = call_tool(services, "deploy", json!({"plan_id": stored.plan().id}), &mut signals).await;
    print_outcome(&deployed, FAILED)
}

/// The id of the plan; `None` if there is no plan, or if it cannot be approved.
fn planned_id(planned: &ToolOutcome) -> Option<PlanId> {
    let error = planned.structured.pointer("/error/code").and_then(Value::as_str);
    let waits = matches!(error, None | Some("approval_required"));
    let id = planned.structured.get("plan_id").filter(|_| waits)?;
    id.as_str()?.parse().ok()
}

async fn call_tool(
    services: &Arc<Services>,
    name: &str,
    arguments: Value,
    signals: &mut Signals,
) -> ToolOutcome {
    let Some(entry) = tools::find(name) else {
        return ToolOutcome::failure(Diagnostic::new(Code::Internal, format!("there is no tool {name}")));
    };
    let in_force = match services.reload_settings().await {
        Ok(in_force) => in_force,
        Err(error) => return ToolOutcome::failure(Diagnostic::from(&error)),
    };
    if let Some(reason) = entry.refusal(&in_force.settings.policy) {
        let message = format!("`{name}` is disabled: {reason}");
        return ToolOutcome::failure(Diagnostic::new(Code::ToolDisabled, message));
    }
    let progress: Arc<dyn Progress> =
        if std::io::stderr().is_terminal() { terminal_progress() } else { Arc::new(NoProgress) };
    let call = Call { progress, ..Call::unattended() };
    let context = Context {
        services: Arc::clone(services),
        in_force,
        call,
        approver: Arc::new(Nobody),
        client: "terminal".to_owned(),
        slot: CallSlot::default(),
    };
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    run_tool(entry, arguments, context, signals).await
}

/// Prints the outcome of a tool and returns its exit code; `cancelled` is the one for a cancelled call.
fn print_outcome(outcome: &ToolOutcome, cancelled: u8) -> ExitCode {
    let error = outcome.structured.pointer("/error/code").and_then(Value::as_str);
    let code = match (outcome.failed, error) {
        (false, _) => OK,
        (true, Some("invalid_input")) => USAGE,
        (true, Some("cancelled")) => cancelled,
        (true, _) => FAILED,
    };
    print(&outcome.text, code)
}

fn print(text: &str, code: u8) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED)
        }
        _ => ExitCode::from(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_taken_apart() {
        let parts = |text: &str| {
            parse_target(text).map(|place| {
                let user = place.user.map(|user| user.to_string());
                (user, place.target_host.unwrap().to_string(), place.port)
            })
        };
        let user = |name: &str| Some(name.to_owned());
        assert_eq!(parts("web").unwrap(), (None, "web".into(), None));
        assert_eq!(parts("root@192.0.2.7:2222").unwrap(), (user("root"), "192.0.2.7".into(), Some(2222)));
        assert_eq!(parts("a@[2001:db8::1]:22").unwrap(), (user("a"), "2001:db8::1".into(), Some(22)));
        assert_eq!(parts("[2001:db8::1]").unwrap(), (None, "2001:db8::1".into(), None));
        for wrong in [
            "",
            "@web",
            "root@",
            "web:",
            "web:0",
            "web:65536",
            "web:ssh",
            "2001:db8::1",
            "[::1",
            "[::1]22",
            "-o@x",
            "x@-oy",
        ] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }
}
