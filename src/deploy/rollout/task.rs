//! Carries out a plan on one host: copies the system, starts the supervisor, checks the host over a new connection, and
//! confirms.
//!
//! Once the supervisor has started, the host goes back by itself unless it is confirmed. If the connection or this
//! program fails, the host therefore ends either on the confirmed new system or on the previous one.

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
use crate::deploy::supervisor::{DeploymentSpec, Signed, SuperviseError, client as supervise};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::names::PlanId;
use crate::progress::Call;
use crate::ssh::{SshConnections, SshError, SshSession, SshTarget};

/// Length of the confirmation nonce, in bytes.
const NONCE_BYTES: usize = 24;

/// The deployment of one host of a plan.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The flake that gives the system.
    pub flake: &'a Flake,
    /// The SSH connections.
    pub hosts: &'a SshConnections,
    /// Id of the deployment on the host: the plan's id, or a new id if this reverts the plan.
    pub id: &'a PlanId,
    pub plan: &'a Plan,
    /// The part of the plan for this host.
    pub host_plan: &'a HostPlan,
    /// The signed plan; `None` if it was approved in another way.
    pub signed: Option<Signed<'a>>,
    /// Receives progress; its cancellation makes the host go back.
    pub call: &'a Call,
    /// Its cancellation ends this task without waiting for the host.
    pub abandon: &'a CancellationToken,
}

/// A host that passed all checks and has the new system in its store. Holds no connection, since its wave may begin
/// much later.
pub struct Ready {
    target: SshTarget,
}

/// The result of a step; the error is the final outcome of the host.
type Prepared<T> = Result<T, Box<Outcome>>;

impl Task<'_> {
    /// Checks that everything the plan is bound to is unchanged, and copies the system to the host. Changes nothing there
    /// except its store.
    ///
    /// # Errors
    /// The outcome of a host on which nothing was activated.
    pub async fn prepare(&self) -> Prepared<Ready> {
        let refused = |error| Box::new(Outcome::refused(&self.host_plan.host, error));
        let target = binding::target(self.host_plan).map_err(refused)?;
        // Only a revert may target a system that is neither from the flake nor a generation.
        if self.host_plan.source == SystemSource::Present && *self.id == self.plan.id {
            let what = format!("the plan does not state the source of the system of {}", self.host_plan.host);
            return Err(refused(Diagnostic::new(Code::InvalidPlan, what)));
        }
        binding::flake_holds(self.flake, &self.plan.flake, self.host_plan, self.call)
            .await
            .map_err(refused)?;
        let session = self.hosts.session(&target, self.call).await.map_err(|error| self.no_answer(&error))?;
        self.survey(&session).await?;
        binding::generation_holds(self.host_plan, &session, self.call).await.map_err(refused)?;
        copy(self.flake, &session, self.host_plan, self.call).await.map_err(refused)?;
        Ok(Ready { target })
    }

    /// Surveys the machine, and checks that it is as planned.
    async fn survey(&self, session: &SshSession) -> Prepared<HostState> {
        let state = match host::brief_survey(session, self.call).await {
            Ok(state) => state,
            Err(SurveyError::Ssh(error)) => return Err(self.no_answer(&error)),
            Err(error) => return Err(Box::new(Outcome::refused(&self.host_plan.host, (&error).into()))),
        };
        binding::host_holds(self.host_plan, session, &state)
            .map_err(|error| Box::new(Outcome::refused(&self.host_plan.host, error)))?;
        Ok(state)
    }

    fn no_answer(&self, error: &SshError) -> Box<Outcome> {
        let ending = match error {
            SshError::Unreachable { .. } | SshError::Broken { .. } | SshError::TimedOut { .. } => {
                Ending::Unreachable
            }
            _ => Ending::Refused,
        };
        Box::new(Outcome::ended(&self.host_plan.host, ending, error.into()))
    }

    /// Has the host activate the new system, and confirms it if the health checks pass.
    pub async fn carry_out(&self, ready: Ready) -> Outcome {
        // The state of the host may have changed during the copy, or while it waited for its wave.
        let session = match self.hosts.session(&ready.target, self.call).await {
            Ok(session) => session,
            Err(error) => return *self.no_answer(&error),
        };
        let before = match self.survey(&session).await {
            Ok(state) => state,
            Err(outcome) => return *outcome,
        };
        if self.call.cancel.is_cancelled() {
            return Outcome::refused(&self.host_plan.host, (&SshError::cancelled()).into());
        }
        let nonce = match nonce() {
            Ok(nonce) => nonce,
            Err(error) => {
                return Outcome::refused(
                    &self.host_plan.host,
                    Diagnostic::new(Code::Internal, error.to_string()),
                );
            }
        };
        let spec = DeploymentSpec {
            id: self.id,
            action: self.plan.action,
            toplevel: &self.host_plan.toplevel,
            previous: &self.host_plan.current,
            confirm_seconds: self.host_plan.rollback_timeout,
            activation_seconds: self.host_plan.activation_timeout,
            reboot_on_failure: self.host_plan.reboot_on_failure,
            reboot: self.plan.reboot,
            boot_once: self.host_plan.boot_once,
            ssh_port: before.server_address.map(|(_, port)| port),
            generation: match self.host_plan.source {
                SystemSource::New | SystemSource::Present => None,
                SystemSource::Generation(number) => Some(number),
            },
            reverts: (*self.id != self.plan.id).then_some(&self.plan.id),
            nonce: &nonce,
            signed: self.signed,
        };
        self.call.report_message(format!("{}: activating", self.host_plan.host));
        // From here on, cancelling the call must not interrupt a running command; cancellation is sent to the host as
        // `cancel`.
        let uncancelled = Call { cancel: CancellationToken::new(), ..self.call.clone() };
        let following = async {
            let mut answered = false;
            match supervise::begin(&session, &spec, &uncancelled).await {
                Ok(_) => answered = true,
                Err(error @ (SuperviseError::Taken(_) | SuperviseError::Refused(_))) => {
                    return Outcome::refused(&self.host_plan.host, (&error).into());
                }
                // The supervisor may have started; the state it reports later decides.
                Err(error) => {
                    tracing::warn!(%error, host = %self.host_plan.host, "the reply to `begin` was lost")
                }
            }
            let line = Line {
                task: self,
                target: &ready.target,
                spec: &spec,
                uncancelled: &uncancelled,
                session: Some(Arc::clone(&session)),
                known: None,
                refusals: 0,
                answered,
                reached: Instant::now(),
                waiting_since: None,
            };
            line.follow_to_end(&before).await
        };
        let outcome = tokio::select! {
            biased;
            () = self.abandon.cancelled() => Outcome::lost(&self.host_plan.host, Some(Stop::abandoned()), Vec::new()),
            outcome = following => outcome,
        };
        // The next call must open a new connection, which proves that the host can be reached.
        self.hosts.forget(&ready.target);
        outcome
    }
}

fn nonce() -> std::io::Result<String> {
    let bytes = crate::random::bytes::<NONCE_BYTES>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
