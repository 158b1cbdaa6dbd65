//! Signals by which a person, or whoever started this program, wants an end to it.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Such signals, one after the other.
pub(super) struct Signals(Option<Vec<Signal>>);

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP from now on. Closing the terminal is an end as well, unless whoever started
    /// this wanted it to survive that (nohup(1)).
    pub(super) fn catch() -> Self {
        let mut kinds = vec![SignalKind::terminate(), SignalKind::interrupt()];
        if !ignores_hangup() {
            kinds.push(SignalKind::hangup());
        }
        let caught: std::io::Result<Vec<Signal>> = kinds.into_iter().map(signal).collect();
        Self(caught.inspect_err(|error| tracing::warn!(%error, "signals cannot be caught")).ok())
    }

    /// Returns when the next one comes, or at once where one came since this returned last.
    pub(super) async fn next(&mut self) {
        let Some(signals) = &mut self.0 else { return std::future::pending().await };
        let received = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(received).await;
    }
}

/// Whether SIGHUP was ignored when this was started, or since.
#[expect(unsafe_code, reason = "no safe wrapper tells what is done with a signal")]
fn ignores_hangup() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null action changes nothing; the old one is written where there is room for it, and read only then.
    unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
