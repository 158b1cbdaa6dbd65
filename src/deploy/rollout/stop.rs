//! Why a rollout stops early, and the errors that the remaining hosts get.

use super::outcome::Ending;
use crate::advice::{Hint, Remedy};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::HostName;

/// The reason why no further host is started.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// The deployment of this host failed with this state.
    Failed(HostName, Ending),
    /// The call was cancelled, or the program is terminating.
    Asked,
    /// The audit log could not be written.
    Unrecorded(Diagnostic),
}

impl Stop {
    /// The reason as a clause, for messages.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Failed(host, _) => format!("{host} failed"),
            Self::Asked => "the rollout was stopped".to_owned(),
            Self::Unrecorded(_) => "the audit log could not be written".to_owned(),
        }
    }

    fn hint(&self) -> Hint {
        match self {
            Self::Failed(host, _) => Remedy::PlanAnew.after(format!("correct the problem on {host}, and ")),
            Self::Asked | Self::Unrecorded(_) => Remedy::PlanAndApproveAnew.into(),
        }
    }

    /// The error of a host that was not started.
    pub(super) fn not_begun(&self) -> Diagnostic {
        match self {
            Self::Failed(host, state) => {
                let message =
                    format!("this host was not deployed to, because {host} ended as {}", state.as_str());
                Diagnostic::new(Code::RolloutStopped, message).with_hint(
                    Remedy::PlanAnew.after(format!("correct the problem on {host}, or leave it out, and ")),
                )
            }
            Self::Asked => Diagnostic::new(
                Code::Cancelled,
                "this host was not deployed to, because the rollout was stopped",
            )
            .with_hint(Remedy::PlanAndApproveAnew),
            Self::Unrecorded(error) => error.clone(),
        }
    }

    /// The error of a host that was confirmed and then rolled back.
    pub(super) fn reverted(&self, host: &HostName) -> Diagnostic {
        Diagnostic::new(Code::RolledBack, format!("{host} was rolled back, because {}", self.cause()))
            .with_hint(self.hint())
    }

    /// The error of a host that was confirmed and whose rollback was not observed.
    pub(super) fn not_reverted(&self, host: &HostName, error: Diagnostic) -> Diagnostic {
        let message = format!(
            "{host} was confirmed; it should roll back because {}, but its rollback was not observed: {}",
            self.cause(),
            error.message
        );
        Diagnostic { message, ..error }.with_hint(
            Hint::from(Remedy::ShowStatus).and("; if that is still the new system, ", Remedy::RollBack),
        )
    }

    /// The error of a host that is not followed any more.
    pub(super) fn abandoned() -> Diagnostic {
        Diagnostic::new(Code::Cancelled, "this program received a second signal to stop")
    }
}
