//! Types for names from outside. A value of such a type is always valid.
//!
//! Each has a private field and one constructor, [`FromStr`], which `Deserialize` uses too.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::text;

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("{what} must not be empty")]
    Empty {
        /// The kind of name that was expected.
        what: &'static str,
    },
    /// The name is longer than allowed.
    #[error("{what} is {length} bytes long; at most {limit} are allowed")]
    TooLong {
        /// The kind of name that was expected.
        what: &'static str,
        /// The name's length, in bytes.
        length: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// The name contains or starts with a character that is not allowed.
    #[error("\"{given}\" is not {what}: {rule}")]
    Malformed {
        /// The kind of name that was expected.
        what: &'static str,
        /// The name, cut short.
        given: String,
        /// The rule for such names.
        rule: &'static str,
    },
}

fn checked(
    given: &str,
    what: &'static str,
    limit: usize,
    rule: &'static str,
    holds: impl FnOnce(&str) -> bool,
) -> Result<String, NameError> {
    if given.is_empty() {
        return Err(NameError::Empty { what });
    }
    if given.len() > limit {
        return Err(NameError::TooLong { what, length: given.len(), limit });
    }
    if !holds(given) {
        return Err(NameError::Malformed { what, given: text::exact(given, 80), rule });
    }
    Ok(given.to_owned())
}

macro_rules! name {
    (
        $(#[$documentation:meta])*
        $name:ident, $what:literal, at most $limit:literal, $rule:literal, $pattern:literal, $holds:expr
    ) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(given: &str) -> Result<Self, NameError> {
                checked(given, $what, $limit, $rule, $holds).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(given: String) -> Result<Self, NameError> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    };
}

fn is_word(given: &str) -> bool {
    let mut characters = given.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '\''))
        && !given.contains("..")
}

name!(
    /// The name of a host: an attribute of the flake's `nixosConfigurations`.
    ///
    /// A flake may use any attribute name. Allowed here are names that need no quoting in Nix attribute paths, shells and SSH, with
    /// dots within them (`web.example.org`).
    HostName, "a host name", at most 128,
    "letters, digits, '_', '-' and single dots within, starting with a letter, digit or '_'",
    "^\\w[\\w.-]{0,127}$",
    |given| is_word(given) && !given.contains(['+', '\'']) && !given.ends_with('.')
);

name!(
    /// A Nix system, such as `x86_64-linux`.
    SystemName, "a system", at most 64,
    "an architecture and an operating system, such as x86_64-linux",
    "^\\w+-\\w+$",
    |given| {
        let part = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        given.split_once('-').is_some_and(|(machine, system)| part(machine) && part(system))
    }
);

name!(
    /// A path in the Nix store: the folder, a 32-character hash and a name.
    ///
    /// The alphabet and the length limit of 211 are those of the Nix manual, "Store Path".
    StorePath, "a store path", at most 300,
    "/nix/store/, 32 characters of hash, '-' and a name",
    "^/nix/store/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]+$",
    is_store_path
);

name!(
    /// The store path of a derivation, ending in `.drv`.
    DrvPath, "a derivation's store path", at most 300,
    "a store path that ends in .drv",
    "^/nix/store/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]+\\.drv$",
    |given| given.ends_with(".drv") && is_store_path(given)
);

name!(
    /// The name or address of a machine for `ssh`: a DNS name, an alias of the user's configuration, an IPv4 address, or an IPv6
    /// address without brackets.
    Address, "an address", at most 253,
    "letters, digits, '.', ':', '_' and '-', starting with a letter, digit or ':'",
    "^[\\w:][\\w.:-]{0,252}$",
    |given| {
        let first = given.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b':');
        first && given.bytes().all(|b| b.is_ascii_alphanumeric() || b".:_-".contains(&b))
    }
);

name!(
    /// The name of a user on another machine.
    ///
    /// The rules are those of useradd(8): `NAME_REGEX` in its default form.
    UserName, "a user name", at most 32,
    "small letters, digits, '_' and '-', starting with a letter or '_'",
    "^[a-z_][a-z0-9_-]{0,31}$",
    |given| {
        let first = given.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        first && given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    }
);

name!(
    /// A revision of a Git repository: a commit, or the name of a branch or a tag.
    ///
    /// Stricter than git-check-ref-format(1), and without expressions such as `main~2` and `@{yesterday}` (gitrevisions(7)).
    Rev, "a revision", at most 200,
    "a commit, a branch, a tag or HEAD: letters, digits and any of _./+#- within, starting with a letter, digit or '_'",
    "^\\w[\\w./+#-]{0,199}$",
    |given| {
        let first = given.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let last = !given.ends_with(['/', '.']) && !given.ends_with(".lock");
        let plain = given.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./+#-".contains(&b));
        first && last && plain && !given.contains("..") && !given.contains("//")
    }
);

name!(
    /// The name of a plan: `plan-` and 26 random characters of base32 (RFC 4648, in lower case).
    PlanId, "a plan", at most 31,
    "plan- and 26 characters of a-z and 2-7, as plan_deploy and `pantheros-mcp plans` give it",
    "^plan-[a-z2-7]{26}$",
    |given| {
        given.strip_prefix(PLAN_PREFIX).is_some_and(|rest| {
            rest.len() == PLAN_CHARACTERS && rest.bytes().all(|byte| BASE32.contains(&byte))
        })
    }
);

const PLAN_PREFIX: &str = "plan-";
/// 130 random bits, which cannot be guessed.
const PLAN_CHARACTERS: usize = 26;
/// The alphabet of RFC 4648, section 6, in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl PlanId {
    /// A new random name.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn random() -> std::io::Result<Self> {
        let bytes = crate::random::bytes::<PLAN_CHARACTERS>()?;
        let characters = bytes.iter().filter_map(|byte| BASE32.get(usize::from(byte % 32)));
        Ok(Self(PLAN_PREFIX.chars().chain(characters.map(|byte| char::from(*byte))).collect()))
    }

    /// Its last six characters, which a person types to confirm a plan of several hosts.
    #[must_use]
    pub fn ending(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(6)..).unwrap_or(&self.0)
    }
}

/// The folder of the store; stores in other folders are not supported.
pub const STORE_FOLDER: &str = "/nix/store/";

fn is_store_path(given: &str) -> bool {
    let Some(base) = given.strip_prefix(STORE_FOLDER) else { return false };
    let Some((hash, name)) = base.split_once('-') else { return false };
    hash.len() == 32
        && hash.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() && !b"eotu".contains(&b))
        && !name.is_empty()
        && name.len() <= 211
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._?=".contains(&b))
}

impl StorePath {
    /// The name without folder and hash.
    #[must_use]
    pub fn name(&self) -> &str {
        store_name(&self.0)
    }
}

impl DrvPath {
    /// The name without folder, hash and `.drv`.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = store_name(&self.0);
        name.strip_suffix(".drv").unwrap_or(name)
    }

    /// The last component: hash and name.
    #[must_use]
    pub fn base_name(&self) -> &str {
        self.0.strip_prefix(STORE_FOLDER).unwrap_or(&self.0)
    }
}

fn store_name(path: &str) -> &str {
    path.get(STORE_FOLDER.len() + 33..).unwrap_or(path)
}

/// The path of an attribute within a flake's outputs, such as `nixosConfigurations.web.config`.
///
/// Components may be any text. [`Display`](fmt::Display) quotes them as `nix` requires in an installable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttrPath(Vec<String>);

impl AttrPath {
    /// The path of these components.
    pub fn new<S: Into<String>>(components: impl IntoIterator<Item = S>) -> Self {
        Self(components.into_iter().map(Into::into).collect())
    }

    /// This path and one more component.
    #[must_use]
    pub fn join(&self, component: impl Into<String>) -> Self {
        let mut components = self.0.clone();
        components.push(component.into());
        Self(components)
    }

    /// The components, outermost first.
    #[must_use]
    pub fn components(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, component) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            let plain = !component.is_empty()
                && component
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'\'' | b'+'));
            if plain {
                f.write_str(component)?;
            } else {
                write!(f, "\"{component}\"")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_host_names_are_refused() {
        for given in [
            "", "-rf", "a b", "a\nb", "a\"b", "a'b", "${x}", "..", "a..b", ".a", "a.", "a/b", "a#b", "a\0b",
            "ü", "$(id)", "a;b", "a+b",
        ] {
            assert!(given.parse::<HostName>().is_err(), "{given:?} was accepted");
        }
        assert!("x".repeat(10_000).parse::<HostName>().is_err());
        for given in ["web", "ovh-cloud", "web.example.org", "_a", "0a", "A1"] {
            assert!(given.parse::<HostName>().is_ok(), "{given:?} was refused");
        }
    }

    #[test]
    fn revisions_are_names_and_nothing_that_git_reckons_with() {
        for given in ["HEAD", "main", "origin/main", "v1.0", "feature/a_b-c#3+x", "refs/tags/v1", "0a1b2c3d"]
        {
            assert!(given.parse::<Rev>().is_ok(), "{given:?} was refused");
        }
        for given in [
            "", "-h", "--all", "a b", "a..b", "main~2", "main^", "@{u}", "@", "a:b", "a?rev=b", "a&b",
            "a%20", "a\nb", "a/", "/a", "a//b", "a.lock", "*", "[a]", "a\\b", "..", "a\0",
        ] {
            assert!(given.parse::<Rev>().is_err(), "{given:?} was accepted");
        }
        assert!("a".repeat(201).parse::<Rev>().is_err());
    }

    #[test]
    fn a_long_name_is_not_repeated_in_full() {
        let error = format!("{}!", "x".repeat(100)).parse::<HostName>().unwrap_err().to_string();
        assert!(error.len() < 300, "{error}");
    }

    #[test]
    fn store_paths_follow_the_manual() {
        let path = "/nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web.drv";
        assert!("/nix/store/short-x".parse::<StorePath>().is_err());
        assert!("/nix/store/eqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-x".parse::<StorePath>().is_err());
        assert!(format!("{path}/../../etc").parse::<DrvPath>().is_err());
        let path: DrvPath = path.parse().unwrap();
        assert_eq!(path.name(), "nixos-system-web");
        assert_eq!(path.base_name(), "xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web.drv");
    }

    #[test]
    fn hostile_plan_names_are_refused() {
        let id = PlanId::random().unwrap();
        assert_eq!(id.as_str().parse::<PlanId>().unwrap(), id);
        assert_ne!(PlanId::random().unwrap(), id);
        assert!(id.as_str().ends_with(id.ending()) && id.ending().len() == 6);
        let rest = "a".repeat(26);
        for given in [
            String::new(),
            "plan-".to_owned(),
            format!("../../{rest}"),
            format!("plan-../{}", "a".repeat(23)),
            format!("plan-{rest}a"),
            format!("plan-{rest}\n"),
            format!("plan-{}\0", "a".repeat(25)),
            format!("plan-{}/", "a".repeat(25)),
            format!("plan-{}", "A".repeat(26)),
            format!("plan-{}", "1".repeat(26)),
            format!("--{rest}"),
            format!("/plan-{rest}"),
        ] {
            assert!(given.parse::<PlanId>().is_err(), "{given:?} was accepted");
        }
    }

    #[test]
    fn attribute_paths_quote_what_nix_would_misread() {
        let path = AttrPath::new(["nixosConfigurations", "web.example.org", "config"]);
        assert_eq!(path.to_string(), "nixosConfigurations.\"web.example.org\".config");
    }

    proptest! {
        #[test]
        fn every_accepted_name_is_safe_as_an_argument(given in any::<String>()) {
            if let Ok(name) = given.parse::<HostName>() {
                prop_assert!(!name.as_str().starts_with('-'));
                prop_assert!(!name.as_str().contains(['"', '\'', '$', '\\', '/', '\n', ' ', '#', '^']));
            }
        }

        #[test]
        fn store_paths_never_panic(given in any::<String>()) {
            if let Ok(path) = given.parse::<DrvPath>() {
                let _ = path.name();
            }
        }
    }
}
