//! The deployment of a host that was changed last, as its files say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::{FOLDER, MEMORY, SuperviseError, as_root, error_output, parse};
use super::state::DeploymentStep;
use crate::names::PlanId;
use crate::progress::Call;
use crate::ssh::{RemoteLimits, SshSession};

/// The last changed deployment of a host. Reading it does not finish an interrupted deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LatestDeployment {
    /// Id of the deployment.
    #[serde(rename(deserialize = "id"), alias = "plan_id")]
    pub plan_id: PlanId,
    /// The step that it reached, or how it ended.
    pub state: DeploymentStep,
    /// Code of the reason; `None` if all went as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason as text of the host.
    #[serde(
        default,
        rename(deserialize = "message"),
        alias = "said",
        skip_serializing_if = "Option::is_none"
    )]
    pub said: Option<String>,
    /// When it reached that step; RFC 3339, UTC.
    pub updated: String,
}

/// Prints the state of the deployment that was changed last.
const LATEST: &str = r#"
cd "$1" 2>/dev/null || exit 0
ls -1t | while IFS= read -r id; do
  for file in "$2/$id.json" "$id/state.json"; do
    if [ -r "$file" ]; then cat "$file"; exit; fi
  done
done
"#;

/// The host's latest deployment; `None` if it had none.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn latest_deployment(
    session: &SshSession,
    call: &Call,
) -> Result<Option<LatestDeployment>, SuperviseError> {
    let argv = ["sh", "-c", LATEST, "latest", FOLDER, MEMORY];
    let output = as_root(session, &argv, &[], RemoteLimits::default(), call).await?;
    if !output.success() {
        return Err(SuperviseError::Unreadable(error_output(&output)));
    }
    let text = output.text();
    if text.is_empty() { Ok(None) } else { parse(&text).map(Some) }
}
