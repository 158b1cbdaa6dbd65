//! `pantheros.toml`, the environment and the command line become [`Settings`], once, at the edge.

mod deploy;
mod file;
mod host;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use deploy::{Action, Channel, DeployFile, DeploySettings, Scope};
use file::read;
pub use host::{BuildOn, HealthCheck, HostFile};
pub use place::{FlakeFrom, nearest_flake};

use crate::names::HostName;
use crate::ssh::SshSettings;
pub use file::{CacheFile, ConfigError, FILE_NAME, File, HttpFile, LimitsFile, NixFile, SshFile, ToolsFile};

/// Who may deploy on a machine, whatever the settings beside a flake say: the section `[deploy]`, in a file that only
/// root can write.
pub const MACHINE_FILE: &str = "/etc/pantheros/deploy.toml";

/// What the command line says about the same things; each beats the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--flake` or `PANTHEROS_FLAKE`.
    pub flake: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--read-only`, which nothing can take back.
    pub read_only: bool,
    /// `--tools`.
    pub only: Vec<String>,
    /// `--exclude-tools`.
    pub exclude: Vec<String>,
    /// `--identity`.
    pub identity: Option<PathBuf>,
    /// `--known-hosts`.
    pub known_hosts: Option<PathBuf>,
    /// `--target`, for a host whose address is another one just now.
    pub target: Option<(HostName, HostFile)>,
}

/// Everything that can be set, typed and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder with the `flake.nix`, or where one was looked for.
    pub flake: PathBuf,
    /// How that folder came to be known.
    pub flake_from: FlakeFrom,
    /// What lies in it that is the user's alone: the home folder, or the state.
    pub private: Option<PathBuf>,
    /// The `nix` program.
    pub nix: PathBuf,
    /// How other machines are reached.
    pub ssh: SshSettings,
    /// Longest evaluation.
    pub evaluation_time: Duration,
    /// Longest build.
    pub build_time: Duration,
    /// Evaluations side by side.
    pub evaluation_workers: usize,
    /// Memory one evaluation uses before it goes on in a fresh process, in bytes.
    pub evaluation_memory: u64,
    /// Calls at once.
    pub concurrent_calls: usize,
    /// Calls that may wait.
    pub waiting_calls: usize,
    /// Largest message taken from a client, in bytes.
    pub message_bytes: usize,
    /// Which tools there are.
    pub policy: crate::policy::Policy,
    /// The HTTP transport.
    pub http: HttpFile,
    /// The evaluation cache.
    pub cache: CacheSettings,
    /// What may be deployed, on whose word.
    pub deploy: DeploySettings,
    /// What is known of hosts whose configurations do not say it.
    pub hosts: BTreeMap<HostName, HostFile>,
    /// Where a host is now, whatever its configuration says.
    pub target: Option<(HostName, HostFile)>,
}

/// Where answers are kept and how much of them.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// Whether anything is kept at all.
    pub enabled: bool,
    /// The folder on disk; without one, answers are kept in memory only.
    pub folder: Option<PathBuf>,
    /// Most space it takes, in bytes.
    pub bytes: u64,
}

impl Settings {
    /// Reads the settings of the flake found from `start` (the working folder, where it still exists) and
    /// `overrides`; `tools` are the names that the policy may mention.
    ///
    /// # Errors
    /// See [`ConfigError`]. A missing flake is no error here: tools say it when they need one.
    pub fn load(start: Option<&Path>, overrides: &Overrides, tools: &[&str]) -> Result<Self, ConfigError> {
        let (flake, flake_from) = place::flake(start, overrides.flake.as_deref())?;
        let is_flake = flake_from != FlakeFrom::Nowhere;
        let named = match &overrides.config {
            Some(path) => Some(place::absolute(start, path, "--config")?),
            None => None,
        };
        let (path, file) = match &named {
            Some(path) => (path.clone(), read(path)?),
            None => {
                let path = flake.join(FILE_NAME);
                if is_flake && path.is_file() {
                    (path.clone(), read(&path)?)
                } else {
                    (path, File::default())
                }
            }
        };
        // A path in the file means the same whatever folder a command is run in.
        let folder = path.parent().map_or_else(|| flake.clone(), Path::to_owned);
        let (mut file, mut deploy_folder) = (file, folder.clone());
        if let Some(deploy) = file::of_the_machine(Path::new(MACHINE_FILE))? {
            if file.deploy != DeployFile::default() {
                let here = path.display();
                tracing::warn!("[deploy] in {here} does not count: {MACHINE_FILE} says who may deploy");
            }
            file.deploy = deploy;
            deploy_folder = Path::new(MACHINE_FILE).parent().unwrap_or(Path::new("/")).to_owned();
        }
        let out_of_bounds = |message| ConfigError::OutOfBounds { path: path.clone(), message };
        let default_state = file.deploy.state_folder.is_none().then(place::state).flatten();
        let own_command =
            file.deploy.command.is_none().then(|| {
                place::command(is_flake.then_some(&*flake), named.as_deref(), default_state.as_deref())
            });
        let mut deploy = DeploySettings::from_file(std::mem::take(&mut file.deploy), &deploy_folder)
            .map_err(out_of_bounds)?;
        if let Some(command) = own_command {
            deploy.command = command;
        }
        if let Some(state) = deploy.state_folder.as_deref().filter(|_| is_flake) {
            place::apart(state, &flake).map_err(|message| ConfigError::Exposed { message })?;
        }
        let private = place::private(&flake, deploy.state_folder.as_deref());
        let settings =
            Self::from_file(flake, file, deploy, &folder, overrides, tools).map_err(out_of_bounds)?;
        Ok(Self { flake_from, private, ..settings })
    }

    fn from_file(
        flake: PathBuf,
        file: File,
        deploy: DeploySettings,
        folder: &Path,
        overrides: &Overrides,
        tools: &[&str],
    ) -> Result<Self, String> {
        let positive = |value: usize, name: &str| match value {
            0 => Err(format!("`{name}` must be 1 or more")),
            value => Ok(value),
        };
        let limits = &file.limits;
        let bounded = |value: usize, name: &str, most: usize| match value {
            value if value > most => Err(format!("`{name}` is {value}; at most {most} makes sense")),
            value => Ok(value),
        };
        bounded(limits.evaluation_workers, "limits.evaluation_workers", 256)?;
        bounded(limits.message_kib, "limits.message_kib", 64 * 1_024)?;
        bounded(
            usize::try_from(limits.build_seconds).unwrap_or(usize::MAX),
            "limits.build_seconds",
            604_800,
        )?;
        bounded(
            usize::try_from(limits.evaluation_seconds).unwrap_or(usize::MAX),
            "limits.evaluation_seconds",
            86_400,
        )?;
        let policy = crate::policy::Policy {
            read_only: overrides.read_only || file.tools.read_only,
            only: if overrides.only.is_empty() { &file.tools.only } else { &overrides.only }
                .iter()
                .cloned()
                .collect(),
            exclude: file.tools.exclude.iter().chain(&overrides.exclude).cloned().collect::<BTreeSet<_>>(),
        };
        policy.check(tools)?;
        let cache = CacheSettings {
            enabled: file.cache.enabled,
            folder: file.cache.folder.or_else(place::cache),
            bytes: file.cache.size_mib.saturating_mul(1024 * 1024),
        };
        Ok(Self {
            flake,
            flake_from: FlakeFrom::Named,
            private: None,
            nix: file.nix.program,
            ssh: SshSettings {
                program: file.ssh.program,
                config: file.ssh.config,
                identity: overrides
                    .identity
                    .clone()
                    .or_else(|| file.ssh.identity.map(|path| folder.join(path)))
                    .map(|path| for_ssh(path, "identity"))
                    .transpose()?,
                known_hosts: overrides
                    .known_hosts
                    .clone()
                    .or_else(|| file.ssh.known_hosts.map(|path| folder.join(path)))
                    .map(|path| for_ssh(path, "known_hosts"))
                    .transpose()?,
                connect_time: Duration::from_secs(file.ssh.connect_seconds.clamp(1, 600)),
            },
            evaluation_time: Duration::from_secs(limits.evaluation_seconds.max(1)),
            build_time: Duration::from_secs(limits.build_seconds.max(1)),
            evaluation_workers: match limits.evaluation_workers {
                0 => default_workers(limits.evaluation_memory_mib),
                workers => workers,
            },
            evaluation_memory: limits.evaluation_memory_mib.max(256).saturating_mul(1024 * 1024),
            concurrent_calls: positive(limits.concurrent_calls, "limits.concurrent_calls")?,
            waiting_calls: limits.waiting_calls,
            message_bytes: positive(limits.message_kib, "limits.message_kib")? * 1024,
            policy,
            http: file.http,
            cache,
            deploy,
            hosts: file.hosts,
            target: overrides.target.clone(),
        })
    }
}

/// A path as `ssh` takes it in an option: it would expand or split at what is refused here
/// (ssh_config(5), TOKENS).
fn for_ssh(path: PathBuf, name: &str) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || "%\"'\\~$".contains(c)) {
        return Err(format!(
            "`ssh.{name}` has characters that ssh would read otherwise: make a link under a plain name"
        ));
    }
    Ok(path)
}

/// One evaluation for each core and each share of the memory that is free now, at least one.
fn default_workers(memory_mib: u64) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let free_kib = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    let shares =
        free_kib.map_or(cores, |kib| usize::try_from(kib / 1024 / memory_mib.max(256)).unwrap_or(usize::MAX));
    cores.min(shares).max(1)
}

#[cfg(test)]
mod tests {
    use super::file::parse;
    use super::*;
    use crate::diagnostic::{Code, Diagnostic};

    fn parsed(text: &str) -> Result<File, ConfigError> {
        parse(text, Path::new(FILE_NAME))
    }

    fn from_file(file: File, overrides: &Overrides, tools: &[&str]) -> Result<Settings, String> {
        let flake = Path::new("/flake");
        let deploy = DeploySettings::from_file(DeployFile::default(), flake)?;
        Settings::from_file(flake.into(), file, deploy, flake, overrides, tools)
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let settings = from_file(parsed("").unwrap(), &Overrides::default(), &[]).unwrap();
        assert_eq!(settings.nix, Path::new("nix"));
        assert!(settings.evaluation_workers >= 1);
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = parsed("[limits]\nbuild_second = 3\n").unwrap_err();
        let diagnostic = Diagnostic::from(&error);
        assert_eq!(diagnostic.code, Code::InvalidSettings);
        assert_eq!(diagnostic.suggestions.first().map(String::as_str), Some("build_seconds"));
        assert!(diagnostic.message.contains("limits.build_second"), "{diagnostic}");
    }

    #[test]
    fn a_wrong_type_says_where() {
        let error = parsed("[limits]\nbuild_seconds = \"long\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn bounds_are_checked() {
        let file = parsed("[limits]\nconcurrent_calls = 0\n").unwrap();
        let error = from_file(file, &Overrides::default(), &[]).unwrap_err();
        assert!(error.contains("concurrent_calls"), "{error}");
    }

    #[test]
    fn read_only_cannot_be_taken_back() {
        let file = parsed("[tools]\nread_only = true\n").unwrap();
        let settings = from_file(file, &Overrides::default(), &[]).unwrap();
        assert!(settings.policy.read_only);
    }

    #[test]
    fn a_tool_that_does_not_exist_is_refused() {
        let overrides = Overrides { only: vec!["list_host".into()], ..Overrides::default() };
        let error = from_file(File::default(), &overrides, &["list_hosts"]).unwrap_err();
        assert!(error.contains("list_hosts"), "{error}");
    }
}
