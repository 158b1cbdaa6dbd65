//! `pantheros.toml`, the environment and the command line become [`Settings`], once, at the edge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::schema;

/// The file's name, looked for beside `flake.nix`.
pub const FILE_NAME: &str = "pantheros.toml";

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` or found beside the flake could not be read.
    #[error("{} could not be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// A key that does not exist.
    #[error("{}: there is no setting `{}`", path.display(), key.path)]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key and what is near it.
        key: schema::UnknownKey,
    },
    /// A value that is outside its bounds.
    #[error("{}: {message}", path.display())]
    OutOfBounds {
        /// The file.
        path: PathBuf,
        /// Which value and what is allowed.
        message: String,
    },
}

impl From<&ConfigError> for Diagnostic {
    fn from(error: &ConfigError) -> Self {
        let diagnostic = Self::new(Code::InvalidSettings, error.to_string());
        match error {
            ConfigError::UnknownKey { key, .. } => diagnostic
                .with_attr(key.path.clone())
                .with_suggestions(key.nearest.clone())
                .with_hint(format!("known here: {}", key.known.join(", "))),
            ConfigError::Unreadable { .. } => diagnostic.with_hint("name another file with --config"),
            ConfigError::Malformed { .. } | ConfigError::OutOfBounds { .. } => {
                diagnostic.with_hint("docs/settings.md lists every setting with its default")
            }
        }
    }
}

/// `pantheros.toml`: everything is optional, and unknown keys are refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct File {
    /// How `nix` is run.
    pub nix: NixFile,
    /// What a call may take.
    pub limits: LimitsFile,
    /// Which tools there are.
    pub tools: ToolsFile,
    /// The HTTP transport; only read with `serve --http`.
    pub http: HttpFile,
    /// The evaluation cache.
    pub cache: CacheFile,
}

/// How `nix` is run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NixFile {
    /// The program, by name or path.
    pub program: PathBuf,
}

impl Default for NixFile {
    fn default() -> Self {
        Self { program: "nix".into() }
    }
}

/// What a call may take.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LimitsFile {
    /// Longest evaluation, in seconds.
    pub evaluation_seconds: u64,
    /// Longest build, in seconds.
    pub build_seconds: u64,
    /// Evaluations side by side; 0 takes one for each core and for each share of memory.
    pub evaluation_workers: usize,
    /// Memory one evaluation uses before it goes on in a fresh process, in MiB; a single attribute
    /// that needs more may take four times as much.
    pub evaluation_memory_mib: u64,
    /// Calls at once; further ones wait.
    pub concurrent_calls: usize,
    /// Calls that may wait for a place; further ones are refused.
    pub waiting_calls: usize,
    /// Largest message taken from a client, in KiB.
    pub message_kib: usize,
}

impl Default for LimitsFile {
    fn default() -> Self {
        Self {
            evaluation_seconds: 900,
            build_seconds: 6 * 3_600,
            evaluation_workers: 0,
            evaluation_memory_mib: 2_048,
            concurrent_calls: 8,
            waiting_calls: 32,
            message_kib: 1_024,
        }
    }
}

/// Which tools there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ToolsFile {
    /// Only tools that change nothing, neither a host nor the store.
    pub read_only: bool,
    /// Only these tools; empty means all.
    pub only: Vec<String>,
    /// Without these tools.
    pub exclude: Vec<String>,
}

/// The HTTP transport.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HttpFile {
    /// File with the bearer token clients must send, relative to the working folder; PANTHEROS_HTTP_TOKEN
    /// beats it. Required off loopback.
    pub token_file: Option<PathBuf>,
    /// Host names clients may use besides the loopback ones, with or without a port.
    pub allowed_hosts: Vec<String>,
    /// Web origins that may call, such as https://app.example.org; others are refused.
    pub allowed_origins: Vec<String>,
    /// Requests a minute from one address, in bursts of as many; 0 means no limit. Behind a proxy all
    /// clients have the proxy's address.
    pub requests_per_minute: u32,
    /// Requests under way at once.
    pub concurrent_requests: usize,
    /// Sessions of older clients at once, over /mcp and over /sse each; 0 takes none.
    pub legacy_sessions: usize,
}

impl Default for HttpFile {
    fn default() -> Self {
        Self {
            token_file: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            requests_per_minute: 600,
            concurrent_requests: 64,
            legacy_sessions: 16,
        }
    }
}

/// The evaluation cache.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CacheFile {
    /// Whether answers about an unchanged flake are kept.
    pub enabled: bool,
    /// Where; without it the user's cache folder.
    pub folder: Option<PathBuf>,
    /// Most space it takes on disk, in MiB; the oldest answers go first.
    pub size_mib: u64,
}

impl Default for CacheFile {
    fn default() -> Self {
        Self { enabled: true, folder: None, size_mib: 64 }
    }
}

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
}

/// Everything that can be set, typed and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder with the `flake.nix`, or where one was looked for.
    pub flake: PathBuf,
    /// The `nix` program.
    pub nix: PathBuf,
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
    /// Reads the settings of the flake found from `start` (the working folder) and `overrides`.
    ///
    /// # Errors
    /// See [`ConfigError`]. A missing flake is no error here: tools say it when they need one.
    pub fn load(start: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let flake = match &overrides.flake {
            Some(folder) => start.join(folder),
            None => nearest_flake(start).unwrap_or_else(|| start.to_owned()),
        };
        // Nix refuses to read a flake through a symbolic link; what does not exist is told of later.
        let flake = flake.canonicalize().unwrap_or(flake);
        let (path, file) = match &overrides.config {
            Some(path) => (path.clone(), read(path)?),
            None => {
                let path = flake.join(FILE_NAME);
                if path.is_file() { (path.clone(), read(&path)?) } else { (path, File::default()) }
            }
        };
        Self::from_file(flake, file, overrides).map_err(|message| ConfigError::OutOfBounds { path, message })
    }

    fn from_file(flake: PathBuf, file: File, overrides: &Overrides) -> Result<Self, String> {
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
        policy.check(&crate::tools::names())?;
        let cache = CacheSettings {
            enabled: file.cache.enabled,
            folder: file.cache.folder.or_else(user_cache_folder),
            bytes: file.cache.size_mib.saturating_mul(1024 * 1024),
        };
        Ok(Self {
            flake,
            nix: file.nix.program,
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
        })
    }
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

/// `$XDG_CACHE_HOME/pantheros` or `~/.cache/pantheros` (XDG Base Directory Specification).
fn user_cache_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|folder| folder.join("pantheros"))
}

/// The nearest folder from `start` upwards with a `flake.nix`.
#[must_use]
pub fn nearest_flake(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join("flake.nix").is_file()).map(Path::to_owned)
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<File, ConfigError> {
    let malformed = |error: toml::de::Error| ConfigError::Malformed {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    };
    let value: serde_json::Value = toml::from_str(text).map_err(malformed)?;
    if let Some(key) = schema::unknown_key(&schema::of_input::<File>(), &value) {
        return Err(ConfigError::UnknownKey { path: path.to_owned(), key });
    }
    toml::from_str(text).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<File, ConfigError> {
        parse(text, Path::new(FILE_NAME))
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let settings =
            Settings::from_file("/flake".into(), parsed("").unwrap(), &Overrides::default()).unwrap();
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
        let error = Settings::from_file("/flake".into(), file, &Overrides::default()).unwrap_err();
        assert!(error.contains("concurrent_calls"), "{error}");
    }

    #[test]
    fn read_only_cannot_be_taken_back() {
        let file = parsed("[tools]\nread_only = true\n").unwrap();
        let settings = Settings::from_file("/flake".into(), file, &Overrides::default()).unwrap();
        assert!(settings.policy.read_only);
    }

    #[test]
    fn a_tool_that_does_not_exist_is_refused() {
        let overrides = Overrides { only: vec!["list_host".into()], ..Overrides::default() };
        let error = Settings::from_file("/flake".into(), File::default(), &overrides).unwrap_err();
        assert!(error.contains("list_hosts"), "{error}");
    }
}
