//! Watches a new system until it was healthy for a while without a break.
//!
//! One look may see a service that crashes again and again while it runs, and a check that fails now and then while it passes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::health::{self, HealthResult};
use crate::deploy::host::{HostState, ServiceState};
use crate::deploy::plan::HostPlan;
use crate::progress::Call;
use crate::ssh::SshSession;
use crate::text;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a host has to be healthy after units failed to start, or after a look found it unhealthy.
const AFTER_FAILURE: Duration = Duration::from_secs(3);

/// A system to watch.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    pub(super) session: &'a SshSession,
    pub(super) plan: &'a HostPlan,
    /// The state of the host before the activation.
    pub(super) before: &'a HostState,
    /// Whether units failed during the activation.
    pub(super) units_failed: bool,
    /// When the last look has to begin.
    pub(super) until: Instant,
    pub(super) call: &'a Call,
}

/// The looks since the last one that found the host unhealthy.
#[derive(Default)]
struct Healthy {
    since: Option<Instant>,
    /// The state of the last look.
    last: Option<HostState>,
}

impl Watch<'_> {
    /// Looks at the host until it was healthy for as long as the plan says, or until that cannot happen in time any more. Returns
    /// the results of the last look; if the time was too short, with one that failed.
    pub(super) async fn watch(self) -> Vec<HealthResult> {
        let settling = Duration::from_secs(self.plan.settling_seconds.unwrap_or_default().into());
        let mut least = if self.units_failed { settling.max(AFTER_FAILURE) } else { settling };
        let mut healthy = Healthy::default();
        let mut failure: Option<String> = None;
        loop {
            let now = Instant::now();
            let (mut results, state) = health::look(self.session, self.plan, self.before, self.call).await;
            if let (Some(last), Some(state)) = (&healthy.last, &state) {
                let restarted = restarted(self.plan, self.before, last, state);
                let found = if restarted.is_empty() { Ok(()) } else { Err(restarted.join(", ")) };
                results.push(HealthResult::new("no service restarts again and again", found));
            }
            healthy.last = state;
            if let Some(failed) = results.iter().find(|result| !result.ok) {
                failure = Some(failed.summary());
                healthy.since = None;
                least = settling.max(AFTER_FAILURE);
            } else {
                let since = *healthy.since.get_or_insert(now);
                if now - since >= least {
                    return results;
                }
            }
            if self.call.cancel.is_cancelled() {
                return results;
            }
            let earliest = healthy.since.unwrap_or(now + PAUSE) + least;
            if earliest > self.until {
                results.extend(healthy.since.map(|_| too_short(least, failure.as_deref())));
                return results;
            }
            sleep(PAUSE.min(earliest - now)).await;
        }
    }
}

/// The result for a host that is healthy, but was not for long enough.
fn too_short(least: Duration, failure: Option<&str>) -> HealthResult {
    let failure = failure.map(|failure| format!("; it was not before: {failure}")).unwrap_or_default();
    HealthResult::new(
        format!("it is healthy for {} s without a break", least.as_secs()),
        Err(format!("there was not enough time left{failure}")),
    )
}

/// The services that were restarted between two looks and should not have been, in words. Those that were restarted before the
/// deployment too are left out, unless it changes them.
fn restarted(plan: &HostPlan, before: &HostState, last: &HostState, now: &HostState) -> Vec<String> {
    let units = plan.diff.units.as_ref();
    let changed = |name: &str| {
        units.is_some_and(|units| {
            [&units.start, &units.restart, &units.reload]
                .iter()
                .any(|list| list.iter().any(|unit| unit == name))
        })
    };
    let was_restarted = |name: &str| {
        before.services.get(name).is_some_and(|service| service.restarts > 0 || service.waits_for_restart())
    };
    let none = ServiceState::default();
    let mut restarted = Vec::new();
    for (name, service) in &now.services {
        let earlier = last.services.get(name).unwrap_or(&none);
        let is_changed = changed(name);
        if service.restarts > earlier.restarts && (is_changed || !was_restarted(name)) {
            if !earlier.ended_well() && !service.ended_well() {
                let result = if service.result == "success" {
                    String::new()
                } else {
                    format!(" ({})", service.result)
                };
                restarted.push(text::bounded(&format!("{name} was restarted by systemd{result}"), 300));
            }
            continue;
        }
        let is_new_run =
            matches!((earlier.active_since, service.active_since), (Some(one), Some(other)) if one != other);
        if is_changed && is_new_run {
            restarted.push(text::bounded(&format!("{name} was started again"), 300));
        }
    }
    restarted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::plan::{UnitChanges, fixture};

    fn state(services: &[(&str, &str, u64, Option<u64>)]) -> HostState {
        let service = |(name, states, restarts, active_since): &(&str, &str, u64, Option<u64>)| {
            let (sub_state, result) = states.split_once(' ').unwrap();
            let state = ServiceState {
                sub_state: sub_state.to_owned(),
                result: result.to_owned(),
                restarts: *restarts,
                active_since: *active_since,
            };
            ((*name).to_owned(), state)
        };
        HostState { services: services.iter().map(service).collect(), ..HostState::default() }
    }

    #[test]
    fn restarts_count_that_are_new_or_of_changed_services() {
        let mut plan = fixture(&["web"]).hosts.remove(0);
        plan.diff.units =
            Some(UnitChanges { restart: vec!["mine.service".into()], ..UnitChanges::default() });
        let quiet = state(&[]);
        let restarting = state(&[
            ("mine.service", "running success", 9, None),
            ("old.service", "running success", 9, None),
        ]);
        for (before, last, now, expected) in [
            // Never restarted before.
            (
                &quiet,
                ("other.service", "running success", 0, Some(1)),
                ("other.service", "running success", 1, Some(2)),
                true,
            ),
            (
                &quiet,
                ("other.service", "running success", 1, Some(1)),
                ("other.service", "auto-restart exit-code", 2, None),
                true,
            ),
            (
                &quiet,
                ("other.service", "running success", 1, Some(1)),
                ("other.service", "running success", 1, Some(1)),
                false,
            ),
            // Restarted before, and not changed.
            (
                &restarting,
                ("old.service", "running success", 0, Some(1)),
                ("old.service", "running success", 1, Some(2)),
                false,
            ),
            // Restarted before, and changed.
            (
                &restarting,
                ("mine.service", "running success", 0, Some(1)),
                ("mine.service", "running success", 1, Some(2)),
                true,
            ),
            // Its work is done, and is done again.
            (
                &quiet,
                ("mine.service", "auto-restart success", 4, None),
                ("mine.service", "running success", 5, Some(9)),
                false,
            ),
            // Started again by something else than systemd's restarts.
            (
                &quiet,
                ("mine.service", "running success", 0, Some(1)),
                ("mine.service", "running success", 0, Some(2)),
                true,
            ),
            (
                &quiet,
                ("other.service", "running success", 0, Some(1)),
                ("other.service", "running success", 0, Some(2)),
                false,
            ),
            (
                &quiet,
                ("mine.service", "dead success", 0, None),
                ("mine.service", "running success", 0, Some(2)),
                false,
            ),
        ] {
            let found = restarted(&plan, before, &state(&[last]), &state(&[now]));
            assert_eq!(found.len(), usize::from(expected), "{last:?} {now:?} {found:?}");
        }
    }
}
