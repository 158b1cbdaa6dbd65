//! What goes on after the call that began it was answered.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Work that nobody waits for.
#[derive(Clone, Debug, Default)]
pub struct BackgroundTasks {
    running: TaskTracker,
    stop: CancellationToken,
    /// Whether this program outlives a call.
    outlives: bool,
}

impl BackgroundTasks {
    /// For a program that outlives its calls; by default it does not, and nothing goes on.
    pub(super) fn for_server() -> Self {
        Self { outlives: true, ..Self::default() }
    }

    /// Whether anything can go on.
    pub(super) fn is_enabled(&self) -> bool {
        self.outlives && !self.stop.is_cancelled()
    }

    /// Cancelled when it is to end.
    pub(super) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Carries something out.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Ends all of it, and waits for that.
    pub async fn stop_all(&self) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }
}
