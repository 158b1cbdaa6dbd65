//! Plans the deployment of one host: builds its system, surveys the machine, determines differences and risks.

use std::path::Path;
use std::time::Instant;

use super::closure;
use super::contents::{self, CLOSURE_TIME};
use super::effects::{self, Reading};
use super::error::ProposeError;
use super::facts::{self, Facts};
use super::proposal;
use super::risks::{self, Evidence};
use super::settling;
use super::units::{self, Units};
use crate::deploy::host::store;
use crate::deploy::host::{self, HostEndpoint, HostState, PARTS, endpoint_of};
use crate::deploy::plan::{BuildOn, Diff, HostPlan, SystemSource, Target};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::hosts::HOSTS;
use crate::flake::{Flake, FlakeError};
use crate::names::{AttrPath, HostName, StorePath, SystemName};
use crate::nix::NixError;
use crate::nix::build::{BuildRequest, RemoteStore};
use crate::nix::closure::Closure;
use crate::nix::diagnostics;
use crate::nix::store::CLOSURE_BYTES;
use crate::process::Executable;
use crate::progress::Call;
use crate::reading;
use crate::ssh::{SshConnections, SshSession};

/// Default time limit of an activation, in seconds.
const ACTIVATION_SECONDS: u32 = 600;
/// Default time that a host waits for the confirmation, in seconds.
const ROLLBACK_SECONDS: u32 = 60;

/// Size limit of a file that is read from a system, in bytes.
const PART: u64 = 1024 * 1024;

/// A new system after its build.
struct Built {
    toplevel: StorePath,
    closure: Closure,
    units: Units,
    files: Reading,
    parts: [Option<String>; 3],
    inhibitors: Option<String>,
    /// The facts inside the system; they match it even if the flake has changed since.
    facts: Option<Facts>,
}

/// The properties of a plan that are known before its hosts are surveyed.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    /// Whether the flake has uncommitted changes.
    pub dirty: bool,
    /// Whether the hosts are rebooted.
    pub reboot: bool,
    /// Whether the fingerprint of the flake detects every change of it.
    pub detects_every_change: bool,
}

/// Plans the deployment of the host. Builds its system. Activates nothing on the machine, and runs no program of the
/// new system there.
///
/// # Errors
/// See [`ProposeError`].
pub async fn propose_deployment(
    flake: &Flake,
    hosts: &SshConnections,
    host: &HostName,
    intent: Intent,
    call: &Call,
) -> Result<HostPlan, ProposeError> {
    let (place, facts, expected) = if intent.detects_every_change {
        let asked =
            futures::future::join(endpoint_of(flake, host, call), facts::facts_of(flake, host, call)).await;
        (asked.0?, asked.1?, None)
    } else {
        let (place, facts, system) = proposal::evaluate_proposal(flake, host, call).await?;
        (place, facts, Some(system))
    };
    let session = hosts.session(&place.target, call).await?;
    let build_on = facts.build_on.unwrap_or_default();
    // The survey and the build run at the same time.
    let asking = async {
        let begun = Instant::now();
        let state = host::survey(&session, call).await?;
        Ok::<_, ProposeError>((state, begun.elapsed()))
    };
    let ((state, look), mut built) =
        futures::future::try_join(asking, build(flake, &session, host, build_on, call)).await?;
    if expected.is_some_and(|expected| expected != built.toplevel) {
        return Err(ProposeError::Changed(host.clone()));
    }
    let facts = match built.facts.take() {
        Some(mut built_facts) => {
            if let Some(set) = flake.settings().hosts.get(host) {
                built_facts.fill(set);
            }
            built_facts.explained_by(facts);
            built_facts
        }
        None => facts,
    };
    let Some(current) = state.running.clone() else {
        return Err(ProposeError::NotNixos(place.target.to_string()));
    };
    call.report_message(format!("comparing the new system of {host} with the running one"));
    let before = contents::closure_of(&session, &current, call).await?;
    let units = contents::units(&session, current.as_str(), call).await?;
    let mut diff = closure::diff(&before, &built.closure);
    diff.units = Some(units.changes(&built.units));
    let settling = units.settling_seconds(&built.units);
    let [files] = effects::read(&session, [&current], call).await?;
    diff.effects = Some(effects::compare(&files, &built.files));
    let mut plan = HostPlan {
        toplevel: built.toplevel.clone(),
        build_on,
        health_checks: facts.health_checks.clone(),
        diff,
        needs_reboot: needs_reboot(&state, &built.parts),
        ..bound(host, &place, &facts, &session, &state, current)?
    };
    let facts_before = contents::facts(&session, &plan.current, call).await?;
    let missing_paths = contents::missing(&session, &facts, call).await?;
    let begun = Instant::now();
    let inhibitors = store::inhibitors(&session, &plan.current, call).await?;
    let raised_from = settling::set_watch(&mut plan, settling, look, begun.elapsed());
    let key = session.accepted_key();
    plan.risks = risks::assess(
        &plan,
        Evidence {
            facts: &facts,
            unread_place: &place.unread,
            before: facts_before.as_ref(),
            state: &state,
            user: place.target.user.as_str(),
            port: place.target.port.get(),
            key: key.as_deref(),
            missing_bytes: match build_on {
                BuildOn::Local => built.closure.bytes_beyond(&before),
                // A system that was built on the host needs no copy.
                BuildOn::Target => 0,
            },
            missing_paths: &missing_paths,
            inhibited: inhibits(&inhibitors, &built.inhibitors),
            dirty: intent.dirty,
            reboot: intent.reboot,
            raised_from,
        },
    );
    Ok(plan)
}

/// A plan without changes, bound to the machine that answers and to its current state.
///
/// # Errors
/// If the configuration is for an invalid system (architecture and kernel).
pub(super) fn bound(
    host: &HostName,
    place: &HostEndpoint,
    facts: &Facts,
    session: &SshSession,
    state: &HostState,
    current: StorePath,
) -> Result<HostPlan, ProposeError> {
    // If the configuration does not set the system, that of the machine is assumed, and no risk follows.
    let native = format!("{}-linux", state.machine.as_deref().unwrap_or("x86_64"));
    let system = facts.system.as_deref().or(place.system.as_deref()).unwrap_or(&native);
    let system = system.parse::<SystemName>().map_err(|wrong| {
        let message = format!("the configuration of {host} is for an unknown system");
        let attr = AttrPath::new([HOSTS, host.as_str(), "config", "nixpkgs", "hostPlatform"]);
        let error = Diagnostic::new(Code::TypeMismatch, message)
            .with_said(&wrong.to_string())
            .with_attr(attr.to_string());
        ProposeError::Build(Box::new(error))
    })?;
    let key = session.host_key().ok_or_else(|| ProposeError::NoHostKey(place.target.to_string()))?;
    Ok(HostPlan {
        host: host.clone(),
        target: Target {
            address: place.target.address.to_string(),
            user: place.target.user.to_string(),
            port: Some(place.target.port.get()),
        },
        host_keys: vec![format!("{} {}", key.kind, key.fingerprint)],
        machine_id: state.machine_id.clone().unwrap_or_default(),
        boot_id: state.boot_id.clone().unwrap_or_default(),
        system,
        toplevel: current.clone(),
        current,
        profile_generation: state.boots,
        profile_path: state.configured.clone(),
        source: SystemSource::New,
        build_on: BuildOn::Local,
        rollback_timeout: facts.rollback_timeout.unwrap_or(ROLLBACK_SECONDS),
        activation_timeout: facts.activation_timeout.unwrap_or(ACTIVATION_SECONDS),
        substitute_on_target: facts.substitute_on_target.unwrap_or(false),
        reboot_on_failure: facts.reboot_on_failure.unwrap_or(false),
        boot_once: state.boot_once,
        settling_seconds: None,
        health_checks: Vec::new(),
        risks: Vec::new(),
        diff: Diff::default(),
        needs_reboot: false,
    })
}

/// Whether kernel, initial RAM disk or modules differ from those that the machine booted.
pub(super) fn needs_reboot(state: &HostState, parts: &[Option<String>; 3]) -> bool {
    state
        .booted_parts
        .iter()
        .zip(parts)
        .any(|(booted, new)| booted.is_some() && new.is_some() && booted != new)
}

/// Whether switch inhibitors differ, so that the new system cannot be activated without a reboot.
pub(super) fn inhibits(before: &Option<String>, after: &Option<String>) -> bool {
    matches!((before, after), (Some(before), Some(after)) if before != after)
}

async fn build(
    flake: &Flake,
    session: &SshSession,
    host: &HostName,
    build_on: BuildOn,
    call: &Call,
) -> Result<Built, ProposeError> {
    let attr = AttrPath::new([HOSTS, host.as_str(), "config", "system", "build", "toplevel"]);
    let _turn = flake.wait_for_turn(&format!("build {}#{attr}", flake.reference()), call).await?;
    call.report_message(format!("building {host}"));
    let target = session.target();
    let remote = RemoteStore {
        url: &format!("ssh-ng://{}@{}:{}", target.user, bracketed(target.address.as_str()), target.port),
        ssh_options: session.copy_options(),
    };
    let order = BuildRequest {
        installables: &[format!("{}#{attr}", flake.reference())],
        dry_run: false,
        time_limit: flake.settings().build_time,
        store: matches!(build_on, BuildOn::Target).then_some(&remote),
    };
    let before = flake.fingerprint().await;
    let (built, run) = flake.build(&order, call).await?;
    let Some(toplevel) =
        built.first().and_then(|built| built.out_path.clone()).filter(|_| run.status.success())
    else {
        let source = flake.source();
        let error = diagnostics::diagnose(&run.state, &source).into_iter().next();
        let error = error
            .unwrap_or_else(|| Diagnostic::new(Code::NixFailed, "nix build failed without an error message"));
        return match flake.explain::<Built>(host, error, call).await {
            Err(FlakeError::Evaluation(diagnostic)) => Err(ProposeError::Build(diagnostic)),
            other => Ok(other?),
        };
    };
    flake.learn_toplevel(host, before.as_ref(), &toplevel).await?;
    if matches!(build_on, BuildOn::Target) {
        let parts = store::parts(session, &toplevel, call).await?;
        let [files] = effects::read(session, [&toplevel], call).await?;
        return Ok(Built {
            closure: contents::closure_of(session, &toplevel, call).await?,
            units: contents::units(session, toplevel.as_str(), call).await?,
            files,
            parts,
            inhibitors: store::inhibitors(session, &toplevel, call).await?,
            facts: contents::facts(session, &toplevel, call).await?,
            toplevel,
        });
    }
    let command = flake
        .nix()
        .command(&["path-info", "--recursive", "--size"])
        .await?
        .arg(toplevel.as_str())
        .time_limit(CLOSURE_TIME)
        .output_limit(CLOSURE_BYTES);
    let listed = flake.nix().run(command, call).await?;
    let units = crate::process::Command::new(Executable::Shell)
        .args(["-c", units::LIST, "list", toplevel.as_str()])
        .time_limit(CLOSURE_TIME)
        .run(&call.cancel, |_, _| crate::process::Flow::Continue)
        .await
        .map_err(NixError::from)?;
    if !units.status.success() {
        return Err(ProposeError::Unlisted { toplevel, said: units.status.to_string() });
    }
    let folder = Path::new(toplevel.as_str());
    Ok(Built {
        closure: Closure::parse(&String::from_utf8_lossy(
            listed.require_success("the closure of the new system")?,
        )),
        units: Units::parse(&String::from_utf8_lossy(&units.stdout)),
        files: effects::read_here(&toplevel, call).await.map_err(NixError::from)?,
        parts: PARTS.map(|part| {
            folder.join(part).canonicalize().ok().map(|path| path.to_string_lossy().into_owned())
        }),
        inhibitors: there(&folder.join("switch-inhibitors"))?,
        facts: there(&folder.join(facts::FILE))?.as_deref().and_then(Facts::parse),
        toplevel,
    })
}

/// The content of a file of the new system; `None` if there is no such file.
fn there(path: &Path) -> Result<Option<String>, ProposeError> {
    match reading::text(path, PART) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if reading::is_absence(&cause) => Ok(None),
        Err(cause) => Err(ProposeError::Unread { path: path.to_owned(), cause }),
    }
}

/// Formats an address for a URL: IPv6 in brackets.
#[must_use]
pub fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}
