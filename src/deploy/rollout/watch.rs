//! Following a supervisor that has begun to its end.

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

/// How long to wait before a host that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a host is tried for beyond the times it was given.
const PATIENCE: Duration = Duration::from_secs(20);
/// What activating the previous system is taken to need at most, where activating the new one was not seen.
const GOING_BACK: Duration = Duration::from_secs(60);
/// How long a supervisor that was told to begin, without an answer, may take to be there.
const BEGINNING: Duration = Duration::from_secs(5);
/// How long to wait after each login that a host refused: sshd shuts out an address that fails too often
/// (sshd_config(5), `PerSourcePenalties`), and that would last beyond the way back.
const LOGINS: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(3), Duration::from_secs(6)];

/// The way to a supervisor that has begun.
pub(super) struct Line<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) target: &'a SshTarget,
    pub(super) orders: &'a Orders<'a>,
    pub(super) steady: &'a Call,
    /// A connection to ask over, as long as it holds.
    pub(super) session: Option<Arc<SshSession>>,
    /// Where the supervisor was when it was last asked.
    pub(super) known: Option<Step>,
    /// How often a new connection was refused.
    pub(super) refusals: usize,
    /// Whether the supervisor ever said anything.
    pub(super) answered: bool,
    /// When the host was last reached by a connection of its own.
    pub(super) reached: Instant,
}

impl Line<'_> {
    /// Watches the supervisor to its end, and confirms where the host is well.
    pub(super) async fn follow_to_end(mut self, before: &HostState) -> Outcome {
        let of = self.task.of;
        let (activation, confirmation) = (
            Duration::from_secs(of.activation_timeout.into()),
            Duration::from_secs(of.rollback_timeout.into()),
        );
        let begun = Instant::now();
        // Of a host that cannot be reached all that is known is how long its activation took.
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
                        // What it said of us while it was changed does not count.
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
                    // Asked anew, not for a change.
                    self.known = None;
                    sleep(self.pause(&error)).await;
                }
            }
        }
    }

    /// Where it is once that changes, or after a while; over a new connection where the old one broke.
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

    /// Looks whether the host is well, over a connection of its own, and tells it the verdict.
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

    /// No new connection came up. Where that is the host's own word, again and again, it is told to go back at
    /// once, over the connection from before.
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

    /// How long to wait before a host is asked again that answered so.
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

    /// Tells the host, every so often, that it can still be reached while it activates the new system: one that
    /// cannot goes back without waiting for the end.
    async fn report_reachable(&mut self, every: Duration) -> Result<Option<Story>, SuperviseError> {
        if self.reached.elapsed() < every {
            return Ok(None);
        }
        let fresh = self.task.hosts.connect_unshared(self.target, self.steady).await?;
        supervise::alive(&fresh, self.orders, self.steady).await?;
        self.reached = Instant::now();
        Ok(None)
    }

    /// Tells the host that it can be reached again, over a connection of its own.
    async fn reached(&mut self) -> Result<Option<Story>, SuperviseError> {
        let fresh = self.task.hosts.connect_unshared(self.target, self.steady).await?;
        supervise::seen(&fresh, self.orders, self.steady).await?;
        self.known = Some(Step::AwaitingContact);
        Ok(None)
    }

    /// Has it go back, because whoever asked for it took it back.
    async fn cancel(&mut self) -> Result<Option<Story>, SuperviseError> {
        let Some(session) = &self.session else { return Ok(None) };
        self.steady.report_message(format!("{}: going back", self.task.of.host));
        let told = supervise::cancel(session, self.orders, self.steady).await;
        if told.is_err() {
            self.session = None;
        }
        told.map(Some)
    }

    /// It was told to begin and is not there: what is left of the command must not begin later. Gives where it is
    /// if it has begun after all.
    async fn never_begun(&mut self) -> Result<Option<Story>, SuperviseError> {
        let Some(session) = &self.session else { return Err(SuperviseError::NotBegun) };
        supervise::withdraw(session, self.orders, self.steady).await
    }
}
