//! MCP over HTTP: Streamable HTTP at `/mcp`, and for old clients HTTP+SSE at `/sse` and `/messages`,
//! which is **deprecated**; also `/healthz` for service managers and `/metrics` for Prometheus.
//!
//! `guard` checks the requests of all routes, with `allowlist` (host and origin), `rate`, `token` and `slots`. `listener`
//! and `connections` limit connections and request heads, `body` limits bodies. `streamable` and `legacy` are the two
//! transports; `sessions` has the sessions that older clients open over the first.

mod accept;
mod allowlist;
mod answer;
mod authority;
mod batch;
mod body;
mod connections;
mod guard;
mod held;
mod legacy;
mod listener;
mod rate;
mod refusal;
mod session;
mod sessions;
mod slots;
mod streamable;
pub mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::answer::SingleResponse;
use self::guard::RequestGuard;
use self::legacy::SseTransport;
use self::refusal::{HttpRefusal, json};
use self::streamable::StreamableTransport;
use self::token::{BearerToken, TokenError, TokenSource};
use crate::diagnostic::{Code, Diagnostic};
use crate::metrics;
use crate::tools::Services;

/// How long calls may take to end their programs after `stop`.
const LAST_CALLS: Duration = Duration::from_millis(1_900);

/// A server that is bound to its address and does not answer yet.
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    token: Option<Arc<BearerToken>>,
    services: Arc<Services>,
    stop: CancellationToken,
}

/// Serves at `address` until `stop`, and prints the URL on standard error.
///
/// # Errors
/// As [`bind`].
pub async fn serve(
    services: Arc<Services>,
    address: SocketAddr,
    stop: CancellationToken,
) -> Result<(), Diagnostic> {
    let server = bind(services, address, stop).await?;
    match &server.token {
        Some(token) => {
            crate::stderr::print_line(format_args!("clients need the token in {}", token.source()))
        }
        None => crate::stderr::print_line(format_args!(
            "every user of this machine can call this server, so tools that connect to hosts are disabled"
        )),
    }
    crate::stderr::print_line(format_args!("listening on http://{}/mcp", server.address()));
    server.run().await;
    Ok(())
}

/// Binds to the address; port 0 takes any free port.
///
/// # Errors
/// The address or the token cannot be used, or the settings are wrong.
pub async fn bind(
    services: Arc<Services>,
    address: SocketAddr,
    stop: CancellationToken,
) -> Result<HttpServer, Diagnostic> {
    let token = token(&services, address)?.map(Arc::new);
    let guard =
        RequestGuard::new(Arc::clone(&services), token.clone()).map_err(|error| Diagnostic::from(&error))?;
    let router = router(&services, guard, &stop);
    let unbound = |error: std::io::Error| {
        Diagnostic::new(Code::InvalidSettings, format!("the server cannot listen on {address}: {error}"))
            .with_hint("stop the program that listens there, or name another address with --http; port 0 selects any \
                free port")
    };
    let listener = TcpListener::bind(address).await.map_err(unbound)?;
    let address = listener.local_addr().map_err(unbound)?;
    Ok(HttpServer { listener, address, router, token, services, stop })
}

/// The token that clients must send; `None` with `--without-token`.
fn token(services: &Services, address: SocketAddr) -> Result<Option<BearerToken>, Diagnostic> {
    let to_diagnostic = |error: TokenError| Diagnostic::from(&error);
    let settings = &services.at_start;
    if !settings.policy.without_token {
        return BearerToken::load(TokenSource::from_settings(settings).map_err(to_diagnostic)?)
            .map(Some)
            .map_err(to_diagnostic);
    }
    if let Some(source) = TokenSource::explicit(settings) {
        return Err(to_diagnostic(TokenError::Contradicted(source)));
    }
    if address.ip().to_canonical().is_loopback() {
        return Ok(None);
    }
    let message = format!("{} can be reached by other machines, so clients need a token", address.ip());
    Err(Diagnostic::new(Code::InvalidSettings, message)
        .with_hint("leave out --without-token, or listen on 127.0.0.1"))
}

impl HttpServer {
    /// The address it is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. All its calls have ended when this returns.
    pub async fn run(self) {
        if let Some(token) = self.token {
            tokio::spawn(token.watch_file(self.stop.clone()));
        }
        // Requests, as many streams again, and room for connections that wait for their next request.
        let connections = self.services.at_start.http.concurrent_requests.saturating_mul(4).max(16);
        listener::run(self.listener, self.router, connections, self.stop).await;
        // A call of a session may run without an open connection.
        if tokio::time::timeout(LAST_CALLS, self.services.metrics.wait_for_calls()).await.is_err() {
            tracing::warn!("calls were still running at the end");
        }
    }
}

fn router(services: &Arc<Services>, guard: RequestGuard, stop: &CancellationToken) -> Router {
    let streamable = Arc::new(StreamableTransport::new(Arc::clone(services), stop.clone()));
    let legacy = Arc::new(SseTransport::new(Arc::clone(services), stop.clone()));
    Router::new()
        .route("/mcp", any(streamable::handle).with_state(streamable))
        .route("/sse", get(legacy::sse).with_state(Arc::clone(&legacy)))
        .route("/messages", post(legacy::messages).with_state(legacy))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics).with_state(Arc::clone(services)))
        .fallback(async || HttpRefusal::no_route())
        .method_not_allowed_fallback(async || HttpRefusal::method())
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::guard_request))
}

/// The status and the version; it runs no program.
async fn healthz() -> Response {
    let body = concat!("{\"status\":\"ok\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}");
    json(StatusCode::OK, body.into())
}

async fn metrics(State(services): State<Arc<Services>>) -> Response {
    match services.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, HeaderValue::from_static(metrics::MEDIA_TYPE))], text).into_response(),
        Err(error) => {
            HttpRefusal::other(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}
