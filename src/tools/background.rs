//! Tasks that continue after the call that started them was answered.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tasks that no call waits for.
#[derive(Clone, Debug, Default)]
pub struct BackgroundTasks {
    running: TaskTracker,
    stop: CancellationToken,
    /// Whether this process runs on after a call.
    outlives: bool,
}

impl BackgroundTasks {
    /// For a server, which runs on after a call. By default background tasks are disabled.
    pub(super) fn for_server() -> Self {
        Self { outlives: true, ..Self::default() }
    }

    /// Whether tasks may be spawned: only in a server that is not shutting down.
    pub(super) fn is_enabled(&self) -> bool {
        self.outlives && !self.stop.is_cancelled()
    }

    /// Is cancelled when the tasks have to stop.
    pub(super) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Runs a task to its end without waiting for it.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Cancels all tasks and waits until they have ended.
    pub async fn stop_all(&self) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }
}
