//! `list_generations`: lists the systems that a host can roll back to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::{Gap, Gaps};
use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::deploy::{SurveyError, endpoint_of, survey};
use crate::names::{HostName, StorePath};
use crate::text;

/// The tool `list_generations`.
pub struct ListGenerations;

/// The arguments of `list_generations`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
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
}

/// The answer of `list_generations`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    host: String,
    /// Newest first.
    generations: Vec<ListedGeneration>,
    total: usize,
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
    const DESCRIPTION: &'static str = "Asks a running host over SSH for its generations, newest first: date, NixOS \
        version, and which one runs, which one was booted, and which is the boot default (`current`).";
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
            })
            .collect();
        let total = generations.len();
        let gaps = Gaps::from_parts(endpoint.unread);
        let page = input.page.select_beside(generations, 20, gaps.bytes)?;
        Ok(Output {
            host: input.host.to_string(),
            generations: page.entries,
            total,
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
            lines.push(format!(
                "  {} {} {version}{marks}",
                generation.generation,
                text::word(&generation.date)
            ));
        }
        lines.extend(Gaps::render(&output.unread, output.unread_total));
        if output.next_cursor.is_some() {
            lines.push("  … call again with `cursor` for more".to_owned());
        }
        lines.join("\n")
    }
}
