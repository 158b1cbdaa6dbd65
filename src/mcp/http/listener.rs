//! Accepts connections, limits request heads, and ends connections. `connections` limits their number and their speed.
//!
//! `axum::serve` has no limits on the head of a request, so hyper is set up here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::platform;

use super::connections::{ConnectionSlots, MonitoredStream, TakenSlot};
use super::guard::ConnectionInfo;
use super::held::HoldingBody;

/// Most header fields of a request.
const HEADERS: usize = 64;
/// Most bytes of a request's head, its target included.
const HEAD_BYTES: usize = 32 * 1024;
/// How long answers may take to end after `stop`: a little longer than `process::GRACE`, and less than two seconds.
const LAST_ANSWERS: Duration = Duration::from_millis(1_800);
/// How much longer the listener waits, so that each connection can report that it was cut off.
const MARGIN: Duration = Duration::from_millis(100);
/// The pause after accept(2) failed, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a connection is kept whose client does not answer.
const VANISHED: Duration = Duration::from_secs(60);

/// Accepts connections until `stop`, `most` at once, and waits for their last answers.
pub async fn run(listener: TcpListener, router: Router, most: usize, stop: CancellationToken) {
    let slots = ConnectionSlots::new(most);
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, remote)) => {
                let Ok(local) = stream.local_addr() else { continue };
                let Some(taken) = slots.take(Instant::now()) else {
                    tracing::debug!(%remote, "a connection was refused: all slots are in use, those for /healthz too");
                    continue;
                };
                let connection_info =
                    ConnectionInfo { remote, local, only_health: taken.slot().is_for_health() };
                connections.spawn(serve(stream, connection_info, router.clone(), taken, stop.clone()));
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    // Each connection has the same limit from now on, and reports it itself.
    if tokio::time::timeout(LAST_ANSWERS + MARGIN, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were still open at the end");
    }
}

async fn serve(
    stream: TcpStream,
    connection_info: ConnectionInfo,
    router: Router,
    taken: TakenSlot,
    stop: CancellationToken,
) {
    if let Err(error) = notice_vanished(&stream) {
        tracing::debug!(%error, "the connection is not watched");
    }
    let slot = taken.slot();
    let inner = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        let serving = slot.serve();
        request.extensions_mut().insert(connection_info);
        let answering = inner.call(request);
        async move { answering.await.map(|response| response.map(|body| HoldingBody::new(body, serving))) }
    });
    let mut builder = http1::Builder::new();
    // The slot has the head's deadline: hyper's would start before the first byte.
    builder.max_headers(HEADERS).max_header_size(HEAD_BYTES).header_read_timeout(None);
    let stream = TokioIo::new(MonitoredStream::new(stream, Arc::clone(slot)));
    let connection = builder.serve_connection(stream, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        why = slot.closed() => {
            tracing::debug!(remote = %connection_info.remote, "the connection is closed: {why}");
            return;
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(LAST_ANSWERS, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    let remote = connection_info.remote;
                    if slot.is_serving() {
                        tracing::warn!(%remote, "a connection was closed before its answer was complete");
                    }
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, remote = %connection_info.remote, "the connection broke");
    }
}

/// Makes the system detect a client that lost its network or does not read (tcp(7), `TCP_KEEPIDLE`;
/// `platform` limits unsent data). Otherwise its builds would go on: a call without an answer yet sends nothing.
fn notice_vanished(stream: &TcpStream) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_tcp_nodelay(stream, true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, VANISHED / 2)?;
    sockopt::set_tcp_keepintvl(stream, VANISHED / 6)?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    platform::limit_unacknowledged(stream, VANISHED)
}
