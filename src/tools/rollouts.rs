//! Running rollouts. A rollout outlives a cancelled call, because it has to roll hosts back.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The message on the first signal during a deployment.
const STOPPING: &str = "stopping the deployment: hosts that are not confirmed go back now, and those that are go back \
    where that was planned; a second signal leaves each to itself, on its system before or the new one";

/// The rollouts that are running.
#[derive(Clone, Debug, Default)]
pub struct ActiveRollouts {
    running: TaskTracker,
    abandon: CancellationToken,
}

impl ActiveRollouts {
    /// Runs a rollout as a task of its own and waits for it. The task goes on if the caller is dropped.
    ///
    /// # Errors
    /// If the task panicked.
    pub(super) async fn run<F>(&self, rollout: F) -> Result<F::Output, JoinError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.running.spawn(rollout).await
    }

    /// Is cancelled when rollouts have to stop waiting for hosts; each host then keeps the new
    /// system or rolls back on its own.
    pub(super) fn abandon_token(&self) -> &CancellationToken {
        &self.abandon
    }

    /// To be called on the first signal: prints on standard error what stopping does, if a rollout is running.
    pub fn announce_stop(&self) {
        if !self.running.is_empty() {
            crate::stderr::print_line(STOPPING);
        }
    }

    /// To be called on the second signal: stops waiting for hosts.
    pub fn abandon(&self) {
        if !self.running.is_empty() {
            crate::stderr::print_line("hosts are left to themselves: host_status tells what each runs");
        }
        self.abandon.cancel();
    }

    /// Waits until all rollouts have ended. Call it only when no new ones can start.
    pub async fn wait_for_all(&self) {
        self.running.close();
        self.running.wait().await;
    }
}
