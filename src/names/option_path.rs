//! Paths of options, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;
use crate::text;

/// Longest path, in bytes.
const LENGTH: usize = 512;
/// Most names in a path.
const NAMES: usize = 32;
const WHAT: &str = "the path of an option";

/// The path of an option, or of a part of its value, such as `services.nginx.virtualHosts."example.org".forceSSL`.
///
/// A pasted path may begin with `config.`, `options.` or `nixosConfigurations.HOST.config.`, stand in quotation marks, and be
/// followed by `= …;`. These are left out. `<name>` stands for any attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OptionPath(Vec<String>);

impl OptionPath {
    /// The path of these names.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Its names, outermost first; at least one if it was parsed.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// Removes quotation marks around the whole text.
fn unquoted(given: &str) -> &str {
    for mark in ['"', '\'', '`'] {
        if let Some(inner) = given.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark))
            && !inner.contains(mark)
            && inner.contains('.')
        {
            return inner.trim();
        }
    }
    given
}

/// The names of a path in Nix's notation, up to `=` or `;`. `Err` is the rule that it breaks.
fn split(given: &str) -> Result<Vec<String>, &'static str> {
    let mut names = Vec::new();
    let mut rest = given;
    loop {
        rest = rest.trim_start();
        let mut name = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut characters = quoted.char_indices();
            let end = loop {
                match characters.next() {
                    None => return Err("a quotation mark is not closed"),
                    Some((at, '"')) => break at + 1,
                    Some((_, '\\')) => match characters.next() {
                        Some((_, escaped)) => name.push(escaped),
                        None => return Err("a quotation mark is not closed"),
                    },
                    Some((at, '$')) if quoted.get(at + 1..).is_some_and(|next| next.starts_with('{')) => {
                        return Err("a path has no `${…}`: write the name itself");
                    }
                    Some((_, character)) => name.push(character),
                }
            };
            rest = quoted.get(end..).unwrap_or_default();
        } else if rest.starts_with('<') {
            let end = rest.find('>').ok_or("`<` is not closed")? + 1;
            name.push_str(rest.get(..end).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
        } else {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "_-'+*@:/".contains(c)))
                .unwrap_or(rest.len());
            name.push_str(rest.get(..end).unwrap_or_default());
            if name.is_empty() {
                return Err("names are separated by single dots, and other names are in quotation marks");
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        if name.chars().any(char::is_control) {
            return Err("names have no control characters");
        }
        names.push(name);
        rest = rest.trim_start();
        match rest.chars().next() {
            None | Some('=' | ';') => return Ok(names),
            Some('.') => rest = rest.get(1..).unwrap_or_default(),
            Some(_) => {
                return Err("names are separated by single dots, and other names are in quotation marks");
            }
        }
    }
}

impl FromStr for OptionPath {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let path = unquoted(given.trim());
        if path.is_empty() {
            return Err(NameError::Empty { what: WHAT });
        }
        if path.len() > LENGTH {
            return Err(NameError::TooLong { what: WHAT, length: path.len(), limit: LENGTH });
        }
        let malformed = |rule| NameError::Malformed { what: WHAT, given: text::exact(given, 80), rule };
        let mut names = split(path).map_err(malformed)?;
        let is_root = |name: Option<&String>| name.is_some_and(|name| name == "config" || name == "options");
        if names.len() > 3
            && names.first().is_some_and(|name| name == "nixosConfigurations")
            && is_root(names.get(2))
        {
            names.drain(..3);
        } else if names.len() > 1 && is_root(names.first()) {
            names.remove(0);
        }
        if names.len() > NAMES {
            return Err(malformed("a path has at most 32 names"));
        }
        Ok(Self(names))
    }
}

impl TryFrom<String> for OptionPath {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<OptionPath> for String {
    fn from(path: OptionPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for OptionPath {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                to.write_str(".")?;
            }
            let mut bytes = name.bytes();
            let is_identifier = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && bytes.all(|b| b.is_ascii_alphanumeric() || b"_-'".contains(&b));
            let is_placeholder = name == "*" || name.starts_with('<') && name.ends_with('>');
            if is_identifier || is_placeholder {
                to.write_str(name)?;
            } else {
                write!(to, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${"))?;
            }
        }
        Ok(())
    }
}

impl schemars::JsonSchema for OptionPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OptionPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_read_as_people_write_it() {
        for (given, names) in [
            ("services.openssh.enable", &["services", "openssh", "enable"][..]),
            (" config.services.openssh.enable = true;", &["services", "openssh", "enable"]),
            ("options.users.users.<name>.shell", &["users", "users", "<name>", "shell"]),
            ("nixosConfigurations.web.config.time.timeZone", &["time", "timeZone"]),
            ("\"services.openssh.enable\"", &["services", "openssh", "enable"]),
            ("`time.timeZone`", &["time", "timeZone"]),
            (
                "services.nginx.virtualHosts.\"a.b\".forceSSL",
                &["services", "nginx", "virtualHosts", "a.b", "forceSSL"],
            ),
            ("fileSystems.\"/\"", &["fileSystems", "/"]),
            ("a.\"q\\\"\\\\\"", &["a", "q\"\\"]),
            ("config", &["config"]),
            ("systemd.services.container@x.enable", &["systemd", "services", "container@x", "enable"]),
        ] {
            let path: OptionPath = given.parse().unwrap_or_else(|error| panic!("{given}: {error}"));
            assert_eq!(path.names(), names, "{given}");
        }
        for given in
            ["", " ", ".", "a..b", "a.", "a b", "a.\"b", "a.\"${x}\"", "a.<b", "a\nb.c", "a.\"\u{7}\""]
        {
            assert!(given.parse::<OptionPath>().is_err(), "{given:?} was accepted");
        }
        assert!(vec!["a"; 33].join(".").parse::<OptionPath>().is_err());
        assert!("a".repeat(600).parse::<OptionPath>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(names in prop::collection::vec("[a-z\"\\\\${}. /]{1,8}", 2..6)) {
            let path = OptionPath::new(names.iter().map(|name| format!("x{name}")));
            prop_assert_eq!(path.to_string().parse::<OptionPath>().unwrap(), path);
        }
    }
}
