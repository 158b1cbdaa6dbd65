//! A settings file: its keys, their defaults, and the errors of reading it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeployFile, HostFile};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{HostName, InputName, InputReference};
use crate::{schema, text};

/// The settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A settings file could not be read.
    #[error("{} could not be read: {cause}", path.display())]
    Unreadable {
        path: PathBuf,
        /// The error of the system.
        cause: std::io::Error,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("{} is not valid TOML, or has a value of the wrong type{place}", path.display())]
    Malformed {
        path: PathBuf,
        /// The position of the error.
        place: LineColumn,
        /// The parser's message, which may quote the file.
        said: String,
    },
    /// A key that does not exist.
    #[error("{}: there is no setting `{}`", path.display(), text::word(&key.path))]
    UnknownKey {
        path: PathBuf,
        /// The key, with similar and known ones.
        key: schema::UnknownKey,
    },
    /// A tool that does not exist.
    #[error("{place}: there is no tool `{}`", text::word(name))]
    UnknownTool {
        /// The file or the command line.
        place: String,
        name: String,
        /// Tools with similar names.
        nearest: Vec<String>,
    },
    /// A switch has a relative path, and the working folder was removed.
    #[error("{switch} is the relative path {}, but the folder in which the program was started was \
        removed", path.display())]
    Relative {
        /// The switch.
        switch: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// A folder that anyone who edits the flake can write to.
    #[error("{message}")]
    Exposed {
        /// Which folder, and why.
        message: String,
    },
    /// A file that somebody else can write, or that is not a regular file.
    #[error("{} {problem}", path.display())]
    Unsafe {
        /// The file or its folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// How to fix it.
        mend: String,
    },
    /// Values of several sources that contradict each other.
    #[error("{message}")]
    Conflict {
        /// Which values.
        message: String,
    },
    /// A value is out of bounds.
    #[error("{}: {message}", path.display())]
    OutOfBounds {
        path: PathBuf,
        /// Which value, and the allowed ones.
        message: String,
    },
}

impl From<&ConfigError> for Diagnostic {
    fn from(error: &ConfigError) -> Self {
        let diagnostic = Self::new(Code::InvalidSettings, error.to_string());
        match error {
            ConfigError::UnknownKey { key, .. } => diagnostic
                .with_attr(text::word(&key.path))
                .with_said(name_unless_word(&key.path))
                .with_suggestions(key.nearest.clone())
                .with_hint(format!("known here: {}", key.known.join(", "))),
            ConfigError::Relative { .. } => diagnostic.with_hint("give an absolute path"),
            ConfigError::Exposed { .. } => {
                diagnostic.with_hint("set `deploy.state_folder` to a folder outside the flake")
            }
            ConfigError::Unsafe { mend, .. } => diagnostic.with_hint(mend.clone()),
            ConfigError::Conflict { .. } => diagnostic.with_hint(
                "docs/settings.md lists which sources may set each setting, and which value is used",
            ),
            ConfigError::Unreadable { cause, .. } => {
                diagnostic.with_hint(if cause.kind() == std::io::ErrorKind::InvalidData {
                    "save it as UTF-8"
                } else {
                    "check that the file exists and that you may read it"
                })
            }
            ConfigError::UnknownTool { name, nearest, .. } => diagnostic
                .with_said(name_unless_word(name))
                .with_suggestions(nearest.clone())
                .with_hint("`pantheros-mcp tools` lists the tools"),
            ConfigError::Malformed { said, .. } => diagnostic.with_said(said).with_hint(SETTINGS_HINT),
            ConfigError::OutOfBounds { .. } => diagnostic.with_hint(SETTINGS_HINT),
        }
    }
}

/// The hint for a value that is not valid.
const SETTINGS_HINT: &str = "docs/settings.md lists every setting with its default";

/// The name if it is not one word, and so cannot be part of the message; else nothing.
fn name_unless_word(name: &str) -> &str {
    if text::is_word(name) { "" } else { name }
}

/// A position in a file; `None` if it is not known.
#[derive(Clone, Copy, Debug)]
pub struct LineColumn(Option<(usize, usize)>);

impl LineColumn {
    /// The line and column of the byte at this offset, both from 1.
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

/// A settings file. Every key is optional, and unknown keys are refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SettingsFile {
    /// The `nix` command.
    pub nix: NixFile,
    /// SSH connections to hosts.
    pub ssh: SshFile,
    /// Limits of evaluations, builds and calls.
    pub limits: LimitsFile,
    /// Which tools are enabled.
    pub tools: ToolsFile,
    /// The HTTP transport; only read with `serve --http`.
    pub http: HttpFile,
    /// The evaluation cache.
    pub cache: CacheFile,
    /// Which plans may be made, and who may approve them.
    pub deploy: DeployFile,
    /// Deployment options of hosts, by host name. They apply if the host's configuration does not set the option in
    /// `pantheros.deploy`.
    pub hosts: BTreeMap<HostName, HostFile>,
}

/// The `nix` command that evaluates and builds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NixFile {
    /// The `nix` program: a name on `PATH`, or a path.
    pub program: PathBuf,
    /// Inputs of the flake to replace, each with a flake reference to use instead of the locked one: a URL or an absolute path.
    /// The name `a/b` is the input `b` of the input `a`. A plan says which inputs are replaced, and is deployed with the same.
    pub override_inputs: BTreeMap<InputName, InputReference>,
}

impl Default for NixFile {
    fn default() -> Self {
        Self { program: "nix".into(), override_inputs: BTreeMap::new() }
    }
}

/// SSH connections to hosts. By default, keys, agents and known hosts come from the user's SSH configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SshFile {
    /// The `ssh` program: a name on `PATH`, or a path.
    pub program: PathBuf,
    /// SSH configuration file that replaces the user's and the system's (`ssh -F`).
    pub config: Option<PathBuf>,
    /// Private key for logging in, relative to this file's folder. No other key is used, even if an agent has some.
    pub identity: Option<PathBuf>,
    /// Known-hosts file, relative to this file's folder. Only the host keys in it are accepted.
    pub known_hosts: Option<PathBuf>,
    /// Longest wait for a connection, in seconds.
    pub connect_seconds: u64,
}

impl Default for SshFile {
    fn default() -> Self {
        Self { program: "ssh".into(), config: None, identity: None, known_hosts: None, connect_seconds: 15 }
    }
}

/// Limits on the time, memory and number of evaluations, builds and calls.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LimitsFile {
    /// Time limit for the evaluation of one host or output, in seconds. A longer evaluation fails with `timed_out`. If
    /// a single fact of a host takes too long, that fact fails, and the time starts again for the others. After three
    /// timeouts in a call, the call may skip the remaining hosts or outputs; the answer names each of them.
    pub evaluation_seconds: u64,
    /// Time limit for a build, in seconds.
    pub build_seconds: u64,
    /// Maximum number of concurrent evaluations. 0 means one per core, or fewer if there is too little free memory.
    pub evaluation_workers: usize,
    /// Memory of an evaluation, in MiB. Above it, the evaluation continues in a new process. A single attribute may use
    /// four times as much.
    pub evaluation_memory_mib: u64,
    /// Maximum number of concurrent calls. Further calls wait.
    pub concurrent_calls: usize,
    /// Maximum number of waiting calls. Further calls are refused.
    pub waiting_calls: usize,
    /// Size limit for a message from a client, in KiB.
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

/// Which tools are enabled.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ToolsFile {
    /// Whether only tools are enabled that change neither a host nor the store.
    pub read_only: bool,
    /// Whether no connection is made: neither by Nix, whose store then has to contain what is needed, nor to hosts. What
    /// is missing fails with `needs_network`.
    pub offline: bool,
    /// Only these tools are enabled; an empty list means all.
    pub only: Vec<String>,
    /// These tools are disabled.
    pub exclude: Vec<String>,
}

/// The HTTP transport of `serve --http`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HttpFile {
    /// File with the bearer token that clients must send, relative to this file's folder. PANTHEROS_HTTP_TOKEN overrules it, except in the machine's
    /// settings. If neither is set, the server generates a token in the file `http-token` of `deploy.state_folder`.
    pub token_file: Option<PathBuf>,
    /// Host names that are accepted in the `Host` header of a request, with or without a port, in addition to the
    /// loopback names.
    pub allowed_hosts: Vec<String>,
    /// Web origins whose pages may send requests, such as `https://app.example.org`. Other origins are refused.
    pub allowed_origins: Vec<String>,
    /// Maximum number of requests per minute from one address; 0 means no limit. All of them may come in one burst.
    /// Each message of a batch counts. Behind a proxy, all clients have the proxy's address.
    pub requests_per_minute: u32,
    /// Maximum number of concurrent requests.
    pub concurrent_requests: usize,
    /// Maximum number of concurrent sessions of clients with a protocol version before 2026-07-28, for /mcp and /sse
    /// each. 0 allows none.
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

/// The cache of answers to evaluations.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CacheFile {
    /// Whether answers are cached. A cached answer is used only while the flake is unchanged.
    pub enabled: bool,
    /// Folder of the cache. Default: `pantheros` in the user's cache folder.
    pub folder: Option<PathBuf>,
    /// Size limit on disk, in MiB. The oldest answers are removed first.
    pub size_mib: u64,
}

impl Default for CacheFile {
    fn default() -> Self {
        Self { enabled: true, folder: None, size_mib: 64 }
    }
}

/// The schema of a settings file. Each tool call reads the settings again, and making the schema takes most of that time.
static SCHEMA: LazyLock<serde_json::Map<String, serde_json::Value>> =
    LazyLock::new(schema::of_settings::<SettingsFile>);

/// Longest message of the parser, in characters.
const LONGEST_MESSAGE: usize = 600;

/// Parses a file: its values completed with defaults, and the values alone that it sets.
pub(super) fn parse(content: &str, path: &Path) -> Result<(SettingsFile, serde_json::Value), ConfigError> {
    let malformed = |error: toml::de::Error| ConfigError::Malformed {
        path: path.to_owned(),
        place: LineColumn::at_byte(content, error.span().map(|span| span.start)),
        // The full error quotes the line, which may have a secret.
        said: text::bounded(error.message().trim_end(), LONGEST_MESSAGE),
    };
    let value: serde_json::Value = toml::from_str(content).map_err(malformed)?;
    if let Some(key) = schema::unknown_keys(&SCHEMA, &value).into_iter().next() {
        return Err(ConfigError::UnknownKey { path: path.to_owned(), key });
    }
    Ok((toml::from_str(content).map_err(malformed)?, value))
}
