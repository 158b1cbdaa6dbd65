//! The sessions of protocol versions before 2026-07-28 over `/mcp`: how many, and how they end.
//!
//! rmcp's manager holds the streams; what is added here is a bound, and an end that leaves nothing
//! running. Of its own accord rmcp ends a session that was silent for a while, which would end a long
//! build that nobody asked to hear about, and lets calls run on for seconds after a session was closed.
//!
//! A stream that breaks is no cancellation, because the client may come back for the answer
//! (2025-11-25, "Transports", "Sending Messages to the Server", item 6). A session is given up when
//! it has no stream open and has calls running that nobody came back for within [`super::session::ORPHAN_TIMEOUT`], or
//! when nothing at all happened for [`super::session::IDLE_TIMEOUT`].

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

/// How long a session that nothing happens in is safe from having to make room for a new one.
const MIN_IDLE_TO_REPLACE: Duration = Duration::from_secs(60);
/// How often that is looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a client may take from opening a session to its first message.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long rmcp may take to hear that a session is to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// Cancelled when whoever sent the request being served is gone.
    ///
    /// rmcp makes the handler and then the session in one task, with nothing to tell one from the
    /// other; this is what both find there.
    pub static CLIENT_GONE: CancellationToken;

    /// Cancelled when the token that the request being served came with does not count any more.
    pub static TOKEN_VALID: CancellationToken;
}

/// The token of the request being served.
pub fn client_gone() -> CancellationToken {
    CLIENT_GONE.try_with(Clone::clone).unwrap_or_default()
}

/// All sessions.
pub struct Sessions {
    inner: LocalSessionManager,
    services: Arc<Services>,
    open: Mutex<HashMap<SessionId, Arc<StreamableSession>>>,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There are as many as there may be.
    #[error("too many sessions")]
    Full,
    /// rmcp says so.
    #[error(transparent)]
    Inner(#[from] LocalSessionManagerError),
}

impl Sessions {
    /// None yet, and never more than the settings say.
    pub fn new(services: Arc<Services>) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = None;
        inner.session_config.init_timeout = Some(HANDSHAKE_TIMEOUT);
        Self { inner, services, open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<StreamableSession>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of that id.
    pub fn session(&self, id: &str) -> Option<Arc<StreamableSession>> {
        self.lock().get(id).filter(|session| !session.has_ended()).cloned()
    }

    /// Whether there is such a session.
    pub fn has(&self, id: &str) -> bool {
        self.session(id).is_some()
    }

    /// Whether a new session may begin, for which one may have to end in which nothing happens.
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

    /// Ends sessions whose client is gone, until `stop`.
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
        // A session whose client does not read its stream does not hear this; it ends with the stream.
        match tokio::time::timeout(CLOSE_TIMEOUT, self.inner.close_session(id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, %id, "the session was closed badly"),
            Err(_) => tracing::debug!(%id, "the session does not hear that it is over"),
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
