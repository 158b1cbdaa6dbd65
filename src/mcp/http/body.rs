//! Reads the body of a request: checks its media type and limits its size and time.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::refusal::HttpRefusal;

/// Longest time for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the rest of a refused body is read. A connection that is closed with unread data is reset, and the client
/// would not see the refusal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The head and the body of a JSON request.
pub async fn json(request: Request, limit: usize) -> Result<(Parts, Bytes), HttpRefusal> {
    let (parts, mut body) = request.into_parts();
    let read = if is_json(&parts.headers) {
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > limit) {
            Err(HttpRefusal::size(limit))
        } else {
            match tokio::time::timeout(BODY_TIMEOUT, read(&mut body, limit)).await {
                Ok(read) => read,
                Err(_) => {
                    Err(HttpRefusal::body(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"))
                }
            }
        }
    } else {
        Err(HttpRefusal::media_type())
    };
    match read {
        Ok(bytes) => Ok((parts, bytes)),
        Err(refusal) => {
            let most = limit.saturating_mul(4);
            drop(tokio::time::timeout(DRAIN_TIMEOUT, drain(&mut body, most)).await);
            Err(refusal)
        }
    }
}

/// Whether `Content-Type` is JSON; parameters such as a character set are ignored.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    })
}

async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_trailers)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

async fn read(body: &mut Body, limit: usize) -> Result<Bytes, HttpRefusal> {
    let mut whole = Vec::new();
    while let Some(part) = next(body).await {
        let part = part.map_err(|error| HttpRefusal::body(StatusCode::BAD_REQUEST, error.to_string()))?;
        if part.len() > limit.saturating_sub(whole.len()) {
            return Err(HttpRefusal::size(limit));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}

async fn drain(body: &mut Body, most: usize) {
    let mut seen = 0_usize;
    while let Some(Ok(part)) = next(body).await {
        seen = seen.saturating_add(part.len());
        if seen > most {
            return;
        }
    }
}
