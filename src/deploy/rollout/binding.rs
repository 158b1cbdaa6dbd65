//! Checks that everything a plan is bound to is unchanged: flake, generation, host key, machine and its state.

use crate::advice::Remedy;
use crate::deploy::host::{HostState, store};
use crate::deploy::plan::{FlakeSource, HostPlan, SystemSource};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::progress::Call;
use crate::ssh::{SshSession, SshTarget};

fn changed(what: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::PlanOutdated, what)
        .with_hint(Remedy::PlanAnew.after("the approved plan no longer matches the current state; "))
}

/// The SSH target of a host plan.
///
/// # Errors
/// [`Code::InvalidPlan`] if address, user or port is invalid.
pub fn target(host_plan: &HostPlan) -> Result<SshTarget, Diagnostic> {
    let wrong = |error: String| Diagnostic::new(Code::InvalidPlan, error);
    Ok(SshTarget {
        address: host_plan.target.address.parse().map_err(|error| wrong(format!("{error}")))?,
        user: host_plan.target.user.parse().map_err(|error| wrong(format!("{error}")))?,
        port: host_plan.target.port.unwrap_or(22).try_into().map_err(|_| wrong("port 0".to_owned()))?,
    })
}

/// Checks that the flake still gives the planned system. The plan's file alone is not trusted.
///
/// # Errors
/// [`Code::PlanOutdated`], or why the flake could not be evaluated.
pub async fn flake_holds(
    flake: &Flake,
    source: &FlakeSource,
    host_plan: &HostPlan,
    call: &Call,
) -> Result<(), Diagnostic> {
    // A generation, or the previous system of a host, does not depend on the flake.
    if host_plan.source != SystemSource::New {
        return Ok(());
    }
    // The approval is for these inputs, whatever the settings replace now.
    let overrides = source.override_inputs().map_err(|error| changed(error.to_string()))?;
    let flake = &flake.with_override_inputs(overrides);
    let commit = match (&source.asked_rev, &source.revision) {
        // The approval is for a commit, so a branch that moved since does not matter.
        (Some(_), Some(commit)) => Some(commit),
        _ => None,
    };
    let flake = match commit {
        Some(commit) => {
            let rev = commit.parse().map_err(|error| changed(format!("{error}")))?;
            let at = flake.at(Some(&rev), call).await;
            &at.map_err(|error| {
                let diagnostic = Diagnostic::from(&error);
                let message = format!("commit {commit} of the plan: {}", diagnostic.message);
                changed(message).with_said(diagnostic.said.as_deref().unwrap_or_default())
            })?
        }
        None => flake,
    };
    let now = FlakeSource::of(flake, call).await.map_err(|error| Diagnostic::from(&error))?;
    if (now.revision, now.dirty) != (source.revision.clone(), source.dirty) {
        return Err(changed(
            "the flake has another commit, or other uncommitted changes, than when the plan was made",
        ));
    }
    let wanted = flake.toplevel_of(&host_plan.host, call).await.map_err(|error| Diagnostic::from(&error))?;
    if wanted != host_plan.toplevel {
        return Err(changed(format!(
            "the system of {} in the flake is now {}",
            host_plan.host,
            wanted.name()
        )));
    }
    Ok(())
}

/// Checks that the generation of a rollback is the planned system.
///
/// # Errors
/// [`Code::PlanOutdated`], or why the host could not be asked.
pub async fn generation_holds(
    host_plan: &HostPlan,
    session: &SshSession,
    call: &Call,
) -> Result<(), Diagnostic> {
    let SystemSource::Generation(number) = host_plan.source else { return Ok(()) };
    let found = store::generation(session, number, call).await.map_err(|error| Diagnostic::from(&error))?;
    if found.as_ref() != Some(&host_plan.toplevel) {
        return Err(changed(format!("generation {number} of {} is another system", host_plan.host)));
    }
    Ok(())
}

/// Checks that the machine is the planned one, and that its system and generation are unchanged.
///
/// # Errors
/// [`Code::PlanOutdated`].
pub fn host_holds(host_plan: &HostPlan, session: &SshSession, state: &HostState) -> Result<(), Diagnostic> {
    let key = session.host_key().map(|key| format!("{} {}", key.kind, key.fingerprint));
    if !key.as_ref().is_some_and(|key| host_plan.host_keys.contains(key)) {
        return Err(changed(format!(
            "{} presents another host key than when the plan was made",
            host_plan.host
        )));
    }
    if state.machine_id.as_deref().unwrap_or_default() != host_plan.machine_id {
        return Err(changed(format!(
            "another machine answers as {}: its machine id differs",
            host_plan.host
        )));
    }
    if state.running.as_ref() != Some(&host_plan.current) {
        return Err(changed(format!("{} runs another system than when the plan was made", host_plan.host)));
    }
    if state.boots != host_plan.profile_generation || state.configured != host_plan.profile_path {
        return Err(changed(format!(
            "{} has another generation than when the plan was made",
            host_plan.host
        )));
    }
    Ok(())
}
