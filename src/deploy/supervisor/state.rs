//! What a supervisor says of its deployment: the JSON that `script/state.sh` writes at every step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a deployment is on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Everything was checked; nothing is done yet.
    Accepted,
    /// The new system is being activated.
    Activating,
    /// The host is made ready to start the new system.
    Staging,
    /// The host starts anew.
    Rebooting,
    /// It runs and waits to be confirmed.
    Waiting,
    /// It is made the one that starts next.
    Confirming,
    /// It runs and starts next.
    Confirmed,
    /// It starts next; nothing of it runs yet.
    Staged,
    /// It was only looked at what activating it would do.
    Checked,
    /// The previous system is being activated again.
    RollingBack,
    /// The previous system runs again, and has to be reached or the host starts anew.
    AwaitingContact,
    /// The previous system runs again.
    RolledBack,
    /// The previous system could not be brought back.
    RollbackFailed,
    /// Nothing was done.
    Refused,
}

impl Step {
    /// As the supervisor writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Activating => "activating",
            Self::Staging => "staging",
            Self::Rebooting => "rebooting",
            Self::Waiting => "waiting",
            Self::Confirming => "confirming",
            Self::Confirmed => "confirmed",
            Self::Staged => "staged",
            Self::Checked => "checked",
            Self::RollingBack => "rolling_back",
            Self::AwaitingContact => "awaiting_contact",
            Self::RolledBack => "rolled_back",
            Self::RollbackFailed => "rollback_failed",
            Self::Refused => "refused",
        }
    }

    /// Whether nothing more happens.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Accepted
                | Self::Activating
                | Self::Staging
                | Self::Rebooting
                | Self::Waiting
                | Self::Confirming
                | Self::RollingBack
                | Self::AwaitingContact
        )
    }
}

/// What the supervisor says of its deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Story {
    /// Where it is.
    pub state: Step,
    /// The generation that was made of the new system.
    #[serde(default)]
    pub profile_generation: Option<u64>,
    /// Whether activation left units that failed.
    #[serde(default)]
    pub units_failed: Option<bool>,
    /// Why it is where it is, for programs.
    #[serde(default)]
    pub reason: Option<String>,
    /// The same for people.
    #[serde(default)]
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::SUPERVISOR_SCRIPT;
    use super::*;

    #[test]
    fn steps_are_named_as_the_supervisor_names_them() {
        for step in [
            Step::Accepted,
            Step::Activating,
            Step::Staging,
            Step::Rebooting,
            Step::Waiting,
            Step::Confirming,
            Step::Confirmed,
            Step::Staged,
            Step::Checked,
            Step::RollingBack,
            Step::AwaitingContact,
            Step::RolledBack,
            Step::RollbackFailed,
            Step::Refused,
        ] {
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
            assert!(SUPERVISOR_SCRIPT.contains(step.as_str()), "{step:?}");
        }
    }
}
