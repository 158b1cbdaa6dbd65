//! Signals by which a person, or whoever started this program, wants an end to it.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Such signals, one after the other.
pub(super) struct Signals(Option<Vec<Signal>>);

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP from now on: closing the terminal is an end as well.
    pub(super) fn of_a_person() -> Self {
        Self::catch(&[SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()])
    }

    /// Catches SIGTERM and SIGINT from now on: what serves may have been told to outlive a terminal (nohup(1)).
    pub(super) fn of_a_server() -> Self {
        Self::catch(&[SignalKind::terminate(), SignalKind::interrupt()])
    }

    fn catch(kinds: &[SignalKind]) -> Self {
        let caught: std::io::Result<Vec<Signal>> = kinds.iter().map(|kind| signal(*kind)).collect();
        Self(caught.inspect_err(|error| tracing::warn!(%error, "signals cannot be caught")).ok())
    }

    /// Returns when the next one comes.
    pub(super) async fn next(&mut self) {
        let Some(signals) = &mut self.0 else { return std::future::pending().await };
        let received = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(received).await;
    }
}
