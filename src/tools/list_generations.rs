//! `list_generations`: lists the systems that a host can roll back to.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::{Gap, Gaps};
use super::page::{PAGE_BYTES, PageInput};
use super::{Context, Effect, Reach, Tool, ToolError, answer_limit, difference};
use crate::deploy::{Diff, HostState, ProposeError, SurveyError, closure_of, endpoint_of, survey};
use crate::diagnostic::Diagnostic;
use crate::names::{HostName, PackageName, StorePath};
use crate::nix::closure::Closure;
use crate::progress::Call;
use crate::ssh::{SshError, SshSession};
use crate::text;

/// The tool `list_generations`.
pub struct ListGenerations;

/// Maximum number of generations in a page.
const USUAL_PAGE: usize = 20;
/// Maximum number of closures that the host lists at the same time.
const MAX_CONCURRENT_CLOSURES: usize = 4;
/// Maximum number of suggested package names.
const MAX_SUGGESTIONS: usize = 5;
/// Maximum size of a version in the answer, in characters.
const MAX_VERSION: usize = 100;

/// The arguments of `list_generations`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
    #[serde(default)]
    package: Option<PackageName>,
    #[serde(default)]
    compare: Option<[u64; 2]>,
    #[serde(flatten)]
    page: PageInput,
}

/// A generation of the system profile.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ListedGeneration {
    generation: u64,
    /// RFC 3339, UTC.
    date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nixos_version: Option<String>,
    toplevel: StorePath,
    /// Whether it is the boot default.
    current: bool,
    running: bool,
    booted: bool,
    /// Absent if it lacks `package`; empty if that has no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    package_version: Option<String>,
}

/// The answer of `list_generations`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    host: String,
    /// Newest first.
    generations: Vec<ListedGeneration>,
    total: usize,
    /// Similar names, if no generation of the page has `package`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    difference: Option<Diff>,
    /// Parts of the host's configuration that could not be read, by cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    unread_total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Tool for ListGenerations {
    const NAME: &'static str = "list_generations";
    const TITLE: &'static str = "List generations";
    const DESCRIPTION: &'static str = "Lists a running host's generations over SSH: date, NixOS version, which one runs, \
        was booted, is the boot default (`current`). `package` adds its version in each, `compare` what changes \
        between two.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Hosts;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let call = &context.call;
        let endpoint = endpoint_of(context.flake(), &input.host, call).await?;
        let session =
            context.in_force.hosts.session(&endpoint.target, call).await.map_err(SurveyError::from)?;
        let state = survey(&session, call).await?;
        let compared = match input.compare {
            Some([from, to]) => {
                let (from, to) =
                    (toplevel_of(&state, &input.host, from)?, toplevel_of(&state, &input.host, to)?);
                call.report_message(format!("comparing two generations of {}", input.host));
                let found = crate::deploy::difference(&session, &from, &to, call).await?;
                Some(answer_limit::fit_entry(difference::for_answer(found), PAGE_BYTES / 2))
            }
            None => None,
        };
        let (difference, difference_bytes) = compared.unzip();
        let generations: Vec<ListedGeneration> = state
            .generations
            .into_iter()
            .rev()
            .map(|generation| ListedGeneration {
                date: chrono::DateTime::from_timestamp(generation.made, 0)
                    .unwrap_or_default()
                    .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                current: state.boots == Some(generation.number),
                running: state.running.as_ref() == Some(&generation.toplevel),
                booted: state.booted.as_ref() == Some(&generation.toplevel),
                generation: generation.number,
                nixos_version: generation.nixos_version,
                toplevel: generation.toplevel,
                package_version: None,
            })
            .collect();
        let total = generations.len();
        let gaps = Gaps::from_parts(endpoint.unread);
        let mut page = input.page;
        if input.package.is_some() {
            // Each generation of the page costs a query on the host.
            page.limit = Some(page.limit.unwrap_or(USUAL_PAGE).min(USUAL_PAGE));
        }
        let taken = gaps.bytes + difference_bytes.unwrap_or_default();
        let mut page = page.select_beside(generations, USUAL_PAGE, taken)?;
        let suggestions = match &input.package {
            Some(package) => add_versions(&mut page.entries, package, &session, call).await?,
            None => Vec::new(),
        };
        Ok(Output {
            host: input.host.to_string(),
            generations: page.entries,
            total,
            suggestions,
            difference,
            unread: gaps.shown,
            unread_total: gaps.total,
            next_cursor: page.next_cursor,
        })
    }

    fn render(output: &Output) -> String {
        if output.total == 0 {
            return format!(
                "{} has no generations: /nix/var/nix/profiles/system does not exist.",
                output.host
            );
        }
        let mut lines = vec![format!("{}: {} generations", output.host, output.total)];
        for generation in &output.generations {
            let marks = [
                ("boot default", generation.current),
                ("running", generation.running),
                ("booted", generation.booted),
            ];
            let marks: Vec<_> = marks.iter().filter(|(_, is)| *is).map(|(mark, _)| *mark).collect();
            let marks = if marks.is_empty() { String::new() } else { format!(" — {}", marks.join(", ")) };
            let version = generation.nixos_version.as_deref().map(text::word).unwrap_or_default();
            let package = match generation.package_version.as_deref() {
                Some("") => ", has the package, without a version".to_owned(),
                Some(version) => format!(", package {}", text::word(version)),
                None => String::new(),
            };
            lines.push(format!(
                "  {} {} {version}{package}{marks}",
                generation.generation,
                text::word(&generation.date)
            ));
        }
        if !output.suggestions.is_empty() {
            let names = text::words(output.suggestions.iter().map(String::as_str));
            lines.push(format!("  none of them has that package; similar names: {names}"));
        }
        if let Some(found) = &output.difference {
            lines.push("from the first to the second of the compared generations:".to_owned());
            lines.extend(difference::render(found));
        }
        lines.extend(Gaps::render(&output.unread, output.unread_total));
        if output.next_cursor.is_some() {
            lines.push("  … call again with `cursor` for more".to_owned());
        }
        lines.join("\n")
    }
}

/// The toplevel of a generation of the host.
///
/// # Errors
/// If the host has no such generation.
fn toplevel_of(state: &HostState, host: &HostName, number: u64) -> Result<StorePath, Diagnostic> {
    let known = state.generations.iter().find(|generation| generation.number == number);
    known.map(|generation| generation.toplevel.clone()).ok_or_else(|| {
        let there = state.generations.iter().rev().map(|generation| generation.number).collect();
        let error = ProposeError::NoGeneration { host: host.clone(), wanted: Some(number), there };
        Diagnostic::from(&error).with_attr("compare")
    })
}

/// Adds the version of the package to each of these generations. If none has the package, returns similar names of their
/// packages.
async fn add_versions(
    generations: &mut [ListedGeneration],
    package: &PackageName,
    session: &SshSession,
    call: &Call,
) -> Result<Vec<String>, SshError> {
    call.report_message(format!("looking for {package} in {} generations", generations.len()));
    let toplevels: Vec<StorePath> =
        generations.iter().map(|generation| generation.toplevel.clone()).collect();
    let closures: Vec<Closure> = futures::stream::iter(toplevels)
        .map(|toplevel| async move { closure_of(session, &toplevel, call).await })
        .buffered(MAX_CONCURRENT_CLOSURES)
        .try_collect()
        .await?;
    for (generation, closure) in generations.iter_mut().zip(&closures) {
        generation.package_version = closure
            .packages()
            .get(package.as_str())
            .map(|package| text::bounded(&package.versions.join(", "), MAX_VERSION));
    }
    if generations.iter().any(|generation| generation.package_version.is_some()) {
        return Ok(Vec::new());
    }
    let names: BTreeSet<&str> = closures.iter().flat_map(|closure| closure.packages().into_keys()).collect();
    Ok(text::nearest(package.as_str(), names, MAX_SUGGESTIONS))
}
