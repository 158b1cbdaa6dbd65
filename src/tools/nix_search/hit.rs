//! A match of a search, before it is written for the answer: a search has hundreds, and an answer shows twenty.

use std::collections::BTreeSet;

use super::answer::{self, OnHost, SearchResult};
use crate::flake::options::HostOption;
use crate::search::index::{IndexEntry, Match, Package, Rank};

/// A package or an option that matches.
pub(super) enum Hit {
    Package { package: Box<Package>, on_host: Option<OnHost> },
    Option { option: Box<HostOption>, others: Others },
}

/// Options that are declared alike in other sets.
#[derive(Default)]
pub(super) struct Others {
    /// The paths of the first ones.
    pub names: Vec<String>,
    /// The number of those that are not named.
    pub more: u64,
}

impl From<Package> for Hit {
    fn from(package: Package) -> Self {
        Self::Package { package: Box::new(package), on_host: None }
    }
}

impl From<HostOption> for Hit {
    fn from(option: HostOption) -> Self {
        Self::Option { option: Box::new(option), others: Others::default() }
    }
}

impl Hit {
    /// Attribute of a package, or path of an option, as the index has it.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Package { package, .. } => package.path(),
            Self::Option { option, .. } => option.path(),
        }
    }

    /// Whether this is a package with this main program.
    pub(super) fn has_command(&self, command: &str) -> bool {
        match self {
            Self::Package { package, .. } => package.program() == Some(command) && package.leaf() != command,
            Self::Option { .. } => false,
        }
    }

    /// Sets the package that the host has instead. An option has none.
    pub(super) fn set_on_host(&mut self, instead: OnHost) {
        if let Self::Package { on_host, .. } = self {
            *on_host = Some(instead);
        }
    }

    /// The result, with all details or as an entry of a list. `wanted` is the query.
    pub(super) fn result(self, wanted: &str, detail: bool) -> SearchResult {
        match self {
            Self::Package { package, on_host } => {
                SearchResult { on_host, ..SearchResult::of_package(&package, detail) }
            }
            Self::Option { option, others } => SearchResult {
                also: others.names.iter().map(|name| answer::name(name)).collect(),
                more_also: others.more,
                ..SearchResult::of_option(&option, wanted, detail)
            },
        }
    }
}

/// The entries that an exact name leads to, then the matches without these; and the number of both, if `total` entries match.
pub(super) fn in_order<E: IndexEntry + Into<Hit>>(
    first: Vec<E>,
    matches: Vec<Match<E>>,
    total: u64,
) -> (Vec<(Option<Rank>, Hit)>, u64) {
    let matching: BTreeSet<&str> = matches.iter().map(|known| known.entry.path()).collect();
    let added = first.iter().filter(|entry| !matching.contains(entry.path())).count();
    let leading: BTreeSet<String> = first.iter().map(|entry| entry.path().to_owned()).collect();
    let leads = first.into_iter().map(|entry| (None, entry.into()));
    let others = matches
        .into_iter()
        .filter(|known| !leading.contains(known.entry.path()))
        .map(|known| (Some(known.rank), known.entry.into()));
    (leads.chain(others).collect(), total + added as u64)
}
