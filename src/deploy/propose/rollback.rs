//! Plans the rollback of one host to an older generation.

use std::time::Instant;

use super::contents;
use super::error::ProposeError;
use super::facts::{self, Facts};
use super::forward::{bound, inhibits, needs_reboot};
use super::risks::{self, EVIDENCE_LIMIT, Evidence};
use super::settling;
use crate::deploy::host::{self, endpoint_of, store};
use crate::deploy::plan::{HostPlan, Risk, Severity, SystemSource};
use crate::diagnostic::Diagnostic;
use crate::flake::Flake;
use crate::names::HostName;
use crate::progress::Call;
use crate::ssh::SshConnections;
use crate::text;

/// What a rollback would do.
#[derive(Debug)]
pub enum Rollback {
    /// It would activate the generation, as the plan says.
    Planned(Box<HostPlan>),
    /// Nothing: the system of this generation runs already, and is the boot default.
    AlreadyThere(u64),
}

/// Plans the rollback of the host to `generation`; `None` means the one before its current. Changes nothing on the
/// machine.
///
/// An older system cannot be evaluated, so its risks are assessed by the facts inside it ([`facts::FILE`]). The health
/// checks of the current configuration are not applied to it.
///
/// # Errors
/// See [`ProposeError`].
pub async fn propose_rollback(
    flake: &Flake,
    hosts: &SshConnections,
    host: &HostName,
    generation: Option<u64>,
    call: &Call,
) -> Result<Rollback, ProposeError> {
    let (place, facts) =
        futures::future::join(endpoint_of(flake, host, call), facts::facts_of(flake, host, call)).await;
    let place = place?;
    // A flake that does not evaluate must not prevent a rollback.
    let (facts, unevaluated) = match facts {
        Ok(facts) => (facts, None),
        Err(error) => {
            let mut facts = Facts::default();
            if let Some(set) = flake.settings().hosts.get(host) {
                facts.fill(set);
            }
            (facts, Some(Diagnostic::from(&error)))
        }
    };
    let session = hosts.session(&place.target, call).await?;
    let begun = Instant::now();
    let state = host::survey(&session, call).await?;
    let look = begun.elapsed();
    let Some(current) = state.running.clone() else {
        return Err(ProposeError::NotNixos(place.target.to_string()));
    };
    let chosen = state.generations.iter().rev().find(|known| match generation {
        Some(wanted) => known.number == wanted,
        None => state.boots.is_some_and(|newest| known.number < newest),
    });
    let Some(chosen) = chosen else {
        return Err(ProposeError::NoGeneration {
            host: host.clone(),
            wanted: generation,
            there: state.generations.iter().rev().map(|known| known.number).collect(),
        });
    };
    if current == chosen.toplevel && state.configured.as_ref() == Some(&current) {
        return Ok(Rollback::AlreadyThere(chosen.number));
    }
    call.report_message(format!("comparing generation {} of {host} with the running system", chosen.number));
    let (diff, settling) = contents::watched_difference(&session, &current, &chosen.toplevel, call).await?;
    let parts = store::parts(&session, &chosen.toplevel, call).await?;
    let mut plan = HostPlan {
        toplevel: chosen.toplevel.clone(),
        source: SystemSource::Generation(chosen.number),
        needs_reboot: needs_reboot(&state, &parts),
        diff,
        ..bound(host, &place, &facts, &session, &state, current)?
    };
    let (then, now) = (
        contents::facts(&session, &plan.toplevel, call).await?,
        contents::facts(&session, &plan.current, call).await?,
    );
    let missing_paths = match &then {
        Some(then) => contents::missing(&session, then, call).await?,
        None => Vec::new(),
    };
    let begun = Instant::now();
    let inhibitors = (
        store::inhibitors(&session, &plan.current, call).await?,
        store::inhibitors(&session, &plan.toplevel, call).await?,
    );
    let raised_from = settling::set_watch(&mut plan, settling, look, begun.elapsed() / 2);
    let key = session.accepted_key();
    let known = then.is_some();
    plan.risks = risks::assess(
        &plan,
        Evidence {
            facts: &then.unwrap_or_default(),
            unread_place: &place.unread,
            before: now.as_ref(),
            state: &state,
            user: place.target.user.as_str(),
            port: place.target.port.get(),
            key: key.as_deref(),
            missing_bytes: 0,
            missing_paths: &missing_paths,
            inhibited: inhibits(&inhibitors.0, &inhibitors.1),
            dirty: false,
            reboot: false,
            raised_from,
        },
    );
    let unknown = |evidence: String, mend: &str| Risk {
        code: "facts_unknown".to_owned(),
        severity: Severity::Warning,
        evidence: text::bounded(&evidence, EVIDENCE_LIMIT),
        mend: mend.to_owned(),
        file: None,
        line: None,
    };
    if !known {
        plan.risks.push(unknown(
            format!("generation {} contains no facts about its logins", chosen.number),
            "check whether that generation accepts the current key; the host rolls back by itself if it cannot be \
             reached",
        ));
    }
    if let Some(error) = unevaluated {
        plan.risks.push(unknown(
            format!(
                "the timeouts are those of the settings, or the defaults, because the configuration does not evaluate: \
                 {}",
                error.summary()
            ),
            "set them under `[hosts.NAME]` in the settings, or correct the configuration",
        ));
    }
    Ok(Rollback::Planned(Box::new(plan)))
}
