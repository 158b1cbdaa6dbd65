//! The state of a deployment: the JSON that `script/state.sh` writes at every step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The step that a deployment has reached on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentStep {
    /// The deployment was checked and accepted; nothing is changed yet.
    Accepted,
    /// The new system is being activated.
    Activating,
    /// The boot loader is being set to boot the new system.
    Staging,
    /// The host is rebooting.
    Rebooting,
    /// The new system runs and waits for the confirmation.
    Waiting,
    /// The new system is being made the boot default.
    Confirming,
    /// The new system was confirmed; unless the action was `test`, it is the boot default.
    Confirmed,
    /// The new system is the boot default and is not activated.
    Staged,
    /// The activation was only simulated (`dry-activate`).
    Checked,
    /// The previous system is being activated again.
    RollingBack,
    /// The previous system runs again; the host reboots unless a new connection reaches it.
    AwaitingContact,
    /// The previous system runs again.
    RolledBack,
    /// The previous system could not be restored.
    RollbackFailed,
    /// The deployment was refused; nothing was changed.
    Refused,
}

impl DeploymentStep {
    /// The name in the state file.
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

    /// Whether the deployment has ended.
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

/// The state file of a deployment, as far as this program uses it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SupervisorReport {
    /// The step that was reached.
    pub state: DeploymentStep,
    /// The generation of the new system; `None` before there is one.
    #[serde(default)]
    pub profile_generation: Option<u64>,
    /// Whether units failed during the activation; `None` if unknown.
    #[serde(default)]
    pub units_failed: Option<bool>,
    /// Code of the reason for this step; `None` if all went as planned.
    #[serde(default)]
    pub reason: Option<String>,
    /// The reason as text.
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
            DeploymentStep::Accepted,
            DeploymentStep::Activating,
            DeploymentStep::Staging,
            DeploymentStep::Rebooting,
            DeploymentStep::Waiting,
            DeploymentStep::Confirming,
            DeploymentStep::Confirmed,
            DeploymentStep::Staged,
            DeploymentStep::Checked,
            DeploymentStep::RollingBack,
            DeploymentStep::AwaitingContact,
            DeploymentStep::RolledBack,
            DeploymentStep::RollbackFailed,
            DeploymentStep::Refused,
        ] {
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
            assert!(SUPERVISOR_SCRIPT.contains(step.as_str()), "{step:?}");
        }
    }
}
