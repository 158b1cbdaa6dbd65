//! Connections to other machines through the system's OpenSSH, with the user's configuration, agent and known hosts.
//!
//! Each target has a master connection, `ssh -N -M`, which ends with this server. Calls open channels on it through the
//! `openssh` crate, without a process for each. Host keys are always checked, even if the user's configuration turns
//! the check off; the hint of the error for an unknown key says how a person accepts it.

mod error;
mod login;
mod master;
mod output;
mod session;
mod target;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use error::SshError;
pub use output::{RemoteLimits, RemoteOutput};
pub use session::SshSession;
pub use target::SshTarget;

use crate::progress::Call;
use crate::scratch::ScratchFolder;

/// Settings for running `ssh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSettings {
    /// Name or path of the program.
    pub program: PathBuf,
    /// Configuration file to use instead of the user's and the system's; `None` for those.
    pub config: Option<PathBuf>,
    /// Private key to try before those of the configuration; keys of an agent are then not used. `None` for the keys of
    /// the configuration and the agent.
    pub identity: Option<PathBuf>,
    /// The only file of accepted host keys; `None` for the files of the configuration.
    pub known_hosts: Option<PathBuf>,
    /// Time limit for a connection to each address of a machine.
    pub connect_time: Duration,
}

/// Most connections kept for later calls; beyond that, the least recently used idle one is closed.
const CONNECTION_LIMIT: usize = 64;

/// The connection of a target; `None` until it is made.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<SshSession>>>>;

/// The slot of each target, and when it was last used.
type Slots = HashMap<SshTarget, (Slot, Instant)>;

/// The shared connections to all machines.
#[derive(Debug)]
pub struct SshConnections {
    access: Access,
    slots: Mutex<Slots>,
    /// Folder with the sockets of all connections, made for the first one.
    sockets: Mutex<Option<Arc<ScratchFolder>>>,
}

/// Whether machines may be reached.
#[derive(Debug)]
enum Access {
    Allowed(SshSettings),
    /// See [`SshError::Disabled`].
    Disabled,
    /// See [`SshError::Offline`].
    Offline,
}

impl SshConnections {
    /// No connection is made yet.
    #[must_use]
    pub fn new(settings: SshSettings) -> Self {
        Self::with(Access::Allowed(settings))
    }

    /// Refuses every connection with [`SshError::Disabled`]; no `ssh` is ever started.
    #[must_use]
    pub fn disabled() -> Self {
        Self::with(Access::Disabled)
    }

    /// Refuses every connection with [`SshError::Offline`]; no `ssh` is ever started.
    #[must_use]
    pub fn offline() -> Self {
        Self::with(Access::Offline)
    }

    fn with(access: Access) -> Self {
        Self { access, slots: Mutex::default(), sockets: Mutex::default() }
    }

    /// The shared connection to a target. It is made if there is none or the old one does not answer.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn session(&self, target: &SshTarget, call: &Call) -> Result<Arc<SshSession>, SshError> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let (slot, used) =
                slots.entry(target.clone()).or_insert_with(|| (Slot::default(), Instant::now()));
            *used = Instant::now();
            let slot = Arc::clone(slot);
            drop_idle(&mut slots);
            slot
        };
        // Two calls for one machine make one connection; no call waits for the connection of another machine.
        let mut slot = tokio::select! {
            slot = slot.lock() => slot,
            () = call.cancel.cancelled() => return Err(SshError::cancelled()),
        };
        if let Some(session) = slot.as_ref()
            && session.is_alive(call).await
        {
            return Ok(Arc::clone(session));
        }
        *slot = None;
        let session = Arc::new(self.connect_unshared(target, call).await?);
        *slot = Some(Arc::clone(&session));
        Ok(session)
    }

    /// A new connection that is not shared: it proves that the machine still accepts the login.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn connect_unshared(&self, target: &SshTarget, call: &Call) -> Result<SshSession, SshError> {
        let settings = match &self.access {
            Access::Allowed(settings) => settings,
            Access::Disabled => return Err(SshError::Disabled { target: target.clone() }),
            Access::Offline => return Err(SshError::Offline { target: target.clone() }),
        };
        SshSession::connect(settings, self.sockets()?, target, call).await
    }

    /// The folder for sockets, made again if it was removed.
    fn sockets(&self) -> Result<Arc<ScratchFolder>, SshError> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = sockets.as_ref().filter(|folder| folder.path().is_dir()) {
            return Ok(Arc::clone(folder));
        }
        Ok(Arc::clone(sockets.insert(Arc::new(master::folder()?))))
    }

    /// Drops the shared connection, so that the next call makes a new one.
    pub fn forget(&self, target: &SshTarget) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
    }
}

/// Drops idle connections beyond [`CONNECTION_LIMIT`], the least recently used first.
fn drop_idle(slots: &mut Slots) {
    while slots.len() > CONNECTION_LIMIT {
        let idle = |slot: &Slot| {
            // Only this map holds the slot, and only the slot holds the session.
            Arc::strong_count(slot) == 1
                && slot
                    .try_lock()
                    .is_ok_and(|held| held.as_ref().is_none_or(|session| Arc::strong_count(session) == 1))
        };
        let oldest = slots.iter().filter(|(_, (slot, _))| idle(slot)).min_by_key(|(_, (_, used))| *used);
        let Some(target) = oldest.map(|(target, _)| target.clone()) else { return };
        slots.remove(&target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_it_is_closed_no_machine_is_reached() {
        let target = SshTarget {
            address: "localhost".parse().unwrap(),
            user: "root".parse().unwrap(),
            port: 22.try_into().unwrap(),
        };
        let offline = SshConnections::offline().session(&target, &Call::unattended()).await;
        assert!(matches!(offline, Err(SshError::Offline { .. })));
        let hosts = SshConnections::disabled();
        let refused = hosts.session(&target, &Call::unattended()).await;
        assert!(matches!(refused, Err(SshError::Disabled { .. })));
        assert!(matches!(
            hosts.connect_unshared(&target, &Call::unattended()).await,
            Err(SshError::Disabled { .. })
        ));
    }

    #[test]
    fn the_longest_unused_connection_goes() {
        let mut slots = Slots::new();
        let target = |port: usize| SshTarget {
            address: "web".parse().unwrap(),
            user: "root".parse().unwrap(),
            port: u16::try_from(port).unwrap().try_into().unwrap(),
        };
        let begin = Instant::now();
        let at = |seconds: usize| begin + Duration::from_secs(seconds as u64);
        for port in 1..=CONNECTION_LIMIT + 3 {
            slots.insert(target(port), (Slot::default(), at(port)));
        }
        let in_use = Arc::clone(&slots[&target(1)].0);
        drop_idle(&mut slots);
        assert_eq!(slots.len(), CONNECTION_LIMIT);
        assert!(slots.contains_key(&target(1)), "one in use was dropped");
        assert!((2..=4).all(|port| !slots.contains_key(&target(port))));
        drop(in_use);
    }
}
