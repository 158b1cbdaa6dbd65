//! JSON-RPC batches in one body, which only 2025-03-26 allows ("Transports", "Sending Messages to the Server").

use axum::body::to_bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use rmcp::model::{JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use serde_json::Value;

use super::refusal::{HttpRefusal, json, malformed};
use crate::mcp::message::ParsedMessage;

/// Messages of a batch that are served concurrently.
const CONCURRENT_MESSAGES: usize = 4;
/// Most bytes of the answer to one message.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Whether the request belongs to a session that may use batches. A client of 2025-03-26 sends no version header, and a
/// request without one counts as that version (2025-06-18, "Transports", "Protocol Version Header").
pub fn accepts_batches(headers: &HeaderMap) -> bool {
    headers.contains_key("mcp-session-id")
        && headers.get("mcp-protocol-version").is_none_or(|version| version == "2025-03-26")
}

/// The answer to a batch that is refused as a whole.
pub fn refuse_batch(reads: Vec<ParsedMessage>) -> Response {
    let refusals: Vec<ServerJsonRpcMessage> = reads
        .into_iter()
        .filter_map(|read| match read {
            ParsedMessage::Refusal(refusal) => Some(*refusal),
            ParsedMessage::Message(_) | ParsedMessage::Ignored | ParsedMessage::Batch(_) => None,
        })
        .collect();
    let mut response = refusals.first().map_or_else(|| StatusCode::BAD_REQUEST.into_response(), malformed);
    *response.body_mut() = serde_json::to_vec(&refusals).unwrap_or_default().into();
    response
}

/// Reads the answer to the request `id`; an internal error if it cannot be read.
async fn read_response(response: Response, id: RequestId) -> Value {
    let read = match to_bytes(response.into_body(), LARGEST_ANSWER).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    read.unwrap_or_else(|wrong| {
        tracing::error!(%wrong, %id, "an answer to a request of a batch could not be read");
        serde_json::to_value(HttpRefusal::unanswered().to_rpc_message(Some(id))).unwrap_or_default()
    })
}

/// Serves each message of a batch, and returns the answers in one array, in the order of the messages.
pub async fn serve_batch<F: Future<Output = Response>>(
    parts: Parts,
    reads: Vec<ParsedMessage>,
    serve: impl Fn(Parts, Box<rmcp::model::ClientJsonRpcMessage>) -> F,
) -> Response {
    let (parts, serve) = (&parts, &serve);
    let answers = reads.into_iter().map(|read| async move {
        match read {
            ParsedMessage::Message(message) => {
                let id = match &*message {
                    JsonRpcMessage::Request(request) => Some(request.id.clone()),
                    _ => None,
                };
                let response = serve(parts.clone(), message).await;
                // Notifications and responses have no answer (JSON-RPC 2.0, section 4.1).
                Some(read_response(response, id?).await)
            }
            ParsedMessage::Refusal(refusal) => serde_json::to_value(*refusal).ok(),
            ParsedMessage::Ignored | ParsedMessage::Batch(_) => None,
        }
    });
    let answers: Vec<Value> = futures::stream::iter(answers)
        .buffered(CONCURRENT_MESSAGES)
        .filter_map(async |answer| answer)
        .collect()
        .await;
    if answers.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    json(StatusCode::OK, Value::Array(answers).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::message;

    fn head() -> Parts {
        axum::http::Request::new(()).into_parts().0
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_one_all_the_same() {
        let message = |text: &str| message::parse(text.as_bytes(), false);
        let ping = |id: u32| message(&format!(r#"{{"jsonrpc": "2.0", "id": {id}, "method": "ping"}}"#));
        let notified = message(r#"{"jsonrpc": "2.0", "method": "notifications/initialized"}"#);
        let served =
            serve_batch(head(), vec![ping(1), ping(2), ping(3), notified], |_, message| async move {
                match *message {
                    JsonRpcMessage::Request(request) if request.id == RequestId::Number(1) => {
                        json(StatusCode::OK, br#"{"id": 1}"#.to_vec())
                    }
                    JsonRpcMessage::Request(request) if request.id == RequestId::Number(2) => {
                        json(StatusCode::OK, vec![b' '; LARGEST_ANSWER + 1])
                    }
                    JsonRpcMessage::Request(_) => json(StatusCode::OK, Vec::new()),
                    _ => HttpRefusal::session().into_rpc_response(None),
                }
            });
        let response = served.await;
        let bytes = to_bytes(response.into_body(), LARGEST_ANSWER).await.unwrap();
        let answers: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
        let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
        assert_eq!(ids, [1, 2, 3], "{answers:#?}");
        for lost in &answers[1..] {
            assert_eq!(lost["error"]["data"]["code"], "unanswered", "{lost:#}");
        }
    }
}
