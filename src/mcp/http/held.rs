//! A response body that owns a value, which is dropped once the body was sent or the client is gone.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A body that owns a value.
pub struct HoldingBody<T> {
    body: Body,
    ended: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    _held: T,
}

impl<T> HoldingBody<T> {
    /// The body, which owns `held`.
    pub fn new(body: Body, held: T) -> Self {
        Self { body, ended: None, _held: held }
    }

    /// The same body, which ends when `valid` is cancelled.
    pub fn while_valid(self, valid: CancellationToken) -> Self {
        Self { ended: Some(Box::pin(valid.cancelled_owned())), ..self }
    }
}

impl<T: Unpin> HttpBody for HoldingBody<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended.as_mut().is_some_and(|ended| ended.as_mut().poll(context).is_ready()) {
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
