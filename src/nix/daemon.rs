//! Detects a Nix daemon that accepts connections and does not answer.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{Nix, NixError, log};
use crate::process::{Flow, ProcessError};
use crate::progress::Call;

/// How long `nix` may be silent before the daemon is probed.
const SILENCE: Duration = Duration::from_secs(5);
/// Time between a successful probe and the next one, while `nix` stays silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time limit of one probe: a machine that builds may be slow, and its disk too.
const ANSWER: Duration = Duration::from_secs(10);
/// Number of probes in a row that time out before the daemon counts as silent.
const TRIES: usize = 3;
/// Time limit for reading a setting, which needs no daemon.
const SETTING: Duration = Duration::from_secs(10);

/// Signs of life of a running `nix`, taken from its log.
#[derive(Debug, Default)]
pub(super) struct NixActivity {
    lines: AtomicU64,
    at_work: AtomicBool,
}

impl NixActivity {
    /// Records that a line of the log arrived.
    pub(super) fn count_line(&self) {
        self.lines.fetch_add(1, Ordering::Relaxed);
    }

    /// Records whether the store is at work after that line.
    pub(super) fn record_work(&self, state: &log::LogState) {
        self.at_work.store(state.store_is_at_work(), Ordering::Relaxed);
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

impl Nix {
    /// Returns only if `nix` is silent, no build is running, and [`TRIES`] probes of the daemon timed out.
    ///
    /// A daemon that accepts connections and never answers would otherwise hold a call until its time limit, a quarter
    /// of an hour later. A running build proves that the daemon answered, so a build is never ended for this; it has a
    /// time limit of its own.
    pub(super) async fn wait_for_silent_daemon(&self, nix: &NixActivity, call: &Call) {
        let mut wait = SILENCE;
        let mut unanswered = 0;
        loop {
            let before = nix.lines();
            tokio::time::sleep(wait).await;
            if nix.lines() != before || nix.at_work.load(Ordering::Relaxed) {
                (wait, unanswered) = (SILENCE, 0);
                continue;
            }
            if unanswered == 0 && !self.has_daemon(call).await {
                return std::future::pending().await;
            }
            match self.daemon_answers(call).await {
                Ok(true) => (wait, unanswered) = (PATIENCE, 0),
                Ok(false) if nix.lines() == before => {
                    unanswered += 1;
                    if unanswered >= TRIES {
                        return;
                    }
                    wait = Duration::ZERO;
                }
                // `nix` spoke meanwhile, or the probe failed at once: the error of `nix` itself explains more.
                Ok(false) | Err(_) => (wait, unanswered) = (SILENCE, 0),
            }
        }
    }

    /// Whether `nix store info` ends within [`ANSWER`].
    async fn daemon_answers(&self, call: &Call) -> Result<bool, NixError> {
        let question = self.command(&["store", "info"]).await?.time_limit(ANSWER);
        match question.run(&call.cancel, |_, _| Flow::Continue).await {
            Err(ProcessError::TimedOut { .. }) => Ok(false),
            other => Ok(other.map(|_| true)?),
        }
    }

    /// Whether `nix` reaches the store through a daemon; a store that it opens itself has none.
    pub(super) async fn has_daemon(&self, call: &Call) -> bool {
        let setting = async {
            let question = self.command(&["config", "show", "store"]).await?.time_limit(SETTING);
            Ok::<_, NixError>(question.run(&call.cancel, |_, _| Flow::Continue).await?)
        };
        match setting.await {
            Ok(finished) if finished.status.success() => StoreLocation::from_environment()
                .is_behind_a_daemon(&String::from_utf8_lossy(&finished.stdout)),
            // If this is not known, no call is ended.
            Ok(finished) => {
                tracing::debug!(status = %finished.status, "whether the store has a daemon is not known");
                false
            }
            Err(error) => {
                tracing::debug!(%error, "whether the store has a daemon is not known");
                false
            }
        }
    }
}

/// The state folder and the daemon's socket that `nix` uses (Nix manual, "Environment variables").
struct StoreLocation {
    state: PathBuf,
    socket: PathBuf,
}

impl StoreLocation {
    fn from_environment() -> Self {
        let named = |variable: &str| std::env::var_os(variable).filter(|path| !path.is_empty());
        let state = named("NIX_STATE_DIR").map_or_else(|| PathBuf::from("/nix/var/nix"), PathBuf::from);
        let socket =
            named("NIX_DAEMON_SOCKET_PATH").map_or_else(|| state.join("daemon-socket/socket"), PathBuf::from);
        Self { state, socket }
    }

    /// Whether the store URL leads to a daemon (Nix manual, "Store types").
    fn is_behind_a_daemon(&self, store: &str) -> bool {
        let address = store.trim();
        match address.split_once('?').map_or(address, |(address, _)| address) {
            "" | "auto" => !is_writable(&self.state) && self.socket.exists(),
            "daemon" => true,
            other => other.starts_with("unix://"),
        }
    }
}

fn is_writable(folder: &Path) -> bool {
    use rustix::fs::Access;
    rustix::fs::access(folder, Access::READ_OK | Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_daemon_can_fall_silent() {
        let scratch = tempfile::tempdir().unwrap();
        let socket = scratch.path().join("socket");
        std::fs::write(&socket, "").unwrap();
        let own = StoreLocation { state: scratch.path().to_owned(), socket: socket.clone() };
        // Nobody may write there, not even root.
        let others = StoreLocation { state: "/proc/self/nothing".into(), socket };
        let nobodys =
            StoreLocation { state: "/proc/self/nothing".into(), socket: "/proc/self/nothing".into() };
        for auto in ["", "auto\n", "auto?trusted=true"] {
            assert!(!own.is_behind_a_daemon(auto), "{auto}");
            assert!(others.is_behind_a_daemon(auto), "{auto}");
            assert!(!nobodys.is_behind_a_daemon(auto), "{auto}");
        }
        for store in ["daemon\n", "daemon?max-connections=2", "unix:///run/nix/socket"] {
            assert!(own.is_behind_a_daemon(store), "{store}");
        }
        for store in ["local", "local?root=/mnt", "/mnt", "ssh-ng://builder", "https://cache.example.org"] {
            assert!(!others.is_behind_a_daemon(store), "{store}");
        }
    }
}
