//! Closures and build logs from the store.

use std::time::Duration;

use super::build_log::{LogPage, LogPosition, LogReader};
use super::closure::Closure;
use super::{Nix, NixError};
use crate::names::{DrvPath, StorePath};
use crate::process::{Flow, ProcessError};
use crate::progress::Call;

/// Largest output of `nix path-info`, in bytes: about a hundred thousand paths.
pub const CLOSURE_BYTES: usize = 32 * 1024 * 1024;
/// Time limit of a question to the store.
const STORE_TIME: Duration = Duration::from_secs(60);

impl Nix {
    /// The closure of a path; `None` if the store does not know it or does not answer in time. An unknown closure does not
    /// fail a build that succeeded.
    ///
    /// # Errors
    /// See [`NixError`].
    pub async fn closure(&self, path: &StorePath, call: &Call) -> Result<Option<Closure>, NixError> {
        let command = self
            .command(&["path-info", "--recursive", "--size"])
            .await?
            .arg(path.as_str())
            .time_limit(STORE_TIME)
            .output_limit(CLOSURE_BYTES);
        let run = match self.run(command, call).await {
            Err(error @ (NixError::DaemonSilent | NixError::Process(ProcessError::TimedOut { .. }))) => {
                tracing::warn!(%error, "the closure of {} is not known", path.as_str());
                return Ok(None);
            }
            other => other?,
        };
        match run.require_success("the closure") {
            Ok(said) => Ok(Some(Closure::parse(&String::from_utf8_lossy(said)))),
            Err(error) => {
                tracing::warn!("{error}");
                Ok(None)
            }
        }
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
