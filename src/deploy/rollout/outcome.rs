//! The outcome of a rollout for one host.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::health::HealthResult;
use crate::advice::{Hint, Remedy};
use crate::causes::Failing;
use crate::deploy::plan::HostPlan;
use crate::deploy::supervisor::{DeploymentStep, SupervisorReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::HostName;
use crate::text;

/// What the supervisor says of a rollback that this program asked for, before what else happened.
const CANCELLED: &str = "Cancelled before it was confirmed.";

/// How a deployment ended on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new system runs; unless the action was `test`, it is also the boot default.
    Confirmed,
    /// The new system is the boot default and is not activated.
    Staged,
    /// The activation was only simulated, as requested (`dry-activate`).
    Checked,
    /// The previous system runs again.
    RolledBack,
    /// The previous system could not be restored: an operator has to look at the host.
    RollbackFailed,
    /// Nothing was changed on the host.
    Refused,
    /// The host did not answer, so its state is unknown.
    Unreachable,
}

impl Ending {
    /// Whether the action succeeded.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Confirmed | Self::Staged | Self::Checked)
    }

    /// The ending as a clause, for messages.
    fn sentence(self) -> &'static str {
        match self {
            Self::Confirmed | Self::Staged | Self::Checked => "the action succeeded",
            Self::RolledBack => "it was rolled back to its previous system",
            Self::RollbackFailed => "its previous system could not be restored",
            Self::Refused => "it refused the deployment, and nothing was changed",
            Self::Unreachable => "it does not answer",
        }
    }

    /// The name in answers and in the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Staged => "staged",
            Self::Checked => "checked",
            Self::RolledBack => "rolled_back",
            Self::RollbackFailed => "rollback_failed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
        }
    }
}

/// The outcome of a rollout for one host.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The host.
    pub host: HostName,
    /// How it ended.
    pub state: Ending,
    /// The generation that was created or selected; `None` if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether units failed during the activation; `None` if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units_failed: Option<bool>,
    /// Whether a new connection reached the host after it was rolled back; `None` if it was not rolled back, or not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_again: Option<bool>,
    /// Results of the health checks before the confirmation.
    pub health: Vec<HealthResult>,
    /// Number of results that were left out of the answer for its size.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_health: u64,
    /// Why the action failed; `None` if it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
}

impl Outcome {
    /// An outcome without any change on the host, because of `error`.
    #[must_use]
    pub fn refused(host: &HostName, error: Diagnostic) -> Self {
        Self::ended(host, Ending::Refused, error)
    }

    /// An outcome with this state, because of `error`.
    #[must_use]
    pub fn ended(host: &HostName, state: Ending, error: Diagnostic) -> Self {
        Self {
            host: host.clone(),
            state,
            generation: None,
            units_failed: None,
            reached_again: None,
            health: Vec::new(),
            more_health: 0,
            error: Some(with_planning_hint(error)),
        }
    }

    /// Replaces the error if the host was rolled back only because the rollout was stopped.
    #[must_use]
    pub(super) fn stopped(self) -> Self {
        if self.state != Ending::RolledBack || self.health.iter().any(|health| !health.ok) {
            return self;
        }
        let message = format!("{}: the rollout was stopped before the host was confirmed", self.host);
        let hint = Remedy::PlanAndApproveAnew.after("the previous system runs again; ");
        Self { error: Some(Diagnostic::new(Code::RolledBack, message).with_hint(hint)), ..self }
    }

    /// Adds whether a new connection reached the host after it was rolled back, and if not, why.
    #[must_use]
    pub(super) fn reached(self, reached: Result<(), Diagnostic>) -> Self {
        let Err(cause) = reached else { return Self { reached_again: Some(true), ..self } };
        let is_back = self.state == Ending::RolledBack;
        let error = self.error.map(|error| {
            let said = [error.said.unwrap_or_default(), cause.full_text()].join("\n");
            let code = if is_back { Code::UnreachableAfterRollback } else { error.code };
            Diagnostic::new(code, format!("{}, and no new connection reaches it since", error.message))
                .with_said(&text::bounded(said.trim(), 900))
                .with_hint(
                    "use the host's console: start sshd (`systemctl restart sshd`), or reboot it, which starts the boot default; the log \
                     is in /var/lib/pantheros/deployments. With `pantheros.deploy.rebootOnFailure`, a host reboots by itself then",
                )
        });
        Self { reached_again: Some(false), error, ..self }
    }

    /// The outcome if the end of the deployment was not observed; `last` is the last error.
    #[must_use]
    pub fn lost(host: &HostName, last: Option<Diagnostic>, health: Vec<HealthResult>) -> Self {
        let seen = last.map(|last| last.full_text()).unwrap_or_default();
        let message = format!("the end of the deployment on {host} was not observed");
        let error =
            Diagnostic::new(Code::HostUnreachable, message).with_said(&text::bounded(&seen, 600)).with_hint(
                Remedy::ShowStatus
                    .after("the host rolls back by itself unless it was confirmed; once it answers, "),
            );
        Self { health, ..Self::ended(host, Ending::Unreachable, error) }
    }

    /// The outcome that the supervisor reported.
    #[must_use]
    pub fn from_report(host_plan: &HostPlan, report: SupervisorReport, health: Vec<HealthResult>) -> Self {
        let state = match report.state {
            DeploymentStep::Confirmed => Ending::Confirmed,
            DeploymentStep::Staged => Ending::Staged,
            DeploymentStep::Checked => Ending::Checked,
            DeploymentStep::RolledBack => Ending::RolledBack,
            DeploymentStep::Refused => Ending::Refused,
            _ => Ending::RollbackFailed,
        };
        let error = (!state.is_success()).then(|| {
            let unwell: Vec<String> =
                health.iter().filter(|health| !health.ok).map(HealthResult::summary).collect();
            let (happened, said) = if unwell.is_empty() {
                (state.sentence(), report.message.clone().or(report.reason).unwrap_or_default())
            } else {
                let told = report.message.as_deref().unwrap_or_default();
                let more = told.strip_prefix(CANCELLED).unwrap_or_default().trim();
                let said =
                    unwell.iter().map(String::as_str).chain(Some(more).filter(|more| !more.is_empty()));
                ("its health checks failed", said.collect::<Vec<_>>().join("\n"))
            };
            let (code, hint) = match state {
                Ending::RolledBack => (
                    Code::RolledBack,
                    Remedy::PlanAnew
                        .after("the previous system runs again; correct the reported problem and "),
                ),
                Ending::Refused => {
                    (Code::RemoteFailed, Remedy::PlanAnew.after("nothing was changed there; "))
                }
                _ => (
                    Code::RollbackFailed,
                    Hint::from(
                        "a person has to look at the host, at its console if necessary; the log is in \
                        /var/lib/pantheros/deployments",
                    ),
                ),
            };
            Diagnostic::new(code, format!("{}: {happened}", host_plan.host))
                .with_said(&text::bounded(&said, 600))
                .with_hint(hint)
        });
        Self {
            host: host_plan.host.clone(),
            state,
            generation: report.profile_generation,
            units_failed: report.units_failed,
            reached_again: None,
            health,
            more_health: 0,
            error,
        }
    }
}

impl Failing for Outcome {
    fn attr(&self) -> Cow<'_, str> {
        self.host.as_str().into()
    }

    fn words(&self) -> Vec<&str> {
        vec![self.host.as_str()]
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

/// Replaces the hint to repeat the call: the approval is used up, so a new plan is needed.
fn with_planning_hint(error: Diagnostic) -> Diagnostic {
    let hint = match error.hint.as_ref().map(|hint| (hint, hint.remedy())) {
        Some((_, Some(Remedy::PlanAnew | Remedy::PlanAndApproveAnew))) => return error,
        Some((_, Some(Remedy::CallAgain))) | None => Remedy::PlanAndApproveAnew.into(),
        Some((hint, _)) => hint.clone().then(Remedy::PlanAndApproveAnew),
    };
    error.with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Reader;
    use crate::nix::NixError;
    use crate::process::ProcessError;
    use crate::ssh::SshError;

    #[test]
    fn advice_to_plan_anew_is_not_given_twice() {
        let target = crate::ssh::SshTarget {
            address: "web.example.org".parse().unwrap(),
            user: "deploy".parse().unwrap(),
            port: 22.try_into().unwrap(),
        };
        let again = SshError::Broken { target, said: String::new() };
        for (error, hint) in [
            (
                Diagnostic::new(Code::RemoteFailed, "a").with_hint(Remedy::PlanAnew.after("fix it, and ")),
                "fix it, and make a new plan (plan_deploy, rollback_host)".to_owned(),
            ),
            (Diagnostic::from(&again), Remedy::PlanAndApproveAnew.text(Reader::Model)),
            (
                Diagnostic::new(Code::RemoteFailed, "a").with_hint("Fix it."),
                format!("Fix it; then {}", Remedy::PlanAndApproveAnew.text(Reader::Model)),
            ),
        ] {
            let outcome = Outcome::refused(&"web".parse().unwrap(), error);
            assert_eq!(outcome.error.unwrap().hint.unwrap().to_string(), hint);
        }
    }

    #[test]
    fn no_advice_is_to_make_a_call_again_whose_approval_is_used_up() {
        let process = || ProcessError::TimedOut { program: "ssh".into(), limit: std::time::Duration::ZERO };
        for error in [
            Diagnostic::from(&SshError::cancelled()),
            Diagnostic::from(&SshError::Process(process())),
            Diagnostic::from(&NixError::from(ProcessError::Cancelled)),
            Diagnostic::from(&NixError::DaemonSilent),
            Diagnostic::new(Code::Internal, "no hint"),
        ] {
            let outcome = Outcome::refused(&"web".parse().unwrap(), error.clone());
            let hint = outcome.error.unwrap().hint.unwrap().to_string();
            let (anew, again) =
                (Remedy::PlanAndApproveAnew.text(Reader::Model), Remedy::CallAgain.text(Reader::Model));
            assert!(hint.contains(&anew) && !hint.contains(&again), "{error:?}: {hint}");
        }
    }
}
