//! Reads the announcement of what `nix` will build and fetch (`printMissing` in `src/libmain/shared.cc`).
//!
//! `nix build --dry-run` prints it at the level of errors, a real build as information. Nix 2.26 prints sizes in MiB
//! with two decimals, 2.34 in a fitting unit.

use crate::names::{DrvPath, StorePath};

/// Most paths kept of each list; the totals count all of them.
pub const LIST_LIMIT: usize = 2_000;

/// The list that the next lines belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum List {
    #[default]
    None,
    Builds,
    Fetches,
    Unknown,
}

/// What Nix will build and fetch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DryRun {
    /// Derivations to build, dependencies first; at most [`LIST_LIMIT`].
    pub builds: Vec<DrvPath>,
    /// Number of derivations to build.
    pub builds_total: u64,
    /// Paths to fetch, at most [`LIST_LIMIT`].
    pub fetches: Vec<StorePath>,
    /// Number of paths to fetch.
    pub fetches_total: u64,
    /// Size of the downloads, in bytes.
    pub download_bytes: u64,
    /// Size of the paths in the store once unpacked, in bytes.
    pub unpacked_bytes: u64,
    /// Paths that Nix can neither build nor fetch, at most [`LIST_LIMIT`].
    pub unknown: Vec<StorePath>,
    list: List,
}

impl DryRun {
    /// Reads a message. Returns whether it is part of the announcement.
    pub fn apply(&mut self, text: &str) -> bool {
        if let Some(path) = text.strip_prefix("  ").filter(|_| self.list != List::None) {
            return self.item(path);
        }
        self.list = List::None;
        if let Some(count) = heading(text, "derivation", "will be built") {
            self.builds_total = self.builds_total.saturating_add(count);
            self.list = List::Builds;
        } else if let Some(count) = heading(text, "path", "will be fetched") {
            self.fetches_total = self.fetches_total.saturating_add(count);
            if let Some((download, unpacked)) = sizes(text) {
                self.download_bytes = self.download_bytes.saturating_add(download);
                self.unpacked_bytes = self.unpacked_bytes.saturating_add(unpacked);
            }
            self.list = List::Fetches;
        } else if text.starts_with("don't know how to build these paths") {
            self.list = List::Unknown;
        }
        self.list != List::None
    }

    fn item(&mut self, path: &str) -> bool {
        match self.list {
            List::Builds => add(&mut self.builds, path),
            List::Fetches => add(&mut self.fetches, path),
            List::Unknown => add(&mut self.unknown, path),
            List::None => false,
        }
    }
}

fn add<T: std::str::FromStr>(list: &mut Vec<T>, path: &str) -> bool {
    let Ok(path) = path.parse() else { return false };
    if list.len() < LIST_LIMIT {
        list.push(path);
    }
    true
}

/// The count in `this derivation will be built:` or `these 3 derivations will be built:`.
fn heading(text: &str, noun: &str, verb: &str) -> Option<u64> {
    let (subject, rest) = text.split_once(verb)?;
    if !rest.ends_with(':') {
        return None;
    }
    let mut words = subject.split_whitespace();
    match (words.next()?, words.next()?, words.next()) {
        ("this", one, None) if one == noun => Some(1),
        ("these", count, Some(many)) if many.strip_suffix('s') == Some(noun) => count.parse().ok(),
        _ => None,
    }
}

/// The bytes in `(1.50 MiB download, 3.2 GiB unpacked)`.
fn sizes(text: &str) -> Option<(u64, u64)> {
    let (_, inside) = text.split_once('(')?;
    let (inside, _) = inside.split_once(')')?;
    let (download, unpacked) = inside.split_once(',')?;
    Some((size(download.trim().strip_suffix("download")?)?, size(unpacked.trim().strip_suffix("unpacked")?)?))
}

/// The bytes of a number with a unit (`renderSize`, which starts at `KiB`).
fn size(text: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let number: f64 = number.parse().ok()?;
    let power = match unit.trim().bytes().next()? {
        b'K' => 1,
        b'M' => 2,
        b'G' => 3,
        b'T' => 4,
        b'P' => 5,
        b'E' => 6,
        _ => return None,
    };
    // A cast from a float saturates; a negative number becomes 0.
    Some((number * 1024_f64.powi(power)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRV: &str = "  /nix/store/r3f9l9f32qpzwmdgizjpbwn3ff2n6ny7-hello.drv";
    const OUT: &str = "  /nix/store/r3f9l9f32qpzwmdgizjpbwn3ff2n6ny7-hello";

    #[test]
    fn both_versions_are_read() {
        for (heading, download, unpacked) in [
            ("these 2 paths will be fetched (1.50 MiB download, 2.00 MiB unpacked):", 1_572_864, 2_097_152),
            ("these 2 paths will be fetched (512.0 KiB download, 1.5 GiB unpacked):", 524_288, 1_610_612_736),
        ] {
            let mut plan = DryRun::default();
            for line in ["this derivation will be built:", DRV, heading, OUT, OUT, "else", OUT] {
                plan.apply(line);
            }
            assert_eq!((plan.builds.len(), plan.builds_total), (1, 1));
            assert_eq!((plan.fetches.len(), plan.fetches_total), (2, 2));
            assert_eq!((plan.download_bytes, plan.unpacked_bytes), (download, unpacked));
        }
    }

    #[test]
    fn nonsense_is_not_taken() {
        let mut plan = DryRun::default();
        for line in
            ["", "  ", "these -3 derivations will be built:", "error: a derivation will be built:", DRV]
        {
            assert!(!plan.apply(line), "{line}");
        }
        assert!(plan.apply("this path will be fetched (x download):"));
        assert!(!plan.apply("  not a path"));
        assert_eq!(plan.download_bytes, 0);
    }
}
