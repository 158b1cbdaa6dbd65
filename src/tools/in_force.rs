//! The settings in force and the objects built from them. They are reloaded for each call, so that no call uses outdated
//! settings.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::{ConfigError, Settings};
use crate::flake::Flake;
use crate::ssh::SshConnections;

/// The settings that one call uses from its start to its end, and the objects built from them.
#[derive(Debug)]
pub struct SettingsInForce {
    /// The settings as they were read.
    pub settings: Arc<Settings>,
    /// The flake that the settings name.
    pub flake: Flake,
    /// The SSH connections to hosts.
    pub hosts: Arc<SshConnections>,
    /// One permit for each call that may run at the same time (`limits.concurrent_calls`).
    pub(super) call_slots: Arc<Semaphore>,
}

impl SettingsInForce {
    /// Builds the objects; starts no program.
    pub(super) fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self {
            flake: Flake::new(Arc::clone(&settings)),
            hosts: connections(&settings),
            call_slots: Arc::new(Semaphore::new(settings.concurrent_calls)),
            settings,
        }
    }

    /// The objects for changed settings. Connections, cached answers and call slots are kept if their settings are the same.
    fn with_settings(&self, settings: Settings) -> Self {
        let (before, settings) = (&self.settings, Arc::new(settings));
        let same_calls = before.concurrent_calls == settings.concurrent_calls;
        Self {
            flake: self.flake.with_settings(Arc::clone(&settings)),
            hosts: match before.ssh == settings.ssh && before.offline == settings.offline {
                true => Arc::clone(&self.hosts),
                false => connections(&settings),
            },
            call_slots: match same_calls {
                true => Arc::clone(&self.call_slots),
                false => Arc::new(Semaphore::new(settings.concurrent_calls)),
            },
            settings,
        }
    }

    /// Reads the settings again from the same files; `None` if they have not changed.
    ///
    /// # Errors
    /// If the settings cannot be read or contradict one another.
    pub(super) async fn reloaded(&self) -> Result<Option<Self>, ConfigError> {
        let settings = Arc::clone(&self.settings);
        let read = tokio::task::spawn_blocking(move || settings.reload_if_changed()).await;
        let now = read.unwrap_or_else(|error| {
            Err(ConfigError::Conflict { message: format!("the settings were not read: {error}") })
        })?;
        Ok(now.map(|settings| self.with_settings(settings)))
    }

    /// Whether the settings are unchanged and readable.
    pub(super) async fn is_current(&self) -> bool {
        matches!(self.reloaded().await, Ok(None))
    }
}

fn connections(settings: &Settings) -> Arc<SshConnections> {
    Arc::new(match (settings.policy.without_token, settings.offline) {
        // Even if a tool declares a wrong `REACH`.
        (true, _) => SshConnections::disabled(),
        (false, true) => SshConnections::offline(),
        (false, false) => SshConnections::new(settings.ssh.clone()),
    })
}
