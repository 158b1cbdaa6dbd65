//! Sizes and build logs from the store.

use std::time::Duration;

use super::build_log::{LogPage, LogPosition, LogReader};
use super::{Nix, NixError};
use crate::names::{DrvPath, StorePath};
use crate::process::{Flow, ProcessError};
use crate::progress::Call;

/// Time limit of a question to the store.
const STORE_TIME: Duration = Duration::from_secs(60);

impl Nix {
    /// The size of a path's closure in bytes; `None` if the store does not know it or does not answer in time. A
    /// missing size does not fail a build that succeeded.
    ///
    /// Reads the plain output, one `path size` a line: the JSON of `nix path-info` changed shape between 2.26 and 2.34.
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
                tracing::warn!(%error, "the closure size of {} is not known", path.as_str());
                return Ok(None);
            }
            other => other?,
        };
        let said = match run.require_success("the size of the closure") {
            Ok(said) => said,
            Err(error) => {
                tracing::warn!("{error}");
                return Ok(None);
            }
        };
        Ok(String::from_utf8_lossy(said).split_ascii_whitespace().nth(1).and_then(|size| size.parse().ok()))
    }

    /// A page of a derivation's build log; `None` if the store has no log of it.
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
        // The log of a running build is incomplete: `nix log` prints it all and then exits with an error.
        let page = reader.finish();
        Ok((finished.stopped || finished.status.success() || !page.text.is_empty()).then_some(page))
    }
}
