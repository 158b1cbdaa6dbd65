//! `pantheros.toml`: every key, its default, and why a file is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeployFile, HostFile};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::HostName;
use crate::{schema, text};

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` or found beside the flake could not be read.
    #[error("{} could not be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("{} is not TOML, or has a value of the wrong kind{place}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        place: LineColumn,
        /// What is wrong, in words that may be the file's.
        said: String,
    },
    /// A key that does not exist.
    #[error("{}: there is no setting `{}`", path.display(), text::word(&key.path))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key and what is near it.
        key: schema::UnknownKey,
    },
    /// A tool that does not exist.
    #[error("{place}: there is no tool `{}`", text::word(name))]
    UnknownTool {
        /// Who names it.
        place: String,
        /// Its name.
        name: String,
        /// The tools that are near it.
        nearest: Vec<String>,
    },
    /// A switch names a path from the working folder, and there is none.
    #[error("{switch} names {}, but the folder this was started in is gone", path.display())]
    Relative {
        /// The switch.
        switch: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// A place that somebody else could write to.
    #[error("{message}")]
    Exposed {
        /// Which one, and who could.
        message: String,
    },
    /// A file that somebody else may have written, or that leads elsewhere.
    #[error("{} {problem}", path.display())]
    Unsafe {
        /// The file or its folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        mend: String,
    },
    /// Values of several files, or of a switch, that exclude one another or do not exist.
    #[error("{message}")]
    Conflict {
        /// Which ones.
        message: String,
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
                .with_attr(text::word(&key.path))
                .with_said(unless_quotable(&key.path))
                .with_suggestions(key.nearest.clone())
                .with_hint(format!("known here: {}", key.known.join(", "))),
            ConfigError::Relative { .. } => diagnostic.with_hint("give the whole path, from /"),
            ConfigError::Exposed { .. } => {
                diagnostic.with_hint("set `deploy.state_folder` to a folder outside the flake")
            }
            ConfigError::Unsafe { mend, .. } => diagnostic.with_hint(mend.clone()),
            ConfigError::Conflict { .. } => {
                diagnostic.with_hint("docs/settings.md says for every setting who may set it, and who wins")
            }
            ConfigError::Unreadable { cause, .. } => {
                diagnostic.with_hint(if cause.kind() == std::io::ErrorKind::InvalidData {
                    "save it as UTF-8"
                } else {
                    "see that it is there and that you may read it"
                })
            }
            ConfigError::UnknownTool { name, nearest, .. } => diagnostic
                .with_said(unless_quotable(name))
                .with_suggestions(nearest.clone())
                .with_hint("`pantheros-mcp tools` lists them"),
            ConfigError::Malformed { said, .. } => diagnostic.with_said(said).with_hint(SETTINGS_HINT),
            ConfigError::OutOfBounds { .. } => diagnostic.with_hint(SETTINGS_HINT),
        }
    }
}

/// Where every setting is.
const SETTINGS_HINT: &str = "docs/settings.md lists every setting with its default";

/// A name of a file, if it cannot stand in a sentence of ours.
fn unless_quotable(name: &str) -> &str {
    if text::is_word(name) { "" } else { name }
}

/// Where in a file something is wrong, if that is known.
#[derive(Clone, Copy, Debug)]
pub struct LineColumn(Option<(usize, usize)>);

impl LineColumn {
    /// The line and the column of a byte of the text.
    fn at_byte(text: &str, at: Option<usize>) -> Self {
        Self(at.and_then(|at| text.get(..at)).map(|before| {
            let begin = before.rfind('\n').map_or(0, |end| end + 1);
            (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
        }))
    }
}

impl std::fmt::Display for LineColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, ": line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

/// `pantheros.toml`: everything is optional, and unknown keys are refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SettingsFile {
    /// How `nix` is run.
    pub nix: NixFile,
    /// How other machines are reached.
    pub ssh: SshFile,
    /// What a call may take.
    pub limits: LimitsFile,
    /// Which tools there are.
    pub tools: ToolsFile,
    /// The HTTP transport; only read with `serve --http`.
    pub http: HttpFile,
    /// The evaluation cache.
    pub cache: CacheFile,
    /// Deploying.
    pub deploy: DeployFile,
    /// Hosts by their names in the flake, where their configurations have no `pantheros.deploy`.
    pub hosts: BTreeMap<HostName, HostFile>,
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

/// How other machines are reached. Keys, agents and known hosts are those of the user's own configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SshFile {
    /// The program, by name or path.
    pub program: PathBuf,
    /// A configuration file instead of the user's and the system's, as `ssh -F` takes it.
    pub config: Option<PathBuf>,
    /// A private key to log in with, and none that an agent holds; absolute, or relative to this file's folder.
    pub identity: Option<PathBuf>,
    /// A file of host keys that are accepted, and no other; absolute, or relative to this file's folder.
    pub known_hosts: Option<PathBuf>,
    /// Longest wait for a connection, in seconds.
    pub connect_seconds: u64,
}

impl Default for SshFile {
    fn default() -> Self {
        Self { program: "ssh".into(), config: None, identity: None, known_hosts: None, connect_seconds: 15 }
    }
}

/// What a call may take.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LimitsFile {
    /// Longest evaluation of one host or output, in seconds; the time starts again at each. One that takes longer fails
    /// with `timed_out`; if a single fact of it does, that fact fails, and the others have the time once more. Once three
    /// of a call have timed out, those still to be evaluated may be left out; each says so.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HttpFile {
    /// File with the bearer token clients must send, relative to this file's folder; PANTHEROS_HTTP_TOKEN
    /// beats the user's, and not the machine's. Without either one is made, and kept in `deploy.state_folder`
    /// as `http-token`.
    pub token_file: Option<PathBuf>,
    /// Host names clients may use besides the loopback ones, with or without a port.
    pub allowed_hosts: Vec<String>,
    /// Web origins that may call, such as `https://app.example.org`; others are refused.
    pub allowed_origins: Vec<String>,
    /// Requests a minute from one address, in bursts of as many; 0 means no limit. Each message of a batch counts.
    /// Behind a proxy all clients have the proxy's address.
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

/// Longest message about a file that is wrong, in characters.
const LONGEST_MESSAGE: usize = 600;

/// Reads the content of a file: all of it with defaults, and what it says alone.
pub(super) fn parse(content: &str, path: &Path) -> Result<(SettingsFile, serde_json::Value), ConfigError> {
    let malformed = |error: toml::de::Error| ConfigError::Malformed {
        path: path.to_owned(),
        place: LineColumn::at_byte(content, error.span().map(|span| span.start)),
        // Whole it would repeat the line it is about, which is not for whoever is told.
        said: text::bounded(error.message().trim_end(), LONGEST_MESSAGE),
    };
    let value: serde_json::Value = toml::from_str(content).map_err(malformed)?;
    if let Some(key) = schema::unknown_keys(&schema::of_settings::<SettingsFile>(), &value).into_iter().next()
    {
        return Err(ConfigError::UnknownKey { path: path.to_owned(), key });
    }
    Ok((toml::from_str(content).map_err(malformed)?, value))
}
