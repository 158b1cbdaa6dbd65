//! A running request: its progress notifications and its cancellation.

use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::RequestContext;
use tokio_util::sync::CancellationToken;

use super::progress::{self, ProgressSender};
use crate::progress::{Call, NoProgress, Progress};

/// A request that may run for long.
pub struct RunningRequest {
    /// Progress and cancellation for the work. It is cancelled when the request is cancelled or its client is gone.
    pub call: Call,
    cancelled: CancellationToken,
    sending: Option<ProgressSender>,
}

impl RunningRequest {
    /// Starts a request of `what`, whose client is gone when `gone` is cancelled. With a progress token, a notification is
    /// sent at least once in each `heartbeat`.
    pub fn begin(
        what: impl Into<String>,
        context: &RequestContext<RoleServer>,
        heartbeat: Duration,
        gone: &CancellationToken,
    ) -> Self {
        let (progress, sending) = match context.meta.get_progress_token() {
            Some(token) => {
                let (publisher, sending) = progress::publish(context.peer.clone(), token, what, heartbeat);
                (Arc::new(publisher) as Arc<dyn Progress>, Some(sending))
            }
            None => (Arc::new(NoProgress) as Arc<dyn Progress>, None),
        };
        Self { call: Call::new(progress, gone.child_token()), cancelled: context.ct.clone(), sending }
    }

    /// Runs the work to its end. No notification is sent after this returns.
    pub async fn run<T>(self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let done = tokio::select! {
            // Cancellation comes first, also if the work is ready to continue.
            biased;
            () = self.cancelled.cancelled() => {
                self.call.cancel.cancel();
                // The work ends its programs before it returns; its answer is dropped.
                work.await
            }
            done = &mut work => done,
        };
        if let Some(sending) = self.sending {
            sending.end().await;
        }
        done
    }
}
