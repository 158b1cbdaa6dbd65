//! The packages that have a command which is no main program: in the store of this machine, and in a database of nix-index.

mod built;
mod nix_index;

use super::index::{Index, IndexEntry, IndexError, Package};

pub use built::ProgramPaths;
pub use nix_index::{Located, locate};

/// Most packages that are named for a command.
const PROVIDERS: usize = 5;
/// Longest name of a command.
const COMMAND_BYTES: usize = 64;

/// Where a command was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundIn {
    /// In a package that is in the store of this machine.
    Built,
    /// In the user's database of nix-index.
    NixIndex,
}

/// A package that has a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// As the index has it: its version is that of the pinned nixpkgs.
    pub package: Package,
    pub found_in: FoundIn,
}

/// Whether a query may be the name of a command.
#[must_use]
pub fn is_command(query: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.+".contains(character);
    query.len() <= COMMAND_BYTES && query.starts_with(char::is_alphanumeric) && query.chars().all(plain)
}

/// The packages of an index that the names in the store are of. A name is that of a derivation and its output, such as
/// `libsecret-0.21-bin`.
///
/// # Errors
/// See [`IndexError`].
pub fn packages_of_names(index: &Index<Package>, names: &[String]) -> Result<Vec<Provider>, IndexError> {
    let mut found: Vec<Provider> = Vec::new();
    for name in names {
        let pname = without_version(name);
        let mut same: Vec<Package> = index
            .named(pname)?
            .into_iter()
            .filter(|package| !package.alias && package.pname == pname)
            .collect();
        let has_version = |package: &Package| {
            let whole = format!("{}-{}", package.pname, package.version);
            name.strip_prefix(&whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        same.sort_by_key(|package| {
            let attr = &package.attr;
            (
                !has_version(package),
                attr.matches('.').count(),
                package.leaf() != pname,
                attr.len(),
                attr.clone(),
            )
        });
        add(&mut found, same.into_iter().next(), FoundIn::Built);
    }
    Ok(found)
}

/// The packages of an index at these attribute paths.
///
/// # Errors
/// See [`IndexError`].
pub fn packages_at(index: &Index<Package>, attributes: &[String]) -> Result<Vec<Provider>, IndexError> {
    let mut found = Vec::new();
    for attribute in attributes {
        add(&mut found, index.entry(attribute)?, FoundIn::NixIndex);
    }
    Ok(found)
}

fn add(found: &mut Vec<Provider>, package: Option<Package>, found_in: FoundIn) {
    if let Some(package) = package
        && found.len() < PROVIDERS
        && found.iter().all(|known| known.package.attr != package.attr)
    {
        found.push(Provider { package, found_in });
    }
}

/// The name of a package without its version, which begins at the first dash before a character that is no letter (Nix manual,
/// `builtins.parseDrvName`).
fn without_version(name: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| {
        name.get(at + 1..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|next| !next.is_ascii_alphabetic())
    };
    name.match_indices('-').find(begins).and_then(|(at, _)| name.get(..at)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_begins_at_a_dash_before_no_letter() {
        for (name, expected) in [
            ("libsecret-0.21.7-bin", "libsecret"),
            ("7zz-26.01", "7zz"),
            ("gnome-keyring-48.0", "gnome-keyring"),
            ("system-path", "system-path"),
        ] {
            assert_eq!(without_version(name), expected);
        }
    }

    #[test]
    fn a_command_is_one_name() {
        for (query, expected) in [
            ("secret-tool", true),
            ("mkfs.ext4", true),
            ("g++", true),
            ("../x", false),
            ("-x", false),
            ("a/b", false),
        ] {
            assert_eq!(is_command(query), expected, "{query}");
        }
    }
}
