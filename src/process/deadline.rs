//! The time limit of a program.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The end of a program's time limit, which can be renewed.
pub(super) struct Deadline {
    limit: Duration,
    at: Mutex<Instant>,
}

impl Deadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, at: Mutex::new(Instant::now() + limit) }
    }

    fn at(&self) -> MutexGuard<'_, Instant> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn renew(&self) {
        *self.at() = Instant::now() + self.limit;
    }

    /// Returns when the time is up, however often it was renewed.
    pub(super) async fn reached(&self) {
        loop {
            let at = *self.at();
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at).await;
        }
    }
}
