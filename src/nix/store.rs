//! What the store knows: sizes and build logs.

use std::time::Duration;

use super::{Nix, NixError, Run};
use crate::names::{DrvPath, StorePath};
use crate::process::ProcessError;
use crate::progress::Call;

/// Most of a build log that is read, in bytes.
pub const LOG_LIMIT: usize = 16 * 1024 * 1024;
/// How long a question to the store may take.
const STORE_TIME: Duration = Duration::from_secs(60);

impl Nix {
    /// The size of a path and all it needs, in bytes; `None` where the store does not say, or not in time: what was
    /// built stays built.
    ///
    /// Read from the plain output, one `path size` a line: it has stayed the same, while the JSON
    /// of `nix path-info` changed shape between 2.26 and 2.34.
    ///
    /// # Errors
    /// See [`NixError`].
    pub async fn closure_bytes(&self, path: &StorePath, call: &Call) -> Result<Option<u64>, NixError> {
        let command = self
            .command(&["path-info", "--closure-size"])
            .await?
            .arg(path.as_str())
            .time_limit(STORE_TIME)
            .output_limit(64 * 1024);
        let run = match self.run(command, call).await {
            Err(error @ (NixError::DaemonSilent | NixError::Process(ProcessError::TimedOut { .. }))) => {
                tracing::warn!(%error, "the size of {} is not known", path.as_str());
                return Ok(None);
            }
            other => other?,
        };
        Ok(String::from_utf8_lossy(&run.stdout)
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|size| size.parse().ok()))
    }

    /// The log of a build, as the store kept it; the [`Run`] says why there is none.
    ///
    /// # Errors
    /// See [`NixError`]; a log beyond [`LOG_LIMIT`] is one.
    pub async fn build_log(
        &self,
        derivation: &DrvPath,
        call: &Call,
    ) -> Result<Result<String, Run>, NixError> {
        let command = self
            .command(&["log"])
            .await?
            .arg(derivation.as_str())
            .time_limit(STORE_TIME)
            .output_limit(LOG_LIMIT);
        let run = self.run(command, call).await?;
        if run.status.success() {
            Ok(Ok(crate::text::plain(&String::from_utf8_lossy(&run.stdout))))
        } else {
            Ok(Err(run))
        }
    }
}
