//! Removes secrets from texts and values before they are logged or shown: by the name of a value, and by its form.

use std::borrow::Cow;

use serde_json::Value;

use crate::text;

/// Longest text kept, in characters.
const LONGEST: usize = 2_000;
/// Deepest nesting kept.
const DEEPEST: usize = 8;
/// The replacement for a secret.
pub const REDACTED: &str = "[redacted]";

/// Endings of keys whose value is a secret. In a text, the value follows after `=`, `:` or a space.
const SECRET_KEYS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "bearer",
    "privatekey",
    "private-key",
    "private_key",
    "secretkey",
    "presharedkey",
];

/// Prefixes of tokens of GitHub, GitLab, 1Password, Slack, AWS and age.
const TOKEN_PREFIXES: [&str; 11] = [
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "ops_",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "AGE-SECRET-KEY-",
];

/// Identifiers of the schemes of hashed passwords, between dollar signs (crypt(5)).
const HASH_SCHEMES: [&str; 13] =
    ["1", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "sha1", "argon2i", "argon2id"];

/// Whether the text with this key is a secret.
#[must_use]
pub fn has_secret_name(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|name| key.ends_with(name))
}

/// `text` without secrets and control sequences, at most 2000 characters long.
#[must_use]
pub fn redacted(text: &str) -> String {
    text::bounded(&without_secrets(text), LONGEST)
}

/// `text` without secrets and control sequences, in its whole length.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let plain = text::plain(text);
    let mut out: Vec<String> = Vec::new();
    let mut in_key = false;
    for line in plain.split('\n') {
        // PEM form of private keys (RFC 7468).
        if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
            in_key = true;
            out.push(REDACTED.to_owned());
        }
        if !in_key {
            out.push(redact_line(line));
        }
        if in_key && line.contains("-----END ") {
            in_key = false;
        }
    }
    out.join("\n")
}

fn redact_line(line: &str) -> String {
    let mut hide_next = false;
    line.split_inclusive(char::is_whitespace)
        .map(|piece| {
            let word = piece.trim_end();
            let space = piece.get(word.len()..).unwrap_or_default();
            if matches!(word, "" | "=" | ":") {
                return Cow::Borrowed(piece);
            }
            let hidden = std::mem::take(&mut hide_next);
            let lower = word.to_ascii_lowercase();
            let bare = lower.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            // The name of a file, such as /etc/passwd, is no key.
            let is_path =
                word.trim_start_matches(|c: char| c != '/' && !c.is_ascii_alphanumeric()).starts_with('/');
            let is_key = !is_path && SECRET_KEYS.iter().any(|name| bare.ends_with(name));
            // `Authorization: Bearer …`: the scheme is not the secret, the next word is.
            if is_key || (hidden && bare == "basic") {
                hide_next = true;
                return Cow::Borrowed(piece);
            }
            if hidden {
                return Cow::Owned(format!("{REDACTED}{space}"));
            }
            match redact_word(word, &lower) {
                Cow::Borrowed(_) => Cow::Borrowed(piece),
                Cow::Owned(word) => Cow::Owned(format!("{word}{space}")),
            }
        })
        .collect()
}

/// The start of a secret value within a word, as in `password=…`, `a=1&token=…` and `{"password":"…"}`; `None` without one.
fn announced_value(word: &str, lower: &str) -> Option<usize> {
    SECRET_KEYS
        .iter()
        .flat_map(|name| lower.match_indices(name).map(|(at, name)| at + name.len()))
        .filter_map(|end| {
            let rest = word.get(end..)?;
            let separator = rest.trim_start_matches(['"', '\'']);
            let value = separator.strip_prefix(['=', ':'])?;
            (!value.is_empty() && !value.starts_with("//")).then(|| word.len() - value.len())
        })
        .min()
}

/// Redacts `password=…`, `https://user:…@host`, and tokens with a known prefix.
fn redact_word<'a>(word: &'a str, lower: &str) -> Cow<'a, str> {
    if let Some(at) = announced_value(word, lower) {
        return Cow::Owned(format!("{}{REDACTED}", word.get(..at).unwrap_or_default()));
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        if let Some((user, _)) = authority.rsplit_once('@') {
            let kept = rest.get(user.len()..).unwrap_or_default();
            return Cow::Owned(format!("{scheme}://{REDACTED}{kept}"));
        }
    }
    if let Some(at) = hashed_password(word) {
        return Cow::Owned(format!("{}{REDACTED}", word.get(..at).unwrap_or_default()));
    }
    let found = TOKEN_PREFIXES.iter().filter_map(|beginning| word.find(beginning)).min();
    match found {
        // A short word is only a mention of the prefix.
        Some(at) if word.len() - at >= 16 => {
            Cow::Owned(format!("{}{REDACTED}", word.get(..at).unwrap_or_default()))
        }
        _ => Cow::Borrowed(word),
    }
}

/// The start of a hashed password within a word; `None` without one.
fn hashed_password(word: &str) -> Option<usize> {
    word.match_indices('$').map(|(at, _)| at).find(|at| {
        let hash = word.get(at + 1..).and_then(|rest| rest.split_once('$'));
        hash.is_some_and(|(scheme, hash)| HASH_SCHEMES.contains(&scheme) && hash.len() >= 16)
    })
}

/// Redacts every text in `value`, and the values of keys that have a secret.
pub fn redact_value(value: &mut Value) {
    redact_below(value, 0);
}

fn redact_below(value: &mut Value, depth: usize) {
    match value {
        Value::String(text) => *text = redacted(text),
        Value::Array(_) | Value::Object(_) if depth >= DEEPEST => *value = Value::from("…"),
        Value::Array(items) => items.iter_mut().for_each(|item| redact_below(item, depth + 1)),
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                if field.is_string() && has_secret_name(key) {
                    *field = Value::from(REDACTED);
                } else {
                    redact_below(field, depth + 1);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const SECRET: &str = "hunter2hunter2hunter2";

    #[test]
    fn secrets_are_hidden() {
        for text in [
            format!("password={SECRET}"),
            format!("the password: {SECRET} was wrong"),
            format!("Authorization: Bearer {SECRET}"),
            format!("authorization:{SECRET}"),
            format!("Authorization: Basic {SECRET}"),
            format!("PASSWORD\t{SECRET}"),
            format!("{{\"a\":1,\"password\":\"{SECRET}\"}}"),
            format!("url?user=x&token={SECRET}"),
            format!("--token {SECRET} --host web"),
            format!("OP_SERVICE_ACCOUNT_TOKEN={SECRET}"),
            format!("token = {SECRET}"),
            format!("fetching https://user:{SECRET}@example.org/x.git"),
            format!("fetching https://{SECRET}@example.org"),
            format!("access-tokens = github.com=ghp_{SECRET}"),
            format!("github_pat_{SECRET}"),
            format!("$6$salt${SECRET}"),
            format!("root:$y$j9T$salt${SECRET}:1::::::"),
            format!("privateKey = {SECRET}"),
            format!("\"AGE-SECRET-KEY-1{SECRET}\""),
            format!("a\n-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\nb"),
        ] {
            let out = redacted(&text);
            assert!(!out.contains(SECRET), "{text} became {out}");
            assert!(out.contains(REDACTED), "{text} became {out}");
        }
        let mut details =
            json!({"http": {"Api_Key": SECRET, "status": 3, "list": [format!("token={SECRET}")]}});
        redact_value(&mut details);
        assert!(!details.to_string().contains(SECRET), "{details}");
        assert_eq!(details["http"]["status"], 3);
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "units failed: nginx.service (exit 1)",
            "https://example.org/healthz answered 500",
            "/nix/store/00000000000000000000000000000000-nixos-system-web",
            "alice (uid 1000)",
            "deploy@web.example.org:22",
            "the ghp_ prefix",
            "basic settings",
            "tokens in secrets.yaml",
            "access to absolute path '/etc/passwd' is forbidden",
            "the file /run/secrets/token is missing",
            "$1 and $6$ are no hashes",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA",
        ] {
            assert_eq!(redacted(text), text);
        }
        assert_eq!(redacted("\u{1b}[31mred\u{1b}[0m"), "red");
    }

    proptest! {
        #[test]
        fn nothing_is_unbounded(text in any::<String>()) {
            prop_assert!(redacted(&text).chars().count() <= LONGEST);
        }
    }
}
