//! Why a rollout ends before all its hosts are as asked, and what is said of the others then.

use super::outcome::Ending;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::HostName;

/// What to do where an approval was used up, and not everything is done.
pub(super) const ANEW: &str =
    "ask for it anew (plan_deploy, rollback_host): an approval is good for one deployment";

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

    fn mend(&self) -> String {
        match self {
            Self::Failed(host, _) => format!("mend {host}, and plan anew"),
            Self::Asked | Self::Unrecorded(_) => ANEW.to_owned(),
        }
    }

    /// What is said of a host whose turn did not come.
    pub(super) fn not_begun(&self) -> Diagnostic {
        match self {
            Self::Failed(host, state) => {
                let message = format!("nothing was begun here: {host} ended {} before", state.as_str());
                Diagnostic::new(Code::RolloutStopped, message)
                    .with_hint(format!("mend {host} and plan anew, or plan without it"))
            }
            Self::Asked => {
                Diagnostic::new(Code::Cancelled, "nothing was begun here: the rollout was stopped before")
                    .with_hint(ANEW)
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
            "host_status tells what it runs; where that is the new system still, rollback_host brings it back",
        )
    }

    /// Why a host is left as it is.
    pub(super) fn left() -> Diagnostic {
        Diagnostic::new(Code::Cancelled, "this program was told a second time to end")
    }
}
