//! Carrying a plan out on one host: copy, hand over to the supervisor there, look with fresh eyes, confirm.
//!
//! From the moment the supervisor has begun, the host goes back by itself unless it is confirmed. So
//! whatever happens here, to the connection or to this program, the host ends on the new system
//! confirmed, or on the old one.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::binding;
use super::copy::copy;
use super::outcome::{Ending, Outcome};
use super::stop::Stop;
use super::watch::Line;
use crate::deploy::host::{self, HostState, SurveyError};
use crate::deploy::plan::{HostPlan, Plan, SystemSource};
use crate::deploy::supervisor::{Orders, Signed, SuperviseError, client as supervise};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::names::PlanId;
use crate::progress::Call;
use crate::ssh::{SshConnections, SshError, SshSession, SshTarget};

/// Characters of what only who may confirm knows.
const NONCE_BYTES: usize = 24;

/// One host of a plan, and what carrying it out there needs.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The flake the system comes from.
    pub flake: &'a Flake,
    /// The connections.
    pub hosts: &'a SshConnections,
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
    target: SshTarget,
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
    async fn survey(&self, session: &SshSession) -> Prepared<HostState> {
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
        self.call.report_message(format!("{}: activating", self.of.host));
        // From here on, nobody who leaves breaks off a sentence: being taken back is a command of its own.
        let steady = Call { cancel: CancellationToken::new(), ..self.call.clone() };
        let following = async {
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
            line.follow_to_end(&before).await
        };
        let outcome = tokio::select! {
            biased;
            () = self.leave.cancelled() => Outcome::lost(&self.of.host, Some(Stop::left()), Vec::new()),
            outcome = following => outcome,
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
