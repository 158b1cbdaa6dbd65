//! The sessions over `/mcp` of protocol versions before 2026-07-28: their number, and their end.
//!
//! rmcp's manager has the streams. This adds a limit, and ends the calls of a session with it. rmcp alone would end a
//! session without messages after a while, and with it a long build without progress; and it lets calls run for seconds
//! after a session was closed.
//!
//! A broken stream does not cancel a call, because the client may resume it (2025-11-25, "Transports", "Sending Messages to
//! the Server", item 6). A session ends if it has calls but no stream for [`super::session::ORPHAN_TIMEOUT`],
//! or if it was idle for [`super::session::IDLE_TIMEOUT`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};
use tokio_util::sync::CancellationToken;

use super::session::{SessionTransport, StreamableSession};
use crate::tools::Services;

/// Shortest idle time after which a session may be ended for a new one.
const MIN_IDLE_TO_REPLACE: Duration = Duration::from_secs(60);
/// Time between two checks for sessions to end.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Longest time from opening a session to its first message.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long rmcp may take to close a session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// Cancelled when the client of the current request is gone.
    ///
    /// rmcp creates the handler and the session in one task and passes nothing between them; both read this.
    pub static CLIENT_GONE: CancellationToken;

    /// Cancelled when the token of the current request is no longer valid.
    pub static TOKEN_VALID: CancellationToken;
}

/// The cancellation token of the current request's client.
pub fn client_gone() -> CancellationToken {
    CLIENT_GONE.try_with(Clone::clone).unwrap_or_default()
}

/// All sessions over `/mcp`.
pub struct Sessions {
    inner: LocalSessionManager,
    services: Arc<Services>,
    open: Mutex<HashMap<SessionId, Arc<StreamableSession>>>,
}

/// The session could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The limit of sessions is reached.
    #[error("too many sessions")]
    Full,
    /// An error of rmcp.
    #[error(transparent)]
    Inner(#[from] LocalSessionManagerError),
}

impl Sessions {
    /// No sessions yet; the settings have their limit.
    pub fn new(services: Arc<Services>) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = None;
        inner.session_config.init_timeout = Some(HANDSHAKE_TIMEOUT);
        Self { inner, services, open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<StreamableSession>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session `id`; `None` if there is none or it has ended.
    pub fn session(&self, id: &str) -> Option<Arc<StreamableSession>> {
        self.lock().get(id).filter(|session| !session.has_ended()).cloned()
    }

    /// Whether the session `id` exists and has not ended.
    pub fn has(&self, id: &str) -> bool {
        self.session(id).is_some()
    }

    /// Whether a new session may be opened. If the limit is reached, this ends the session that was idle longest.
    pub async fn make_room(&self) -> bool {
        let most = self.services.at_start.http.legacy_sessions;
        let unused = {
            let open = self.lock();
            if open.len() < most {
                return true;
            }
            let unused = open.iter().filter_map(|(id, session)| Some((session.unused_for()?, id)));
            unused.max().filter(|(time, _)| *time > MIN_IDLE_TO_REPLACE).map(|(_, id)| id.clone())
        };
        match unused {
            Some(id) if most > 0 => {
                self.end(&id).await;
                true
            }
            _ => false,
        }
    }

    /// Ends sessions whose clients are gone, until `stop`.
    pub async fn end_abandoned(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(CHECK_INTERVAL)).await.is_some() {
            let now = Instant::now();
            let lost: Vec<_> = self
                .lock()
                .iter()
                .filter(|(_, session)| session.is_abandoned(now))
                .map(|(id, _)| id.clone())
                .collect();
            for id in lost {
                tracing::debug!(%id, "the session's client is gone");
                self.end(&id).await;
            }
        }
    }

    async fn end(&self, id: &SessionId) {
        let session = self.lock().remove(id);
        if let Some(session) = session {
            session.end();
        }
        // If the client does not read its stream, this times out, and the session ends with the stream.
        match tokio::time::timeout(CLOSE_TIMEOUT, self.inner.close_session(id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, %id, "the session was closed badly"),
            Err(_) => tracing::debug!(%id, "rmcp did not close the session in time"),
        }
    }
}

impl SessionManager for Sessions {
    type Error = SessionError;
    type Transport = SessionTransport;

    async fn create_session(&self) -> Result<(SessionId, SessionTransport), SessionError> {
        if !self.make_room().await {
            return Err(SessionError::Full);
        }
        let (id, inner) = self.inner.create_session().await?;
        let session = StreamableSession::new(
            client_gone(),
            TOKEN_VALID.try_with(Clone::clone).unwrap_or_default(),
            self.services.metrics.start_session("mcp"),
        );
        self.lock().insert(id.clone(), Arc::clone(&session));
        Ok((id, session.into_transport(inner)))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        Ok(self.inner.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.has(id))
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionError> {
        self.end(id).await;
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.session(id).ok_or_else(|| unknown(id))?;
        let request = request_id(&message);
        let stream = self.inner.create_stream(id, message).await?;
        if let Some(request) = request {
            session.mark_passed_on(&request);
        }
        Ok(session.count_stream(stream))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        Ok(self.inner.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.session(id).ok_or_else(|| unknown(id))?;
        Ok(session.count_stream(self.inner.create_standalone_stream(id).await?))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.session(id).ok_or_else(|| unknown(id))?;
        Ok(session.count_stream(self.inner.resume(id, last_event_id).await?))
    }
}

fn request_id(message: &ClientJsonRpcMessage) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Request(request) => Some(request.id.clone()),
        _ => None,
    }
}

fn unknown(id: &SessionId) -> SessionError {
    LocalSessionManagerError::SessionNotFound(id.clone()).into()
}
