//! A request while it is worked on: whoever sent it is told where it is, and can take it back.

use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::RequestContext;
use tokio_util::sync::CancellationToken;

use super::progress::{self, ProgressSender};
use crate::progress::{Call, NoProgress, Progress};

/// A request that may take its time.
pub struct RunningRequest {
    /// What the work for it needs. Cancelled when the request was taken back or its client is gone.
    pub call: Call,
    cancelled: CancellationToken,
    sending: Option<ProgressSender>,
}

impl RunningRequest {
    /// Of `what`, for a client that is gone when `gone` is cancelled. With a progress token it is never silent for longer
    /// than a `heartbeat`.
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

    /// Does the work. Nothing is told of it any more once this returns.
    pub async fn run<T>(self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let done = tokio::select! {
            // Nothing more happens for a request that was taken back, not even what was ready to.
            biased;
            () = self.cancelled.cancelled() => {
                self.call.cancel.cancel();
                // It ends its programs before it returns; nobody reads the answer any more.
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
