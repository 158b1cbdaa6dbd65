//! `search`: find packages and options.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use console::style;
use serde_json::{Map, Value, json};

use super::call::{command_context, exit_code, run_tool, terminal_progress};
use super::signals::Signals;
use super::{FAILED, USAGE, clean_up, exit_with_error, runtime};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::text;
use crate::tools::{self, Context, ToolOutcome};

/// The tool behind the command.
const TOOL: &str = "nix_search";

/// Find packages of the pinned nixpkgs, and options of a host
///
/// Searches names, commands and descriptions, the best match first, and says how to use each result.
/// The first search builds an index, which takes minutes for all of nixpkgs; `pantheros-mcp index` does
/// the same beforehand.
#[derive(Args, Debug)]
pub struct SearchCommand {
    /// A name, a path of an option, or words
    #[arg(required = true)]
    words: Vec<String>,
    /// The host whose options are searched [default: the first host of the flake]
    #[arg(long)]
    host: Option<String>,
    /// Search only packages
    #[arg(long, conflicts_with_all = ["options", "host"])]
    packages: bool,
    /// Search only options
    #[arg(long)]
    options: bool,
    /// Number of results
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl SearchCommand {
    /// Searches and prints what was found.
    pub fn run(self, settings: Settings) -> ExitCode {
        let Some(tool) = tools::find(TOOL) else { return ExitCode::from(FAILED) };
        if let Some(reason) = tool.refusal(&settings.policy) {
            let error = Diagnostic::new(Code::ToolDisabled, format!("`{TOOL}` is disabled: {reason}"));
            return exit_with_error(&error, USAGE);
        }
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
            }
        };
        let context = command_context(settings, terminal_progress());
        let outcome = runtime.block_on(async {
            let host = match self.host(&context).await {
                Ok(host) => host,
                Err(error) => return Err(error),
            };
            let outcome =
                run_tool(tool, self.arguments(host.as_deref()), context, &mut Signals::catch()).await;
            Ok((host, outcome))
        });
        runtime.block_on(clean_up());
        match outcome {
            Ok((host, outcome)) => self.print(host.as_deref(), &outcome),
            Err(error) => exit_with_error(&error, FAILED),
        }
    }

    /// The host whose options are searched; `None` if no options are searched.
    async fn host(&self, context: &Context) -> Result<Option<String>, Diagnostic> {
        if self.packages || self.host.is_some() {
            return Ok(self.host.clone());
        }
        let names =
            context.flake().host_names(&context.call).await.map_err(|error| Diagnostic::from(&error))?;
        Ok(names.into_iter().next())
    }

    fn arguments(&self, host: Option<&str>) -> Map<String, Value> {
        let mut arguments = Map::new();
        arguments.insert("query".to_owned(), json!(self.words.join(" ")));
        arguments.insert("limit".to_owned(), json!(self.limit));
        // A list has no examples.
        arguments.insert("detail".to_owned(), json!(true));
        if let Some(host) = host {
            arguments.insert("host".to_owned(), json!(host));
        }
        if self.options {
            arguments.insert("kind".to_owned(), json!("option"));
        }
        arguments
    }

    fn print(&self, host: Option<&str>, outcome: &ToolOutcome) -> ExitCode {
        let code = exit_code(outcome);
        if outcome.failed && !self.json {
            crate::stderr::print_line(format_args!("pantheros-mcp: {}", outcome.text));
            return ExitCode::from(code);
        }
        let text = match self.json {
            true => format!("{:#}", outcome.structured),
            false => render(&outcome.structured, host),
        };
        match writeln!(std::io::stdout(), "{text}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED)
            }
            _ => ExitCode::from(code),
        }
    }
}

/// The answer for a person, in colours if standard output is a terminal.
fn render(answer: &Value, host: Option<&str>) -> String {
    let mut lines = Vec::new();
    let string = |value: &Value, name: &str| value[name].as_str().map(|text| text::line(text, 400));
    let exact = &answer["exact"];
    match exact["status"].as_str() {
        Some("works") => lines.extend(string(exact, "message")),
        Some("alias") => lines.push(format!(
            "{} stands for {}",
            style("alias:").yellow(),
            string(exact, "target").unwrap_or_else(|| "another package".to_owned())
        )),
        Some("removed") => lines.push(format!(
            "{} {}",
            style("removed:").red(),
            string(exact, "message").unwrap_or_else(|| "nixpkgs does not say why".to_owned())
        )),
        Some("missing") => {
            let message =
                string(exact, "message").unwrap_or_else(|| "nothing has exactly this name".to_owned());
            lines.push(format!("{} {message}", style("missing:").yellow()));
            for known in exact["commands"].as_array().into_iter().flatten() {
                let place = match known["found_in"].as_str() {
                    Some("built") => "built on this machine",
                    _ => "by nix-index",
                };
                let fields = ["attr", "version"].map(|name| string(known, name).unwrap_or_default());
                let package = fields.join(" ");
                lines.push(format!("{} {} ({place})", style("command of:").green(), package.trim_end()));
            }
        }
        _ => {}
    }
    for result in answer["results"].as_array().into_iter().flatten() {
        let Some(attr) = string(result, "attr") else { continue };
        let facts = ["version", "type"].map(|name| string(result, name)).into_iter().flatten();
        let flags = result["flags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let flags: Vec<String> = flags.map(|flag| style(text::word(flag)).red().to_string()).collect();
        lines.push(
            format!(
                "{} {}  {}",
                style(&attr).bold().cyan(),
                style(facts.collect::<Vec<_>>().join(" ")).green(),
                flags.join(" ")
            )
            .trim_end()
            .to_owned(),
        );
        if let Some(description) = string(result, "description") {
            lines.push(format!("    {description}"));
        }
        if result["set"] == true {
            let set = match string(result, "value") {
                Some(value) => format!("the host sets {value}"),
                None => "the host sets it".to_owned(),
            };
            lines.push(format!("    {}", style(set).yellow()));
        }
        let from_nixpkgs = answer["nixpkgs_rev"].is_string();
        lines.push(format!("    {}", style(usage(result, &attr, from_nixpkgs)).dim()));
    }
    let names = |field: &str| -> Vec<String> {
        let all = answer[field].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(text::joined).collect()
    };
    if !names("suggestions").is_empty() {
        lines.push(format!("{} {}", style("similar:").yellow(), names("suggestions").join(", ")));
    }
    for state in answer["index"].as_array().into_iter().flatten() {
        if let Some(reason) = string(state, "not_kept") {
            lines.push(format!("{} {reason}", style("the search index is not kept:").yellow()));
        }
    }
    let count = answer["results"].as_array().map_or(0, Vec::len);
    let total = answer["total"].as_u64().unwrap_or_default();
    let place = match (answer["nixpkgs_rev"].as_str(), host) {
        (Some(revision), Some(host)) => {
            format!(
                " in nixpkgs {} and the options of {}",
                text::bounded(text::word(revision), 12),
                text::word(host)
            )
        }
        (Some(revision), None) => format!(" in nixpkgs {}", text::bounded(text::word(revision), 12)),
        (None, Some(host)) => format!(" in the flake and the options of {}", text::word(host)),
        (None, None) => " in the flake".to_owned(),
    };
    lines.push(style(format!("{count} of {total}{place}")).dim().to_string());
    if let Some(unread) = answer["unread_total"].as_u64().filter(|count| *count > 0) {
        let parts = if unread == 1 { "part" } else { "parts" };
        lines.push(format!(
            "{unread} {parts} could not be read and searched (`--json` names them if nothing is found)"
        ));
    }
    lines.join("\n")
}

/// How a result is used: in a configuration, or, for a package of the flake itself, by Nix.
fn usage(result: &Value, attr: &str, from_nixpkgs: bool) -> String {
    if !result["type"].is_string() {
        return match from_nixpkgs {
            true => format!("environment.systemPackages = [ pkgs.{attr} ];"),
            false => format!("nix build .#{attr}"),
        };
    }
    let known = |name: &str| result[name].as_str();
    let value = match (known("example"), known("default")) {
        (Some(example), _) => example,
        (None, Some("true")) => "false",
        (None, Some("false")) => "true",
        (None, Some(default)) => default,
        (None, None) => "…",
    };
    format!("{attr} = {};", text::line(value, 80))
}
