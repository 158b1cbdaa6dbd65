//! Batches of messages in one body, which only 2025-03-26 has ("Transports", "Sending Messages to the Server").

use axum::body::to_bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use rmcp::model::ServerJsonRpcMessage;
use serde_json::Value;

use super::refusal::{json, malformed};
use crate::mcp::channel::Read;

/// Most messages of a batch that are served side by side.
const AT_ONCE: usize = 4;
/// Most bytes of an answer to one of them.
const ANSWER: usize = 4 * 1024 * 1024;

/// Whether a request is of a session that has batches. Its clients do not name their version, and whoever names none is
/// one of them (2025-06-18, "Transports", "Protocol Version Header").
pub fn is_taken(headers: &HeaderMap) -> bool {
    headers.contains_key("mcp-session-id")
        && headers.get("mcp-protocol-version").is_none_or(|version| version == "2025-03-26")
}

/// The answer to a batch none of which is taken.
pub fn refused(reads: Vec<Read>) -> Response {
    let refusals: Vec<ServerJsonRpcMessage> = reads
        .into_iter()
        .filter_map(|read| match read {
            Read::Refusal(refusal) => Some(*refusal),
            Read::Message(_) | Read::Nothing | Read::Batch(_) => None,
        })
        .collect();
    let mut response = refusals.first().map_or_else(|| StatusCode::BAD_REQUEST.into_response(), malformed);
    *response.body_mut() = serde_json::to_vec(&refusals).unwrap_or_default().into();
    response
}

/// Serves each message of a batch by itself, and gives all answers in one array, in the order of what they answer.
pub async fn served<F: Future<Output = Response>>(
    parts: Parts,
    reads: Vec<Read>,
    serve: impl Fn(Parts, Box<rmcp::model::ClientJsonRpcMessage>) -> F,
) -> Response {
    let (parts, serve) = (&parts, &serve);
    let answers = reads.into_iter().map(|read| async move {
        match read {
            Read::Message(message) => {
                let response = serve(parts.clone(), message).await;
                let bytes = to_bytes(response.into_body(), ANSWER).await.unwrap_or_default();
                serde_json::from_slice::<Value>(&bytes).ok()
            }
            Read::Refusal(refusal) => serde_json::to_value(*refusal).ok(),
            Read::Nothing | Read::Batch(_) => None,
        }
    });
    let answers: Vec<Value> =
        futures::stream::iter(answers).buffered(AT_ONCE).filter_map(async |answer| answer).collect().await;
    if answers.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    json(StatusCode::OK, Value::Array(answers).to_string().into_bytes())
}
