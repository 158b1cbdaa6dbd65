//! `host_status`: reports the system, the health and the latest deployment of a host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::{Gap, Gaps};
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::deploy::{
    DeploymentStep, DiskSpace, HostEndpoint, HostState, LatestDeployment, SuperviseError, SurveyError,
    endpoint_of, latest_deployment, survey,
};
use crate::diagnostic::Diagnostic;
use crate::names::{HostName, StorePath};
use crate::text;

/// Maximum number of failed units in the answer.
const MAX_UNITS: usize = 100;

/// The tool `host_status`.
pub struct HostStatus;

/// The arguments of `host_status`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
}

/// A file system.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Disk {
    mount: String,
    size_bytes: u64,
    free_bytes: u64,
}

/// The answer of `host_status`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    host: String,
    reachable: bool,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_name: Option<String>,
    /// Generation of the running system; absent if the profile lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    /// Toplevel of the running system.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<StorePath>,
    /// Generation of the boot default.
    #[serde(skip_serializing_if = "Option::is_none")]
    boots: Option<u64>,
    /// Toplevel of the boot default.
    #[serde(skip_serializing_if = "Option::is_none")]
    configured: Option<StorePath>,
    /// Whether the running system is that of the flake.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_sync: Option<bool>,
    /// Why the system of the flake is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    flake_error: Option<Diagnostic>,
    /// Commit of the running system.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// Absent if systemd does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_units: Option<Vec<String>>,
    /// Number of further failed units.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_failed_units: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reboot_required: Option<bool>,
    disk: Vec<Disk>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_disk: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_seconds: Option<u64>,
    /// Plan being deployed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    deploying: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_deployment: Option<LatestDeployment>,
    /// Why `latest_deployment` is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_error: Option<Diagnostic>,
    warnings: Vec<String>,
    /// Parts of the host's configuration that could not be read, by cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    unread_total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Diagnostic>,
}

impl Tool for HostStatus {
    const NAME: &'static str = "host_status";
    const TITLE: &'static str = "Host status";
    const DESCRIPTION: &'static str = "Asks a running host over SSH: generation, whether it runs the flake's system, failed units, \
        pending reboot, disk space.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Hosts;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let (flake, call) = (context.flake(), &context.call);
        let endpoint = endpoint_of(flake, &input.host, call).await?;
        let survey_host = async {
            let session = context.in_force.hosts.session(&endpoint.target, call).await?;
            let state = survey(&session, call).await?;
            Ok::<_, SurveyError>((state, latest_deployment(&session, call).await))
        };
        // The flake is evaluated while the host answers.
        let (surveyed, wanted) =
            futures::future::join(survey_host, flake.toplevel_of(&input.host, call)).await;
        let mut output = Output::unreachable(&input.host, &endpoint);
        match surveyed {
            Ok((state, latest)) => {
                output.add_survey(state, &endpoint);
                output.add_latest_deployment(latest);
            }
            Err(error) => output.error = Some((&error).into()),
        }
        match (&output.running, wanted) {
            (_, Err(error)) => {
                output.warnings.push("the host's system in the flake does not evaluate".to_owned());
                output.flake_error = Some((&error).into());
            }
            (Some(running), Ok(wanted)) => output.in_sync = Some(*running == wanted),
            (None, Ok(_)) => {}
        }
        Ok(output)
    }

    fn is_failure(output: &Output) -> bool {
        output.error.is_some()
    }

    fn render(output: &Output) -> String {
        if let Some(error) = &output.error {
            return format!("{} ({}): {error}", output.host, output.target);
        }
        let mut lines = vec![format!("{} ({})", output.host, output.target)];
        let running = output.running.as_ref().map(|_| match output.generation {
            Some(number) => format!("runs generation {number}"),
            None => "runs a system that is not a generation of its profile".to_owned(),
        });
        let boots = output.boots.map(|number| format!("boots generation {number} next"));
        let sync = output.in_sync.map(|same| {
            if same {
                "runs the system of the flake".to_owned()
            } else {
                "does not run the system of the flake".to_owned()
            }
        });
        let revision =
            output.revision.as_ref().map(|revision| format!("from commit {}", text::word(revision)));
        let facts: Vec<_> = [running, boots, sync, revision].into_iter().flatten().collect();
        if !facts.is_empty() {
            lines.push(format!("  {}", facts.join(", ")));
        }
        match &output.failed_units {
            Some(units) if !units.is_empty() => {
                let more = output.more_failed_units;
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                lines.push(format!("  failed: {}{more}", text::words(units.iter().map(String::as_str))));
            }
            Some(_) => lines.push("  no unit failed".to_owned()),
            None => {}
        }
        if output.reboot_required == Some(true) {
            lines.push("  a reboot is needed to use the new kernel, initrd or kernel modules".to_owned());
        }
        if let Some(plan) = &output.deploying {
            lines.push(format!("  deployment in progress: {}", text::word(plan)));
        }
        for disk in &output.disk {
            let (free, size) =
                (indicatif::HumanBytes(disk.free_bytes), indicatif::HumanBytes(disk.size_bytes));
            lines.push(format!("  {}: {free} of {size} free", text::word(&disk.mount)));
        }
        if output.more_disk > 0 {
            lines.push(format!("  and {} more file systems", output.more_disk));
        }
        lines.extend(output.warnings.iter().map(|warning| format!("  warning: {warning}")));
        lines.extend(Gaps::render(&output.unread, output.unread_total));
        lines.extend(
            output
                .latest_error
                .as_ref()
                .map(|error| format!("  its latest deployment is not known: {error}")),
        );
        lines.extend(
            output
                .flake_error
                .as_ref()
                .map(|error| format!("  its system in the flake is not known: {error}")),
        );
        if let Some(said) = output.latest_deployment.as_ref().and_then(|latest| latest.said.as_deref()) {
            lines.push(format!("  message of the host about its latest deployment:\n{}", text::fenced(said)));
        }
        lines.join("\n")
    }
}

impl Output {
    fn unreachable(host: &HostName, endpoint: &HostEndpoint) -> Self {
        let gaps = Gaps::from_parts(endpoint.unread.clone());
        Self {
            host: host.to_string(),
            reachable: false,
            target: endpoint.target.to_string(),
            host_name: None,
            generation: None,
            running: None,
            boots: None,
            configured: None,
            in_sync: None,
            flake_error: None,
            revision: None,
            failed_units: None,
            more_failed_units: 0,
            reboot_required: None,
            disk: Vec::new(),
            more_disk: 0,
            uptime_seconds: None,
            deploying: None,
            latest_deployment: None,
            latest_error: None,
            warnings: Vec::new(),
            unread: gaps.shown,
            unread_total: gaps.total,
            error: None,
        }
    }

    fn add_latest_deployment(&mut self, latest: Result<Option<LatestDeployment>, SuperviseError>) {
        match latest {
            Ok(latest) => self.latest_deployment = latest,
            Err(error) => {
                self.warnings.push("its latest deployment could not be read".to_owned());
                self.latest_error = Some((&error).into());
            }
        }
        if let Some(latest) = &self.latest_deployment {
            if !latest.state.is_final() {
                self.deploying.get_or_insert_with(|| latest.plan_id.to_string());
            }
            let ended_well = matches!(
                latest.state,
                DeploymentStep::Confirmed | DeploymentStep::Staged | DeploymentStep::Checked
            );
            if latest.state.is_final() && !ended_well {
                let state = latest.state.as_str();
                self.warnings.push(format!("the latest deployment, {}, ended as {state}", latest.plan_id));
            }
        }
    }

    fn add_survey(&mut self, state: HostState, endpoint: &HostEndpoint) {
        self.reachable = true;
        if let (Some(wanted), Some(found)) = (&endpoint.host_name, &state.host_name)
            && wanted != found
        {
            self.warnings.push(format!(
                "the host name of the machine is `{}`, not `{}`: check that it is the right machine",
                text::word(found),
                text::word(wanted)
            ));
        }
        if state.running.is_none() {
            self.warnings.push("it has no /run/current-system: it does not run NixOS".to_owned());
        }
        if state.configured.is_some() && state.configured != state.running {
            self.warnings.push("the running system is not the boot default".to_owned());
        }
        self.generation = state.runs();
        self.host_name = state.host_name;
        self.boots = state.boots;
        self.running = state.running;
        self.configured = state.configured;
        self.revision = state.revision;
        self.failed_units = state.failed_units;
        if let Some(units) = &mut self.failed_units {
            self.more_failed_units = units.len().saturating_sub(MAX_UNITS) as u64;
            units.truncate(MAX_UNITS);
        }
        self.reboot_required = Some(state.reboot_required);
        self.uptime_seconds = state.uptime;
        self.deploying = state.deploying;
        let disk = |room: DiskSpace| Disk { mount: room.mount, size_bytes: room.size, free_bytes: room.free };
        self.disk = state.room.into_iter().map(disk).collect();
    }
}
