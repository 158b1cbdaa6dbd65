//! The bearer token: where it comes from, and whether a request has it.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use super::refusal::Refusal;
use crate::config::HttpFile;
use crate::diagnostic::{Code, Diagnostic};

/// The variable that beats the file.
pub const VARIABLE: &str = "PANTHEROS_HTTP_TOKEN";
/// Shortest token taken: below this it could be guessed.
const SHORTEST: usize = 16;
/// Longest, which also bounds what is read of a file named by mistake.
const LONGEST: usize = 1_024;

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the bearer token in {place} {problem}")]
pub struct TokenError {
    place: String,
    problem: String,
    hint: String,
}

impl From<&TokenError> for Diagnostic {
    fn from(error: &TokenError) -> Self {
        Self::new(Code::InvalidSettings, error.to_string())
            .with_attr("http.token_file")
            .with_hint(error.hint.clone())
    }
}

/// A secret that clients have to send; only its hash is kept.
pub struct Token(blake3::Hash);

impl Token {
    /// The token of the environment or the file, where one is set.
    ///
    /// # Errors
    /// A token that cannot be read, could be guessed or cannot be sent, and a file others may read.
    pub fn load(settings: &HttpFile) -> Result<Option<Self>, TokenError> {
        if let Some(token) = std::env::var_os(VARIABLE) {
            let token = token.to_str().unwrap_or_default();
            return Self::new(token, VARIABLE).map(Some);
        }
        let Some(path) = &settings.token_file else { return Ok(None) };
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        let token = read(path, credentials.as_deref().map(Path::new))?;
        Self::new(&token, &path.display().to_string()).map(Some)
    }

    fn new(token: &str, place: &str) -> Result<Self, TokenError> {
        let token = token.strip_suffix('\n').unwrap_or(token);
        let token = token.strip_suffix('\r').unwrap_or(token);
        let problem = if token.is_empty() {
            "is empty"
        } else if token.len() < SHORTEST {
            "is shorter than 16 characters"
        } else if token.len() > LONGEST {
            "is longer than 1024 characters"
        } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            "holds a space or another character that cannot be sent in a header"
        } else {
            return Ok(Self(blake3::hash(token.as_bytes())));
        };
        Err(unusable(place, problem, "make one with `openssl rand -hex 32`"))
    }

    /// Whether a request has it (RFC 6750, section 2.1).
    ///
    /// What is compared are hashes, in constant time: neither the token's content nor its length
    /// shows in how long that takes.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Refusal::token(headers.contains_key(AUTHORIZATION)));
        };
        let sent = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
        });
        let sent = blake3::hash(sent.unwrap_or_default().as_bytes());
        if bool::from(sent.as_bytes().ct_eq(self.0.as_bytes())) { Ok(()) } else { Err(Refusal::token(true)) }
    }
}

/// Reads the file, unless others than its owner may: then it is no secret any more.
///
/// systemd keeps credentials in a folder only the service can enter, with files it owns or not
/// (systemd.exec(5), "Credentials"), so the mode of a file below there says nothing.
fn read(path: &Path, credentials: Option<&Path>) -> Result<String, TokenError> {
    let place = path.display().to_string();
    let failed = |error: std::io::Error| {
        unusable(&place, &format!("could not be read: {error}"), "look at `http.token_file`")
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(unusable(&place, "is no file", "look at `http.token_file`"));
    }
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let is_credential =
        credentials.and_then(real).zip(real(path)).is_some_and(|(folder, path)| path.starts_with(folder));
    if about.mode() & 0o077 != 0 && !is_credential {
        return Err(unusable(&place, "can be read by other users", &format!("run: chmod 600 {place}")));
    }
    let mut token = String::new();
    file.take(LONGEST as u64 + 3).read_to_string(&mut token).map_err(failed)?;
    Ok(token)
}

fn unusable(place: &str, problem: &str, hint: &str) -> TokenError {
    TokenError { place: place.to_owned(), problem: problem.to_owned(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_the_token_is_taken() {
        let token = Token::new("0123456789abcdef\n", "here").unwrap();
        assert!(token.check(&headers("Bearer 0123456789abcdef")).is_ok());
        assert!(token.check(&headers("bearer  0123456789abcdef")).is_ok());
        for wrong in [
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer",
            "Bearer ",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
            "Bearer 0123456789ABCDEF",
        ] {
            assert!(token.check(&headers(wrong)).is_err(), "{wrong}");
        }
        assert!(token.check(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_weak_token_is_refused() {
        for weak in
            ["", "\n", "short", "fifteen-letters", "with a space in the middle", "ümlaut-ümlaut-ümlaut"]
        {
            assert!(Token::new(weak, "here").is_err(), "{weak}");
        }
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, None).is_ok(), good, "{mode:o}");
            assert!(read(&path, Some(folder.path())).is_ok());
        }
        assert!(read(folder.path(), None).is_err());
        assert!(read(&folder.path().join("missing"), None).is_err());
    }
}
