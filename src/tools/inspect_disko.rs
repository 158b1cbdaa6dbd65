//! `inspect_disko`: shows the evaluated disk layouts of hosts, what disko wipes, and the hazards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chosen_hosts::ChosenHosts;
use super::gap::{Gap, Gaps};
use super::page::{self, PageInput};
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::disko::{self, Fate, Layout, Mount, Severity};
use crate::flake::{FlakeError, UnreadPart};
use crate::text;

/// The tool `inspect_disko`.
pub struct InspectDisko;

/// Maximum size of a tree in bytes of JSON; a larger one is divided, so that several fit into a page.
const TREE_BYTES: usize = page::PAGE_BYTES / 2;

/// The note of an answer about several hosts.
const SEVERAL: &str =
    "`disks` without partitions, `mounts` with `/` only; the rest, and fixes, in the answer about one `host`";

/// Maximum number of disks that a line of the text names.
const MAX_NAMED_DISKS: usize = 20;

/// The arguments of `inspect_disko`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    #[serde(flatten)]
    chosen: ChosenHosts,
    #[serde(flatten)]
    page: PageInput,
}

/// The answer of `inspect_disko`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    #[serde(flatten)]
    layout: Layout,
    /// Hosts, and parts of hosts, that could not be read and were not checked, by cause; only on the first page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    unread_total: usize,
    total_hazards: usize,
    /// Number of trees in `disks` on all pages; a tree that is too large is split into several.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    total_disks: usize,
    /// What an answer about several hosts leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Tool for InspectDisko {
    const NAME: &'static str = "inspect_disko";
    const TITLE: &'static str = "Inspect a disk layout";
    const DESCRIPTION: &'static str = "Shows a host's disko layout, or several hosts' in short: mounts, disks that disko wipes and \
        keeps, hazards of data loss and boot failure.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let (flake, call) = (context.flake(), &context.call);
        let is_by_tag = input.chosen.tag.as_deref().is_some_and(|tag| !tag.is_empty());
        let hosts = input.chosen.select_or_all(context).await?;
        let are_several = is_by_tag || hosts.len() > 1;
        let all = flake.disko_facts(&hosts, call).await?;
        let (mut parts, mut unread) = (Vec::new(), Vec::new());
        let (mut total_hazards, mut total_disks) = (0, 0);
        for (host, facts) in hosts.iter().zip(all) {
            let facts = match facts {
                Ok(facts) => facts,
                // A wrong name is an error of the call.
                Err(FlakeError::Evaluation(error)) if are_several => {
                    unread.push(UnreadPart::new([host.as_str()], *error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let layout = Layout::from_probe(facts.value)?;
            total_hazards += layout.hazards.len();
            total_disks += layout.disks.len();
            if are_several {
                let own = layout.into_brief_parts().into_iter();
                parts.extend(own.map(|part| part.of_host(host.as_str())));
                unread.extend(facts.unread.into_iter().map(|part| part.below(host.as_str())));
            } else {
                parts.extend(layout.into_parts(TREE_BYTES));
                unread.extend(facts.unread);
            }
        }
        // Gaps are only on the first page.
        let is_first = input.page.cursor.is_none();
        let gaps = if is_first { Gaps::from_parts(unread) } else { Gaps::default() };
        let page = input.page.select_beside(parts, usize::MAX, gaps.bytes)?;
        let layout = page.entries.into_iter().collect();
        Ok(Output {
            layout,
            unread: gaps.shown,
            unread_total: gaps.total,
            total_hazards,
            total_disks,
            note: are_several.then(|| SEVERAL.to_owned()),
            next_cursor: page.next_cursor,
        })
    }

    fn render(output: &Output) -> String {
        let mut text = match output.note {
            None => text::fenced(&disko::draw(&output.layout)),
            Some(_) => output.layout.mounts.iter().map(Mount::described).collect::<Vec<_>>().join("\n"),
        };
        for (what, disks) in [("wipes", &output.layout.wiped), ("keeps", &output.layout.kept)] {
            if !disks.is_empty() {
                let names: Vec<String> = disks.iter().take(MAX_NAMED_DISKS).map(named).collect();
                let more = disks.len().saturating_sub(MAX_NAMED_DISKS);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                text.push_str(&format!("\ndisko {what} {}{more}", names.join(", ")));
            }
        }
        for hazard in &output.layout.hazards {
            let severity = match hazard.severity {
                Severity::Danger => "DANGER",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            let host = hazard.host.as_deref().map(|host| format!("{host}: ")).unwrap_or_default();
            let place = hazard.place.as_ref();
            let place = place.map(|place| format!(" ({}:{})", text::word(&place.file), place.line));
            text.push_str(&format!(
                "\n{severity}: {host}{}{}",
                hazard.code.meaning(),
                place.unwrap_or_default()
            ));
            let said = text::fenced(&format!("{}\n{}", hazard.message, hazard.fix));
            if !said.is_empty() {
                text.push_str(&format!("\n{said}"));
            }
        }
        for line in Gaps::render(&output.unread, output.unread_total) {
            text.push_str(&format!("\n{line}"));
        }
        if let Some(note) = &output.note {
            text.push_str(&format!("\n{note}"));
        }
        if output.next_cursor.is_some() {
            let (hazards, disks) = (output.total_hazards, output.total_disks);
            text.push_str(&format!(
                "\n… {hazards} hazards and {disks} trees in total; call again with `cursor` for more"
            ));
        }
        text
    }
}

/// A disk in a sentence: its device, or its name in the layout.
fn named(disk: &Fate) -> String {
    let host = disk.host.as_deref().map(|host| format!(" of {host}")).unwrap_or_default();
    format!("{}{host}", text::word(disk.device.as_deref().unwrap_or(&disk.name)))
}
