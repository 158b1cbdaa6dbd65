//! [`Settings`]: read once from the settings files, the environment and the command line.

mod bounds;
mod deploy;
mod file;
mod host;
mod keys;
mod merge;
mod origin;
mod paths;
mod source;
mod text;
mod trust;

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use deploy::{Action, ApprovalMethod, DeployFile, DeploySettings, SignerScope, UntrustedGuards};
pub use host::{BuildOn, HealthCheck, HostFile};
pub use keys::{FlakeInfluence, GuardCondition, KEYS, MergeRule, SettingKey, SettingsLayer, ZeroMeaning};
pub use paths::FlakeDiscovery;
pub use source::{CONFIG_NAME, FILE_NAME, MACHINE_FOLDER};
pub use trust::{FlakeSettingsFile, TrustError, revoke};

use origin::SettingsOrigin;
use text::SettingsText;

use crate::names::{HostName, InputName, InputReference};
use crate::ssh::SshSettings;
pub use file::{ConfigError, HttpFile, LimitsFile, SettingsFile};

/// Settings of the command line and the environment. They have the user's authority and overrule the user's file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--flake` or `PANTHEROS_FLAKE`.
    pub flake: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--read-only`, which no file can undo.
    pub read_only: bool,
    /// `--offline`, which no file can undo.
    pub offline: bool,
    /// `--tools`.
    pub only: Vec<String>,
    /// `--exclude-tools`.
    pub exclude: Vec<String>,
    /// `--override-input` or `PANTHEROS_OVERRIDE_INPUT`.
    pub override_inputs: BTreeMap<InputName, InputReference>,
    /// `--identity`.
    pub identity: Option<PathBuf>,
    /// `--known-hosts`.
    pub known_hosts: Option<PathBuf>,
    /// Whether `PANTHEROS_HTTP_TOKEN` is set, which replaces `http.token_file`.
    pub token: bool,
    /// `--target`: a temporary address of one host.
    pub target: Option<(HostName, HostFile)>,
}

/// All settings, typed and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder with the `flake.nix`, or the folder where the search for one began.
    pub flake: PathBuf,
    /// How that folder was found.
    pub flake_discovery: FlakeDiscovery,
    /// A private folder inside the flake's folder, which must not be copied to the store: the home or the state folder.
    /// `None` if there is none.
    pub private: Option<PathBuf>,
    /// The `nix` program.
    pub nix: PathBuf,
    /// Whether no connection is made.
    pub offline: bool,
    /// Inputs of the flake that are replaced.
    pub override_inputs: BTreeMap<InputName, InputReference>,
    /// How to connect to hosts.
    pub ssh: SshSettings,
    /// Longest evaluation of one host or output.
    pub evaluation_time: Duration,
    /// Longest build.
    pub build_time: Duration,
    /// Concurrent evaluations.
    pub evaluation_workers: usize,
    /// Memory that an evaluation may use before it continues in a new process, in bytes.
    pub evaluation_memory: u64,
    /// Concurrent calls.
    pub concurrent_calls: usize,
    /// Calls that may wait for a slot.
    pub waiting_calls: usize,
    /// Largest message accepted from a client, in bytes.
    pub message_bytes: usize,
    /// Which tools are enabled.
    pub policy: crate::policy::Policy,
    /// The HTTP transport.
    pub http: HttpFile,
    /// The evaluation cache.
    pub cache: CacheSettings,
    /// What may be deployed, and who may approve it.
    pub deploy: DeploySettings,
    /// Deployment options of hosts, which apply if their configurations do not set them.
    pub hosts: BTreeMap<HostName, HostFile>,
    /// A temporary address of one host, which overrules its configuration.
    pub target: Option<(HostName, HostFile)>,
    /// The settings file beside the flake; `None` if there is none, or if `--config` names it.
    pub flake_file: Option<FlakeSettingsFile>,
    /// The text of the settings file beside the flake, also if `--config` names it.
    pub flake_settings_text: Option<String>,
    /// Warnings about the settings for the person who started the program.
    notices: Vec<String>,
    origin: SettingsOrigin,
    stamp: blake3::Hash,
}

/// The evaluation cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Whether answers are cached.
    pub enabled: bool,
    /// The folder on disk; `None` caches in memory only.
    pub folder: Option<PathBuf>,
    /// Largest size on disk, in bytes.
    pub bytes: u64,
}

impl Settings {
    /// Reads the settings for the flake that `overrides` name or that is found upwards from `start`, the working folder
    /// (`None` if it was removed). `tools` are the names that the policy may contain.
    ///
    /// # Errors
    /// See [`ConfigError`]. A missing flake is no error here: tools that need one report it.
    pub fn load(start: Option<&Path>, overrides: &Overrides, tools: &[&str]) -> Result<Self, ConfigError> {
        let settings = Self::read(SettingsOrigin::new(start, overrides, tools))?;
        for notice in &settings.notices {
            tracing::warn!("{notice}");
        }
        Ok(settings)
    }

    fn read(mut origin: SettingsOrigin) -> Result<Self, ConfigError> {
        let (flake, flake_discovery) = origin.flake()?;
        let named = match &origin.overrides.config {
            Some(path) => Some(paths::absolute(origin.start.as_deref(), path, "--config")?),
            None => None,
        };
        let user = origin.user(named.as_deref())?;
        let tools: Vec<&str> = origin.tools.iter().map(String::as_str).collect();
        let (start, overrides) = (origin.start.as_deref(), &origin.overrides);
        let is_flake = flake_discovery != FlakeDiscovery::NotFound;
        let mut notices = Vec::new();
        let machine = source::machine(Path::new(MACHINE_FOLDER), &tools)?;
        // If --config names the file beside the flake, it has the user's authority.
        let users_beside = user.as_ref().filter(|user| user.is_at(&flake.join(FILE_NAME)));
        let text = if is_flake && users_beside.is_none() { SettingsText::flake_file(&flake)? } else { None };
        let flake_settings_text = users_beside.or(text.as_ref()).map(|text| text.text.clone());
        let mut flake_file =
            text.as_ref().map(|text| FlakeSettingsFile::new(text, is_trusted(text, &mut notices)));
        let mut sources = Vec::from_iter(machine);
        sources.push(source::switches(overrides, start, &tools)?);
        if let Some(user) = &user {
            sources.push(user.source(SettingsLayer::User, &tools)?);
        }
        if let (Some(text), Some(flake_file)) = (&text, &flake_file) {
            let layer = if flake_file.trusted { SettingsLayer::Trusted } else { SettingsLayer::Untrusted };
            sources.push(text.source(layer, &tools)?);
        }
        let conflict = |message| ConfigError::Conflict { message };
        let mut merged = merge::merge(&sources).map_err(conflict)?;
        if let Some(flake_file) = &mut flake_file {
            flake_file.record_merge(&mut merged);
        }
        let mut file = merged.file;
        // The command that a person is told to run has to find the same settings, state and trust records.
        let named =
            named.or_else(|| user.map(|user| user.path).filter(|path| paths::differs_from_login(path)));
        let stamp = origin::stamp((&flake, flake_discovery), named.as_deref(), &sources, flake_file.as_ref());
        let needs_state = file.deploy.state_folder.is_none() || flake_file.is_some();
        let state = needs_state.then(paths::state_folder).flatten();
        let own_command = file
            .deploy
            .command
            .is_none()
            .then(|| paths::command(is_flake.then_some(&*flake), named.as_deref(), state.as_deref()));
        // Every path is absolute by now.
        let mut deploy =
            DeploySettings::from_file(std::mem::take(&mut file.deploy), Path::new("/")).map_err(conflict)?;
        if let Some(command) = own_command {
            deploy.command = command;
        }
        deploy.untrusted =
            flake_file.as_ref().filter(|flake_file| !flake_file.guards.is_empty()).map(|flake_file| {
                UntrustedGuards { path: flake_file.path.clone(), keys: flake_file.guards.clone() }
            });
        if let Some(state) = deploy.state_folder.as_deref().filter(|_| is_flake) {
            paths::require_outside_flake(state, &flake)
                .map_err(|message| ConfigError::Exposed { message })?;
        }
        for switch in merged.overruled {
            notices.push(format!("{switch} has no effect: {MACHINE_FOLDER} sets another value"));
        }
        if let Some(flake_file) = &flake_file {
            notices.extend(ignored_notices(flake_file, &deploy.command, named.as_deref()));
        }
        let private = paths::private_folder_in_flake(&flake, deploy.state_folder.as_deref());
        let settings = Self::from_file(flake, file, deploy, overrides).map_err(conflict)?;
        Ok(Self {
            flake_discovery,
            private,
            flake_file,
            flake_settings_text,
            notices,
            origin,
            stamp,
            ..settings
        })
    }

    fn from_file(
        flake: PathBuf,
        file: SettingsFile,
        deploy: DeploySettings,
        overrides: &Overrides,
    ) -> Result<Self, String> {
        let limits = &file.limits;
        let policy = crate::policy::Policy {
            read_only: file.tools.read_only,
            only: file.tools.only.into_iter().collect(),
            exclude: file.tools.exclude.into_iter().collect(),
            without_token: false,
        };
        let cache = CacheSettings {
            enabled: file.cache.enabled,
            folder: file.cache.folder.or_else(paths::cache_folder),
            bytes: file.cache.size_mib.saturating_mul(1024 * 1024),
        };
        let ssh_path = |path: Option<PathBuf>, name: &str| {
            path.map(|path| require_plain_ssh_path(path, name)).transpose()
        };
        Ok(Self {
            flake,
            flake_discovery: FlakeDiscovery::Named,
            private: None,
            flake_file: None,
            flake_settings_text: None,
            notices: Vec::new(),
            origin: SettingsOrigin::default(),
            stamp: blake3::hash(b""),
            nix: file.nix.program,
            offline: file.tools.offline,
            override_inputs: file.nix.override_inputs,
            ssh: SshSettings {
                program: file.ssh.program,
                config: require_no_pipe(file.ssh.config, "config")?,
                identity: ssh_path(require_no_pipe(file.ssh.identity, "identity")?, "identity")?,
                known_hosts: ssh_path(require_no_pipe(file.ssh.known_hosts, "known_hosts")?, "known_hosts")?,
                connect_time: Duration::from_secs(file.ssh.connect_seconds.clamp(1, 600)),
            },
            evaluation_time: Duration::from_secs(limits.evaluation_seconds.max(1)),
            build_time: Duration::from_secs(limits.build_seconds.max(1)),
            evaluation_workers: match limits.evaluation_workers {
                0 => default_workers(limits.evaluation_memory_mib),
                workers => workers,
            },
            evaluation_memory: limits.evaluation_memory_mib.max(256).saturating_mul(1024 * 1024),
            concurrent_calls: limits.concurrent_calls,
            waiting_calls: limits.waiting_calls,
            message_bytes: limits.message_kib * 1024,
            policy,
            http: file.http,
            cache,
            deploy,
            hosts: file.hosts,
            target: overrides.target.clone(),
        })
    }
}

/// Whether a person trusted the file; `false`, with a notice, if that is not known.
fn is_trusted(text: &SettingsText, notices: &mut Vec<String>) -> bool {
    trust::is_trusted(text).unwrap_or_else(|error| {
        notices.push(format!("{} is treated as not trusted: {error}", text.path.display()));
        false
    })
}

/// Notices about the settings of the file beside the flake that have no effect, and what to do about them.
fn ignored_notices(flake_file: &FlakeSettingsFile, command: &str, named: Option<&Path>) -> Vec<String> {
    let quoted = |keys: &[&str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let path = flake_file.path.display();
    let users = named.map(Path::to_owned).or_else(|| paths::config_folder().map(|at| at.join(CONFIG_NAME)));
    let users = users
        .map_or_else(|| "a file that you name with --config".to_owned(), |path| path.display().to_string());
    let mut notices = Vec::new();
    if !flake_file.waiting.is_empty() {
        notices.push(format!(
            "{path} lies beside the flake and is not trusted, so these settings in it have no effect: {}. \
             Read the file, then run `{command} trust` in a terminal, or put your own settings in {users}",
            quoted(&flake_file.waiting)
        ));
    }
    let never: Vec<&str> = flake_file
        .ignored
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| !flake_file.waiting.contains(key))
        .collect();
    if !never.is_empty() {
        notices.push(format!(
            "{path} lies beside the flake, where these settings never have an effect: {}. Put them in {users}",
            quoted(&never)
        ));
    }
    notices
}

/// Requires that the file is no pipe: every `ssh` process reads it, and a pipe can be read once.
fn require_no_pipe(path: Option<PathBuf>, name: &str) -> Result<Option<PathBuf>, String> {
    let is_pipe = |path: &Path| path.metadata().is_ok_and(|data| data.file_type().is_fifo());
    match path {
        Some(path) if is_pipe(&path) => {
            Err(format!("`ssh.{name}` is a pipe, which can be read only once: name a regular file"))
        }
        path => Ok(path),
    }
}

/// Requires a path without characters that `ssh` would expand or split at (ssh_config(5), TOKENS).
fn require_plain_ssh_path(path: PathBuf, name: &str) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || "%\"'\\~$".contains(c)) {
        return Err(format!(
            "`ssh.{name}` has characters that ssh would interpret: use a symbolic link with a plain name"
        ));
    }
    Ok(path)
}

/// The number of concurrent evaluations if no setting has it.
fn workers_by_default() -> u64 {
    default_workers(LimitsFile::default().evaluation_memory_mib) as u64
}

/// One evaluation per core, as far as the memory that is free now allows, and at least one.
fn default_workers(memory_mib: u64) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shares = crate::platform::free_memory().map_or(cores, |bytes| {
        usize::try_from(bytes / 1024 / 1024 / memory_mib.max(256)).unwrap_or(usize::MAX)
    });
    cores.min(shares).max(1)
}

#[cfg(test)]
mod tests;
