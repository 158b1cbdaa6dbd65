//! The difference between the closures of two systems.

use std::cmp::Ordering;

use crate::deploy::plan::{Change, Diff, PackageChange};
use crate::nix::closure::{Closure, Package, compare_versions};

/// Largest number of changed packages in a plan; the rest is counted.
pub const PACKAGES: usize = 300;

/// The packages and sizes that change from one closure to the next. `units` and `effects` are left empty.
#[must_use]
pub fn diff(before: &Closure, next: &Closure) -> Diff {
    let (old, new) = (before.packages(), next.packages());
    let mut changes: Vec<PackageChange> = old
        .keys()
        .chain(new.keys())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter_map(|name| change(name, old.get(name), new.get(name)))
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
        closure_delta_bytes: signed(next.bytes()) - signed(before.bytes()),
        units: None,
        effects: None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn path(hash: char, name: &str) -> String {
        format!("/nix/store/{}-{name}", hash.to_string().repeat(32))
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
        let found = diff(&before, &after);
        let changes: Vec<_> =
            found.packages.iter().map(|p| (p.name.as_str(), p.change, p.delta_bytes)).collect();
        assert_eq!(
            changes,
            [
                ("nginx", Change::Upgraded, 50),
                ("new", Change::Added, 20),
                ("old", Change::Removed, -10),
                ("etc", Change::Changed, 0),
            ]
        );
        assert_eq!((found.closure_bytes, found.closure_delta_bytes), (176, 60));
        assert_eq!(after.bytes_beyond(&before), 171);
    }
}
