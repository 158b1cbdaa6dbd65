//! Rollouts under way, which go on after the call that began them was stopped: to take back what they did.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What is said to whoever stops this program while it deploys.
const STOPPING: &str = "stopping the deployment: hosts that are not confirmed go back now, and those that are go back \
    where that was planned; a second signal leaves each to itself, on its system before or the new one";

/// Rollouts under way.
#[derive(Clone, Debug, Default)]
pub struct ActiveRollouts {
    running: TaskTracker,
    abandon: CancellationToken,
}

impl ActiveRollouts {
    /// Carries out what is a task of its own from here on.
    pub(super) async fn run<F>(&self, rollout: F) -> Result<F::Output, JoinError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.running.spawn(rollout).await
    }

    /// Cancelled when hosts are to be left to themselves.
    pub(super) fn abandon_token(&self) -> &CancellationToken {
        &self.abandon
    }

    /// Somebody wants an end to it, for the first time: says on standard error what that does, where anything is
    /// under way.
    pub fn announce_stop(&self) {
        if !self.running.is_empty() {
            crate::stderr::print_line(STOPPING);
        }
    }

    /// Somebody wants an end to it for the second time: leaves hosts to themselves.
    pub fn abandon(&self) {
        if !self.running.is_empty() {
            crate::stderr::print_line("hosts are left to themselves: host_status tells what each runs");
        }
        self.abandon.cancel();
    }

    /// Waits until nothing is under way; to be called once nothing new begins.
    pub async fn wait_for_all(&self) {
        self.running.close();
        self.running.wait().await;
    }
}
