//! Carrying a plan out on one host: copy, hand over to the supervisor there, look with fresh eyes, confirm.
//!
//! From the moment the supervisor has begun, the host goes back by itself unless it is confirmed. So
//! whatever happens here, to the connection or to this program, the host ends on the new system
//! confirmed, or on the old one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::binding;
use super::copy::copy;
use super::health::{self, Health};
use super::outcome::{Ending, Outcome};
use super::stop::Stop;
use crate::deploy::host::{self, State, SurveyError};
use crate::deploy::plan::{HostPlan, Plan, SystemSource};
use crate::deploy::supervisor::{
    Orders, Signed, Step, Story, SuperviseError, client as supervise, ending_time,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::names::PlanId;
use crate::progress::Call;
use crate::ssh::{Hosts, Session, SshError, Target};

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
/// Characters of what only who may confirm knows.
const NONCE_BYTES: usize = 24;

/// One host of a plan, and what carrying it out there needs.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The flake the system comes from.
    pub flake: &'a Flake,
    /// The connections.
    pub hosts: &'a Hosts,
    /// The deployment's name on the host: the plan's, unless it takes that one back.
    pub id: &'a PlanId,
    /// The plan.
    pub plan: &'a Plan,
    /// What of it is about this host.
    pub of: &'a HostPlan,
    /// The signature, where that is how it was approved.
    pub signed: Option<Signed<'a>>,
    /// Who watches, and may take it back.
    pub call: &'a Call,
    /// Cancelled when the host is to be left to itself.
    pub leave: &'a CancellationToken,
}

/// A host that has the new system in its store, and was as planned a moment ago. Holds no connection: its
/// turn may be far away.
pub struct Ready {
    target: Target,
}

/// Ends with an outcome where the rest cannot be done.
type Prepared<T> = Result<T, Box<Outcome>>;

impl Task<'_> {
    /// Sees that everything the plan is bound to still holds, and brings the system to the host. Changes
    /// nothing there but its store.
    ///
    /// # Errors
    /// The outcome: nothing was done, and why.
    pub async fn prepare(&self) -> Prepared<Ready> {
        let refused = |error| Box::new(Outcome::refused(&self.of.host, error));
        let target = binding::target(self.of).map_err(refused)?;
        // Only what takes another deployment back goes to a system that nothing names.
        if self.of.source == SystemSource::Present && *self.id == self.plan.id {
            let what = format!("the plan does not say where the system of {} comes from", self.of.host);
            return Err(refused(Diagnostic::new(Code::InvalidPlan, what)));
        }
        binding::flake_holds(self.flake, &self.plan.flake, self.of, self.call).await.map_err(refused)?;
        let session = self.hosts.session(&target, self.call).await.map_err(|error| self.no_answer(&error))?;
        self.survey(&session).await?;
        binding::generation_holds(self.of, &session, self.call).await.map_err(refused)?;
        copy(self.flake, &session, self.of, self.call).await.map_err(refused)?;
        Ok(Ready { target })
    }

    /// What the machine says of itself, where it is as planned.
    async fn survey(&self, session: &Session) -> Prepared<State> {
        let state = match host::glance(session, self.call).await {
            Ok(state) => state,
            Err(SurveyError::Ssh(error)) => return Err(self.no_answer(&error)),
            Err(error) => return Err(Box::new(Outcome::refused(&self.of.host, (&error).into()))),
        };
        binding::host_holds(self.of, session, &state)
            .map_err(|error| Box::new(Outcome::refused(&self.of.host, error)))?;
        Ok(state)
    }

    fn no_answer(&self, error: &SshError) -> Box<Outcome> {
        let ending = match error {
            SshError::Unreachable { .. } | SshError::Broken { .. } | SshError::TimedOut { .. } => {
                Ending::Unreachable
            }
            _ => Ending::Refused,
        };
        Box::new(Outcome::ended(&self.of.host, ending, error.into()))
    }

    /// Has the host activate the new system, and confirms it where the host is well.
    pub async fn carry_out(&self, ready: Ready) -> Outcome {
        // Copying took its time: what was true before it may not be any more.
        let session = match self.hosts.session(&ready.target, self.call).await {
            Ok(session) => session,
            Err(error) => return *self.no_answer(&error),
        };
        let before = match self.survey(&session).await {
            Ok(state) => state,
            Err(outcome) => return *outcome,
        };
        if self.call.cancel.is_cancelled() {
            return Outcome::refused(&self.of.host, (&SshError::cancelled()).into());
        }
        let nonce = match nonce() {
            Ok(nonce) => nonce,
            Err(error) => {
                return Outcome::refused(&self.of.host, Diagnostic::new(Code::Internal, error.to_string()));
            }
        };
        let orders = Orders {
            id: self.id,
            action: self.plan.action,
            toplevel: &self.of.toplevel,
            previous: &self.of.current,
            confirm_seconds: self.of.rollback_timeout,
            activation_seconds: self.of.activation_timeout,
            reboot_on_failure: self.of.reboot_on_failure,
            reboot: self.plan.reboot,
            boot_once: self.of.boot_once,
            generation: match self.of.source {
                SystemSource::New | SystemSource::Present => None,
                SystemSource::Generation(number) => Some(number),
            },
            reverts: (*self.id != self.plan.id).then_some(&self.plan.id),
            nonce: &nonce,
            signed: self.signed,
        };
        self.call.saying(format!("{}: activating", self.of.host));
        // From here on, nobody who leaves breaks off a sentence: being taken back is a command of its own.
        let steady = Call { cancel: CancellationToken::new(), ..self.call.clone() };
        let through = async {
            let mut answered = false;
            match supervise::begin(&session, &orders, &steady).await {
                Ok(_) => answered = true,
                Err(error @ (SuperviseError::Taken(_) | SuperviseError::Refused(_))) => {
                    return Outcome::refused(&self.of.host, (&error).into());
                }
                // It may have begun: what it says later is what counts.
                Err(error) => tracing::warn!(%error, host = %self.of.host, "the answer to `begin` was lost"),
            }
            let line = Line {
                task: self,
                target: &ready.target,
                orders: &orders,
                steady: &steady,
                session: Some(Arc::clone(&session)),
                known: None,
                refusals: 0,
                answered,
                reached: Instant::now(),
            };
            line.see_through(&before).await
        };
        let outcome = tokio::select! {
            biased;
            () = self.leave.cancelled() => Outcome::lost(&self.of.host, Some(Stop::left()), Vec::new()),
            outcome = through => outcome,
        };
        // The next call proves that it can be reached.
        self.hosts.forget(&ready.target);
        outcome
    }
}

fn nonce() -> std::io::Result<String> {
    let bytes = crate::random::bytes::<NONCE_BYTES>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The way to a supervisor that has begun.
struct Line<'a> {
    task: &'a Task<'a>,
    target: &'a Target,
    orders: &'a Orders<'a>,
    steady: &'a Call,
    /// A connection to ask over, as long as it holds.
    session: Option<Arc<Session>>,
    /// Where the supervisor was when it was last asked.
    known: Option<Step>,
    /// How often a new connection was refused.
    refusals: usize,
    /// Whether the supervisor ever said anything.
    answered: bool,
    /// When the host was last reached by a connection of its own.
    reached: Instant,
}

impl Line<'_> {
    /// Watches the supervisor to its end, and confirms where the host is well.
    async fn see_through(mut self, before: &State) -> Outcome {
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
                        self.attend(confirmation / 2).await
                    } else {
                        Ok(None)
                    }
                }
            };
            match answer {
                Ok(Some(story)) if story.state.is_final() => {
                    let outcome = Outcome::told(of, story, health);
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
            None => Arc::new(self.task.hosts.fresh(self.target, self.steady).await?),
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
        before: &State,
        shaky: bool,
        health: &mut Vec<Health>,
    ) -> Result<Option<Story>, SuperviseError> {
        let (of, call) = (self.task.of, self.task.call);
        let fresh = match self.task.hosts.fresh(self.target, self.steady).await {
            Ok(fresh) => fresh,
            Err(error) => return self.shut_out(error, health).await,
        };
        call.saying(format!("{}: looking whether it is well", of.host));
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
        *health = vec![Health::new("a new connection is let in", Err(Diagnostic::from(&error).told()))];
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
    async fn attend(&mut self, every: Duration) -> Result<Option<Story>, SuperviseError> {
        if self.reached.elapsed() < every {
            return Ok(None);
        }
        let fresh = self.task.hosts.fresh(self.target, self.steady).await?;
        supervise::alive(&fresh, self.orders, self.steady).await?;
        self.reached = Instant::now();
        Ok(None)
    }

    /// Tells the host that it can be reached again, over a connection of its own.
    async fn reached(&mut self) -> Result<Option<Story>, SuperviseError> {
        let fresh = self.task.hosts.fresh(self.target, self.steady).await?;
        supervise::seen(&fresh, self.orders, self.steady).await?;
        self.known = Some(Step::AwaitingContact);
        Ok(None)
    }

    /// Has it go back, because whoever asked for it took it back.
    async fn cancel(&mut self) -> Result<Option<Story>, SuperviseError> {
        let Some(session) = &self.session else { return Ok(None) };
        self.steady.saying(format!("{}: going back", self.task.of.host));
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
