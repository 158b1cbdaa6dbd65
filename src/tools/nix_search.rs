//! `nix_search`: searches packages of the pinned nixpkgs, and options of a host.

mod alike;
mod answer;
mod commands;
mod hit;
mod index_state;
mod options;
mod packages;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::answer::{ExactAnswer, SearchResult};
use self::hit::Hit;
use self::index_state::IndexState;
use super::gap::{Gap, Gaps};
use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::{FlakeError, UnreadPart};
use crate::names::{HostName, NameError};
use crate::search::index::{HostOptionsSource, Index, IndexEntry, IndexError, PackageSource, Query, Rank};
use crate::text;

/// Usual number of results.
const USUAL: usize = 20;
/// Usual number of results if the query is the name of a package or option that is known: the answer to it comes first.
const USUAL_OF_NAME: usize = 6;
/// Longest query, in bytes.
const QUERY_BYTES: usize = 200;

/// Maximum size of the gaps of an answer, in bytes of JSON.
const GAP_BYTES: usize = 1024;
/// Most parts that could not be read of which an answer shows the causes.
const GAPS: u32 = 32;

/// The tool `nix_search`.
pub struct NixSearch;

/// What to search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchKind {
    /// Packages.
    Package,
    /// NixOS options.
    Option,
}

/// The arguments of `nix_search`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// A name, a path, or words.
    query: String,
    /// Default: packages; with `host`, both.
    #[serde(default)]
    kind: Option<SearchKind>,
    /// Its options, and what its overlays change.
    #[serde(default)]
    host: Option<HostName>,
    #[serde(default)]
    detail: bool,
    #[serde(flatten)]
    page: PageInput,
}

/// The answer of `nix_search`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The best match first.
    results: Vec<SearchResult>,
    /// Whether the query is the name of a package or option; absent if it is not one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exact: Option<ExactAnswer>,
    total: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// The commit of the pinned nixpkgs; absent if the flake itself was searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    nixpkgs_rev: Option<String>,
    /// Similar names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<String>,
    /// What limits this answer while an index is being built, or cannot be kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    index: Vec<IndexState>,
    /// Parts that could not be read and were not searched, by cause; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    unread_total: usize,
}

/// What the search for one kind found.
#[derive(Default)]
struct Found {
    hits: Vec<(Option<Rank>, Hit)>,
    total: u64,
    exact: Option<ExactAnswer>,
    suggestions: Vec<String>,
    index: Option<IndexState>,
    /// The first parts that could not be read.
    unread: Vec<UnreadPart>,
    /// The number of all of them.
    unread_total: usize,
}

impl Found {
    /// Adds what an index could not read: the number, and the first parts. If the name `path` was found, only the parts that are
    /// about it: a host may have 500 options that cannot be read, and they are seldom about the query.
    fn add_unread<E: IndexEntry>(&mut self, index: &Index<E>, path: &str) -> Result<(), IndexError> {
        self.unread_total += usize::try_from(index.unread_count()?).unwrap_or(usize::MAX);
        let is_found = self.exact.as_ref().is_some_and(|exact| !exact.is_missing());
        let parts = if is_found { index.unread_about(path, GAPS)? } else { index.unread(GAPS)? };
        self.unread.extend(parts);
        Ok(())
    }
}

/// Why a search failed.
enum SearchError {
    /// The index is damaged: it can be built again.
    Index(IndexError),
    Tool(ToolError),
}

impl From<IndexError> for SearchError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<ToolError> for SearchError {
    fn from(error: ToolError) -> Self {
        Self::Tool(error)
    }
}

impl From<FlakeError> for SearchError {
    fn from(error: FlakeError) -> Self {
        Self::Tool(error.into())
    }
}

impl From<SearchError> for ToolError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Index(error) => Diagnostic::from(&error).into(),
            SearchError::Tool(error) => error,
        }
    }
}

impl Tool for NixSearch {
    const NAME: &'static str = "nix_search";
    const TITLE: &'static str = "Search packages and options";
    const DESCRIPTION: &'static str = "Finds packages of the pinned nixpkgs and options of a host by name, command or \
        words; `exact`: whether a name works, is an alias, was removed or is missing. Use it before you name one.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let text = input.query.trim();
        if text.is_empty() {
            return Err(ToolError::input("query", "`query` needs at least one word"));
        }
        if text.len() > QUERY_BYTES {
            return Err(ToolError::input("query", format!("`query` has at most {QUERY_BYTES} bytes")));
        }
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            let message = format!("`query` is one line of words: remove the control character {control:?}");
            return Err(ToolError::input("query", message));
        }
        if !text.chars().any(char::is_alphanumeric) {
            return Err(ToolError::input("query", "`query` needs a letter or a digit"));
        }
        let query = Query::new(text);
        let wants_packages = input.kind != Some(SearchKind::Option);
        let wants_options = match input.kind {
            Some(kind) => kind == SearchKind::Option,
            None => input.host.is_some(),
        };
        let mut revision = None;
        let mut found = Vec::new();
        if wants_packages {
            let source = PackageSource::of(context.flake())?;
            revision.clone_from(&source.revision);
            let first = packages::search(context, &source, input.host.as_ref(), &query, text).await;
            found.push(match first {
                Err(SearchError::Index(_)) => {
                    context.services.indexes.packages.discard(context, &source).await?;
                    packages::search(context, &source, input.host.as_ref(), &query, text).await?
                }
                found => found?,
            });
        } else {
            // A search of options does not need the lock file, so it does not fail if the lock file is not valid.
            revision = PackageSource::of(context.flake()).ok().and_then(|source| source.revision);
        }
        if wants_options {
            let host = match input.host {
                Some(host) => host,
                None => only_host(context).await?,
            };
            let source = HostOptionsSource { host };
            let first = options::search(context, &source, &query, text).await;
            found.push(match first {
                Err(SearchError::Index(_)) => {
                    context.services.indexes.options.discard(context, &source).await?;
                    options::search(context, &source, &query, text).await?
                }
                found => found?,
            });
        }
        let mut merged = merge(found);
        if !wants_options && input.kind.is_none() && text.contains('.') {
            // Without a host, no option is searched, and its path is the name of no package.
            merged.exact = merged.exact.map(ExactAnswer::of_packages_only);
        }
        let of_command = merged.hits.iter().filter(|(_, hit)| hit.has_command(text)).count();
        let is_about_one = merged.exact.as_ref().is_some_and(ExactAnswer::is_about_one);
        let usual = if input.detail { 1 } else { usual_results(is_about_one, of_command) };
        // They are the same in each answer, and rarely about the query.
        let gaps = Gaps::from_parts_within(merged.unread, GAP_BYTES);
        let hits = merged.hits.into_iter().map(|(_, hit)| hit).collect();
        let hits = if input.detail { hits } else { alike::joined(hits) };
        let page = input
            .page
            .select_written(hits, usual, gaps.bytes, Hit::path, |hit| hit.result(text, input.detail))?;
        Ok(Output {
            results: page.entries,
            next_cursor: page.next_cursor,
            exact: merged.exact,
            total: merged.total,
            nixpkgs_rev: revision,
            suggestions: merged.suggestions,
            index: merged.index,
            unread_total: merged.unread_total,
            unread: gaps.shown,
        })
    }

    fn render(output: &Output) -> String {
        let source = output
            .nixpkgs_rev
            .as_deref()
            .map(|revision| format!(" in nixpkgs {}", text::bounded(text::word(revision), 12)))
            .unwrap_or_default();
        let mut lines: Vec<String> = output.exact.iter().flat_map(ExactAnswer::render).collect();
        if output.results.is_empty() {
            lines.push(format!("Nothing found{source}."));
        } else {
            lines.push(format!("{} found{source}, {} shown:", output.total, output.results.len()));
        }
        lines.extend(output.results.iter().flat_map(SearchResult::render));
        if !output.suggestions.is_empty() {
            let names = text::words(output.suggestions.iter().map(String::as_str));
            lines.push(format!("Similar names: {names}"));
        }
        lines.extend(output.index.iter().map(IndexState::render));
        lines.extend(output.render_gaps());
        lines.join("\n")
    }
}

/// The results on a page, if the query is the name of one package or option, or the command of `of_command` packages.
fn usual_results(is_about_one: bool, of_command: usize) -> usize {
    if is_about_one || of_command > 0 { of_command.clamp(USUAL_OF_NAME, USUAL) } else { USUAL }
}

/// What both searches found: by how well it matches, packages before options that match equally well.
#[derive(Default)]
struct Merged {
    hits: Vec<(Option<Rank>, Hit)>,
    total: u64,
    exact: Option<ExactAnswer>,
    suggestions: Vec<String>,
    index: Vec<IndexState>,
    unread: Vec<UnreadPart>,
    unread_total: usize,
}

fn merge(found: Vec<Found>) -> Merged {
    let mut merged = Merged::default();
    for found in found {
        merged.hits.extend(found.hits);
        merged.total += found.total;
        merged.suggestions.extend(found.suggestions);
        merged.index.extend(found.index);
        merged.unread_total += found.unread_total;
        merged.unread.extend(found.unread);
        merged.exact = match (merged.exact, found.exact) {
            // A name that one of the two kinds has is not missing, and what is known of a path tells more than of a command.
            (Some(first), Some(second))
                if first.is_missing() && (!second.is_missing() || second.has_message()) =>
            {
                Some(second)
            }
            (first, second) => first.or(second),
        };
    }
    if merged.exact.as_ref().is_some_and(|exact| !exact.is_missing()) {
        merged.suggestions.clear();
    }
    // The sort is stable: within a tier, each kind keeps its order.
    merged.hits.sort_by_key(|(rank, _)| rank.map_or(0, |rank| rank.tier));
    merged
}

impl Output {
    /// The lines for people about the parts that were not searched.
    fn render_gaps(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.unread.iter().map(ToString::to_string).collect();
        if !lines.is_empty() {
            lines.insert(0, format!("{} parts could not be read and were not searched:", self.unread_total));
        }
        lines
    }
}

/// The only host of the flake, as the default of `host`.
///
/// # Errors
/// If the flake has no host or several.
async fn only_host(context: &Context) -> Result<HostName, ToolError> {
    let names = context.flake().host_names(&context.call).await?;
    match names.as_slice() {
        [only] => only.parse().map_err(|wrong: NameError| {
            let message = "the name of the flake's only host is not accepted by this program";
            Diagnostic::new(Code::InvalidInput, message)
                .with_said(&wrong.to_string())
                .with_attr("host")
                .with_hint("rename the host in the flake")
                .into()
        }),
        [] => Err(ToolError::input("host", "the flake has no hosts, so there are no options to search")),
        several => Err(ToolError::input(
            "host",
            format!(
                "name the host whose options to search in `host`: {}",
                text::bounded(&text::words(several.iter().map(String::as_str)), 300)
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_command_has_few_results_and_each_package_with_the_command() {
        let usual = [(true, 0), (false, 2), (false, 9), (true, 90), (false, 0)];
        assert_eq!(usual.map(|(one, packages)| usual_results(one, packages)), [6, 6, 9, 20, 20]);
    }
}
