//! `inspect_disko`: a host's disk layout, as evaluated, and what is dangerous about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::Gap;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::disko::{self, Layout, Severity};
use crate::names::HostName;
use crate::text;

/// The tool.
pub struct InspectDisko;

/// What it takes.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
}

/// What it answers.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    #[serde(flatten)]
    layout: Layout,
    /// What could not be read, and was not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
}

impl Tool for InspectDisko {
    const NAME: &'static str = "inspect_disko";
    const TITLE: &'static str = "Inspect a disk layout";
    const DESCRIPTION: &'static str = "Shows a host's evaluated disko layout as a tree, its mounts, and hazards that \
        would lose data or not boot.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let facts = context.flake().disko_facts(&input.host, &context.call).await?;
        let unread = facts.unread.into_iter().map(Gap::from).collect();
        Ok(Output { layout: Layout::from_probe(facts.value)?, unread })
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
        for gap in &output.unread {
            text.push_str(&format!("\n{gap}"));
        }
        text
    }
}
