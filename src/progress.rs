//! How a long call tells where it is, without knowing who listens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::names::DrvPath;

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
    pub fn with_message(message: impl Into<String>) -> Self {
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
pub struct NoProgress;

impl Progress for NoProgress {
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
    /// What was built on the way to its answer.
    pub imported: ImportedDerivations,
}

impl Call {
    /// A call nobody watches or cancels.
    #[must_use]
    pub fn unattended() -> Self {
        Self::new(Arc::new(NoProgress), tokio_util::sync::CancellationToken::new())
    }

    /// A call that has built nothing yet.
    #[must_use]
    pub fn new(progress: Arc<dyn Progress>, cancel: tokio_util::sync::CancellationToken) -> Self {
        Self { progress, cancel, imported: ImportedDerivations::default() }
    }

    /// Tells where it is, in a line of plain text.
    pub fn report_message(&self, message: impl Into<String>) {
        self.progress.report(Update::with_message(message));
    }
}

/// Most derivations remembered of one call.
const MOST_IMPORTED: usize = 1_000;

/// The derivations that Nix built because an evaluation reads what they make ("import from derivation").
#[derive(Clone, Debug, Default)]
pub struct ImportedDerivations(Arc<Mutex<BTreeSet<DrvPath>>>);

impl ImportedDerivations {
    /// Adds some.
    pub fn add<'a>(&self, built: impl IntoIterator<Item = &'a DrvPath>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for derivation in built {
            if all.len() < MOST_IMPORTED {
                all.insert(derivation.clone());
            }
        }
    }

    /// Adds what another call built.
    pub fn add_all(&self, other: &Self) {
        let others = other.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.add(&others);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
