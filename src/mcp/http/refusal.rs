//! Refusals of HTTP requests, and their responses.
//!
//! If the request is no JSON-RPC message, the body has the form of this program's other errors:
//! `{"error": {code, message, hint}}`.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use rmcp::model::{ErrorCode, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage};

use crate::text;

/// The kind of a refusal: the `code` in the body and the label in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalReason(pub &'static str);

/// Why a request is refused, and the response to it.
#[derive(Debug)]
pub struct HttpRefusal {
    status: StatusCode,
    reason: RefusalReason,
    message: String,
    hint: Option<String>,
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl HttpRefusal {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: RefusalReason(reason),
            message: text::line(&message.into(), 400),
            hint: None,
            retry_after: None,
            challenge: None,
        }
    }

    /// Seconds until a retry may be served; `None` if that is not known.
    #[cfg(test)]
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `Host` is missing, repeated or malformed (RFC 9112, section 3.2: 400).
    pub fn no_host(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "host", message)
    }

    /// `Host` is not a name of this server, as in DNS rebinding.
    pub fn host(host: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "host", format!("the host `{host}` is not served here"))
            .hint("use a loopback name, or add the host to `http.allowed_hosts` in your settings")
    }

    /// `Origin` is not allowed.
    pub fn origin(origin: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "origin",
            format!("requests from the web origin `{origin}` are not allowed"),
        )
        .hint("add it to `http.allowed_origins` in your settings if you trust every page of it")
    }

    /// `Sec-Fetch-Site` has another site.
    pub fn site() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "origin",
            "the request comes from a web page of another site (`Sec-Fetch-Site`)",
        )
        .hint("open the address directly; a web page needs an origin in `http.allowed_origins`")
    }

    /// The bearer token is missing, or wrong if one was `sent` (RFC 6750, section 3).
    pub fn token(sent: bool) -> Self {
        let (message, challenge) = if sent {
            ("the bearer token is wrong", "Bearer realm=\"pantheros\", error=\"invalid_token\"")
        } else {
            ("a bearer token is required", "Bearer realm=\"pantheros\"")
        };
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, "token", message)
            .hint("send `Authorization: Bearer …` with the token; `pantheros-mcp token` prints where it is");
        refusal.challenge = Some(challenge);
        refusal
    }

    /// The server cannot read its token.
    pub fn no_token() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "token", "the server cannot read its bearer token")
            .hint("the log of the server has the cause; `pantheros-mcp token` prints where the token is")
    }

    /// Too many requests in a short time (RFC 6585, section 4).
    pub fn rate(seconds: u64) -> Self {
        let mut refusal =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", "too many requests from this address")
                .hint("send fewer requests, or raise `http.requests_per_minute` in your settings");
        refusal.retry_after = Some(seconds);
        refusal
    }

    /// A batch has more messages than the bucket can ever hold.
    pub fn batch(most: u32) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate",
            format!("each message of a batch counts as a request, and at most {most} per minute are allowed"),
        )
        .hint("send smaller batches, or raise `http.requests_per_minute` in your settings")
    }

    /// A limit of concurrency is reached (RFC 9110, section 15.6.4).
    pub fn busy(reason: &'static str, what: &str, setting: &str) -> Self {
        let mut refusal =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, reason, format!("too many {what} at once"))
                .hint(format!("wait until one has ended, or raise `{setting}` in your settings"));
        refusal.retry_after = Some(1);
        refusal
    }

    /// The body is larger than `limit` bytes.
    pub fn size(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "size", format!("the body is larger than {limit} bytes"))
            .hint("raise `limits.message_kib` in your settings")
    }

    /// The body did not arrive in time or is incomplete.
    pub fn body(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "body", message)
    }

    /// `Content-Type` is not JSON.
    pub fn media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", "the body must be application/json")
            .hint("send `Content-Type: application/json`")
    }

    /// The client accepts neither JSON nor event streams.
    pub fn not_acceptable() -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "accept", "answers are application/json or text/event-stream")
            .hint(
                "send `Accept: application/json, text/event-stream`; a stream by GET needs text/event-stream",
            )
    }

    /// The call ended without an answer.
    pub fn unanswered() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "unanswered", "the call ended without an answer")
            .hint("the call was cancelled, or its session or the server ended")
    }

    /// The path does not exist.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "route", "there is nothing at this path").hint(
            "MCP is at /mcp, and for old clients at /sse and /messages; the other paths are /healthz and \
                /metrics",
        )
    }

    /// A path at which clients look for an authorization server. This server has none.
    pub fn no_authorization_server() -> Self {
        Self::no_route().hint(
            "this server has no OAuth: send `Authorization: Bearer …` with the token; `pantheros-mcp token` prints \
             where it is",
        )
    }

    /// The path does not support the method.
    pub fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this path does not support the method")
    }

    /// The session does not exist or has ended.
    pub fn session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "session", "there is no such session")
            .hint("start a new one: a session ends when its client is gone or the server ends")
    }

    /// A refusal of rmcp, with its message.
    pub fn other(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "protocol", message)
    }

    /// The refusal as a response to the JSON-RPC request `id`.
    pub fn into_rpc_response(self, id: Option<RequestId>) -> Response {
        let body = serde_json::to_vec(&self.to_rpc_message(id)).unwrap_or_default();
        self.respond(body)
    }

    /// The refusal as a JSON-RPC message.
    pub fn to_rpc_message(&self, id: Option<RequestId>) -> ServerJsonRpcMessage {
        let code = match self.status {
            status if status.is_server_error() => ErrorCode::INTERNAL_ERROR,
            _ => ErrorCode::INVALID_REQUEST,
        };
        let data = serde_json::to_value(self.fields()).ok();
        JsonRpcMessage::error(ErrorData::new(code, self.message.clone(), data), id)
    }

    fn fields(&self) -> ErrorFields<'_> {
        ErrorFields { code: self.reason.0, message: &self.message, hint: self.hint.as_deref() }
    }

    fn respond(self, body: Vec<u8>) -> Response {
        let mut response = json(self.status, body);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self.reason);
        response
    }
}

impl IntoResponse for HttpRefusal {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&ErrorBody { error: self.fields() }).unwrap_or_default();
        self.respond(body)
    }
}

/// A response with a JSON body.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The response to a body that is not a valid message (JSON-RPC 2.0, section 5.1).
pub fn malformed(message: &ServerJsonRpcMessage) -> Response {
    let mut response = json(StatusCode::BAD_REQUEST, serde_json::to_vec(message).unwrap_or_default());
    response.extensions_mut().insert(RefusalReason("malformed"));
    response
}
