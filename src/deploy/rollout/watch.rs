//! Follows a supervisor from its start to its final state.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::health::{self, Health};
use super::outcome::Outcome;
use super::task::Task;
use crate::deploy::host::HostState;
use crate::deploy::supervisor::{Orders, Step, Story, SuperviseError, client as supervise, ending_time};
use crate::diagnostic::Diagnostic;
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
/// Pauses after refused logins. sshd blocks an address that fails too often (sshd_config(5), `PerSourcePenalties`), and
/// that block would outlast the rollback.
const LOGINS: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(3), Duration::from_secs(6)];

/// The connection to a supervisor that was started, and what is known of it.
pub(super) struct Line<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) target: &'a SshTarget,
    pub(super) orders: &'a Orders<'a>,
    pub(super) steady: &'a Call,
    /// The connection for queries; `None` after it broke.
    pub(super) session: Option<Arc<SshSession>>,
    /// The last known step; `None` if the next query must return at once.
    pub(super) known: Option<Step>,
    /// Number of refused new connections.
    pub(super) refusals: usize,
    /// Whether the supervisor ever replied.
    pub(super) answered: bool,
    /// When a new connection last reached the host.
    pub(super) reached: Instant,
}

impl Line<'_> {
    /// Follows the supervisor to its final state, and confirms if the health checks pass.
    pub(super) async fn follow_to_end(mut self, before: &HostState) -> Outcome {
        let of = self.task.of;
        let (activation, confirmation) = (
            Duration::from_secs(of.activation_timeout.into()),
            Duration::from_secs(of.rollback_timeout.into()),
        );
        let begun = Instant::now();
        // The duration of the activation is the only estimate for the rollback of a host that cannot be reached.
        let mut going_back = activation.min(GOING_BACK);
        let mut until = begun + activation + confirmation + going_back + PATIENCE;
        let mut health = Vec::new();
        let mut last: Option<Diagnostic> = None;
        let (mut waited, mut taken_back) = (false, false);
        loop {
            let asked = tokio::select! {
                biased;
                () = self.task.call.cancel.cancelled(), if !taken_back => None,
                asked = timeout_at(until, self.ask()) => Some(asked),
            };
            let answer = match asked {
                None => {
                    taken_back = true;
                    self.cancel().await
                }
                Some(Err(_)) => return Outcome::lost(&of.host, last, health),
                Some(Ok(Err(SuperviseError::NotBegun))) if !self.answered && begun.elapsed() > BEGINNING => {
                    match self.never_begun().await {
                        Ok(None) => {
                            return Outcome::refused(&of.host, (&SuperviseError::NotBegun).into());
                        }
                        other => other,
                    }
                }
                Some(Ok(Err(error))) => Err(error),
                Some(Ok(Ok(story))) => {
                    let patience = match story.state {
                        Step::Accepted | Step::Activating | Step::Staging | Step::Rebooting => {
                            activation + confirmation
                        }
                        Step::Waiting | Step::AwaitingContact => confirmation,
                        _ => ending_time(of.activation_timeout),
                    };
                    if story.state == Step::Waiting && !waited {
                        waited = true;
                        // Logins that were refused during the activation do not count.
                        self.refusals = 0;
                        going_back = activation.min(2 * begun.elapsed());
                    }
                    until = Instant::now() + patience + going_back + PATIENCE;
                    if story.state.is_final() {
                        Ok(Some(story))
                    } else if story.state == Step::AwaitingContact {
                        self.reached().await
                    } else if taken_back {
                        self.cancel().await
                    } else if story.state == Step::Waiting {
                        self.judge(before, story.units_failed == Some(true), &mut health).await
                    } else if story.state == Step::Activating {
                        self.report_reachable(confirmation / 2).await
                    } else {
                        Ok(None)
                    }
                }
            };
            match answer {
                Ok(Some(story)) if story.state.is_final() => {
                    let outcome = Outcome::from_story(of, story, health);
                    return if taken_back { outcome.stopped() } else { outcome };
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
    async fn ask(&mut self) -> Result<Story, SuperviseError> {
        let session = match &self.session {
            Some(session) => Arc::clone(session),
            None => Arc::new(self.task.hosts.connect_unshared(self.target, self.steady).await?),
        };
        let told = match self.known {
            Some(known) => supervise::moved_on(&session, self.orders, known, self.steady).await,
            None => supervise::state(&session, self.orders, self.steady).await,
        };
        self.answered |= told.is_ok();
        self.known = told.as_ref().ok().map(|story| story.state);
        self.session = match &told {
            Err(SuperviseError::Ssh(_)) => None,
            _ => Some(session),
        };
        told
    }

    /// Runs the health checks over a new connection, and sends `confirm` or `cancel`.
    async fn judge(
        &mut self,
        before: &HostState,
        shaky: bool,
        health: &mut Vec<Health>,
    ) -> Result<Option<Story>, SuperviseError> {
        let (of, call) = (self.task.of, self.task.call);
        let fresh = match self.task.hosts.connect_unshared(self.target, self.steady).await {
            Ok(fresh) => fresh,
            Err(error) => return self.shut_out(error, health).await,
        };
        call.report_message(format!("{}: looking whether it is well", of.host));
        let patience = Duration::from_secs(u64::from(of.rollback_timeout)) / 2;
        *health = health::check(&fresh, of, before, shaky, patience, call).await;
        if call.cancel.is_cancelled() {
            return Ok(None);
        }
        let well = health.iter().all(|health| health.ok);
        let told = if well {
            supervise::confirm(&fresh, self.orders, self.steady).await
        } else {
            supervise::cancel(&fresh, self.orders, self.steady).await
        };
        told.map(Some)
    }

    /// Handles a failed new connection. If the host refused the login several times, sends `cancel` over the existing
    /// connection; else returns the error.
    async fn shut_out(
        &mut self,
        error: SshError,
        health: &mut Vec<Health>,
    ) -> Result<Option<Story>, SuperviseError> {
        if !error.is_refusal() || self.refusals < LOGINS.len() - 1 || self.session.is_none() {
            return Err(error.into());
        }
        *health = vec![Health::new("a new connection is let in", Err(Diagnostic::from(&error).full_text()))];
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
    async fn report_reachable(&mut self, every: Duration) -> Result<Option<Story>, SuperviseError> {
        if self.reached.elapsed() < every {
            return Ok(None);
        }
        let fresh = self.task.hosts.connect_unshared(self.target, self.steady).await?;
        supervise::alive(&fresh, self.orders, self.steady).await?;
        self.reached = Instant::now();
        Ok(None)
    }

    /// Sends `seen` over a new connection, which proves that the host can be reached after its rollback.
    async fn reached(&mut self) -> Result<Option<Story>, SuperviseError> {
        let fresh = self.task.hosts.connect_unshared(self.target, self.steady).await?;
        supervise::seen(&fresh, self.orders, self.steady).await?;
        self.known = Some(Step::AwaitingContact);
        Ok(None)
    }

    /// Sends `cancel`, so that the host goes back at once. Does nothing without a connection.
    async fn cancel(&mut self) -> Result<Option<Story>, SuperviseError> {
        let Some(session) = &self.session else { return Ok(None) };
        self.steady.report_message(format!("{}: going back", self.task.of.host));
        let told = supervise::cancel(session, self.orders, self.steady).await;
        if told.is_err() {
            self.session = None;
        }
        told.map(Some)
    }

    /// Withdraws a `begin` that had no effect so far, since the lost command must not start the deployment later. Returns
    /// the state if it has started after all.
    async fn never_begun(&mut self) -> Result<Option<Story>, SuperviseError> {
        let Some(session) = &self.session else { return Err(SuperviseError::NotBegun) };
        supervise::withdraw(session, self.orders, self.steady).await
    }
}
