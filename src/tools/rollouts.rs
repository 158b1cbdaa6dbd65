//! Running rollouts. A rollout outlives a cancelled call, because it has to roll hosts back.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::advice::{Reader, Remedy};

/// The message on the first signal during a deployment.
const STOPPING: &str = "stopping the deployment: hosts that are not confirmed roll back now, and confirmed hosts roll \
    back if the plan says so (`revert_confirmed`); after a second signal this program no longer waits for the hosts, \
    and each ends on its previous or on the new system";

/// The rollouts that are running.
#[derive(Clone, Debug, Default)]
pub struct ActiveRollouts {
    running: TaskTracker,
    abandon: CancellationToken,
}

impl ActiveRollouts {
    /// Runs a rollout as a separate task and waits for it. The task continues if the caller is dropped.
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

    /// Call it on the first signal: if a rollout is running, prints on standard error what stopping does.
    pub fn announce_stop(&self) {
        if !self.running.is_empty() {
            crate::stderr::print_line(STOPPING);
        }
    }

    /// Call it on the second signal: stops waiting for hosts.
    pub fn abandon(&self) {
        if !self.running.is_empty() {
            let look = Remedy::ShowStatus.text(Reader::Person);
            crate::stderr::print_line(format_args!("no longer waiting for the hosts: {look}"));
        }
        self.abandon.cancel();
    }

    /// Waits until all rollouts have ended. Call it only when no new ones can start.
    pub async fn wait_for_all(&self) {
        self.running.close();
        self.running.wait().await;
    }
}
