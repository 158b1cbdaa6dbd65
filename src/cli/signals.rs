//! Signals that ask the program to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A stream of these signals; `None` if they cannot be caught.
pub(super) struct Signals(Option<Vec<Signal>>);

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP from now on; SIGHUP not if it is ignored, as under nohup(1).
    pub(super) fn catch() -> Self {
        let mut kinds = vec![SignalKind::terminate(), SignalKind::interrupt()];
        if !ignores_hangup() {
            kinds.push(SignalKind::hangup());
        }
        let caught: std::io::Result<Vec<Signal>> = kinds.into_iter().map(signal).collect();
        Self(caught.inspect_err(|error| tracing::warn!(%error, "signals cannot be caught")).ok())
    }

    /// Returns at the next signal, or at once if one came since the last return.
    pub(super) async fn next(&mut self) {
        let Some(signals) = &mut self.0 else { return std::future::pending().await };
        let received = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(received).await;
    }
}

/// Whether SIGHUP is ignored.
#[expect(unsafe_code, reason = "no safe wrapper returns the action of a signal")]
fn ignores_hangup() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null action changes nothing. The old one is written to `action`, which is read only if that succeeded.
    unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
