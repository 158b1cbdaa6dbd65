//! How a long call tells where it is, without knowing who listens.

use std::sync::Arc;
use std::time::Duration;

/// Longest silence towards somebody who waits for an answer over the protocol. Clients give up after 60 s of it, some
/// after 30 s or 20 s.
pub const HEARTBEAT: Duration = Duration::from_secs(8);

/// Where a call is now. A newer update replaces an older one; none of them is an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// What is being done, in a line of plain text.
    pub message: String,
    /// How much is done, in the unit of `total`.
    pub done: u64,
    /// How much there is to do, where that is known.
    pub total: Option<u64>,
}

impl Update {
    /// An update that only says what is being done.
    pub fn saying(message: impl Into<String>) -> Self {
        Self { message: message.into(), done: 0, total: None }
    }
}

/// Somebody who wants to know where a call is. Must return at once and never fail.
pub trait Progress: Send + Sync {
    /// Takes the newest update.
    fn report(&self, update: Update);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _: Update) {}
}

impl<P: Progress + ?Sized> Progress for Arc<P> {
    fn report(&self, update: Update) {
        (**self).report(update);
    }
}

/// What a long operation needs of the call it works for: someone to tell, and when to stop.
#[derive(Clone)]
pub struct Call {
    /// Who wants to know where it is.
    pub progress: Arc<dyn Progress>,
    /// Cancelled when nobody wants the answer any more.
    pub cancel: tokio_util::sync::CancellationToken,
}

impl Call {
    /// A call nobody watches or cancels.
    #[must_use]
    pub fn unattended() -> Self {
        Self { progress: Arc::new(Silent), cancel: tokio_util::sync::CancellationToken::new() }
    }

    /// Tells where it is, in a line of plain text.
    pub fn saying(&self, message: impl Into<String>) {
        self.progress.report(Update::saying(message));
    }
}
