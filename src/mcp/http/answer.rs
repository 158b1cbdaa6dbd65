//! The form of an answer, and keep-alive bytes until it is ready.
//!
//! Without a session (2026-07-28), rmcp sends the head of a response with its first message, so a call without progress
//! would send nothing until its end. Clients and proxies time out before. An event stream can be kept alive by a comment
//! (HTML, "Server-sent events"), and JSON by white space before the value (RFC 8259, section 2).

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::Response;
use futures::StreamExt;
use rmcp::model::RequestId;
use serde_json::Value;
use sse_stream::SseStream;

use super::refusal::{HttpRefusal, json};

/// Marks a request whose client accepts a single JSON answer, without messages before it.
#[derive(Clone, Copy, Debug)]
pub struct SingleResponse;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseForm {
    /// An event stream whose last message is the answer.
    Stream,
    /// The answer alone, as JSON.
    Json,
}

impl ResponseForm {
    /// Bytes that keep the connection alive and mean nothing to the client.
    fn keep_alive(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Stream => b": alive\n\n",
            Self::Json => b"\n",
        })
    }
}

/// Waits for the answer. If its head is not ready within a `heartbeat`, this returns a response with status 200 at once,
/// whose body has keep-alive bytes until the answer follows. If the client disconnects, `answering` is dropped.
pub async fn respond_with_keep_alive(
    answering: impl Future<Output = Response> + Send + 'static,
    form: ResponseForm,
    heartbeat: Duration,
) -> Response {
    let mut answering: ResponseFuture = Box::pin(answering);
    if let Ok(response) = tokio::time::timeout(heartbeat, &mut answering).await {
        return response;
    }
    let begun = DelayedResponse::Waiting { answering, is_first: true };
    let body = futures::stream::unfold(begun, move |late| late.next(form, heartbeat));
    let mut response = json(StatusCode::OK, Vec::new());
    if form == ResponseForm::Stream {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    }
    *response.body_mut() = Body::from_stream(body);
    response
}

type ResponseFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

/// The body of a response whose head was sent before the answer was ready.
enum DelayedResponse {
    Waiting { answering: ResponseFuture, is_first: bool },
    Sending(BodyDataStream),
    Over,
}

impl DelayedResponse {
    /// The next part of the body; `None` at its end.
    async fn next(
        self,
        form: ResponseForm,
        heartbeat: Duration,
    ) -> Option<(Result<Bytes, axum::Error>, Self)> {
        let answer = match self {
            Self::Waiting { answering, is_first: true } => {
                return Some((Ok(form.keep_alive()), Self::Waiting { answering, is_first: false }));
            }
            Self::Waiting { mut answering, is_first: false } => {
                match tokio::time::timeout(heartbeat, &mut answering).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        let late = Self::Waiting { answering, is_first: false };
                        return Some((Ok(form.keep_alive()), late));
                    }
                }
            }
            Self::Sending(mut body) => {
                let part = body.next().await?;
                return Some((part, Self::Sending(body)));
            }
            Self::Over => return None,
        };
        let is_event = is_stream(&answer);
        let mut body = answer.into_body().into_data_stream();
        if is_event || form == ResponseForm::Json {
            let part = body.next().await?;
            return Some((part, Self::Sending(body)));
        }
        // A JSON answer becomes one event.
        let mut event = b"data: ".to_vec();
        while let Some(part) = body.next().await {
            match part {
                Ok(part) => event.extend_from_slice(&part),
                Err(error) => return Some((Err(error), Self::Over)),
            }
        }
        event.extend_from_slice(b"\n\n");
        Some((Ok(event.into()), Self::Over))
    }
}

/// Whether a response is an event stream.
pub fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// The answer to the request `id` out of an event stream, as JSON. Other messages of the stream, such as progress, are
/// dropped.
pub async fn extract_answer(response: Response, id: &RequestId) -> Response {
    if !is_stream(&response) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let mut events = SseStream::new(body);
    while let Some(event) = events.next().await {
        let data = match event {
            Ok(event) => event.data.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "the answer could not be read from its event stream");
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
    HttpRefusal::unanswered().into_rpc_response(Some(id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(events: &'static str) -> (StatusCode, Value) {
        let stream =
            Response::builder().header(CONTENT_TYPE, "text/event-stream").header("mcp-session-id", "x");
        let response = extract_answer(stream.body(Body::from(events)).unwrap(), &RequestId::Number(7)).await;
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

    /// The body for an answer that becomes ready after some keep-alive bytes.
    async fn late(form: ResponseForm, kind: &'static str, answer: &'static str) -> (Response, String) {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let answering = async move {
            receiver.await.unwrap();
            Response::builder().status(404).header(CONTENT_TYPE, kind).body(Body::from(answer)).unwrap()
        };
        let response = respond_with_keep_alive(answering, form, Duration::from_millis(5)).await;
        let (parts, body) = response.into_parts();
        let mut body = body.into_data_stream();
        let mut text = String::new();
        for _ in 0..3 {
            text += std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap();
        }
        sender.send(()).unwrap();
        while let Some(part) = body.next().await {
            text += std::str::from_utf8(&part.unwrap()).unwrap();
        }
        (Response::from_parts(parts, Body::empty()), text)
    }

    #[tokio::test]
    async fn signs_of_life_come_before_a_late_answer() {
        let message = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}";
        for (form, kind, answer, rest) in [
            (ResponseForm::Stream, "text/event-stream", "data: {}\n\n", "data: {}\n\n".to_owned()),
            (ResponseForm::Stream, "application/json", message, format!("data: {message}\n\n")),
            (ResponseForm::Json, "application/json", message, message.to_owned()),
        ] {
            let (response, text) = late(form, kind, answer).await;
            assert_eq!(
                (response.status(), is_stream(&response)),
                (StatusCode::OK, form == ResponseForm::Stream)
            );
            let sign = std::str::from_utf8(&form.keep_alive()).unwrap().to_owned();
            assert!(text.starts_with(&sign.repeat(3)), "{text:?}");
            assert_eq!(text.trim_start_matches(&sign), rest);
        }
    }

    #[tokio::test]
    async fn a_quick_answer_stays_as_it_is() {
        let answering = async { json(StatusCode::NOT_FOUND, b"{}".to_vec()) };
        let response =
            respond_with_keep_alive(answering, ResponseForm::Stream, Duration::from_secs(60)).await;
        assert_eq!((response.status(), is_stream(&response)), (StatusCode::NOT_FOUND, false));
    }

    #[tokio::test]
    async fn who_goes_takes_a_late_answer_along() {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let answering = async move {
            let _dropped_with_it = sender;
            std::future::pending::<Response>().await
        };
        let response =
            respond_with_keep_alive(answering, ResponseForm::Stream, Duration::from_millis(1)).await;
        drop(response);
        assert!(receiver.await.is_err());
    }
}
