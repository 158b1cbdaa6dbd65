//! `call`: run one tool without a server.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use super::{FAILED, OK, USAGE, clean_up, exit_with_error, runtime};
use crate::config::Settings;
use crate::deploy::Nobody;
use crate::diagnostic::{Code, Diagnostic};
use crate::progress::{self, Progress, Update};
use crate::text;
use crate::tools::{self, CallSlot, Context, Services, ToolEntry, ToolOutcome};

/// Run one tool and print its answer as JSON
///
/// Arguments are key=value pairs, or one JSON object. The answer goes to standard output; progress and
/// a readable summary go to standard error.
///
/// Exits with 0 if the tool succeeded; with 1 if it failed or was interrupted; and with 2 if there is
/// no such tool, the tool is disabled for all arguments, or the arguments or the settings are wrong.
#[derive(Args, Debug)]
pub struct CallCommand {
    /// The tool; `pantheros-mcp tools` lists them
    tool: String,
    /// key=value …, or one JSON object
    arguments: Vec<String>,
    /// Print only the JSON
    #[arg(long, short)]
    quiet: bool,
}

impl CallCommand {
    /// Runs the tool to its end, or until it is interrupted.
    pub fn run(self, settings: Settings) -> ExitCode {
        let Some(tool) = tools::find(&self.tool) else {
            let diagnostic = Diagnostic::new(
                Code::InvalidInput,
                format!("there is no tool `{}`", text::line(&self.tool, 80)),
            )
            .with_suggestions(text::nearest(&self.tool, tools::names(), 3))
            .with_hint("`pantheros-mcp tools` lists the tools");
            return exit_with_error(&diagnostic, USAGE);
        };
        if let Some(reason) = tool.refusal(&settings.policy) {
            let diagnostic =
                Diagnostic::new(Code::ToolDisabled, format!("`{}` is disabled: {reason}", tool.name));
            return exit_with_error(&diagnostic, USAGE);
        }
        let arguments = match parse_arguments(tool, &self.arguments) {
            Ok(arguments) => arguments,
            Err(diagnostic) => return exit_with_error(&diagnostic, USAGE),
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
            }
        };
        let terminal_progress: Arc<dyn Progress> =
            if self.quiet { Arc::new(progress::NoProgress) } else { terminal_progress() };
        let context = command_context(settings, terminal_progress);
        let outcome = runtime.block_on(async {
            let outcome = run_tool(tool, arguments, context, &mut Signals::catch()).await;
            clean_up().await;
            outcome
        });
        self.print(&outcome)
    }

    fn print(&self, outcome: &ToolOutcome) -> ExitCode {
        if !self.quiet {
            crate::stderr::print_line(&outcome.text);
        }
        let printed = writeln!(std::io::stdout(), "{:#}", outcome.structured);
        if let Err(error) = printed
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
        }
        ExitCode::from(exit_code(outcome))
    }
}

/// The context of a tool that a command runs in this process.
pub(super) fn command_context(settings: Settings, progress: Arc<dyn Progress>) -> Context {
    let services = Arc::new(Services::new(settings));
    Context {
        in_force: services.in_force(),
        services,
        call: progress::Call::new(progress, CancellationToken::new()),
        approver: Arc::new(Nobody),
        client: "terminal".to_owned(),
        slot: CallSlot::default(),
    }
}

/// The exit code of a command that ran a tool.
pub(super) fn exit_code(outcome: &ToolOutcome) -> u8 {
    let wrong_call = outcome.structured.pointer("/error/code").is_some_and(|code| code == "invalid_input");
    match (outcome.failed, wrong_call) {
        (false, _) => OK,
        (true, false) => FAILED,
        (true, true) => USAGE,
    }
}

/// Runs a tool to its end. A signal cancels the call, which cleans up before it ends. During a deployment, a second
/// signal ends the call without waiting for the hosts.
pub(super) async fn run_tool(
    tool: &ToolEntry,
    arguments: Map<String, Value>,
    context: Context,
    signals: &mut Signals,
) -> ToolOutcome {
    let running = tool.run(&context, arguments);
    tokio::pin!(running);
    tokio::select! {
        outcome = &mut running => outcome,
        () = signals.next() => {
            let rollouts = &context.services.rollouts;
            rollouts.announce_stop();
            context.call.cancel.cancel();
            tokio::select! {
                outcome = &mut running => return outcome,
                () = signals.next() => rollouts.abandon(),
            }
            running.await
        }
    }
}

/// Parses the arguments. Values stay strings: the tool's schema converts them, as for MCP clients that send strings.
fn parse_arguments(tool: &ToolEntry, given: &[String]) -> Result<Map<String, Value>, Diagnostic> {
    let wrong = |message: String| {
        Diagnostic::new(Code::InvalidInput, message)
            .with_hint(format!("for example: pantheros-mcp call {} key=value, or one JSON object", tool.name))
    };
    if let [only] = given
        && only.trim_start().starts_with('{')
    {
        return serde_json::from_str(only).map_err(|error| {
            wrong(format!("the JSON is malformed: {}", text::line(&error.to_string(), 200)))
        });
    }
    let mut arguments = Map::new();
    for pair in given {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(wrong(format!("`{}` is neither key=value nor a JSON object", text::line(pair, 80))));
        };
        if arguments.insert(key.to_owned(), Value::from(value)).is_some() {
            return Err(wrong(format!("`{}` is given twice", text::line(key, 80))));
        }
    }
    Ok(arguments)
}

/// Shows progress on standard error: as a bar on a terminal, else as lines.
pub(super) fn terminal_progress() -> Arc<dyn Progress> {
    if std::io::stderr().is_terminal() {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        bar.enable_steady_tick(Duration::from_millis(120));
        Arc::new(TerminalBar(bar))
    } else {
        Arc::new(ProgressLines(Mutex::new(None)))
    }
}

struct TerminalBar(ProgressBar);

impl Progress for TerminalBar {
    fn report(&self, update: Update) {
        let template = match update.total {
            Some(total) => {
                self.0.set_length(total);
                self.0.set_position(update.done);
                "{spinner:.cyan} {elapsed:>4} [{bar:24.cyan/dim}] {pos}/{len} {wide_msg}"
            }
            None => "{spinner:.cyan} {elapsed:>4} {wide_msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style.progress_chars("━╸─"));
        }
        self.0.set_message(update.message);
    }
}

impl Drop for TerminalBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The last printed message and its time; `None` before the first.
struct ProgressLines(Mutex<Option<(Instant, String)>>);

/// Shortest time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

impl Progress for ProgressLines {
    fn report(&self, update: Update) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last
            .as_ref()
            .is_none_or(|(when, what)| when.elapsed() >= LINE_INTERVAL && *what != update.message);
        if due {
            crate::stderr::print_line(&update.message);
            *last = Some((Instant::now(), update.message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(tool: &str, given: &[&str]) -> Result<Value, Diagnostic> {
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        parse_arguments(tools::find(tool).unwrap(), &given).map(Value::Object)
    }

    #[test]
    fn pairs_and_json_are_read() {
        assert_eq!(
            parsed("build_host", &["host=web", "dry_run=true"]).unwrap(),
            json!({"host": "web", "dry_run": "true"})
        );
        assert_eq!(parsed("build_host", &["{\"host\":\"web\"}"]).unwrap(), json!({"host": "web"}));
    }

    #[test]
    fn what_is_neither_says_what_is_right() {
        assert!(parsed("build_host", &["web"]).is_err());
        assert!(parsed("build_host", &["host=a", "host=b"]).is_err());
        assert!(parsed("build_host", &["{\"host\":"]).is_err());
    }
}
