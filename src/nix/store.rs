//! What the store knows: sizes and build logs.

use std::time::Duration;

use super::build_log::{LogPage, LogPosition, LogReader};
use super::{Nix, NixError};
use crate::names::{DrvPath, StorePath};
use crate::process::{Flow, ProcessError};
use crate::progress::Call;

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
        let said = match run.require_success("the size of what was built") {
            Ok(said) => said,
            Err(error) => {
                tracing::warn!("{error}");
                return Ok(None);
            }
        };
        Ok(String::from_utf8_lossy(said).split_ascii_whitespace().nth(1).and_then(|size| size.parse().ok()))
    }

    /// A page of the log of a build, as the store keeps it; `None` where it has none.
    ///
    /// # Errors
    /// See [`NixError`].
    pub async fn build_log(
        &self,
        derivation: &DrvPath,
        place: LogPosition,
        call: &Call,
    ) -> Result<Option<LogPage>, NixError> {
        let command = self.command(&["log"]).await?.arg(derivation.as_str()).time_limit(STORE_TIME);
        let mut reader = LogReader::new(place);
        let finished =
            command.stream(&call.cancel, |chunk| reader.take(chunk), |_, _| Flow::Continue).await?;
        // A build that runs has a log that ends in the middle, which `nix log` complains of once all is told.
        let page = reader.finish();
        Ok((finished.stopped || finished.status.success() || !page.text.is_empty()).then_some(page))
    }
}
