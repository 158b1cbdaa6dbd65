//! An answer in the form that a client takes.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use futures::StreamExt;
use rmcp::model::RequestId;
use serde_json::Value;
use sse_stream::SseStream;

use super::refusal::{Refusal, json};

/// Marks a request whose client takes one answer, and no message before it.
#[derive(Clone, Copy, Debug)]
pub struct OneAnswer;

/// Whether an answer is a stream of events.
pub fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// The answer to a request, without whatever else its stream has: what tells how far a call is can be left out.
pub async fn whole(response: Response, id: &RequestId) -> Response {
    if !is_stream(&response) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let mut events = SseStream::new(body);
    while let Some(event) = events.next().await {
        let data = match event {
            Ok(event) => event.data.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "an answer could not be read out of its stream");
                break;
            }
        };
        let is_answer = serde_json::from_str::<Value>(&data)
            .is_ok_and(|message| message.get("result").or_else(|| message.get("error")).is_some());
        if is_answer {
            let mut response = json(parts.status, data.into_bytes());
            let mut headers = parts.headers;
            headers.remove(CONTENT_TYPE);
            headers.remove(CACHE_CONTROL);
            response.headers_mut().extend(headers);
            return response;
        }
    }
    Refusal::unanswered().answering(Some(id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::StatusCode;

    async fn read(events: &'static str) -> (StatusCode, Value) {
        let stream =
            Response::builder().header(CONTENT_TYPE, "text/event-stream").header("mcp-session-id", "x");
        let response = whole(stream.body(Body::from(events)).unwrap(), &RequestId::Number(7)).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        (parts.status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn an_answer_is_taken_out_of_its_stream() {
        let (status, answer) = read(concat!(
            ": alive\n\nid: 0\nretry: 3000\ndata:\n\n",
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"result\":1}}\n\n",
            "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}\n\n",
        ))
        .await;
        assert_eq!((status, &answer["result"]["a"]), (StatusCode::OK, &Value::from(1)));
    }

    #[tokio::test]
    async fn a_stream_without_an_answer_is_an_error() {
        let (status, answer) = read("data:\n\n").await;
        assert_eq!((status, &answer["id"]), (StatusCode::INTERNAL_SERVER_ERROR, &Value::from(7)));
        assert_eq!(answer["error"]["data"]["code"], "unanswered");
    }
}
