//! `list_devshells`: the development shells of the flake.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::{Gap, Gaps};
use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::causes::{self, Failing, GroupedEntry};
use crate::diagnostic::Diagnostic;
use crate::flake::check::Status;
use crate::flake::shells::{Shell, ShellPackage};
use crate::names::{AttrPath, SystemName};
use crate::text;

/// The tool `list_devshells`.
pub struct ListDevshells;

/// The arguments of `list_devshells`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    #[serde(default)]
    system: Option<SystemName>,
    #[serde(flatten)]
    page: PageInput,
}

/// The answer of `list_devshells`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    shells: Vec<GroupedEntry<Shell>>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Packages of the flake that could not be read: no package of a shell has their `attr` or is `through` them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    unread_total: usize,
    /// Number of further packages of the flake that were not read.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    not_compared: usize,
}

impl Failing for Shell {
    // The path is used, because each system may have a shell with this name.
    fn attr(&self) -> Cow<'_, str> {
        AttrPath::new(["devShells", &self.system, &self.name]).to_string().into()
    }

    fn words(&self) -> Vec<&str> {
        vec![&self.name, &self.system]
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

impl Tool for ListDevshells {
    const NAME: &'static str = "list_devshells";
    const TITLE: &'static str = "List development shells";
    const DESCRIPTION: &'static str = "Lists the flake's development shells: whether each evaluates, its packages with their commands, the command that starts it.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let system = input.system.as_ref().map(SystemName::as_str);
        let found = context.flake().shells(system, &context.call).await?;
        let total = found.shells.len();
        let gaps = Gaps::from_parts(found.unread);
        let page = input.page.select_beside(causes::group_by_cause(found.shells), 100, gaps.bytes)?;
        Ok(Output {
            shells: page.entries,
            total,
            next_cursor: page.next_cursor,
            unread: gaps.shown,
            unread_total: gaps.total,
            not_compared: found.not_compared,
        })
    }

    fn render(output: &Output) -> String {
        if output.total == 0 {
            return "The flake has no development shells for this system.".to_owned();
        }
        let mut lines = vec![format!("{} development shells:", output.total)];
        for grouped in &output.shells {
            let GroupedEntry { entry: shell, breaks, same_as, .. } = grouped;
            let name = format!("{} ({})", text::word(&shell.name), text::word(&shell.system));
            // A shell that evaluates has an error if one of its packages does not. Other shells may fail for the same
            // cause.
            if let Some(error) = &shell.error
                && (shell.status != Status::Ok || !breaks.is_empty())
            {
                lines.push(format!("✗ {}: {error}", grouped.named(&shell.attr())));
            }
            if shell.status != Status::Ok {
                lines.extend(
                    same_as.as_ref().map(|first| format!("✗ {name}: same error as {}", text::word(first))),
                );
                continue;
            }
            let command = if text::is_word(&shell.name) { shell.command.as_str() } else { "…" };
            lines.push(format!("• {name}: {command}"));
            if !shell.packages.is_empty() {
                let names: Vec<String> = shell.packages.iter().map(shown).collect();
                lines.push(text::fenced(&text::line(&names.join(", "), 400)));
            }
            if shell.more_packages > 0 {
                lines.push(format!("  … and {} more packages", shell.more_packages));
            }
            if shell.unread > 0 {
                let why = match (&shell.error, same_as) {
                    (Some(error), _) if breaks.is_empty() => format!(": {error}"),
                    (_, Some(first)) => format!(": same error as in {}", text::word(first)),
                    // The error was printed above.
                    _ => String::new(),
                };
                lines.push(format!("  ✗ {} packages could not be read{why}", shell.unread));
            }
        }
        lines.extend(Gaps::render(&output.unread, output.unread_total));
        if output.not_compared > 0 {
            lines.push(format!("… {} packages of the flake were not compared", output.not_compared));
        }
        lines.join("\n")
    }
}

/// A package with its version, and its commands if they have other names.
fn shown(package: &ShellPackage) -> String {
    let version = package.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let others = package.commands.iter().any(|command| *command != package.name);
    let more = if package.more_commands > 0 { " …" } else { "" };
    let commands = if others { format!(" ({}{more})", package.commands.join(" ")) } else { String::new() };
    format!("{}{version}{commands}", package.name)
}
