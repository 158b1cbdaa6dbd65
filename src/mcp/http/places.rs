//! How much is under way at once.
//!
//! A request holds a place until its answer has been sent whole. An answer that is an event stream
//! may take hours, so it moves to a place among the streams, of which there are as many again: long
//! builds that are watched keep nobody from asking something short. A stream that is asked for as
//! such (`GET`) is refused where no place among the streams is free; the answer to a call is not,
//! since its work has begun: it stays where it is. What is open at once is bounded by both together.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::answer;
use super::refusal::Refusal;

/// The places of both kinds.
#[derive(Debug)]
pub struct Places {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// One that is taken; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    is_stream: bool,
}

impl Places {
    /// So many of each kind.
    pub fn new(each: usize) -> Self {
        let each = each.clamp(1, Semaphore::MAX_PERMITS);
        Self { requests: Arc::new(Semaphore::new(each)), streams: Arc::new(Semaphore::new(each)) }
    }

    /// Takes a place among the requests, or among the streams.
    pub fn take(&self, is_stream: bool) -> Result<Place, Refusal> {
        let kind = if is_stream { &self.streams } else { &self.requests };
        match Arc::clone(kind).try_acquire_owned() {
            Ok(permit) => Ok(Place { _permit: permit, is_stream }),
            Err(_) => Err(Refusal::busy("concurrency", "requests", "http.concurrent_requests")),
        }
    }

    /// Lets an answer hold its place until it is sent, nobody reads it any more, or it is no longer `valid`.
    pub fn hold(&self, place: Place, response: Response, valid: CancellationToken) -> Response {
        let better =
            (answer::is_stream(&response) && !place.is_stream).then(|| self.take(true).ok()).flatten();
        let place = better.unwrap_or(place);
        response.map(|body| Body::new(Held { body, ended: Box::pin(valid.cancelled_owned()), _place: place }))
    }
}

/// A body with its place.
struct Held {
    body: Body,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Place,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::CONTENT_TYPE;

    #[test]
    fn streams_do_not_starve_requests() {
        let places = Places::new(1);
        let stream =
            || Response::builder().header(CONTENT_TYPE, "text/event-stream").body(Body::empty()).unwrap();
        let valid = CancellationToken::new();
        let first = places.hold(places.take(false).unwrap(), stream(), valid.clone());
        // The first moved on, so there is room for another request, which cannot move.
        let second = places.hold(places.take(false).unwrap(), stream(), valid);
        assert!(places.take(false).is_err());
        assert!(places.take(true).is_err());
        drop(second);
        assert!(places.take(false).is_ok());
        drop(first);
        assert!(places.take(true).is_ok());
    }
}
