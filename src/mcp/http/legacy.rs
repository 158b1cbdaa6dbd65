//! `/sse` and `/messages`: the transport HTTP+SSE of 2024-11-05, for clients that have no newer one.
//!
//! **Deprecated** since 2025-03-26, which every response declares (RFC 9745). A client opens `GET /sse`, gets an
//! `endpoint` event with the path for its messages, and gets answers as `message` events (2024-11-05, "Transports", "HTTP
//! with SSE"). A stream cannot be resumed: its end ends the session and its calls.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, LINK};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::serve_server_with_ct;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::refusal::{HttpRefusal, malformed};
use super::streamable::empty_body;
use super::{batch, body};
use crate::mcp::channel;
use crate::mcp::handler::{ClientTransport, Handler};
use crate::mcp::message::{self, ParsedMessage};
use crate::metrics::SessionCount;
use crate::tools::Services;

/// The date of deprecation, 2025-03-26, as a structured date (RFC 9745, section 2.1).
const DEPRECATED: HeaderValue = HeaderValue::from_static("@1742947200");
/// The link to the successor (RFC 5829, section 3.3).
const SUCCESSOR: HeaderValue = HeaderValue::from_static("</mcp>; rel=\"successor-version\"");

/// The sessions over HTTP+SSE.
pub struct SseTransport {
    services: Arc<Services>,
    stop: CancellationToken,
    sessions: Mutex<HashMap<String, mpsc::Sender<ClientJsonRpcMessage>>>,
    warned: AtomicBool,
}

/// An open session. Dropping it ends the session and its calls.
struct SseSession {
    id: String,
    legacy: Arc<SseTransport>,
    _gone: DropGuard,
    _count: SessionCount,
}

impl Drop for SseSession {
    fn drop(&mut self) {
        self.legacy.lock().remove(&self.id);
    }
}

impl SseTransport {
    /// No sessions yet. Sessions end when `stop` is cancelled.
    pub fn new(services: Arc<Services>, stop: CancellationToken) -> Self {
        Self { services, stop, sessions: Mutex::default(), warned: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<ClientJsonRpcMessage>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>) -> Result<(SseSession, mpsc::Receiver<ServerJsonRpcMessage>), HttpRefusal> {
        let id = crate::random::hex().map_err(|error| {
            HttpRefusal::other(StatusCode::INTERNAL_SERVER_ERROR, format!("no randomness: {error}"))
        })?;
        let (transport, client) = channel::pair();
        {
            let mut sessions = self.lock();
            if sessions.len() >= self.services.at_start.http.legacy_sessions {
                return Err(HttpRefusal::busy("sessions", "sessions", "http.legacy_sessions"));
            }
            sessions.insert(id.clone(), client.incoming);
        }
        let gone = self.stop.child_token();
        let session = SseSession {
            id,
            legacy: Arc::clone(self),
            _gone: gone.clone().drop_guard(),
            _count: self.services.metrics.start_session("sse"),
        };
        let handler = Handler::new(Arc::clone(&self.services), ClientTransport::Http, gone.clone());
        tokio::spawn(async move {
            match serve_server_with_ct(handler, transport, gone).await {
                Ok(running) => drop(running.waiting().await),
                Err(error) => tracing::debug!(%error, "the session did not begin"),
            }
        });
        Ok((session, client.outgoing))
    }
}

/// `GET /sse`: opens a session.
pub async fn sse(State(legacy): State<Arc<SseTransport>>) -> Response {
    if !legacy.warned.swap(true, Ordering::Relaxed) {
        tracing::warn!("a client uses HTTP+SSE, deprecated since 2025-03-26; its successor is /mcp");
    }
    let (session, answers) = match legacy.open() {
        Ok(open) => open,
        Err(refusal) => return deprecated(refusal.into_response()),
    };
    let first = Event::default().event("endpoint").data(format!("/messages?session_id={}", session.id));
    let rest = futures::stream::unfold((answers, session), |(mut answers, session)| async {
        let answer = answers.recv().await?;
        let event = match serde_json::to_string(&answer) {
            Ok(text) => Event::default().event("message").data(text),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Event::default().comment("lost")
            }
        };
        Some((event, (answers, session)))
    });
    let events = futures::stream::once(async { first });
    let events = futures::StreamExt::chain(events, rest);
    let events = futures::StreamExt::map(events, Ok::<_, Infallible>);
    let signs = KeepAlive::new().interval(legacy.services.heartbeat);
    let mut response = Sse::new(events).keep_alive(signs).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    deprecated(response)
}

/// `POST /messages`: takes a message of a session.
pub async fn messages(State(legacy): State<Arc<SseTransport>>, request: Request) -> Response {
    deprecated(message(&legacy, request).await.unwrap_or_else(IntoResponse::into_response))
}

async fn message(legacy: &SseTransport, request: Request) -> Result<Response, HttpRefusal> {
    let query = request.uri().query().unwrap_or_default();
    let id = query.split('&').find_map(|pair| pair.strip_prefix("session_id="));
    let session = id.and_then(|id| legacy.lock().get(id).cloned()).ok_or_else(HttpRefusal::session)?;
    let (_, bytes) = body::json(request, legacy.services.at_start.message_bytes).await?;
    match message::parse(&bytes, false) {
        ParsedMessage::Message(message) => match session.try_send(*message) {
            Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
            Err(TrySendError::Full(_)) => {
                Err(HttpRefusal::busy("concurrency", "messages", "limits.concurrent_calls"))
            }
            Err(TrySendError::Closed(_)) => Err(HttpRefusal::session()),
        },
        ParsedMessage::Refusal(refusal) => Ok(malformed(&refusal)),
        // 2024-11-05 has no batches over HTTP.
        ParsedMessage::Batch(refusals) => Ok(batch::refuse_batch(refusals)),
        ParsedMessage::Ignored if message::trim_message(&bytes).is_empty() => Ok(empty_body()),
        ParsedMessage::Ignored => Ok(StatusCode::ACCEPTED.into_response()),
    }
}

fn deprecated(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("deprecation"), DEPRECATED);
    headers.insert(LINK, SUCCESSOR);
    response
}
