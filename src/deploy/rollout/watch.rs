//! Follows a supervisor from its start to its final state.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::health::HealthResult;
use super::outcome::Outcome;
use super::settling::Watch;
use super::task::Task;
use crate::deploy::host::HostState;
use crate::deploy::supervisor::{
    DeploymentSpec, DeploymentStep, SuperviseError, SupervisorReport, client as supervise, ending_time,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::progress::Call;
use crate::ssh::{SshError, SshSession, SshTarget};

/// Pause before the next query after an error.
const AGAIN: Duration = Duration::from_millis(200);
/// Time added to the limits of a host before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// Assumed upper limit for activating the previous system, if the duration of the new activation was not observed.
const GOING_BACK: Duration = Duration::from_secs(60);
/// How long to wait for the supervisor if the reply to `begin` was lost.
const BEGINNING: Duration = Duration::from_secs(5);
/// How long a new connection is tried after a rollback: sshd may be starting.
const REACHING: Duration = Duration::from_secs(20);
/// Pauses after refused logins. sshd blocks an address that fails too often (sshd_config(5), `PerSourcePenalties`), and
/// that block would outlast the rollback.
const LOGINS: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(3), Duration::from_secs(6)];

/// The connection to a supervisor that was started, and what is known of it.
pub(super) struct Line<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) target: &'a SshTarget,
    pub(super) spec: &'a DeploymentSpec<'a>,
    pub(super) uncancelled: &'a Call,
    /// The connection for queries; `None` after it broke.
    pub(super) session: Option<Arc<SshSession>>,
    /// The last known step; `None` if the next query must return at once.
    pub(super) known: Option<DeploymentStep>,
    /// Number of refused new connections.
    pub(super) refusals: usize,
    /// Whether the supervisor ever replied.
    pub(super) answered: bool,
    /// When a new connection last reached the host.
    pub(super) reached: Instant,
    /// When the new system was first seen to wait for the confirmation; `None` before.
    pub(super) waiting_since: Option<Instant>,
}

impl Line<'_> {
    /// Follows the supervisor to its final state, and confirms if the health checks pass.
    pub(super) async fn follow_to_end(mut self, before: &HostState) -> Outcome {
        let host_plan = self.task.host_plan;
        let (activation, confirmation) = (
            Duration::from_secs(host_plan.activation_timeout.into()),
            Duration::from_secs(host_plan.rollback_timeout.into()),
        );
        let begun = Instant::now();
        // The duration of the activation is the only estimate for the rollback of a host that cannot be reached.
        let mut going_back = activation.min(GOING_BACK);
        let mut until = begun + activation + confirmation + going_back + PATIENCE;
        let mut health = Vec::new();
        let mut last: Option<Diagnostic> = None;
        let mut taken_back = false;
        loop {
            let asked = tokio::select! {
                biased;
                () = self.task.call.cancel.cancelled(), if !taken_back => None,
                asked = timeout_at(until, self.query_state()) => Some(asked),
            };
            let answer = match asked {
                None => {
                    taken_back = true;
                    self.cancel().await
                }
                Some(Err(_)) => return Outcome::lost(&host_plan.host, last, health),
                Some(Ok(Err(SuperviseError::NotBegun))) if !self.answered && begun.elapsed() > BEGINNING => {
                    match self.withdraw().await {
                        Ok(None) => {
                            return Outcome::refused(&host_plan.host, (&SuperviseError::NotBegun).into());
                        }
                        other => other,
                    }
                }
                Some(Ok(Err(error))) => Err(error),
                Some(Ok(Ok(report))) => {
                    let patience = match report.state {
                        DeploymentStep::Accepted
                        | DeploymentStep::Activating
                        | DeploymentStep::Staging
                        | DeploymentStep::Rebooting => activation + confirmation,
                        DeploymentStep::Waiting | DeploymentStep::AwaitingContact => confirmation,
                        _ => ending_time(host_plan.activation_timeout),
                    };
                    if report.state == DeploymentStep::Waiting && self.waiting_since.is_none() {
                        self.waiting_since = Some(Instant::now());
                        // Logins that were refused during the activation do not count.
                        self.refusals = 0;
                        going_back = activation.min(2 * begun.elapsed());
                    }
                    until = Instant::now() + patience + going_back + PATIENCE;
                    if report.state.is_final() {
                        Ok(Some(report))
                    } else if report.state == DeploymentStep::AwaitingContact {
                        self.reached().await
                    } else if taken_back {
                        self.cancel().await
                    } else if report.state == DeploymentStep::Waiting {
                        self.decide(before, report.units_failed == Some(true), &mut health).await
                    } else if report.state == DeploymentStep::Activating {
                        self.report_reachable(confirmation / 2).await
                    } else {
                        Ok(None)
                    }
                }
            };
            match answer {
                Ok(Some(report)) if report.state.is_final() => {
                    let has_gone_back =
                        matches!(report.state, DeploymentStep::RolledBack | DeploymentStep::RollbackFailed);
                    let mut outcome = Outcome::from_report(host_plan, report, health);
                    if taken_back {
                        outcome = outcome.stopped();
                    }
                    return if has_gone_back { outcome.reached(self.reach_again().await) } else { outcome };
                }
                Ok(_) => {}
                Err(error) => {
                    last = Some((&error).into());
                    // The next query returns the state at once and does not wait for a change.
                    self.known = None;
                    sleep(self.pause(&error)).await;
                }
            }
        }
    }

    /// Returns the state once it changes, or after some seconds. Opens a new connection if the old one broke.
    async fn query_state(&mut self) -> Result<SupervisorReport, SuperviseError> {
        let session = match &self.session {
            Some(session) => Arc::clone(session),
            None => Arc::new(self.task.hosts.connect_unshared(self.target, self.uncancelled).await?),
        };
        let reply = match self.known {
            Some(known) => supervise::wait_for_change(&session, self.spec, known, self.uncancelled).await,
            None => supervise::state(&session, self.spec, self.uncancelled).await,
        };
        self.answered |= reply.is_ok();
        self.known = reply.as_ref().ok().map(|report| report.state);
        self.session = match &reply {
            Err(SuperviseError::Ssh(_)) => None,
            _ => Some(session),
        };
        reply
    }

    /// Runs the health checks over a new connection, and sends `confirm` or `cancel`.
    async fn decide(
        &mut self,
        before: &HostState,
        units_failed: bool,
        health: &mut Vec<HealthResult>,
    ) -> Result<Option<SupervisorReport>, SuperviseError> {
        let (host_plan, call) = (self.task.host_plan, self.task.call);
        let begun = Instant::now();
        let fresh = match self.task.hosts.connect_unshared(self.target, self.uncancelled).await {
            Ok(fresh) => fresh,
            Err(error) => return self.login_refused(error, health).await,
        };
        call.report_message(match host_plan.settling_seconds {
            Some(seconds) => format!("{}: watching its health for {seconds} s", host_plan.host),
            None => format!("{}: checking its health", host_plan.host),
        });
        let confirmation = Duration::from_secs(host_plan.rollback_timeout.into());
        // The last look and `confirm` take about as long as connecting did.
        let reserved = (2 * begun.elapsed()).min(confirmation / 2);
        let until = self.waiting_since.unwrap_or(begun) + confirmation - reserved;
        let watch = Watch { session: &fresh, plan: host_plan, before, units_failed, until, call };
        *health = watch.watch().await;
        if call.cancel.is_cancelled() {
            return Ok(None);
        }
        let is_healthy = health.iter().all(|health| health.ok);
        let reply = if is_healthy {
            supervise::confirm(&fresh, self.spec, self.uncancelled).await
        } else {
            supervise::cancel(&fresh, self.spec, self.uncancelled).await
        };
        reply.map(Some)
    }

    /// Handles a failed new connection. If the host refused the login several times, sends `cancel` over the existing
    /// connection; else returns the error.
    async fn login_refused(
        &mut self,
        error: SshError,
        health: &mut Vec<HealthResult>,
    ) -> Result<Option<SupervisorReport>, SuperviseError> {
        if !error.is_refusal() || self.refusals < LOGINS.len() - 1 || self.session.is_none() {
            return Err(error.into());
        }
        *health = vec![HealthResult::new(
            "the host accepts a new connection",
            Err(Diagnostic::from(&error).full_text()),
        )];
        self.cancel().await
    }

    /// The pause after this error.
    fn pause(&mut self, error: &SuperviseError) -> Duration {
        match error {
            SuperviseError::Ssh(error) if error.is_refusal() => {
                let pause = LOGINS.get(self.refusals).or(LOGINS.last()).copied().unwrap_or(AGAIN);
                self.refusals += 1;
                pause
            }
            _ => AGAIN,
        }
    }

    /// Sends `alive` over a new connection if the last one is older than `every`. Without it the host goes
    /// back if the activation takes longer than the time for the confirmation.
    async fn report_reachable(
        &mut self,
        every: Duration,
    ) -> Result<Option<SupervisorReport>, SuperviseError> {
        if self.reached.elapsed() < every {
            return Ok(None);
        }
        let fresh = self.task.hosts.connect_unshared(self.target, self.uncancelled).await?;
        supervise::alive(&fresh, self.spec, self.uncancelled).await?;
        self.reached = Instant::now();
        Ok(None)
    }

    /// Sends `seen` over a new connection, which proves that the host can be reached after its rollback.
    async fn reached(&mut self) -> Result<Option<SupervisorReport>, SuperviseError> {
        let fresh = self.task.hosts.connect_unshared(self.target, self.uncancelled).await?;
        supervise::seen(&fresh, self.spec, self.uncancelled).await?;
        self.known = Some(DeploymentStep::AwaitingContact);
        Ok(None)
    }

    /// Opens a new connection after the host was rolled back: the old one says nothing about new logins.
    ///
    /// # Errors
    /// Why no connection reached the host, if none did for [`REACHING`].
    async fn reach_again(&mut self) -> Result<(), Diagnostic> {
        let host = &self.task.host_plan.host;
        self.uncancelled.report_message(format!("{host}: connecting anew, after it was rolled back"));
        self.refusals = 0;
        let until = Instant::now() + REACHING;
        loop {
            let error = match timeout_at(
                until,
                self.task.hosts.connect_unshared(self.target, self.uncancelled),
            )
            .await
            {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => SuperviseError::from(error),
                Err(_) => {
                    return Err(Diagnostic::new(
                        Code::HostUnreachable,
                        format!("{} did not answer", self.target),
                    ));
                }
            };
            let pause = self.pause(&error);
            if Instant::now() + pause >= until {
                return Err((&error).into());
            }
            sleep(pause).await;
        }
    }

    /// Sends `cancel`, so that the host goes back at once. Does nothing without a connection.
    async fn cancel(&mut self) -> Result<Option<SupervisorReport>, SuperviseError> {
        let Some(session) = &self.session else { return Ok(None) };
        self.uncancelled.report_message(format!("{}: rolling back", self.task.host_plan.host));
        let reply = supervise::cancel(session, self.spec, self.uncancelled).await;
        if reply.is_err() {
            self.session = None;
        }
        reply.map(Some)
    }

    /// Withdraws a `begin` that had no effect so far, since the lost command must not start the deployment later. Returns
    /// the state if it has started after all.
    async fn withdraw(&mut self) -> Result<Option<SupervisorReport>, SuperviseError> {
        let Some(session) = &self.session else { return Err(SuperviseError::NotBegun) };
        supervise::withdraw(session, self.spec, self.uncancelled).await
    }
}
