//! The progress of a walk over nixpkgs, whose length is known only after its first round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::progress::{Progress, Update};

/// How many times as many parts as in the first round a walk has: nixpkgs has four of five packages in sets.
const ROUNDS: u64 = 4;

/// Adds up the rounds of a walk, and estimates the time that is left.
pub(super) struct WalkProgress {
    inner: Arc<dyn Progress>,
    begun: Instant,
    /// Parts of the rounds before.
    before: AtomicU64,
    /// Parts of all rounds, estimated during the first one.
    total: AtomicU64,
}

impl WalkProgress {
    pub(super) fn new(inner: Arc<dyn Progress>) -> Self {
        Self { inner, begun: Instant::now(), before: AtomicU64::new(0), total: AtomicU64::new(0) }
    }

    /// Begins a round of this many parts.
    pub(super) fn begin_round(&self, parts: u64) {
        let is_first = self.total.load(Ordering::Relaxed) == 0;
        let before = self.before.load(Ordering::Relaxed);
        self.total.store(if is_first { parts * ROUNDS } else { before + parts }, Ordering::Relaxed);
    }

    /// Ends a round of this many parts.
    pub(super) fn end_round(&self, parts: u64) {
        self.before.fetch_add(parts, Ordering::Relaxed);
    }
}

impl Progress for WalkProgress {
    fn report(&self, update: Update) {
        let total = self.total.load(Ordering::Relaxed);
        if update.total.is_none() || total == 0 {
            return self.inner.report(update);
        }
        let done = self.before.load(Ordering::Relaxed) + update.done;
        let left = seconds_left(self.begun.elapsed().as_secs(), done, total);
        let left = left.map(|seconds| format!(", about {seconds} s left")).unwrap_or_default();
        let message = format!("read {done} of {total} parts of nixpkgs{left}");
        self.inner.report(Update { message, done, total: Some(total) });
    }
}

/// The seconds that are left if the rest takes as long as what is done; `None` if that is not known yet.
#[must_use]
pub fn seconds_left(elapsed: u64, done: u64, total: u64) -> Option<u64> {
    let left = total.checked_sub(done)?;
    (done > 0 && elapsed > 0).then(|| elapsed.saturating_mul(left) / done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_is_done() {
        assert_eq!(seconds_left(10, 25, 100), Some(30));
        assert_eq!(seconds_left(10, 0, 100), None);
        assert_eq!(seconds_left(10, 120, 100), None);
    }
}
