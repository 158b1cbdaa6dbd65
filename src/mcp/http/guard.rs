//! The checks of every request, in this order: host and origin, rate, token, slots.
//!
//! The rate comes before the token, so that tokens cannot be guessed quickly. The paths at which clients look for an
//! authorization server get 404 without a token. `/healthz` is for service managers: only host and origin are checked.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use super::allowlist::{Allowlist, AllowlistError};
use super::rate::{CountedRequest, RateLimiter};
use super::refusal::{HttpRefusal, RefusalReason};
use super::slots::RequestSlots;
use super::token::BearerToken;
use crate::tools::Services;

/// The connection of a request.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionInfo {
    /// The client's address.
    pub remote: SocketAddr,
    /// The server's address.
    pub local: SocketAddr,
    /// Whether it may be used only for `/healthz`, because all other slots are taken.
    pub only_health: bool,
}

/// Checks requests.
pub struct RequestGuard {
    services: Arc<Services>,
    allowlist: Allowlist,
    /// `None` if clients need no token.
    token: Option<Arc<BearerToken>>,
    rate: Arc<RateLimiter>,
    slots: RequestSlots,
}

/// Cancelled when the token of the request is no longer valid.
#[derive(Clone)]
pub struct TokenValidity(pub CancellationToken);

impl RequestGuard {
    /// The checks that the settings describe.
    ///
    /// # Errors
    /// A malformed entry of the allowed hosts or origins.
    pub fn new(services: Arc<Services>, token: Option<Arc<BearerToken>>) -> Result<Self, AllowlistError> {
        let http = &services.at_start.http;
        Ok(Self {
            allowlist: Allowlist::new(http)?,
            token,
            rate: Arc::new(RateLimiter::new(http.requests_per_minute)),
            slots: RequestSlots::new(http.concurrent_requests),
            services,
        })
    }

    async fn serve(
        &self,
        connection_info: ConnectionInfo,
        request: Request,
        next: Next,
    ) -> Result<Response, HttpRefusal> {
        let allowed = self.allowlist.check(request.uri(), request.headers(), connection_info.local)?;
        let served = self.serve_for_host(connection_info, request, next, allowed.is_some()).await;
        let Some(origin) = allowed else { return served };
        // A page of an allowed origin may read refusals as well.
        let mut response = served.unwrap_or_else(IntoResponse::into_response);
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("mcp-session-id"));
        headers.append(VARY, HeaderValue::from_static("origin"));
        Ok(response)
    }

    async fn serve_for_host(
        &self,
        connection_info: ConnectionInfo,
        mut request: Request,
        next: Next,
        cross_origin: bool,
    ) -> Result<Response, HttpRefusal> {
        let path = request.uri().path();
        if path == "/healthz" {
            return Ok(next.run(request).await);
        }
        if connection_info.only_health {
            return Err(HttpRefusal::busy("connections", "connections", "http.concurrent_requests"));
        }
        let counted = CountedRequest::count(&self.rate, connection_info.remote.ip())?;
        if seeks_authorization_server(path) {
            return Err(HttpRefusal::no_authorization_server());
        }
        if cross_origin && let Some(response) = preflight(&request) {
            return Ok(response);
        }
        let valid = match &self.token {
            Some(token) => token.check(request.headers())?,
            None => CancellationToken::new(),
        };
        let is_metrics = path == "/metrics";
        // Removed so that it cannot be logged.
        request.headers_mut().remove(AUTHORIZATION);
        if is_metrics {
            return Ok(next.run(request).await);
        }
        let is_stream = request.method() == Method::GET;
        let slot = self.slots.take(is_stream)?;
        request.extensions_mut().insert(TokenValidity(valid.clone()));
        request.extensions_mut().insert(counted);
        let response =
            valid.run_until_cancelled(next.run(request)).await.ok_or_else(|| HttpRefusal::token(true))?;
        Ok(self.slots.hold(slot, response, valid))
    }
}

/// Whether clients look at this path for OAuth: for metadata (RFC 8414 and RFC 9728, section 3 of each), or at the default
/// endpoints of a server without metadata (2025-03-26, "Authorization", section 2.3.3). If they got 401 there, they would
/// start OAuth and never send their token.
fn seeks_authorization_server(path: &str) -> bool {
    path.split('/').any(|part| part == ".well-known") || ["/register", "/authorize", "/token"].contains(&path)
}

/// The answer to a CORS preflight request; `None` for other requests. Browsers send it without the token (Fetch Standard,
/// section 4.8, "CORS-preflight fetch").
fn preflight(request: &Request) -> Option<Response> {
    let asks =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
        if let Some(wanted) = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        response
    })
}

/// Serves a request if it passes the checks, and counts it.
pub async fn guard_request(State(guard): State<Arc<RequestGuard>>, request: Request, next: Next) -> Response {
    let route = route_label(request.uri().path());
    let connection_info = request.extensions().get::<ConnectionInfo>().copied();
    let served = match connection_info {
        Some(connection_info) => guard.serve(connection_info, request, next).await,
        None => Err(HttpRefusal::no_host("the connection has no address")),
    };
    let mut response = served.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let metrics = &guard.services.metrics;
    if let Some(RefusalReason(reason)) = response.extensions().get() {
        metrics.count_refusal(reason);
    }
    metrics.count_request(route, response.status().as_u16());
    response
}

/// The label of a path in the metrics; unknown paths share one.
fn route_label(path: &str) -> &'static str {
    ["/mcp", "/sse", "/messages", "/healthz", "/metrics"]
        .into_iter()
        .find(|route| *route == path)
        .unwrap_or("other")
}
