//! The closure of a system, and the difference between two closures.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::deploy::plan::{Change, Diff, PackageChange};
use crate::names::StorePath;

/// Largest number of changed packages in a plan; the rest is counted.
pub const PACKAGES: usize = 300;

/// The store paths of a system's closure, each with its size in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure(BTreeMap<StorePath, u64>);

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

    /// Size of the paths that `other` lacks, in bytes: the upper limit of what has to be copied.
    #[must_use]
    pub fn bytes_beyond(&self, other: &Self) -> u64 {
        self.0.iter().filter(|(path, _)| !other.0.contains_key(path)).map(|(_, size)| size).sum()
    }

    /// The packages and sizes that change from this closure to `next`. `units` is left empty.
    #[must_use]
    pub fn diff(&self, next: &Self) -> Diff {
        let (before, after) = (self.packages(), next.packages());
        let mut changes: Vec<PackageChange> = before
            .keys()
            .chain(after.keys())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .filter_map(|name| change(name, before.get(name), after.get(name)))
            .collect();
        // Readers look for changed versions first, then for the largest difference in size.
        changes.sort_by_key(|package| {
            (matches!(package.change, Change::Changed), std::cmp::Reverse(package.delta_bytes.unsigned_abs()))
        });
        let more_packages = changes.len().saturating_sub(PACKAGES) as u64;
        changes.truncate(PACKAGES);
        Diff {
            packages: changes,
            more_packages,
            closure_bytes: next.bytes(),
            closure_delta_bytes: signed(next.bytes()) - signed(self.bytes()),
            units: None,
        }
    }

    /// The versions of a package, the oldest first; `None` if the closure does not have the package. A path without a version
    /// adds none.
    #[must_use]
    pub fn versions(&self, package: &str) -> Option<Vec<&str>> {
        self.packages().remove(package).map(|package| package.versions)
    }

    /// The names of all packages, sorted.
    #[must_use]
    pub fn package_names(&self) -> Vec<&str> {
        self.packages().into_keys().collect()
    }

    fn packages(&self) -> BTreeMap<&str, Package<'_>> {
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

#[derive(Default)]
struct Package<'a> {
    paths: Vec<&'a StorePath>,
    versions: Vec<&'a str>,
    bytes: u64,
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn change(name: &str, before: Option<&Package<'_>>, after: Option<&Package<'_>>) -> Option<PackageChange> {
    let versions = |package: Option<&Package<'_>>| -> Vec<String> {
        package.map(|package| package.versions.iter().map(|v| (*v).to_owned()).collect()).unwrap_or_default()
    };
    let bytes = |package: Option<&Package<'_>>| signed(package.map_or(0, |package| package.bytes));
    let change = match (before, after) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        (Some(before), Some(after)) if before.paths == after.paths => return None,
        (Some(before), Some(after)) => match (before.versions.last(), after.versions.last()) {
            (Some(old), Some(new)) => match compare_versions(old, new) {
                Ordering::Less => Change::Upgraded,
                Ordering::Greater => Change::Downgraded,
                Ordering::Equal => Change::Changed,
            },
            _ => Change::Changed,
        },
    };
    Some(PackageChange {
        name: name.to_owned(),
        change,
        before: versions(before),
        after: versions(after),
        delta_bytes: bytes(after) - bytes(before),
    })
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

    fn path(hash: char, name: &str) -> String {
        format!("/nix/store/{}-{name}", hash.to_string().repeat(32))
    }

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

    #[test]
    fn what_changes_is_named_once() {
        let closure = |lines: &[(char, &str, u64)]| {
            let text: String =
                lines.iter().map(|(hash, name, size)| format!("{}\t {size}\n", path(*hash, name))).collect();
            Closure::parse(&text)
        };
        let before =
            closure(&[('a', "nginx-1.26.0", 100), ('b', "old-1", 10), ('c', "same-1", 5), ('d', "etc", 1)]);
        let after =
            closure(&[('f', "nginx-1.28.0", 150), ('g', "new-2", 20), ('c', "same-1", 5), ('h', "etc", 1)]);
        let diff = before.diff(&after);
        let changes: Vec<_> =
            diff.packages.iter().map(|p| (p.name.as_str(), p.change, p.delta_bytes)).collect();
        assert_eq!(
            changes,
            [
                ("nginx", Change::Upgraded, 50),
                ("new", Change::Added, 20),
                ("old", Change::Removed, -10),
                ("etc", Change::Changed, 0),
            ]
        );
        assert_eq!((diff.closure_bytes, diff.closure_delta_bytes), (176, 60));
        assert_eq!(after.bytes_beyond(&before), 171);
    }

    proptest::proptest! {
        #[test]
        fn comparing_is_an_order(one in "[0-9a-z.-]{0,12}", other in "[0-9a-z.-]{0,12}") {
            proptest::prop_assert_eq!(compare_versions(&one, &other), compare_versions(&other, &one).reverse());
            proptest::prop_assert_eq!(compare_versions(&one, &one), Ordering::Equal);
        }

        #[test]
        fn no_output_makes_it_panic(said in proptest::prelude::any::<String>()) {
            let _ = Closure::parse(&said).diff(&Closure::default());
            let _ = name_and_version(&said);
        }
    }
}
