//! Progress and cancellation of a long call, independent of the transport.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::names::DrvPath;

/// Longest time without a message to a client that waits for an answer. Clients give up after 60 s of silence, some after
/// 20 s.
pub const HEARTBEAT: Duration = Duration::from_secs(8);

/// The progress of a call. A newer update replaces an older one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// The current step, as one line of plain text.
    pub message: String,
    /// The amount that is done, in the unit of `total`.
    pub done: u64,
    /// The amount there is to do; `None` if it is not known.
    pub total: Option<u64>,
}

impl Update {
    /// An update with a message and no amounts.
    pub fn with_message(message: impl Into<String>) -> Self {
        Self { message: message.into(), done: 0, total: None }
    }
}

/// Receives the progress of a call. Implementations must return at once and must not fail.
pub trait Progress: Send + Sync {
    /// Replaces the last update.
    fn report(&self, update: Update);
}

/// Discards all updates.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn report(&self, _: Update) {}
}

impl<P: Progress + ?Sized> Progress for Arc<P> {
    fn report(&self, update: Update) {
        (**self).report(update);
    }
}

/// What a long operation needs to know of its call: where to report progress, and when to stop.
#[derive(Clone)]
pub struct Call {
    /// Receives the updates.
    pub progress: Arc<dyn Progress>,
    /// Cancelled when the call is cancelled or its client is gone.
    pub cancel: tokio_util::sync::CancellationToken,
    /// The derivations that Nix built while it evaluated for this call.
    pub imported: ImportedDerivations,
}

impl Call {
    /// A call without progress that is never cancelled.
    #[must_use]
    pub fn unattended() -> Self {
        Self::new(Arc::new(NoProgress), tokio_util::sync::CancellationToken::new())
    }

    /// A call that starts now.
    #[must_use]
    pub fn new(progress: Arc<dyn Progress>, cancel: tokio_util::sync::CancellationToken) -> Self {
        Self { progress, cancel, imported: ImportedDerivations::default() }
    }

    /// Reports the current step, as one line of plain text.
    pub fn report_message(&self, message: impl Into<String>) {
        self.progress.report(Update::with_message(message));
    }
}

/// Most derivations remembered for one call.
const MOST_IMPORTED: usize = 1_000;

/// The derivations that Nix built because an evaluation reads their outputs ("import from derivation").
#[derive(Clone, Debug, Default)]
pub struct ImportedDerivations(Arc<Mutex<BTreeSet<DrvPath>>>);

impl ImportedDerivations {
    /// Adds these derivations, up to the limit of a call.
    pub fn add<'a>(&self, built: impl IntoIterator<Item = &'a DrvPath>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for derivation in built {
            if all.len() < MOST_IMPORTED {
                all.insert(derivation.clone());
            }
        }
    }

    /// Adds the derivations of another call.
    pub fn add_all(&self, other: &Self) {
        let others = other.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.add(&others);
    }

    /// The number of derivations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
