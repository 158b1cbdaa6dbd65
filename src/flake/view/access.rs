//! Who can log in: a user's keys and password against the settings of sshd.

use base64::Engine;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{ProbedRow, Row, short};
use crate::flake::explain::{Places, ProbedPlace};
use crate::text;

/// Most keys of a user that are listed.
const KEYS: usize = 8;
/// Longest way to become root, and longest command of one, in characters.
const WAY: usize = 80;
/// Longest comment of a key, in characters.
const COMMENT: usize = 60;

/// A user as the probe returns it.
#[derive(Deserialize)]
pub(super) struct User {
    user: String,
    keys: Vec<String>,
    key_files: u64,
    password: String,
    /// Whether the shell lets a user log in.
    shell: bool,
    root: Vec<RootWay>,
    #[serde(flatten)]
    place: Option<ProbedPlace>,
}

/// A way to become root.
#[derive(Deserialize)]
#[serde(untagged)]
enum RootWay {
    /// With every command.
    Whole(String),
    /// With some commands, of which the first is named.
    Commands { way: String, command: String, more: u64 },
}

impl RootWay {
    fn shown(&self) -> String {
        match self {
            Self::Whole(way) => text::line(way, WAY),
            Self::Commands { way, command, more } => {
                // A rule may name a command with its arguments.
                let command = crate::redact::redacted(&text::line(command, WAY));
                let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{}, only {command}{more} (extraRules)", text::line(way, WAY))
            }
        }
    }
}

/// The settings of sshd that decide who logs in.
pub(super) struct Sshd {
    enabled: bool,
    passwords: bool,
    keys: bool,
    root: String,
}

impl Sshd {
    /// The settings among the rules of the view. sshd's own defaults are those of sshd_config(5).
    pub(super) fn of<'r>(rows: impl Iterator<Item = &'r ProbedRow> + Clone) -> Self {
        let rule = |wanted: &str| {
            rows.clone().find_map(|row| match row {
                ProbedRow::Rule { rule, value, .. } if rule == wanted => Some(value.clone()),
                _ => None,
            })
        };
        let is_on = |name: &str| rule(name).is_none_or(|value| value == "yes");
        Self {
            enabled: rule("sshd").is_some_and(|value| value == "yes"),
            passwords: is_on("sshd PasswordAuthentication") || is_on("sshd KbdInteractiveAuthentication"),
            keys: is_on("sshd PubkeyAuthentication"),
            root: rule("sshd PermitRootLogin").unwrap_or_else(|| "prohibit-password".to_owned()),
        }
    }
}

impl User {
    pub(super) fn row(self, sshd: &Sshd, places: &Places<'_>) -> Row {
        let keys: Vec<String> = self
            .keys
            .iter()
            .map(|key| key.trim())
            .filter(|key| !key.is_empty() && !key.starts_with('#'))
            .map(fingerprint)
            .collect();
        Row {
            login: self.login(sshd, !keys.is_empty() || self.key_files > 0),
            more_keys: keys.len().saturating_sub(KEYS) as u64 + self.key_files,
            keys: keys.into_iter().take(KEYS).collect(),
            name: short(&self.user),
            password: Some(text::line(&self.password, 40)),
            root: self.root.iter().map(RootWay::shown).collect(),
            place: self.place.as_ref().map(|place| places.of(place)),
            ..Row::default()
        }
    }

    fn login(&self, sshd: &Sshd, has_keys: bool) -> Vec<String> {
        let has_password = matches!(self.password.as_str(), "set" | "set at first" | "from a file" | "empty");
        let is_root = self.user == "root";
        let mut ways = Vec::new();
        if !self.shell {
            return ways;
        }
        let root_allows = |password: bool| {
            !is_root
                || match sshd.root.as_str() {
                    "yes" => true,
                    "prohibit-password" | "without-password" => !password,
                    _ => false,
                }
        };
        if sshd.enabled && sshd.keys && has_keys && root_allows(false) {
            ways.push("ssh with a key".to_owned());
        }
        if sshd.enabled && sshd.passwords && has_password && root_allows(true) {
            ways.push("ssh with a password".to_owned());
        }
        if has_password {
            ways.push("console with a password".to_owned());
        }
        ways
    }
}

/// The type, fingerprint (as `ssh-keygen -l` writes it) and comment of a line of `authorized_keys`.
fn fingerprint(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_type = |word: &&str| ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix));
    let Some(at) = words.iter().position(is_type) else { return "key of an unknown form".to_owned() };
    let kind = text::line(words.get(at).unwrap_or(&""), 40);
    let decoded = words.get(at + 1).and_then(|encoded| {
        base64::engine::general_purpose::STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).ok()
    });
    let Some(decoded) = decoded else { return format!("{kind} key that is not valid") };
    let hash = base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(decoded));
    let comment = words.get(at + 2..).unwrap_or_default().join(" ");
    let comment = crate::redact::redacted(&text::line(&comment, COMMENT));
    format!("{kind} SHA256:{hash} {comment}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_as_ssh_keygen_names_it() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl anna@laptop";
        let shown = "ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU anna@laptop";
        assert_eq!(fingerprint(key), shown);
        assert!(fingerprint(&format!("from=\"10.0.0.1\" {key}")).starts_with("ssh-ed25519 SHA256:"));
        assert_eq!(fingerprint("ssh-rsa !!!"), "ssh-rsa key that is not valid");
        assert_eq!(fingerprint("nothing"), "key of an unknown form");
    }

    #[test]
    fn the_ways_to_log_in_follow_sshd() {
        let user = |name: &str, password: &str, shell: bool| User {
            user: name.to_owned(),
            keys: Vec::new(),
            key_files: 0,
            password: password.to_owned(),
            shell,
            root: Vec::new(),
            place: None,
        };
        let sshd = |root: &str, passwords: bool| Sshd {
            enabled: true,
            passwords,
            keys: true,
            root: root.to_owned(),
        };
        let key = "ssh with a key";
        let (password, console) = ("ssh with a password", "console with a password");
        assert_eq!(user("a", "set", true).login(&sshd("no", true), true), [key, password, console]);
        assert_eq!(user("a", "set", true).login(&sshd("no", false), true), [key, console]);
        assert_eq!(user("root", "none", true).login(&sshd("no", true), true), [""; 0]);
        assert_eq!(user("root", "set", true).login(&sshd("prohibit-password", true), true), [key, console]);
        assert_eq!(user("root", "set", true).login(&sshd("yes", true), false), [password, console]);
        assert_eq!(user("a", "set", false).login(&sshd("no", true), true), [""; 0]);
        let off = Sshd { enabled: false, ..sshd("yes", true) };
        assert_eq!(user("a", "none", true).login(&off, true), [""; 0]);
    }
}
