//! The closure of a store path, and the packages in it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::names::StorePath;

/// The store paths of a closure, each with its size in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure(BTreeMap<StorePath, u64>);

/// A package of a closure: the paths whose names differ in nothing but the version and the output.
#[derive(Clone, Debug, Default)]
pub struct Package<'a> {
    /// Its paths, sorted.
    pub paths: Vec<&'a StorePath>,
    /// Its versions, the oldest first. A path without a version adds none.
    pub versions: Vec<&'a str>,
    /// The size of its paths, in bytes.
    pub bytes: u64,
}

impl Closure {
    /// Parses the output of `nix path-info --recursive --size`: a path and its size in bytes on each line.
    /// Skips other lines.
    ///
    /// The plain output is the same in all supported versions; the JSON changed between Nix 2.26 and 2.34.
    #[must_use]
    pub fn parse(said: &str) -> Self {
        Self(
            said.lines()
                .filter_map(|line| {
                    let mut words = line.split_ascii_whitespace();
                    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
                })
                .collect(),
        )
    }

    /// Size of the closure, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.values().sum()
    }

    /// Number of its paths.
    #[must_use]
    pub fn paths(&self) -> u64 {
        self.0.len() as u64
    }

    /// Size of the paths that `other` lacks, in bytes: the upper limit of what has to be copied.
    #[must_use]
    pub fn bytes_beyond(&self, other: &Self) -> u64 {
        self.0.iter().filter(|(path, _)| !other.0.contains_key(path)).map(|(_, size)| size).sum()
    }

    /// Its packages, by name.
    #[must_use]
    pub fn packages(&self) -> BTreeMap<&str, Package<'_>> {
        let mut packages: BTreeMap<&str, Package<'_>> = BTreeMap::new();
        for (path, size) in &self.0 {
            let (name, version) = name_and_version(path.name());
            let package = packages.entry(name).or_default();
            package.paths.push(path);
            package.bytes += size;
            if let Some(version) = version
                && !package.versions.contains(&version)
            {
                package.versions.push(version);
            }
        }
        for package in packages.values_mut() {
            package.versions.sort_by(|one, other| compare_versions(one, other));
        }
        packages
    }
}

/// Suffixes of package outputs, which are counted to their package.
const OUTPUTS: &[&str] = &[
    "-bin", "-data", "-debug", "-dev", "-devdoc", "-dist", "-doc", "-info", "-lib", "-man", "-out", "-static",
];

/// Name and version of a store path's name (Nix manual, `builtins.parseDrvName`): the version begins
/// after the first dash that no letter follows.
fn name_and_version(full: &str) -> (&str, Option<&str>) {
    let full = OUTPUTS.iter().find_map(|output| full.strip_suffix(output)).unwrap_or(full);
    let dash = full
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|at| full.as_bytes().get(at + 1).is_some_and(|next| !next.is_ascii_alphabetic()));
    match dash {
        Some(at) => (full.get(..at).unwrap_or(full), full.get(at + 1..)),
        None => (full, None),
    }
}

/// Compares versions as Nix does (Nix manual, `builtins.compareVersions`): number by number, word by
/// word, and `pre` comes before nothing at all.
#[must_use]
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (components(one), components(other));
    loop {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            return Ordering::Equal;
        }
        let order = compare_components(a.unwrap_or_default(), b.unwrap_or_default());
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn components(version: &str) -> impl Iterator<Item = &str> {
    version.split(['.', '-']).flat_map(|part| {
        let mut parts = Vec::new();
        let mut start = 0;
        let bytes = part.as_bytes();
        for at in 1..bytes.len() {
            let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
            if digit(at) != digit(at - 1) && part.is_char_boundary(at) {
                parts.extend(part.get(start..at));
                start = at;
            }
        }
        parts.extend(part.get(start..).filter(|rest| !rest.is_empty()));
        parts
    })
}

fn compare_components(one: &str, other: &str) -> Ordering {
    let number = |text: &str| text.parse::<u128>().ok();
    match (number(one), number(other)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ if one == other => Ordering::Equal,
        (None, Some(_)) if one.is_empty() => Ordering::Less,
        (Some(_), None) if other.is_empty() => Ordering::Greater,
        _ if one == "pre" => Ordering::Less,
        _ if other == "pre" => Ordering::Greater,
        // A number is newer than a word.
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        _ => one.cmp(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_in_nix() {
        // From the manual of builtins.compareVersions.
        for (one, other, wanted) in [
            ("1.0", "2.3", Ordering::Less),
            ("2.1", "2.3", Ordering::Less),
            ("2.3", "2.3", Ordering::Equal),
            ("2.5", "2.3", Ordering::Greater),
            ("3.1", "2.3", Ordering::Greater),
            ("2.3.1", "2.3", Ordering::Greater),
            ("2.3.1", "2.3a", Ordering::Greater),
            ("2.3pre1", "2.3", Ordering::Less),
            ("2.3pre3", "2.3pre12", Ordering::Less),
            ("2.3a", "2.3c", Ordering::Less),
            ("2.3pre1", "2.3c", Ordering::Less),
            ("2.3pre1", "2.3q", Ordering::Less),
        ] {
            assert_eq!(compare_versions(one, other), wanted, "{one} and {other}");
            assert_eq!(compare_versions(other, one), wanted.reverse(), "{other} and {one}");
        }
    }

    #[test]
    fn names_end_where_versions_begin() {
        assert_eq!(name_and_version("openssh-10.0p2"), ("openssh", Some("10.0p2")));
        assert_eq!(name_and_version("glibc-2.40-66-bin"), ("glibc", Some("2.40-66")));
        assert_eq!(name_and_version("unit-nginx.service"), ("unit-nginx.service", None));
        assert_eq!(name_and_version("python3.13-requests-2.32"), ("python3.13-requests", Some("2.32")));
    }

    proptest::proptest! {
        #[test]
        fn comparing_is_an_order(one in "[0-9a-z.-]{0,12}", other in "[0-9a-z.-]{0,12}") {
            proptest::prop_assert_eq!(compare_versions(&one, &other), compare_versions(&other, &one).reverse());
            proptest::prop_assert_eq!(compare_versions(&one, &one), Ordering::Equal);
        }

        #[test]
        fn no_output_makes_it_panic(said in proptest::prelude::any::<String>()) {
            let _ = Closure::parse(&said).packages();
            let _ = name_and_version(&said);
        }
    }
}
