//! What follows the settings: read anew for each call, so that none acts on what they said before.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::{ConfigError, Settings};
use crate::flake::Flake;
use crate::nix::Nix;
use crate::ssh::SshConnections;

/// The settings that a call goes by from its beginning to its end, and what is made of them.
#[derive(Debug)]
pub struct SettingsInForce {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The flake.
    pub flake: Flake,
    /// The machines we are connected to.
    pub hosts: Arc<SshConnections>,
    /// Room for the calls that run at once.
    pub(super) call_slots: Arc<Semaphore>,
}

impl SettingsInForce {
    /// Nothing is run yet.
    pub(super) fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self {
            flake: Flake::new(Arc::clone(&settings), Nix::new(settings.nix.clone())),
            hosts: connections(&settings),
            call_slots: Arc::new(Semaphore::new(settings.concurrent_calls)),
            settings,
        }
    }

    /// The same under other settings. What they say the same of is kept: connections, answers, places.
    fn with_settings(&self, settings: Settings) -> Self {
        let (before, settings) = (&self.settings, Arc::new(settings));
        let same_calls = before.concurrent_calls == settings.concurrent_calls;
        Self {
            flake: self.flake.with_settings(Arc::clone(&settings)),
            hosts: if before.ssh == settings.ssh { Arc::clone(&self.hosts) } else { connections(&settings) },
            call_slots: match same_calls {
                true => Arc::clone(&self.call_slots),
                false => Arc::new(Semaphore::new(settings.concurrent_calls)),
            },
            settings,
        }
    }

    /// What is in force now, read from where these settings were read; `None` where that is this.
    ///
    /// # Errors
    /// That the settings cannot be read, or contradict one another.
    pub(super) async fn reloaded(&self) -> Result<Option<Self>, ConfigError> {
        let settings = Arc::clone(&self.settings);
        let read = tokio::task::spawn_blocking(move || settings.reload_if_changed()).await;
        let now = read.unwrap_or_else(|error| {
            Err(ConfigError::Conflict { message: format!("the settings were not read: {error}") })
        })?;
        Ok(now.map(|settings| self.with_settings(settings)))
    }

    /// Whether it is still what is in force.
    pub(super) async fn is_current(&self) -> bool {
        matches!(self.reloaded().await, Ok(None))
    }
}

fn connections(settings: &Settings) -> Arc<SshConnections> {
    Arc::new(match settings.policy.without_token {
        // Whatever a tool says that it reaches.
        true => SshConnections::disabled(),
        false => SshConnections::new(settings.ssh.clone()),
    })
}
