//! Connections: how many, how slow they may be, and how they end.
//!
//! `axum::serve` has no limits on the head of a request, so hyper is set up here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guard::Ends;

/// Most header fields of a request.
const HEADERS: usize = 64;
/// Most bytes of a request's head, its target included.
const HEAD_BYTES: usize = 32 * 1024;
/// How long the head of a request may take, and how long a connection is kept that has none.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long answers under way may take to end once the server is to stop: a little longer than a
/// program may take (`process::GRACE`), and with it less than two seconds.
const LAST_ANSWERS: Duration = Duration::from_millis(1_800);
/// How long to wait when the system has no more connections to give.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client that has vanished without a word is waited for.
const VANISHED: Duration = Duration::from_secs(60);

/// Takes connections until `stop`, at most `most` at once, and waits for their last answers.
pub async fn run(listener: TcpListener, router: Router, most: usize, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    // Whoever comes when all places are taken waits in the system's queue.
    while let Some(Ok(place)) = stop.run_until_cancelled(Arc::clone(&places).acquire_owned()).await {
        match stop.run_until_cancelled(listener.accept()).await {
            Some(Ok((stream, remote))) => {
                let Ok(local) = stream.local_addr() else { continue };
                let ends = Ends { remote, local };
                connections.spawn(serve(stream, ends, router.clone(), place, stop.clone()));
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
            None => break,
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(LAST_ANSWERS, connections.wait()).await.is_err() {
        tracing::debug!(open = connections.len(), "connections were still open at the end");
    }
}

async fn serve(
    stream: TcpStream,
    ends: Ends,
    router: Router,
    _place: OwnedSemaphorePermit,
    stop: CancellationToken,
) {
    if let Err(error) = notice_vanished(&stream) {
        tracing::debug!(%error, "the connection is not watched");
    }
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ends);
        inner.call(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(LAST_ANSWERS, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, remote = %ends.remote, "the connection broke");
    }
}

/// Has the system ask whether a silent client is still there, and gives up on one that takes nothing.
///
/// A call that has not answered yet sends nothing, and a machine that lost its network says nothing:
/// without this, its builds would run on (tcp(7), `TCP_KEEPIDLE` and `TCP_USER_TIMEOUT`).
fn notice_vanished(stream: &TcpStream) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_tcp_nodelay(stream, true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, VANISHED / 2)?;
    sockopt::set_tcp_keepintvl(stream, VANISHED / 6)?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    sockopt::set_tcp_user_timeout(stream, u32::try_from(VANISHED.as_millis()).unwrap_or(u32::MAX))
}
