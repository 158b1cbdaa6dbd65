//! A session over `/mcp`: its running requests, and whether its client is still connected.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::Stream;
use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio_util::sync::CancellationToken;

use crate::mcp::ids::RequestIds;
use crate::metrics::SessionCount;

/// How long calls go on without an open stream of their session.
pub const ORPHAN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a session without streams, calls and messages is kept.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The transport of a session in rmcp.
pub type RmcpTransport = <LocalSessionManager as SessionManager>::Transport;

/// The state of a session.
pub struct StreamableSession {
    gone: CancellationToken,
    valid: CancellationToken,
    activity: Mutex<SessionActivity>,
    _count: SessionCount,
}

struct SessionActivity {
    streams: usize,
    ids: RequestIds,
    last: Instant,
}

impl StreamableSession {
    /// A new session. Its end cancels `gone`, and it ends when `valid` is cancelled.
    pub fn new(gone: CancellationToken, valid: CancellationToken, count: SessionCount) -> Arc<Self> {
        let activity = SessionActivity { streams: 0, ids: RequestIds::default(), last: Instant::now() };
        Arc::new(Self { gone, valid, activity: Mutex::new(activity), _count: count })
    }

    /// Ends the session and cancels its calls.
    pub fn end(&self) {
        self.gone.cancel();
    }

    /// Whether the session ended, or its token is no longer valid.
    pub fn has_ended(&self) -> bool {
        self.gone.is_cancelled() || self.valid.is_cancelled()
    }

    /// The transport of the session, which records its messages.
    pub fn into_transport(self: Arc<Self>, inner: RmcpTransport) -> SessionTransport {
        SessionTransport { inner, session: self }
    }

    fn record<T>(&self, change: impl FnOnce(&mut SessionActivity) -> T) -> T {
        let mut activity = self.activity.lock().unwrap_or_else(PoisonError::into_inner);
        activity.last = Instant::now();
        change(&mut activity)
    }

    /// Whether the session ended, or its client was away too long.
    pub fn is_abandoned(&self, now: Instant) -> bool {
        if self.has_ended() {
            return true;
        }
        let activity = self.activity.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = now.saturating_duration_since(activity.last);
        activity.streams == 0 && silent > if activity.ids.is_empty() { IDLE_TIMEOUT } else { ORPHAN_TIMEOUT }
    }

    /// How long the session has been idle; `None` if a stream is open or a call runs.
    pub fn unused_for(&self) -> Option<Duration> {
        if self.has_ended() {
            return Some(Duration::MAX);
        }
        let activity = self.activity.lock().unwrap_or_else(PoisonError::into_inner);
        (activity.streams == 0 && activity.ids.is_empty()).then(|| activity.last.elapsed())
    }

    /// Reserves the id of a request before it is passed to rmcp; `None` if the id is in use.
    pub fn reserve(self: &Arc<Self>, id: &RequestId) -> Option<ReservedId> {
        let is_new = self.record(|activity| activity.ids.reserve(id));
        is_new.then(|| ReservedId { session: Arc::clone(self), id: id.clone() })
    }

    /// Records that a request was passed to rmcp.
    pub fn mark_passed_on(&self, id: &RequestId) {
        self.record(|activity| activity.ids.mark_passed_on(id));
    }

    /// Counts a stream as open until it is dropped.
    pub fn count_stream<S: Stream>(self: &Arc<Self>, stream: S) -> CountedStream<S> {
        self.record(|activity| activity.streams += 1);
        CountedStream { stream: Box::pin(stream), session: Arc::clone(self) }
    }
}

/// The reserved id of a request. Dropping it releases the id, unless the request was passed to rmcp: then its answer
/// releases it.
pub struct ReservedId {
    session: Arc<StreamableSession>,
    id: RequestId,
}

impl Drop for ReservedId {
    fn drop(&mut self) {
        self.session.record(|activity| activity.ids.release(&self.id));
    }
}

/// The transport of a session. It records the messages; dropping it cancels the session's calls.
pub struct SessionTransport {
    inner: RmcpTransport,
    session: Arc<StreamableSession>,
}

impl Transport<RoleServer> for SessionTransport {
    type Error = <RmcpTransport as Transport<RoleServer>>::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.session.record(|activity| activity.ids.note_sent(&message));
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let message = self.session.valid.run_until_cancelled(self.inner.receive()).await.flatten();
        match &message {
            Some(message) => self.session.record(|activity| activity.ids.note_received(message)),
            // Otherwise rmcp would first wait five seconds for the calls that run.
            None => self.session.gone.cancel(),
        }
        message
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}

impl Drop for SessionTransport {
    fn drop(&mut self) {
        self.session.gone.cancel();
    }
}

/// A stream that counts as open until it is dropped.
pub struct CountedStream<S> {
    stream: Pin<Box<S>>,
    session: Arc<StreamableSession>,
}

impl<S: Stream> Stream for CountedStream<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.stream.as_mut().poll_next(context)
    }
}

impl<S> Drop for CountedStream<S> {
    fn drop(&mut self) {
        self.session.record(|activity| activity.streams -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_client_that_does_not_come_back_is_gone() {
        let session = StreamableSession::new(
            CancellationToken::new(),
            CancellationToken::new(),
            Metrics::default().start_session("mcp"),
        );
        let (soon, late) = (ORPHAN_TIMEOUT + Duration::from_secs(1), IDLE_TIMEOUT + Duration::from_secs(1));
        let lost = |after: Duration| session.is_abandoned(Instant::now() + after);
        assert!(!lost(soon) && lost(late));
        let call = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let call: ClientJsonRpcMessage = serde_json::from_value(call).unwrap();
        session.record(|activity| activity.ids.note_received(&call));
        assert!(!lost(ORPHAN_TIMEOUT / 2) && lost(soon));
        assert!(session.unused_for().is_none());
        let stream = session.count_stream(futures::stream::empty::<()>());
        assert!(!lost(late), "the client listens");
        drop(stream);
        assert!(lost(soon));
        session.record(|activity| {
            activity.ids.note_sent(&crate::mcp::ids::duplicate_id_error(RequestId::Number(1)))
        });
        assert!(!lost(soon) && session.unused_for().is_some());
    }

    #[test]
    fn the_id_of_a_request_that_was_not_passed_on_is_given_back() {
        let session = StreamableSession::new(
            CancellationToken::new(),
            CancellationToken::new(),
            Metrics::default().start_session("mcp"),
        );
        let id = RequestId::Number(1);
        let reserved = session.reserve(&id).unwrap();
        assert!(session.reserve(&id).is_none());
        drop(reserved);
        let reserved = session.reserve(&id).unwrap();
        session.mark_passed_on(&id);
        drop(reserved);
        assert!(session.reserve(&id).is_none());
    }
}
