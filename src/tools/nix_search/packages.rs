//! The search for packages.

use super::answer::{self, ExactAnswer};
use super::hit::{self, Hit};
use super::index_state::IndexState;
use super::{Found, SearchError, commands};
use crate::names::HostName;
use crate::search::commands::is_command;
use crate::search::exact::{self, Exact, PackageVerdict, Replacement, Status};
use crate::search::index::{IndexEntry, Match, Package, PackageSource, Query, path_parts};
use crate::search::overlays::{self, OverlayPackages};
use crate::tools::Context;
use crate::tools::indexes::{Available, SharedIndex};

/// The message about a name that only programs have.
const MAIN_PROGRAM: &str =
    "no attribute has this name; packages among the results have it as their main program";
/// Most suggestions.
const SUGGESTIONS: usize = 5;

/// Searches the packages of `source`.
pub(super) async fn search(
    context: &Context,
    source: &PackageSource,
    host: Option<&HostName>,
    query: &Query,
    text: &str,
) -> Result<Found, SearchError> {
    let overlays = match host {
        Some(host) => overlays::of_host(context.flake(), host, &context.call).await?,
        None => OverlayPackages::default(),
    };
    let mut found = search_index(context, source, query, text).await?;
    add_overlays(&mut found, overlays, query);
    Ok(found)
}

/// Adds what a host's overlays change: another version of a package that was found, and packages that only they define.
fn add_overlays(found: &mut Found, overlays: OverlayPackages, query: &Query) {
    for known in &overlays.packages {
        match found.hits.iter_mut().find(|(_, hit)| hit.path() == known.package.attr) {
            Some((_, hit)) => hit.set_on_host(known.into()),
            None => {
                let rank = known.package.rank(query, 0.0);
                if !rank.is_by_name() {
                    continue;
                }
                let mut hit = Hit::from(known.package.clone());
                hit.set_on_host(known.into());
                if rank.tier == 0 {
                    found.exact = Some(Exact::works().into());
                }
                found.total += 1;
                found.hits.push((Some(rank), hit));
            }
        }
    }
    found.hits.sort_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    found.unread_total += overlays.unread.len();
    found.unread.extend(overlays.unread);
}

/// Searches the index of `source`.
async fn search_index(
    context: &Context,
    source: &PackageSource,
    query: &Query,
    text: &str,
) -> Result<Found, SearchError> {
    let (index, state) = match context.services.indexes.packages.available(context, source).await? {
        Available::Ready(index) => {
            let state = IndexState::of_ready(&index);
            (index, state)
        }
        Available::Building { progress, begun, previous } => {
            let state = Some(IndexState::of_build(&progress, begun, previous.as_ref()));
            match previous {
                Some(previous) => (previous, state),
                None => return without_index(context, source, text, state).await,
            }
        }
    };
    let mut found = Found { index: state, ..Found::default() };
    let mut first: Vec<Package> = Vec::new();
    if exact::is_name(text) {
        let verdict = exact::package_verdict(&index.lock(), text)?;
        let (mut answer, packages) = settle(context, source, &index, verdict).await?;
        let mut providers = Vec::new();
        let is_unexplained = answer.status == Status::Missing && answer.message.is_none();
        if is_unexplained && index.lock().has_program(text)? {
            answer.message = Some(MAIN_PROGRAM.to_owned());
        } else if is_unexplained && is_command(text) {
            let commands = commands::find(context, &index, text).await?;
            providers = commands.answers();
            first.extend(commands.providers.into_iter().map(|provider| provider.package));
            answer.message = Some(commands.message);
        }
        first.extend(packages);
        for attr in answer.target.iter().chain(answer.replacements.iter().map(|known| &known.attr)) {
            first.extend(index.lock().entry(attr)?);
        }
        found.exact = Some(ExactAnswer { commands: providers, ..answer.into() });
    }
    let (matches, total) = index.lock().find(query)?;
    let is_missing_name = exact::is_name(text) && found.exact.as_ref().is_none_or(ExactAnswer::is_missing);
    if is_missing_name || matches.is_empty() && first.is_empty() {
        let nearest = index.lock().nearest(text, SUGGESTIONS)?;
        if is_missing_name {
            // Other versions of a package come before packages that only have its name in theirs.
            let known: Vec<String> = first.iter().map(|package| package.attr.clone()).collect();
            let versions = nearest.iter().filter(|package| {
                !package.alias && package.is_version_of(text) && !known.contains(&package.attr)
            });
            first.extend(versions.cloned());
        }
        found.suggestions = suggestions(nearest, &matches);
    }
    if source.hash.is_none() {
        found.add_unread(&index.lock(), text)?;
    }
    (found.hits, found.total) = hit::in_order(first, matches, total);
    Ok(found)
}

/// The answer about a name, with the packages it is about that no index has.
async fn settle(
    context: &Context,
    source: &PackageSource,
    index: &SharedIndex<Package>,
    verdict: PackageVerdict,
) -> Result<(Exact, Vec<Package>), SearchError> {
    let (flake, call) = (context.flake(), &context.call);
    match verdict {
        PackageVerdict::Known(exact) => Ok((exact, Vec::new())),
        PackageVerdict::Removed(path, message) => {
            let message = match message {
                Some(message) => Some(message),
                None => exact::removal_message(flake, source, &path, call).await?,
            };
            Ok((exact::removed_package(&index.lock(), &path, message)?, Vec::new()))
        }
        PackageVerdict::Unindexed(path) => {
            let (exact, package) = exact::look_up_package(flake, source, &path, call).await?;
            if exact.status != Status::Removed {
                return Ok((exact, package.into_iter().collect()));
            }
            let message = exact.message.clone().unwrap_or_default();
            let inside = exact::replacements_in_set(flake, source, &path, &message, call).await?;
            if inside.is_empty() {
                return Ok((exact::removed_package(&index.lock(), &path, exact.message)?, Vec::new()));
            }
            let replacements = inside.iter().map(Replacement::from).collect();
            Ok((Exact { replacements, ..exact }, inside))
        }
    }
}

/// The answer while no index is there: a name can be evaluated by itself.
async fn without_index(
    context: &Context,
    source: &PackageSource,
    text: &str,
    state: Option<IndexState>,
) -> Result<Found, SearchError> {
    let mut found = Found { index: state, ..Found::default() };
    if exact::is_name(text) {
        let path = path_parts(text);
        let (exact, package) = exact::look_up_package(context.flake(), source, &path, &context.call).await?;
        found.exact = Some(exact.into());
        found.total = u64::from(package.is_some());
        found.hits = package.into_iter().map(|package| (None, package.into())).collect();
    }
    Ok(found)
}

/// The names of similar packages that are not among the results.
fn suggestions(nearest: Vec<Package>, matches: &[Match<Package>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for package in nearest {
        // The name that an alias stands for lasts longer.
        let name = package.target.unwrap_or(package.attr);
        if !names.contains(&name) && matches.iter().all(|known| known.entry.attr != name) {
            names.push(name);
        }
    }
    names.iter().map(|known| answer::name(known)).collect()
}
