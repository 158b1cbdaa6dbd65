//! `list_devshells`: the development shells of the flake.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::flake::check::Status;
use crate::flake::shells::Shell;
use crate::names::SystemName;
use crate::text;

/// The tool.
pub struct ListDevshells;

/// What it takes.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// Only this system, such as x86_64-linux.
    #[serde(default)]
    system: Option<SystemName>,
    #[serde(flatten)]
    page: PageInput,
}

/// What it answers.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    shells: Vec<Shell>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Tool for ListDevshells {
    const NAME: &'static str = "list_devshells";
    const TITLE: &'static str = "List development shells";
    const DESCRIPTION: &'static str = "Lists the flake's development shells: whether each evaluates, its packages, the command that starts it.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let system = input.system.as_ref().map(SystemName::as_str);
        let shells = context.flake().shells(system, &context.call).await?;
        let total = shells.len();
        let page = input.page.of(shells, 100)?;
        Ok(Output { shells: page.entries, total, next_cursor: page.next_cursor })
    }

    fn render(output: &Output) -> String {
        if output.total == 0 {
            return "The flake has no development shells here.".to_owned();
        }
        let mut lines = vec![format!("{} development shells:", output.total)];
        for shell in &output.shells {
            let (name, system) = (text::word(&shell.name), text::word(&shell.system));
            match (&shell.status, &shell.error) {
                (Status::Failed, Some(error)) => lines.push(format!("✗ {name} ({system}): {error}")),
                _ => {
                    let command = if text::is_word(&shell.name) { shell.command.as_str() } else { "…" };
                    lines.push(format!("• {name} ({system}): {command}"));
                    if !shell.packages.is_empty() {
                        lines.push(text::fenced(&text::line(&shell.packages.join(", "), 400)));
                    }
                    if let Some(error) = &shell.error {
                        lines.push(format!("  ✗ {} more packages in it: {error}", shell.unread));
                    }
                }
            }
        }
        lines.join("\n")
    }
}
