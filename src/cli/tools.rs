//! `tools`: list the tools.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{FAILED, OK, exit_with_error};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::mcp::handler::describe_tool;
use crate::tools::{self, Effect, ToolEntry};

/// List the tools, with their arguments and effects
#[derive(Args, Debug)]
pub struct ToolsCommand {
    /// Print the JSON of `tools/list`, with the schemas of arguments and answers
    #[arg(long)]
    json: bool,
}

impl ToolsCommand {
    /// Prints the enabled tools.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let enabled = tools::catalogue().iter().filter(|tool| tool.refusal(&settings.policy).is_none());
        let text = if self.json {
            let tools: Vec<_> = enabled.map(|tool| describe_tool(tool, &settings.policy)).collect();
            format!("{:#}\n", json!({ "tools": tools }))
        } else {
            enabled.map(describe_for_people).collect()
        };
        match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::from(OK),
            // The reader, such as `head`, has closed the pipe.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(OK),
            Err(error) => exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED),
        }
    }
}

/// The text of a tool for people.
fn describe_for_people(tool: &ToolEntry) -> String {
    let words = |effect| match effect {
        Effect::Read => "changes nothing",
        Effect::Store => "adds to the Nix store",
        Effect::Host => "changes hosts",
    };
    let effect = match (tool.min_effect, tool.effect) {
        (least, most) if least == most => words(most).to_owned(),
        (least, most) => format!("{} or {}, depending on its arguments", words(least), words(most)),
    };
    let mut lines = vec![format!("{} — {} ({effect})", tool.name, tool.title)];
    lines.push(format!("  {}", tool.description));
    let schema = tool.input_schema();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, of_argument) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let mark = if required.contains(&name.as_str()) { " (required)" } else { "" };
        let about = of_argument.get("description").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("    {name}{mark}: {about}"));
    }
    lines.push(String::new());
    lines.join("\n") + "\n"
}
