//! The bearer token: its source, and the check of requests.
//!
//! A running server uses a new token as soon as the file has one. Requests and sessions with the old token end then, because
//! a token is rotated to lock out everybody who has it.

mod stamp;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use rustix::fs::{Mode, OFlags};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use self::stamp::TokenFileStamp;
use super::refusal::HttpRefusal;
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::random;
use crate::state::{StateError, StateFolder};

/// The environment variable that replaces the token file, unless the machine's settings name one.
pub const VARIABLE: &str = "PANTHEROS_HTTP_TOKEN";
/// Name of the file in the state folder with the token that this program generated.
const FILE_NAME: &str = "http-token";
/// Shortest accepted token, in bytes: a shorter one could be guessed.
const SHORTEST_TOKEN: usize = 16;
/// Longest accepted token, in bytes. It also limits what is read of a wrong file.
const LONGEST_TOKEN: usize = 1_024;
/// Time between two checks of the file without requests, for open streams and sessions.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token cannot be read, can be guessed, cannot be sent in a header, or other users can read it.
    #[error("the bearer token in {place} {problem}")]
    Unusable {
        /// The variable or the file.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// How to fix it.
        hint: String,
    },
    /// No token is set, and there is no state folder for a generated one.
    #[error("no token for HTTP is set, and there is no folder to store a generated one")]
    Nowhere,
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system returned no random bytes.
    #[error("no token could be generated: {0}")]
    Randomness(std::io::Error),
    /// The token was set by a person, so that this program must not change it.
    #[error("the token for HTTP comes from {0}, and this program replaces only a token that it generated")]
    NotOurs(TokenSource),
    /// A token is set, and `--without-token` too.
    #[error("--without-token contradicts {0}, which sets a token")]
    Contradicted(TokenSource),
}

impl From<&TokenError> for Diagnostic {
    fn from(error: &TokenError) -> Self {
        let diagnostic = |code| Self::new(code, error.to_string());
        let settings =
            |hint: String| diagnostic(Code::InvalidSettings).with_attr("http.token_file").with_hint(hint);
        match error {
            TokenError::Unusable { hint, .. } => settings(hint.clone()),
            TokenError::Nowhere => {
                diagnostic(Code::InvalidSettings).with_attr("deploy.state_folder").with_hint(format!(
                    "set HOME or `deploy.state_folder`, or set a token with {VARIABLE} or `http.token_file`"
                ))
            }
            TokenError::State(_) => diagnostic(Code::StateUnusable).with_hint(
                "the state folder and everything in it must belong to the user and be writable by nobody \
                    else",
            ),
            TokenError::Randomness(_) => diagnostic(Code::Internal),
            TokenError::NotOurs(source) => settings(format!(
                "put a new token there (`openssl rand -hex 32` generates one), or unset {} so that this program \
                 generates one",
                source.setting_name()
            )),
            TokenError::Contradicted(source) => {
                settings(format!("unset {}, or leave out --without-token", source.setting_name()))
            }
        }
    }
}

/// The source of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The environment variable.
    Environment,
    /// The file in `http.token_file`.
    Configured(PathBuf),
    /// The file that this program generates in this state folder.
    Made(PathBuf),
}

impl std::fmt::Display for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment => write!(f, "the variable {VARIABLE}"),
            Self::Configured(path) => write!(f, "{} (`http.token_file`)", path.display()),
            Self::Made(folder) => write!(f, "{}", folder.join(FILE_NAME).display()),
        }
    }
}

impl TokenSource {
    /// The source for a server with these settings and this environment.
    ///
    /// # Errors
    /// [`TokenError::Nowhere`].
    pub fn from_settings(settings: &Settings) -> Result<Self, TokenError> {
        match Self::explicit(settings) {
            Some(source) => Ok(source),
            None => settings.deploy.state_folder.clone().map(Self::Made).ok_or(TokenError::Nowhere),
        }
    }

    /// The source that the settings or the environment set; `None` if they set none.
    pub fn explicit(settings: &Settings) -> Option<Self> {
        // If the variable overrules the file, the merged settings have no file.
        let configured = settings.http.token_file.clone().map(Self::Configured);
        configured.or_else(|| std::env::var_os(VARIABLE).map(|_| Self::Environment))
    }

    /// The file with the token; `None` for the environment variable.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Environment => None,
            Self::Configured(path) => Some(path.clone()),
            Self::Made(folder) => Some(folder.join(FILE_NAME)),
        }
    }

    /// The variable or setting to change.
    fn setting_name(&self) -> &'static str {
        match self {
            Self::Environment => VARIABLE,
            Self::Configured(_) | Self::Made(_) => "`http.token_file`",
        }
    }

    /// Generates the token if this program has to and it does not exist. If several processes try at once, one succeeds.
    fn create_if_missing(&self) -> Result<(), TokenError> {
        if let Self::Made(folder) = self {
            let folder = StateFolder::open(folder)?;
            if folder.open_to_read(FILE_NAME)?.is_none() {
                folder.create(FILE_NAME, generate()?.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Requires that a server could use the token or generate it.
    ///
    /// # Errors
    /// The token cannot be used.
    pub fn require_usable(&self) -> Result<(), TokenError> {
        let is_to_be_made = matches!(self, Self::Made(_)) && self.path().is_some_and(|path| !path.exists());
        if is_to_be_made { Ok(()) } else { self.read().map(|_| ()) }
    }

    /// Replaces the generated token with a new one.
    ///
    /// # Errors
    /// [`TokenError::NotOurs`]; an error of the state folder.
    pub fn rotate(&self) -> Result<(), TokenError> {
        let Self::Made(folder) = self else { return Err(TokenError::NotOurs(self.clone())) };
        Ok(StateFolder::open(folder)?.replace(FILE_NAME, generate()?.as_bytes())?)
    }

    /// The hash of the token and the stamp of its file. The stamp is `None` without a file, or if the file changed just now.
    fn read(&self) -> Result<(blake3::Hash, Option<TokenFileStamp>), TokenError> {
        let (text, stamp) = match self {
            Self::Environment => {
                let token = std::env::var_os(VARIABLE).unwrap_or_default();
                (token.to_str().unwrap_or_default().to_owned(), None)
            }
            Self::Configured(path) => {
                let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
                read(path, open(path)?, credentials.as_deref().map(Path::new))?
            }
            Self::Made(folder) => {
                let path = folder.join(FILE_NAME);
                let gone =
                    || unusable(&path, "was removed", "`pantheros-mcp token rotate` generates a new one");
                let file = StateFolder::open(folder)?.open_to_read(FILE_NAME)?.ok_or_else(gone)?;
                read(&path, file, None)?
            }
        };
        Ok((hash(&text, &self.to_string())?, stamp))
    }
}

/// A new token of 256 random bits, with a line feed.
fn generate() -> Result<String, TokenError> {
    random::hex().map(|token| format!("{token}\n")).map_err(TokenError::Randomness)
}

/// The token in force.
struct CurrentToken {
    hash: blake3::Hash,
    /// Whether the last read succeeded.
    readable: bool,
    stamp: Option<TokenFileStamp>,
    valid: CancellationToken,
}

/// The secret that clients have to send. Only its hash is kept in memory.
pub struct BearerToken {
    source: TokenSource,
    known: Mutex<CurrentToken>,
}

impl BearerToken {
    /// Reads the token, and generates it first if necessary.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn load(source: TokenSource) -> Result<Self, TokenError> {
        source.create_if_missing()?;
        let (hash, stamp) = source.read()?;
        let known = CurrentToken { hash, readable: true, stamp, valid: CancellationToken::new() };
        Ok(Self { source, known: Mutex::new(known) })
    }

    /// The source of the token.
    pub fn source(&self) -> &TokenSource {
        &self.source
    }

    /// Checks the file at intervals until `stop`.
    pub async fn watch_file(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(CHECK_INTERVAL)).await.is_some() {
            drop(self.refresh());
        }
    }

    /// The token in force, read again if its file changed. If it cannot be read, new requests are refused, but open ones go
    /// on: one may be a deployment, and the cause may be temporary, such as a lack of file descriptors.
    fn refresh(&self) -> MutexGuard<'_, CurrentToken> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = self.source.path() else { return known };
        if known.stamp.is_some()
            && std::fs::metadata(&path).ok().as_ref().map(TokenFileStamp::from_metadata) == known.stamp
        {
            return known;
        }
        match self.source.read() {
            Ok((hash, stamp)) => {
                if hash != known.hash {
                    known.valid.cancel();
                    known.valid = CancellationToken::new();
                }
                (known.hash, known.stamp, known.readable) = (hash, stamp, true);
            }
            Err(error) => {
                if known.readable {
                    tracing::error!(%error, "all requests are refused until the token can be read again");
                }
                (known.stamp, known.readable) = (None, false);
            }
        }
        known
    }

    /// Checks the token of a request (RFC 6750, section 2.1). The result is cancelled when the token is no longer valid.
    ///
    /// Hashes are compared in constant time, so that the duration shows neither the content nor the length of the token.
    ///
    /// # Errors
    /// The token is missing or wrong, or the server cannot read its own.
    pub fn check(&self, headers: &HeaderMap) -> Result<CancellationToken, HttpRefusal> {
        let (expected, valid) = {
            let known = self.refresh();
            if !known.readable {
                return Err(HttpRefusal::no_token());
            }
            (known.hash, known.valid.clone())
        };
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(HttpRefusal::token(headers.contains_key(AUTHORIZATION)));
        };
        let sent = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
        });
        let sent = blake3::hash(sent.unwrap_or_default().as_bytes());
        if bool::from(sent.as_bytes().ct_eq(expected.as_bytes())) {
            Ok(valid)
        } else {
            Err(HttpRefusal::token(true))
        }
    }
}

/// Checks the form of a token and returns its hash.
fn hash(token: &str, place: &str) -> Result<blake3::Hash, TokenError> {
    let token = token.strip_suffix('\n').unwrap_or(token);
    let token = token.strip_suffix('\r').unwrap_or(token);
    let problem = if token.is_empty() {
        "is empty"
    } else if token.len() < SHORTEST_TOKEN {
        "is shorter than 16 characters"
    } else if token.len() > LONGEST_TOKEN {
        "is longer than 1024 characters"
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        "contains a space or another character that cannot be sent in a header"
    } else {
        return Ok(blake3::hash(token.as_bytes()));
    };
    Err(TokenError::Unusable {
        place: place.to_owned(),
        problem: problem.to_owned(),
        hint: "generate one with `openssl rand -hex 32`".to_owned(),
    })
}

/// Opens the file in `http.token_file`, without waiting at a pipe.
fn open(path: &Path) -> Result<File, TokenError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    opened.map(File::from).map_err(|error| unreadable(path, &error.into()))
}

/// Reads the token file. A file that other users can read is an error, unless it is in `credentials`: only the service can
/// enter that folder, whatever the modes of the files are (systemd.exec(5), "Credentials").
fn read(
    path: &Path,
    file: File,
    credentials: Option<&Path>,
) -> Result<(String, Option<TokenFileStamp>), TokenError> {
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(unusable(path, "is not a regular file", "check `http.token_file`"));
    }
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let is_credential =
        credentials.and_then(real).zip(real(path)).is_some_and(|(folder, path)| path.starts_with(folder));
    if metadata.mode() & 0o077 != 0 && !is_credential {
        let hint =
            format!("run `chmod 600 {}`; other users may have read the token, so replace it", path.display());
        return Err(unusable(path, "can be read by other users", &hint));
    }
    let mut token = String::new();
    file.take(LONGEST_TOKEN as u64 + 3)
        .read_to_string(&mut token)
        .map_err(|error| unreadable(path, &error))?;
    Ok((token, TokenFileStamp::if_settled(&metadata)))
}

fn unreadable(path: &Path, error: &std::io::Error) -> TokenError {
    unusable(path, &format!("could not be read: {error}"), "check `http.token_file`")
}

fn unusable(path: &Path, problem: &str, hint: &str) -> TokenError {
    TokenError::Unusable {
        place: path.display().to_string(),
        problem: problem.to_owned(),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;
