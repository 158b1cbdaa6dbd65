//! Why a rollout ends before all its hosts are as asked, and what is said of the others then.

use super::outcome::Ending;
use crate::advice::{Hint, Remedy};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::HostName;

/// Why no further host is begun.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// This host ended so.
    Failed(HostName, Ending),
    /// Whoever asked for the rollout stopped it, or the program is to end.
    Asked,
    /// What is done could not be recorded.
    Unrecorded(Diagnostic),
}

impl Stop {
    /// Why, as the end of a sentence.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Failed(host, _) => format!("{host} failed"),
            Self::Asked => "the rollout was stopped".to_owned(),
            Self::Unrecorded(_) => "it could not be recorded".to_owned(),
        }
    }

    fn mend(&self) -> Hint {
        match self {
            Self::Failed(host, _) => Remedy::PlanAnew.after(format!("mend {host}, and ")),
            Self::Asked | Self::Unrecorded(_) => Remedy::PlanAndApproveAnew.into(),
        }
    }

    /// What is said of a host whose turn did not come.
    pub(super) fn not_begun(&self) -> Diagnostic {
        match self {
            Self::Failed(host, state) => {
                let message = format!("nothing was begun here: {host} ended {} before", state.as_str());
                Diagnostic::new(Code::RolloutStopped, message)
                    .with_hint(Remedy::PlanAnew.after(format!("mend {host}, or leave it out, and ")))
            }
            Self::Asked => {
                Diagnostic::new(Code::Cancelled, "nothing was begun here: the rollout was stopped before")
                    .with_hint(Remedy::PlanAndApproveAnew)
            }
            Self::Unrecorded(error) => error.clone(),
        }
    }

    /// What is said of a host that was confirmed, and was brought back.
    pub(super) fn back(&self, host: &HostName) -> Diagnostic {
        Diagnostic::new(Code::RolledBack, format!("{host} was brought back, since {}", self.why()))
            .with_hint(self.mend())
    }

    /// What is said of a host that was confirmed, and was to be brought back.
    pub(super) fn not_back(&self, host: &HostName, error: Diagnostic) -> Diagnostic {
        let message = format!(
            "{host} was confirmed, and was not seen to go back after {}: {}",
            self.why(),
            error.message
        );
        Diagnostic { message, ..error }.with_hint(
            Remedy::RollBack.after(format!("{}; if that is still the new system, ", Remedy::ShowStatus)),
        )
    }

    /// Why a host is left as it is.
    pub(super) fn left() -> Diagnostic {
        Diagnostic::new(Code::Cancelled, "this program was told a second time to end")
    }
}
