//! `nix_search`: searches packages of the pinned nixpkgs, or options of a host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::{Gap, Gaps};
use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::options::HostOptions;
use crate::names::{HostName, NameError};
use crate::search::{self, PackageResults, SearchResult};
use crate::text;

/// The tool `nix_search`.
pub struct NixSearch;

/// What to search for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchKind {
    /// Packages.
    #[default]
    Package,
    /// NixOS options.
    Option,
}

/// The arguments of `nix_search`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// Words that must all occur.
    query: String,
    /// Default: package.
    #[serde(default)]
    kind: SearchKind,
    /// The host whose options are searched.
    #[serde(default)]
    host: Option<HostName>,
    /// Default: 20.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// The answer of `nix_search`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    results: Vec<SearchResult>,
    total: usize,
    /// The commit of the pinned nixpkgs; absent if the flake itself was searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    nixpkgs_rev: Option<String>,
    suggestions: Vec<String>,
    /// Parts that could not be read and were not searched, by cause; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    unread_total: usize,
}

impl Tool for NixSearch {
    const NAME: &'static str = "nix_search";
    const TITLE: &'static str = "Search packages and options";
    const DESCRIPTION: &'static str = "Searches the packages of the flake's pinned nixpkgs (of the flake itself if \
        it has none), or a host's options. Use it before you name one.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let query = input.query.trim();
        if query.is_empty() {
            return Err(ToolError::input("query", "`query` needs at least one word"));
        }
        if query.len() > 200 || query.chars().any(char::is_control) {
            return Err(ToolError::input("query", "`query` must be one line of at most 200 bytes"));
        }
        let limit = input.limit.unwrap_or(20);
        let (flake, call) = (context.flake(), &context.call);
        // A search of options does not need the lock file, so it does not fail if the lock file is not valid.
        let revision = search::package_source(flake).ok().and_then(|source| source.revision);
        let (found, everything, unread) = match input.kind {
            SearchKind::Package => {
                let PackageResults { found, unread } = search::packages(flake, query, call).await?;
                // All names are only read for suggestions, if the search found nothing.
                let everything = if found.is_empty() {
                    search::packages(flake, "", call).await?.found
                } else {
                    Vec::new()
                };
                (found, everything, unread)
            }
            SearchKind::Option => {
                let host = match input.host {
                    Some(host) => host,
                    None => only_host(context).await?,
                };
                let HostOptions { options: all, unread } = flake.options(&host, call).await?;
                let found = search::options(&all, query);
                let everything = if found.is_empty() { search::options(&all, "") } else { Vec::new() };
                (found, everything, unread)
            }
        };
        let (gaps, total) = (Gaps::from_parts(unread), found.len());
        let results: Vec<SearchResult> = found.into_iter().take(limit).collect();
        Ok(Output {
            total,
            results: PageInput::default().select_beside(results, limit, gaps.bytes)?.entries,
            nixpkgs_rev: revision,
            suggestions: suggestions(query, &everything),
            unread_total: gaps.total,
            unread: gaps.shown,
        })
    }

    fn render(output: &Output) -> String {
        let source = output
            .nixpkgs_rev
            .as_deref()
            .map(|revision| format!(" in nixpkgs {}", text::bounded(text::word(revision), 12)))
            .unwrap_or_default();
        if output.results.is_empty() {
            let suggestion = match output.suggestions.as_slice() {
                [] => String::new(),
                names => format!(" Did you mean {}?", text::words(names.iter().map(String::as_str))),
            };
            let lines =
                std::iter::once(format!("Nothing found{source}.{suggestion}")).chain(output.render_gaps());
            return lines.collect::<Vec<_>>().join("\n");
        }
        let mut lines = vec![format!("{} found{source}, {} shown:", output.total, output.results.len())];
        for found in &output.results {
            let version = found.version.as_deref().map(|version| format!(" {}", text::word(version)));
            lines.push(format!("• {}{}", text::word(&found.attr), version.unwrap_or_default()));
            if !found.description.is_empty() {
                lines.push(text::fenced(&text::line(&found.description, 120)));
            }
        }
        lines.extend(output.render_gaps());
        lines.join("\n")
    }
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

/// Names similar to the query, without their attribute sets.
fn suggestions(query: &str, everything: &[SearchResult]) -> Vec<String> {
    let mut names: Vec<&str> = everything
        .iter()
        .filter_map(|found| {
            if found.version.is_some() { found.attr.rsplit('.').next() } else { Some(found.attr.as_str()) }
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    text::nearest(query, names, 5)
}
