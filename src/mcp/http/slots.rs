//! How much is under way at once.
//!
//! A request holds a place until its answer has been sent whole. An answer that is an event stream
//! may take hours, so it moves to a place among the streams, of which there are as many again: long
//! builds that are watched keep nobody from asking something short. A stream that is asked for as
//! such (`GET`) is refused where no place among the streams is free; the answer to a call is not,
//! since its work has begun: it stays where it is. What is open at once is bounded by both together.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::held::HoldingBody;
use super::refusal::HttpRefusal;

/// The places of both kinds.
#[derive(Debug)]
pub struct RequestSlots {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// One that is taken; dropping it gives it back.
#[derive(Debug)]
pub struct RequestSlot {
    _permit: OwnedSemaphorePermit,
    is_stream: bool,
}

impl RequestSlots {
    /// So many of each kind.
    pub fn new(each: usize) -> Self {
        let each = each.clamp(1, Semaphore::MAX_PERMITS);
        Self { requests: Arc::new(Semaphore::new(each)), streams: Arc::new(Semaphore::new(each)) }
    }

    /// Takes a place among the requests, or among the streams.
    pub fn take(&self, is_stream: bool) -> Result<RequestSlot, HttpRefusal> {
        let kind = if is_stream { &self.streams } else { &self.requests };
        match Arc::clone(kind).try_acquire_owned() {
            Ok(permit) => Ok(RequestSlot { _permit: permit, is_stream }),
            Err(_) => Err(HttpRefusal::busy("concurrency", "requests", "http.concurrent_requests")),
        }
    }

    /// Lets an answer hold its place until it is sent, nobody reads it any more, or it is no longer `valid`.
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
