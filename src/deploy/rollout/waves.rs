//! Carries out a plan on all its hosts: canaries first, then wave after wave, until a host fails.
//!
//! While one wave is activated, the systems of the next are copied. Hosts of a wave do not wait for each other.
//!
//! Stopping a rollout reverts it: an unconfirmed host goes back at once, and confirmed hosts go back if the approved
//! plan says so (`revert_confirmed`). After a second stop the program no longer follows the hosts: the supervisor of
//! each ends on the previous or on the new system, and the host can be reached.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::outcome::{Ending, Outcome};
use super::stop::Stop;
use super::task::Task;
use super::wave_progress::{WaveProgress, wave};
use crate::audit::{AuditError, AuditEvent, AuditLog, AuditRecord};
use crate::config::{Action, ApprovalMethod};
use crate::deploy::approval::SpentApproval;
use crate::deploy::plan::{HostPlan, Plan, Requester, SystemSource};
use crate::deploy::supervisor::Signed;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::names::{HostName, PlanId};
use crate::progress::Call;
use crate::ssh::SshConnections;

/// Largest number of concurrent copies.
const COPIES: usize = 16;

/// Largest number of hosts that are reverted at once, whatever the size of a wave.
const BACK: usize = 16;

/// Largest number of copies ahead of the current wave: few, so that they do not slow down the wave that is waited for,
/// but some, so that one slow host does not delay the rest.
const AHEAD: usize = 2;

/// An approved plan with everything that is needed to carry it out.
#[derive(Clone, Copy)]
pub struct Rollout<'a> {
    /// The flake that gives the systems.
    pub flake: &'a Flake,
    /// The SSH connections.
    pub hosts: &'a SshConnections,
    /// The audit log.
    pub audit: &'a AuditLog,
    /// The approved plan.
    pub spent: &'a SpentApproval,
    /// The requester of the rollout, for the audit log.
    pub by: &'a Requester,
    /// Receives progress; its cancellation stops the rollout.
    pub call: &'a Call,
    /// Its cancellation ends the rollout without waiting for hosts, even for those that go back.
    pub abandon: &'a CancellationToken,
}

/// The result of a rollout.
#[derive(Debug)]
pub struct RolloutResult {
    /// The outcomes of all hosts, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// The first error of the audit log, after which no further host was started; `None` if all was recorded.
    pub unrecorded: Option<AuditError>,
}

/// Limits of concurrent copies.
struct CopySlots {
    places: Semaphore,
    /// For hosts of later waves.
    ahead: Semaphore,
}

impl Rollout<'_> {
    /// Carries the plan out.
    ///
    /// # Errors
    /// If the start could not be recorded; nothing was done then.
    pub async fn carry_out(&self) -> Result<RolloutResult, AuditError> {
        let plan = self.spent.plan();
        let approval = self.spent.approval();
        let details =
            json!({"action": plan.action, "channel": approval.channel(), "approved_by": approval.by()});
        self.log(AuditEvent::DeployStarted, None, &details).await?;
        let (mut result, stop) = self.forward(plan).await;
        if let Some(stop) = stop.filter(|_| plan.revert_confirmed) {
            self.revert(plan, &stop, &mut result).await;
        }
        Ok(result)
    }

    /// Deploys all hosts. The second value is the reason if not all succeeded.
    async fn forward(&self, plan: &Plan) -> (RolloutResult, Option<Stop>) {
        let (progress, _) = watch::channel(WaveProgress::new(plan));
        let slots = CopySlots { places: Semaphore::new(COPIES), ahead: Semaphore::new(AHEAD) };
        let mut running: FuturesUnordered<_> = plan
            .hosts
            .iter()
            .enumerate()
            .map(|(place, host_plan)| {
                let (slots, progress) = (&slots, &progress);
                async move {
                    let outcome = self.deploy_host(plan, host_plan, wave(plan, place), slots, progress).await;
                    // Recorded in this future, so that other hosts continue during the write.
                    let recorded = self.record_result(&outcome).await;
                    (place, outcome, recorded)
                }
            })
            .collect();
        let mut outcomes: Vec<Option<Outcome>> = plan.hosts.iter().map(|_| None).collect();
        let mut unrecorded = None;
        while let Some((place, outcome, recorded)) = running.next().await {
            let mut stop = (!outcome.state.is_success()).then(|| match self.call.cancel.is_cancelled() {
                true => Stop::Asked,
                false => Stop::Failed(outcome.host.clone(), outcome.state),
            });
            if let Err(error) = recorded {
                stop.get_or_insert_with(|| Stop::Unrecorded((&error).into()));
                unrecorded.get_or_insert(error);
            }
            progress.send_modify(|progress| {
                WaveProgress::count(&mut progress.unfinished, wave(plan, place));
                if progress.stopped.is_none() {
                    progress.stopped = stop;
                }
            });
            if let Some(ended) = outcomes.get_mut(place) {
                *ended = Some(outcome);
            }
        }
        drop(running);
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        let done = outcomes.iter().all(|outcome| outcome.state.is_success());
        let stop = progress.borrow().stopped.clone().filter(|_| !done);
        (RolloutResult { outcomes, unrecorded }, stop)
    }

    async fn deploy_host(
        &self,
        plan: &Plan,
        host_plan: &HostPlan,
        wave: usize,
        CopySlots { places, ahead }: &CopySlots,
        progress: &watch::Sender<WaveProgress>,
    ) -> Outcome {
        let mut watching = progress.subscribe();
        let cancelled = || self.call.cancel.is_cancelled().then_some(Stop::Asked);
        let stopped = |progress: &WaveProgress| {
            let stop = progress.stopped.clone().or_else(cancelled);
            stop.map(|stop| Outcome::refused(&host_plan.host, stop.not_begun()))
        };
        // An error that only reports the cancellation becomes the error of a stopped rollout.
        let stopped_if_cancelled = |outcome: Outcome| match &outcome.error {
            Some(error) if error.code == Code::Cancelled && outcome.state == Ending::Refused => {
                Outcome::refused(&host_plan.host, Stop::Asked.not_begun())
            }
            _ => outcome,
        };
        let task = self.task(&plan.id, plan, host_plan, self.call);
        let prepared = {
            // Neither semaphore is ever closed, so acquiring does not fail.
            let _ahead = tokio::select! {
                biased;
                _ = watching.wait_for(|progress| progress.may_prepare(wave)) => None,
                place = ahead.acquire() => Some(place),
            };
            let _place = places.acquire().await;
            if let Some(outcome) = stopped(&watching.borrow()) {
                return outcome;
            }
            task.prepare().await
        };
        progress.send_modify(|progress| WaveProgress::count(&mut progress.unprepared, wave));
        let ready = match prepared {
            Ok(ready) => ready,
            Err(outcome) => return stopped_if_cancelled(*outcome),
        };
        let progress = watching.wait_for(|progress| progress.may_activate(wave)).await;
        if let Some(outcome) = progress.ok().and_then(|progress| stopped(&progress)) {
            return outcome;
        }
        stopped_if_cancelled(task.carry_out(ready).await)
    }

    fn task<'a>(
        &'a self,
        id: &'a PlanId,
        plan: &'a Plan,
        host_plan: &'a HostPlan,
        call: &'a Call,
    ) -> Task<'a> {
        let signature = self.spent.approval().signature();
        let signed = signature
            .filter(|_| self.spent.approval().channel() == ApprovalMethod::Signature)
            .map(|signature| Signed { plan: self.spent.stored().canonical(), signature });
        Task {
            flake: self.flake,
            hosts: self.hosts,
            id,
            plan,
            host_plan,
            signed,
            call,
            abandon: self.abandon,
        }
    }

    /// Reverts confirmed hosts to their previous systems with the same checks, several at once. The cancellation that
    /// stopped the rollout does not stop this.
    async fn revert(&self, plan: &Plan, stop: &Stop, result: &mut RolloutResult) {
        let call = &Call { cancel: self.abandon.clone(), ..self.call.clone() };
        let places = &Semaphore::new(BACK);
        let mut reverting = Vec::new();
        for (host_plan, outcome) in plan.hosts.iter().zip(&mut result.outcomes) {
            let is_new = matches!(outcome.state, Ending::Confirmed | Ending::Staged);
            if is_new && host_plan.toplevel != host_plan.current {
                reverting.push(async move {
                    // The semaphore is never closed.
                    let _place = places.acquire().await;
                    *outcome = self.revert_host(plan, host_plan, outcome, stop, call).await;
                    self.record_result(outcome).await.err()
                });
            }
        }
        let unrecorded = futures::future::join_all(reverting).await;
        result.unrecorded = result.unrecorded.take().or(unrecorded.into_iter().flatten().next());
    }

    async fn revert_host(
        &self,
        plan: &Plan,
        host_plan: &HostPlan,
        outcome: &Outcome,
        stop: &Stop,
        call: &Call,
    ) -> Outcome {
        let not_reverted = |error: Diagnostic| stop.not_reverted(&host_plan.host, error);
        let unchanged = |error: Diagnostic| Outcome { error: Some(not_reverted(error)), ..outcome.clone() };
        if self.abandon.is_cancelled() {
            return unchanged(Stop::abandoned());
        }
        call.report_message(format!("{}: rolling back, because {}", host_plan.host, stop.cause()));
        let id = match PlanId::random() {
            Ok(id) => id,
            Err(error) => return unchanged(Diagnostic::new(Code::Internal, error.to_string())),
        };
        let reverse = reversed(plan.action, plan.reboot, host_plan, outcome);
        let task = self.task(&id, plan, &reverse, call);
        let undone = match task.prepare().await {
            Ok(ready) => task.carry_out(ready).await,
            Err(outcome) => *outcome,
        };
        let reverted = || stop.reverted(&host_plan.host);
        match (undone.state, undone.error.clone()) {
            (Ending::Confirmed | Ending::Staged, _) => {
                Outcome { error: Some(reverted()), state: Ending::RolledBack, ..undone }
            }
            (Ending::RollbackFailed | Ending::Unreachable, error) => {
                Outcome { error: error.map(not_reverted), ..undone }
            }
            // The host still runs the new system, or runs it again.
            (_, error) => unchanged(error.unwrap_or_else(reverted)),
        }
    }

    async fn record_result(&self, outcome: &Outcome) -> Result<(), AuditError> {
        let event = match outcome.state {
            Ending::RolledBack => AuditEvent::RolledBack,
            _ => AuditEvent::HostFinished,
        };
        let error =
            outcome.error.as_ref().map(|error| json!({"code": error.code, "message": error.full_text()}));
        let details = json!({
            "state": outcome.state,
            "generation": outcome.generation,
            "reached_again": outcome.reached_again,
            "error": error,
        });
        self.log(event, Some(&outcome.host), &details).await
    }

    async fn log(
        &self,
        event: AuditEvent,
        host: Option<&HostName>,
        details: &serde_json::Value,
    ) -> Result<(), AuditError> {
        let stored = self.spent.stored();
        let record = AuditRecord {
            event,
            plan_id: Some(stored.plan().id.clone()),
            plan_digest: Some(stored.digest().clone()),
            host: host.cloned(),
            client: self.by.client.clone(),
            user: self.by.user.clone(),
            details: details.as_object().cloned().unwrap_or_default(),
        };
        self.audit.append(record).await.map(drop)
    }
}

/// The host plan that reverts `host_plan` after this outcome.
fn reversed(action: Action, reboot: bool, host_plan: &HostPlan, outcome: &Outcome) -> HostPlan {
    let source = match host_plan.profile_generation {
        Some(number) if host_plan.profile_path.as_ref() == Some(&host_plan.current) => {
            SystemSource::Generation(number)
        }
        _ => SystemSource::Present,
    };
    let runs = if action == Action::Boot && !reboot { &host_plan.current } else { &host_plan.toplevel };
    let (generation, path) = match action {
        Action::Switch | Action::Boot => (outcome.generation, Some(host_plan.toplevel.clone())),
        _ => (host_plan.profile_generation, host_plan.profile_path.clone()),
    };
    HostPlan {
        toplevel: host_plan.current.clone(),
        current: runs.clone(),
        profile_generation: generation,
        profile_path: path,
        source,
        // The checks belong to the new configuration; the previous system may lack the services they test.
        health_checks: Vec::new(),
        ..host_plan.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::plan::fixture;

    #[test]
    fn the_way_back_begins_where_the_way_there_ended() {
        let host_plan = fixture(&["web"]).hosts.remove(0);
        let outcome = Outcome::refused(&host_plan.host, Diagnostic::new(Code::Internal, ""));
        for (action, reboot, runs) in [
            (Action::Switch, false, &host_plan.toplevel),
            (Action::Test, false, &host_plan.toplevel),
            (Action::Boot, false, &host_plan.current),
            (Action::Boot, true, &host_plan.toplevel),
        ] {
            let back = reversed(action, reboot, &host_plan, &outcome);
            assert_eq!((&back.current, &back.toplevel), (runs, &host_plan.current), "{action} {reboot}");
            assert!(
                back.health_checks.is_empty(),
                "checks of the new configuration are not applied to the previous system"
            );
        }
    }

    #[test]
    fn canaries_are_a_wave_of_their_own() {
        let mut plan = fixture(&["a", "b", "c", "d", "e", "f"]);
        (plan.canary, plan.wave) = (1, 2);
        assert_eq!((0..6).map(|place| wave(&plan, place)).collect::<Vec<_>>(), [0, 1, 1, 2, 2, 3]);
        plan.canary = 0;
        assert_eq!((0..6).map(|place| wave(&plan, place)).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
        plan.canary = 100;
        assert_eq!(wave(&plan, 5), 0);
    }
}
