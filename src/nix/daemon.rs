//! Whether the Nix daemon still answers, asked while a `nix` says nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{Nix, NixError, log};
use crate::process::{Flow, ProcessError};
use crate::progress::Call;

/// How long `nix` may say nothing before the daemon is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(5);
/// How long after an answer it is asked again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the daemon may take to answer once: a machine that builds may be slow, and its disk too.
const ANSWER: Duration = Duration::from_secs(10);
/// How many questions in a row go unanswered before the daemon counts as gone.
const TRIES: usize = 3;
/// How long it may take to read a setting, which no daemon is asked for.
const SETTING: Duration = Duration::from_secs(10);

/// What is known of a running `nix` from its log.
#[derive(Debug, Default)]
pub(super) struct NixActivity {
    lines: AtomicU64,
    at_work: AtomicBool,
}

impl NixActivity {
    /// A line came.
    pub(super) fn count_line(&self) {
        self.lines.fetch_add(1, Ordering::Relaxed);
    }

    /// What the log comes to after that line.
    pub(super) fn record_work(&self, state: &log::LogState) {
        self.at_work.store(state.store_is_at_work(), Ordering::Relaxed);
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

impl Nix {
    /// Returns only when `nix` has said nothing, no build is under way, and the daemon answers no question.
    ///
    /// A daemon that takes connections and never speaks would otherwise hold a call until its time limit, a quarter
    /// of an hour later. Whoever builds has reached the daemon, so a build is never ended for this: how long it may
    /// take is for its own limit to say.
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
                // What `nix` says itself is the better answer.
                Ok(false) | Err(_) => (wait, unanswered) = (SILENCE, 0),
            }
        }
    }

    /// Whether the store is opened in time.
    async fn daemon_answers(&self, call: &Call) -> Result<bool, NixError> {
        let question = self.command(&["store", "info"]).await?.time_limit(ANSWER);
        match question.run(&call.cancel, |_, _| Flow::Continue).await {
            Err(ProcessError::TimedOut { .. }) => Ok(false),
            other => Ok(other.map(|_| true)?),
        }
    }

    /// Whether a daemon has the store; a store that `nix` opens itself has none to fall silent.
    async fn has_daemon(&self, call: &Call) -> bool {
        let setting = async {
            let question = self.command(&["config", "show", "store"]).await?.time_limit(SETTING);
            Ok::<_, NixError>(question.run(&call.cancel, |_, _| Flow::Continue).await?)
        };
        match setting.await {
            Ok(finished) if finished.status.success() => StoreLocation::from_environment()
                .is_behind_a_daemon(&String::from_utf8_lossy(&finished.stdout)),
            // Nothing is known, so nothing is ended.
            Ok(finished) => {
                tracing::debug!(status = %finished.status, "the store's place is not known");
                false
            }
            Err(error) => {
                tracing::debug!(%error, "the store's place is not known");
                false
            }
        }
    }
}

/// Where `nix` looks for a store of its own and for the daemon (Nix manual, "Environment variables").
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

    /// Whether the store of that address is a daemon's (Nix manual, "Store types").
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
