//! Other machines, through the system's OpenSSH: the user's configuration, agent and known hosts.
//!
//! One master connection a target, `ssh -N -M`, is a program of ours like any other: it ends with the
//! server. Calls share it as channels, through the `openssh` crate, without a process each. Host keys
//! are always checked, whatever the user's configuration says; an unknown one is an error that says
//! how a person accepts it.

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

pub use error::{HostKey, SshError};
pub use output::{RemoteLimits, RemoteOutput};
pub use session::SshSession;
pub use target::{Address, SshTarget, UserName};

use crate::progress::Call;
use crate::scratch::ScratchFolder;

/// How `ssh` is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSettings {
    /// The program, by name or path.
    pub program: PathBuf,
    /// The configuration file instead of the user's and the system's.
    pub config: Option<PathBuf>,
    /// The private key to log in with, before those the configuration names, and none of an agent's.
    pub identity: Option<PathBuf>,
    /// The file of host keys that are accepted, and no other.
    pub known_hosts: Option<PathBuf>,
    /// How long a connection may take to come up.
    pub connect_time: Duration,
}

/// Connections kept for later calls; beyond that, the one that was not used for longest goes.
const CONNECTION_LIMIT: usize = 64;

/// A target's connection, or room for one.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<SshSession>>>>;

/// The connections there are, and when each was last asked for.
type Slots = HashMap<SshTarget, (Slot, Instant)>;

/// Every machine this program is connected to.
#[derive(Debug)]
pub struct SshConnections {
    /// None where no machine may be reached.
    settings: Option<SshSettings>,
    slots: Mutex<Slots>,
    /// Holds the sockets of all connections, made for the first.
    sockets: Mutex<Option<Arc<ScratchFolder>>>,
}

impl SshConnections {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(settings: SshSettings) -> Self {
        Self { settings: Some(settings), slots: Mutex::default(), sockets: Mutex::default() }
    }

    /// Nothing is connected, and nothing ever will be: no `ssh` is started.
    #[must_use]
    pub fn disabled() -> Self {
        Self { settings: None, slots: Mutex::default(), sockets: Mutex::default() }
    }

    /// The connection all calls share, made where there is none or the old one is gone.
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
        // Two calls for one machine make one connection; nobody waits for another machine's.
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

    /// A connection of its own, outside every shared one: it proves that the machine still lets us in.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn connect_unshared(&self, target: &SshTarget, call: &Call) -> Result<SshSession, SshError> {
        let settings = self.settings.as_ref().ok_or_else(|| SshError::Disabled { target: target.clone() })?;
        SshSession::connect(settings, self.sockets()?, target, call).await
    }

    /// The folder for sockets, made anew where somebody tidied it away.
    fn sockets(&self) -> Result<Arc<ScratchFolder>, SshError> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = sockets.as_ref().filter(|folder| folder.path().is_dir()) {
            return Ok(Arc::clone(folder));
        }
        Ok(Arc::clone(sockets.insert(Arc::new(master::folder()?))))
    }

    /// Forgets the shared connection, so that the next call makes a new one.
    pub fn forget(&self, target: &SshTarget) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
    }
}

/// Lets go of connections beyond [`CONNECTION_LIMIT`] that nobody uses just now, the longest unused first.
fn drop_idle(slots: &mut Slots) {
    while slots.len() > CONNECTION_LIMIT {
        let idle = |slot: &Slot| {
            // One of ours, and nobody waits for it or works with it.
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
