//! `/mcp`: Streamable HTTP, in both protocol eras.
//!
//! rmcp distinguishes the eras and serves them. This module reads the body, so that every transport refuses the same bytes
//! with the same message, and turns rmcp's refusals into the form of this program's errors.
//!
//! How a call is cancelled:
//! - **2026-07-28**: there are no sessions; a client cancels by closing the response stream ("Transports",
//!   "Cancellation"). rmcp drops the request's token with the stream.
//! - **before**: a closed stream does not cancel; see [`super::sessions`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::accept::AcceptedTypes;
use super::answer::{self, ResponseForm, SingleResponse};
use super::guard::TokenValidity;
use super::rate::CountedRequest;
use super::refusal::{HttpRefusal, malformed};
use super::sessions::{CLIENT_GONE, Sessions, TOKEN_VALID, client_gone};
use super::{batch, body};
use crate::mcp::handler::{ClientTransport, Handler};
use crate::mcp::ids;
use crate::mcp::message::{self, ParsedMessage};
use crate::tools::Services;

/// Most bytes read of a refusal of rmcp.
const LARGEST_REFUSAL: usize = 4_096;

/// Serves `/mcp`.
pub struct StreamableTransport {
    service: StreamableHttpService<Handler, Sessions>,
    sessions: Arc<Sessions>,
    limit: usize,
    heartbeat: Duration,
    stop: CancellationToken,
}

impl StreamableTransport {
    /// Starts without sessions. Sessions and calls end when `stop` is cancelled.
    pub fn new(services: Arc<Services>, stop: CancellationToken) -> Self {
        let (limit, heartbeat) = (services.at_start.message_bytes, services.heartbeat);
        let sessions = Arc::new(Sessions::new(Arc::clone(&services)));
        // `guard` checks hosts and origins for all routes.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(limit)
            .with_sse_keep_alive(Some(services.heartbeat))
            .with_cancellation_token(stop.clone());
        let handler = move || Ok(Handler::new(Arc::clone(&services), ClientTransport::Http, client_gone()));
        let service = StreamableHttpService::new(handler, Arc::clone(&sessions), config);
        tokio::spawn(Arc::clone(&sessions).end_abandoned(stop.clone()));
        Self { service, sessions, limit, heartbeat, stop }
    }

    /// Ends a session. rmcp answers 202, also for a session that does not exist. Clients take that for an error: 2025-11-25,
    /// "Transports", "Session Management" has 404 and 405, and the SDKs expect 200 or 204.
    async fn delete(&self, request: Request) -> Response {
        if session_id(request.headers()).is_some_and(|id| !self.sessions.has(id)) {
            return HttpRefusal::session().into_response();
        }
        let mut response = self.serve(request, None).await;
        if response.status() == StatusCode::ACCEPTED {
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        response
    }

    /// Serves a request with rmcp. `answering` is the id to answer in a JSON-RPC error: `None` if the body is no message,
    /// `Some(None)` if the message has no id.
    async fn serve(&self, request: Request, answering: Option<Option<RequestId>>) -> Response {
        let session = session_id(request.headers()).map(str::to_owned);
        let known = || session.as_ref().is_none_or(|id| self.sessions.has(id));
        let known_session = session.as_ref().and_then(|id| self.sessions.session(id));
        let reserved = match (known_session, &answering) {
            (Some(session), Some(Some(id))) => match session.reserve(id) {
                Some(reserved) => Some(reserved),
                None => return malformed(&ids::duplicate_id_error(id.clone())),
            },
            _ => None,
        };
        let valid = request.extensions().get().map(|TokenValidity(valid)| valid.clone()).unwrap_or_default();
        let serving = TOKEN_VALID.scope(valid, self.service.handle(request));
        let response = CLIENT_GONE.scope(self.stop.child_token(), serving).await.map(Body::new);
        drop(reserved);
        let status = response.status();
        if !(status.is_client_error() || status.is_server_error()) || is_json(&response) {
            return response;
        }
        let allow = response.headers().get(ALLOW).cloned();
        let refusal = match status {
            StatusCode::NOT_FOUND => HttpRefusal::session(),
            // The session ended after it was found.
            StatusCode::INTERNAL_SERVER_ERROR if !known() => HttpRefusal::session(),
            StatusCode::METHOD_NOT_ALLOWED => HttpRefusal::method(),
            status => {
                let words =
                    axum::body::to_bytes(response.into_body(), LARGEST_REFUSAL).await.unwrap_or_default();
                HttpRefusal::other(status, String::from_utf8_lossy(&words))
            }
        };
        let mut response = match answering {
            Some(id) => refusal.into_rpc_response(id),
            None => refusal.into_response(),
        };
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

/// The session id in the headers; `None` without one.
fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("mcp-session-id").map(|id| id.to_str().unwrap_or_default())
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE) == Some(&HeaderValue::from_static("application/json"))
}

/// Serves a request to `/mcp`.
pub async fn handle(State(streamable): State<Arc<StreamableTransport>>, mut request: Request) -> Response {
    let accepted = AcceptedTypes::from_headers(request.headers());
    match *request.method() {
        Method::POST if accepted.json || accepted.stream => {}
        Method::GET if accepted.stream => {
            AcceptedTypes::accept_both(request.headers_mut());
            return streamable.serve(request, None).await;
        }
        Method::POST | Method::GET => return HttpRefusal::not_acceptable().into_response(),
        Method::DELETE => return streamable.delete(request).await,
        _ => return streamable.serve(request, None).await,
    }
    let (mut parts, bytes) = match body::json(request, streamable.limit).await {
        Ok(read) => read,
        Err(refusal) => return refusal.into_response(),
    };
    let takes_batches = accepted.json && batch::accepts_batches(&parts.headers);
    let message = match message::parse(&bytes, takes_batches) {
        ParsedMessage::Message(message) => message,
        ParsedMessage::Batch(reads) if takes_batches => {
            if let Some(Err(refusal)) =
                parts.extensions.get().map(|counted: &CountedRequest| counted.count_batch(reads.len()))
            {
                return refusal.into_response();
            }
            // Clients open a new session if they get this status, which a batch of answers would not have.
            if session_id(&parts.headers).is_some_and(|id| !streamable.sessions.has(id)) {
                return HttpRefusal::session().into_rpc_response(None);
            }
            AcceptedTypes::accept_both(&mut parts.headers);
            parts.extensions.insert(SingleResponse);
            let heartbeat = streamable.heartbeat;
            let answering = batch::serve_batch(parts, reads, move |parts, message| {
                let streamable = Arc::clone(&streamable);
                async move { serve_batch_message(&streamable, parts, &message).await }
            });
            return answer::respond_with_keep_alive(answering, ResponseForm::Json, heartbeat).await;
        }
        ParsedMessage::Batch(refusals) => return batch::refuse_batch(refusals),
        ParsedMessage::Refusal(refusal) => return malformed(&refusal),
        ParsedMessage::Ignored if message::trim_message(&bytes).is_empty() => return empty_body(),
        ParsedMessage::Ignored => return StatusCode::ACCEPTED.into_response(),
    };
    let id = match &*message {
        JsonRpcMessage::Request(request) => Some(request.id.clone()),
        _ => None,
    };
    let opens_session = is_initialize(&message);
    if opens_session && !streamable.sessions.make_room().await {
        return HttpRefusal::busy("sessions", "sessions", "http.legacy_sessions").into_rpc_response(id);
    }
    AcceptedTypes::accept_both(&mut parts.headers);
    if !accepted.stream {
        parts.extensions.insert(SingleResponse);
    }
    // rmcp does not accept white space and a byte order mark around a message.
    let message = bytes.slice_ref(message::trim_message(&bytes));
    let request = Request::from_parts(parts, Body::from(message));
    let Some(id) = id else { return streamable.serve(request, Some(None)).await };
    let form = if accepted.stream { ResponseForm::Stream } else { ResponseForm::Json };
    let heartbeat = streamable.heartbeat;
    let answering = async move {
        let response = streamable.serve(request, Some(Some(id.clone()))).await;
        match form {
            ResponseForm::Stream => response,
            ResponseForm::Json => answer::extract_answer(response, &id).await,
        }
    };
    // The head of the answer to `initialize` has the session id, so it cannot be sent earlier.
    if opens_session {
        answering.await
    } else {
        answer::respond_with_keep_alive(answering, form, heartbeat).await
    }
}

/// Serves one message of a batch.
async fn serve_batch_message(
    streamable: &StreamableTransport,
    parts: Parts,
    message: &ClientJsonRpcMessage,
) -> Response {
    let body = match serde_json::to_vec(message) {
        Ok(body) => body,
        Err(error) => return HttpRefusal::other(StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let request = Request::from_parts(parts, Body::from(body));
    match message {
        JsonRpcMessage::Request(asked) => {
            let response = streamable.serve(request, Some(Some(asked.id.clone()))).await;
            answer::extract_answer(response, &asked.id).await
        }
        _ => streamable.serve(request, Some(None)).await,
    }
}

fn is_initialize(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, JsonRpcMessage::Request(request)
        if matches!(request.request, ClientRequest::InitializeRequest(_)))
}

/// The answer to an empty body.
pub fn empty_body() -> Response {
    malformed(&JsonRpcMessage::error(ErrorData::new(ErrorCode::PARSE_ERROR, "the body is empty", None), None))
}
