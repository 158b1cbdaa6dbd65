//! `inspect_disko`: shows a host's evaluated disk layout and its hazards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::{Gap, Gaps};
use super::page::{self, PageInput};
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::disko::{self, Layout, Severity};
use crate::names::HostName;
use crate::text;

/// The tool `inspect_disko`.
pub struct InspectDisko;

/// Maximum size of a tree in bytes of JSON; a larger one is divided, so that several fit into a page.
const TREE_BYTES: usize = page::PAGE_BYTES / 2;

/// The arguments of `inspect_disko`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
    #[serde(flatten)]
    page: PageInput,
}

/// The answer of `inspect_disko`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    #[serde(flatten)]
    layout: Layout,
    /// Parts that could not be read and were not checked, by cause; only on the first page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    unread_total: usize,
    total_hazards: usize,
    /// Number of trees in `disks` on all pages; a tree that is too large is split into several.
    total_disks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Tool for InspectDisko {
    const NAME: &'static str = "inspect_disko";
    const TITLE: &'static str = "Inspect a disk layout";
    const DESCRIPTION: &'static str = "Shows a host's evaluated disko layout as a tree, its mounts, and the hazards \
        of data loss and boot failure.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let facts = context.flake().disko_facts(&input.host, &context.call).await?;
        let layout = Layout::from_probe(facts.value)?;
        let (total_hazards, total_disks) = (layout.hazards.len(), layout.disks.len());
        // Gaps are only on the first page.
        let is_first = input.page.cursor.is_none();
        let gaps = if is_first { Gaps::from_parts(facts.unread) } else { Gaps::default() };
        let page = input.page.select_beside(layout.into_parts(TREE_BYTES), usize::MAX, gaps.bytes)?;
        let layout = page.entries.into_iter().collect();
        Ok(Output {
            layout,
            unread: gaps.shown,
            unread_total: gaps.total,
            total_hazards,
            total_disks,
            next_cursor: page.next_cursor,
        })
    }

    fn render(output: &Output) -> String {
        let mut text = text::fenced(&disko::draw(&output.layout));
        for hazard in &output.layout.hazards {
            let severity = match hazard.severity {
                Severity::Danger => "DANGER",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            text.push_str(&format!("\n{severity}: {}", hazard.code.meaning()));
            text.push_str(&format!("\n{}", text::fenced(&format!("{}\n{}", hazard.message, hazard.fix))));
        }
        for line in Gaps::render(&output.unread, output.unread_total) {
            text.push_str(&format!("\n{line}"));
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
