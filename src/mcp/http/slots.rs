//! Limits concurrent requests.
//!
//! A request holds a slot until its answer was sent. An answer that is an event stream may take hours, so it moves to a
//! stream slot, of which there are as many again: long builds must not block short requests. A `GET` stream is refused if
//! no stream slot is free. The answer to a call is not refused, because its work has begun: it keeps its request slot.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::held::HoldingBody;
use super::refusal::HttpRefusal;

/// The request slots and the stream slots.
#[derive(Debug)]
pub struct RequestSlots {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// A slot that is taken. Dropping it frees it.
#[derive(Debug)]
pub struct RequestSlot {
    _permit: OwnedSemaphorePermit,
    is_stream: bool,
}

impl RequestSlots {
    /// `each` slots of both kinds.
    pub fn new(each: usize) -> Self {
        let each = each.clamp(1, Semaphore::MAX_PERMITS);
        Self { requests: Arc::new(Semaphore::new(each)), streams: Arc::new(Semaphore::new(each)) }
    }

    /// Takes a request slot or a stream slot.
    ///
    /// # Errors
    /// No slot of that kind is free.
    pub fn take(&self, is_stream: bool) -> Result<RequestSlot, HttpRefusal> {
        let kind = if is_stream { &self.streams } else { &self.requests };
        match Arc::clone(kind).try_acquire_owned() {
            Ok(permit) => Ok(RequestSlot { _permit: permit, is_stream }),
            Err(_) => Err(HttpRefusal::busy("concurrency", "requests", "http.concurrent_requests")),
        }
    }

    /// Binds the slot to the response: it is freed once the body was sent, the client is gone, or `valid` is cancelled.
    pub fn hold(&self, slot: RequestSlot, response: Response, valid: CancellationToken) -> Response {
        let better =
            (answer::is_stream(&response) && !slot.is_stream).then(|| self.take(true).ok()).flatten();
        let slot = better.unwrap_or(slot);
        response.map(|body| Body::new(HoldingBody::new(body, slot).while_valid(valid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::CONTENT_TYPE;

    #[test]
    fn streams_do_not_starve_requests() {
        let slots = RequestSlots::new(1);
        let stream =
            || Response::builder().header(CONTENT_TYPE, "text/event-stream").body(Body::empty()).unwrap();
        let valid = CancellationToken::new();
        let first = slots.hold(slots.take(false).unwrap(), stream(), valid.clone());
        // The first moved on, so there is room for another request, which cannot move.
        let second = slots.hold(slots.take(false).unwrap(), stream(), valid);
        assert!(slots.take(false).is_err());
        assert!(slots.take(true).is_err());
        drop(second);
        assert!(slots.take(false).is_ok());
        drop(first);
        assert!(slots.take(true).is_ok());
    }
}
