//! MCP over standard input and output: one message a line.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::model::ServerJsonRpcMessage;
use rmcp::service::serve_server_with_ct;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Interest};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::channel;
use super::handler::{ClientTransport, Handler};
use super::message::{self, ParsedMessage};
use crate::tools::Services;

/// How long the last answers may take to be written after the session ended.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// How long running calls may take after the client closed standard input.
const LAST_CALLS: Duration = Duration::from_millis(200);

/// Serves until the client closes standard input or output, or `stop` is cancelled.
///
/// # Errors
/// Standard input failed, other than by its end.
pub async fn serve(services: Arc<Services>, stop: CancellationToken) -> std::io::Result<()> {
    let (input, output) = rmcp::transport::io::stdio_pipes();
    serve_over(services, input, output, output_closed(), stop).await
}

/// Returns when the reader of standard output has closed it, even if nothing is being written.
///
/// If standard output is a file, this never returns.
#[expect(unsafe_code, reason = "a file descriptor of our own is watched, without making it non-blocking")]
async fn output_closed() {
    // A duplicate: a file descriptor can be registered once, and the writer may register the original.
    let Ok(copy) = std::io::stdout().as_fd().try_clone_to_owned() else {
        return std::future::pending().await;
    };
    // SAFETY: `AsyncFd` owns the file descriptor, which stays open until `watched` is dropped.
    let watched = unsafe { AsyncFd::register_with_interest(copy, Interest::WRITABLE) };
    let Ok(watched) = watched else { return std::future::pending().await };
    while let Ok(mut guard) = watched.writable().await {
        if guard.ready().is_write_closed() {
            return;
        }
        guard.clear_ready();
    }
    std::future::pending().await
}

/// Serves over any pair of streams, until either ends or `output_closed` returns.
///
/// # Errors
/// The input failed.
pub async fn serve_over(
    services: Arc<Services>,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
    output_closed: impl Future<Output = ()>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let limit = services.at_start.message_bytes;
    let (transport, client) = channel::pair();
    let (refusals, refused) = mpsc::channel(8);
    let gone = stop.child_token();
    let rollouts = services.rollouts.clone();
    let handler = Handler::new(services, ClientTransport::Stdio, gone.clone());
    // Cancelled when an answer could not be written.
    let write_failed = CancellationToken::new();
    let writing = tokio::spawn(write(output, client.outgoing, refused, write_failed.clone()));
    let mut serving = tokio::spawn({
        let gone = gone.clone();
        async move {
            match serve_server_with_ct(handler, transport, gone).await {
                Ok(running) => drop(running.waiting().await),
                Err(error) => tracing::debug!(%error, "the session did not begin"),
            }
        }
    });
    let mut served = None;
    let result = tokio::select! {
        result = read(input, client.incoming, refusals, limit, &client.takes_batches) => {
            // A script that pipes its requests closes its end before the first answer.
            served = tokio::time::timeout(LAST_CALLS, &mut serving).await.ok();
            result
        }
        () = write_failed.cancelled() => Ok(()),
        () = output_closed => Ok(()),
        () = stop.cancelled() => Ok(()),
    };
    // The client is gone: calls that still run are cancelled.
    if !stop.is_cancelled() {
        rollouts.announce_stop();
    }
    gone.cancel();
    let served = match served {
        Some(served) => served,
        None => serving.await,
    };
    if served.is_err() {
        tracing::error!("the session ended with a panic");
    }
    if tokio::time::timeout(LAST_ANSWERS, writing).await.is_err() {
        tracing::debug!("the client did not take the last answers");
    }
    result
}

async fn read(
    input: impl AsyncRead + Unpin,
    messages: mpsc::Sender<rmcp::model::ClientJsonRpcMessage>,
    refusals: mpsc::Sender<ServerJsonRpcMessage>,
    limit: usize,
    takes_batches: &AtomicBool,
) -> std::io::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    let mut oversized = false;
    loop {
        let chunk = input.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(());
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or(chunk);
        if line.len() + part.len() > limit {
            oversized = true;
            line = Vec::new();
        }
        if !oversized {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_none() {
            continue;
        }
        let read = if std::mem::take(&mut oversized) {
            ParsedMessage::Refusal(Box::new(message::too_large(limit)))
        } else {
            message::parse(&line, takes_batches.load(Ordering::Acquire))
        };
        line.clear();
        // Each message of a batch is answered separately. JSON-RPC 2.0 (section 6) has the answers in one array, which no
        // MCP client over stdio reads.
        let reads = match read {
            ParsedMessage::Batch(reads) => reads,
            one => vec![one],
        };
        for read in reads {
            let taken = match read {
                ParsedMessage::Message(message) => messages.send(*message).await.is_ok(),
                ParsedMessage::Refusal(refusal) => refusals.send(*refusal).await.is_ok(),
                ParsedMessage::Ignored | ParsedMessage::Batch(_) => true,
            };
            if !taken {
                return Ok(());
            }
        }
    }
}

async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut answers: mpsc::Receiver<ServerJsonRpcMessage>,
    mut refusals: mpsc::Receiver<ServerJsonRpcMessage>,
    write_failed: CancellationToken,
) {
    let mut refusing = true;
    loop {
        let message = tokio::select! {
            answer = answers.recv() => match answer {
                Some(answer) => answer,
                None => return,
            },
            refusal = refusals.recv(), if refusing => match refusal {
                Some(refusal) => refusal,
                None => {
                    refusing = false;
                    continue;
                }
            },
        };
        let mut line = match serde_json::to_vec(&message) {
            Ok(line) => line,
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                continue;
            }
        };
        line.push(b'\n');
        let written = async {
            output.write_all(&line).await?;
            output.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "the answers cannot be written");
            write_failed.cancel();
            return;
        }
    }
}
