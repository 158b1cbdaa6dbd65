//! `explain`: show where the value of an option comes from.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::call::{command_context, exit_code, run_tool, terminal_progress};
use super::signals::Signals;
use super::{FAILED, USAGE, clean_up, exit_with_error, runtime};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::tools;

/// Show the value of an option, and every definition of it with file and line
///
/// With a prefix, such as networking.firewall, it lists what is set below it. It prints the same as the
/// tool `explain_option`.
#[derive(Args, Debug)]
pub struct ExplainCommand {
    /// The host, or several with commas between them
    #[arg(value_delimiter = ',', required = true)]
    host: Vec<String>,
    /// The option, as in a configuration: services.nginx.virtualHosts."example.org".forceSSL
    option: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ExplainCommand {
    /// Prints the explanation.
    pub fn run(self, settings: Settings) -> ExitCode {
        const TOOL: &str = "explain_option";
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
        let arguments: Map<String, Value> =
            [("hosts".to_owned(), json!(self.host)), ("option".to_owned(), json!(self.option))]
                .into_iter()
                .collect();
        let outcome = runtime.block_on(async {
            let outcome = run_tool(tool, arguments, context, &mut Signals::catch()).await;
            clean_up().await;
            outcome
        });
        let code = exit_code(&outcome);
        let text = if self.json { format!("{:#}", outcome.structured) } else { outcome.text };
        if outcome.failed && !self.json {
            crate::stderr::print_line(format_args!("pantheros-mcp: {text}"));
            return ExitCode::from(code);
        }
        match writeln!(std::io::stdout(), "{text}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED)
            }
            _ => ExitCode::from(code),
        }
    }
}
