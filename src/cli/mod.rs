//! The command line: one file per subcommand; their doc comments are the help.

mod approve;
mod audit;
mod call;
mod demo;
mod deploy;
mod plans;
mod prompt;
mod reject;
mod serve;
mod signals;
mod token;
mod tools;
mod trust;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{ConfigError, Overrides, Settings};
use crate::diagnostic::{Code, Diagnostic};

/// The command did what it was asked to.
pub const OK: u8 = 0;
/// The tool ran and failed.
pub const FAILED: u8 = 1;
/// The command line or the settings are wrong.
pub const USAGE: u8 = 2;

/// It was interrupted before anything was changed: as shells have it for what SIGINT ended.
pub const INTERRUPTED: u8 = 130;

/// Typed, safe hands on a NixOS fleet, for AI assistants and for people
///
/// Answers come from the real nix, about the flake's pinned inputs. Without a command it serves MCP
/// over standard input and output, which is how assistants start it.
#[derive(Debug, Parser)]
#[command(name = "pantheros-mcp", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  pantheros-mcp demo                                  see everything work, offline
  pantheros-mcp call list_hosts                       the hosts of the flake around you
  pantheros-mcp call build_host host=web dry_run=true what building it would take
  pantheros-mcp --flake ~/fleet call flake_check      every failing output, with file and line
  pantheros-mcp deploy --tag production               plan, show, ask, carry out, hosts side by side
  pantheros-mcp serve --http 127.0.0.1:8750           MCP over HTTP";

/// What every command takes.
#[derive(Debug, Args)]
pub struct GlobalOptions {
    /// The flake's folder; without it, the nearest one upwards with a flake.nix
    #[arg(long, global = true, env = "PANTHEROS_FLAKE", value_name = "DIR")]
    flake: Option<OsString>,
    /// Your settings; without it, pantheros/config.toml in your folder of settings ($XDG_CONFIG_HOME)
    #[arg(long, global = true, env = "PANTHEROS_CONFIG", value_name = "FILE")]
    config: Option<OsString>,
    /// Only tools that change nothing; beats every other switch
    #[arg(long, global = true)]
    read_only: bool,
    /// Only these tools
    #[arg(long, global = true, value_name = "TOOL,…", value_delimiter = ',')]
    tools: Vec<String>,
    /// Without these tools
    #[arg(long, global = true, value_name = "TOOL,…", value_delimiter = ',')]
    exclude_tools: Vec<String>,
    /// How log lines look; they go to standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeCommand),
    Call(call::CallCommand),
    Tools(tools::ToolsCommand),
    Deploy(deploy::DeployCommand),
    Rollback(deploy::RollbackCommand),
    Plans(plans::PlansCommand),
    Approve(approve::ApproveCommand),
    Reject(reject::RejectCommand),
    Audit(audit::AuditCommand),
    Trust(trust::TrustCommand),
    Token(token::TokenCommand),
    Demo(demo::DemoCommand),
    /// Print completions for a shell
    ///
    /// For bash: pantheros-mcp completions bash > ~/.local/share/bash-completion/completions/pantheros-mcp
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl GlobalOptions {
    fn settings(&self) -> Result<Settings, ConfigError> {
        self.settings_with(|_| {})
    }

    /// The settings, with what a command of its own adds to them.
    fn settings_with(&self, add: impl FnOnce(&mut Overrides)) -> Result<Settings, ConfigError> {
        // A client that fills in a variable it has no value for means none.
        let path = |text: &Option<OsString>| text.as_ref().filter(|text| !text.is_empty()).map(PathBuf::from);
        let mut overrides = Overrides {
            flake: path(&self.flake),
            config: path(&self.config),
            read_only: self.read_only,
            only: self.tools.clone(),
            exclude: self.exclude_tools.clone(),
            token: std::env::var_os("PANTHEROS_HTTP_TOKEN").is_some(),
            ..Overrides::default()
        };
        add(&mut overrides);
        let here = std::env::current_dir().ok();
        if here.is_none() {
            tracing::warn!("the folder this was started in is gone: no flake is looked for there");
            // Programs that are started from here look for theirs, too, and some give up without one.
            if let Err(error) = std::env::set_current_dir("/") {
                tracing::warn!(%error, "/ cannot be entered");
            }
        }
        Settings::load(here.as_deref(), &overrides, &crate::tools::names())
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn run(line: CommandLine) -> ExitCode {
    crate::process::reset_signals();
    start_logging(line.global.log_format);
    crate::process::adopt();
    let command = line.command.unwrap_or_else(|| Command::Serve(serve::ServeCommand::default()));
    if let Command::Completions { shell } = command {
        let mut output = std::io::stdout();
        clap_complete::generate(shell, &mut CommandLine::command(), "pantheros-mcp", &mut output);
        return ExitCode::from(OK);
    }
    match command {
        Command::Demo(command) => return command.run(),
        Command::Trust(command) => return command.run(&line.global),
        Command::Deploy(command) => return command.run(&line.global),
        Command::Rollback(command) => return command.run(&line.global),
        _ => {}
    }
    let settings = match line.global.settings() {
        Ok(settings) => settings,
        Err(error) => return exit_with_error(&Diagnostic::from(&error), USAGE),
    };
    match command {
        Command::Serve(command) => command.run(settings),
        Command::Call(command) => command.run(settings),
        Command::Tools(command) => command.run(&settings),
        Command::Plans(command) => command.run(&settings),
        Command::Approve(command) => command.run(&settings),
        Command::Reject(command) => command.run(&settings),
        Command::Audit(command) => command.run(&settings),
        Command::Token(command) => command.run(&settings),
        // Done above.
        Command::Completions { .. }
        | Command::Demo(_)
        | Command::Deploy(_)
        | Command::Rollback(_)
        | Command::Trust(_) => ExitCode::from(OK),
    }
}

/// Tells what is wrong on standard error and ends with `code`, or [`INTERRUPTED`] where that is what is wrong.
fn exit_with_error(diagnostic: &Diagnostic, code: u8) -> ExitCode {
    crate::stderr::print_line(format_args!("pantheros-mcp: {diagnostic}"));
    ExitCode::from(if diagnostic.code == Code::Cancelled { INTERRUPTED } else { code })
}

/// What is logged unless told. A client's mistake is answered, in words of ours; rmcp would warn of each.
const DEFAULT_LOG_FILTER: &str = "warn,rmcp::service=error";

/// Log lines go to standard error only: standard output is the protocol's, or the answer's.
fn start_logging(format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_env("PANTHEROS_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG_FILTER));
    // Otherwise a line that cannot be written ends the program.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| crate::stderr::LogWriter)
        .log_internal_errors(false);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if let Err(error) = started {
        crate::stderr::print_line(format_args!("pantheros-mcp: logging could not be started: {error}"));
    }
}

/// Ends all that was started, and removes what was put down for as long as this runs: the last thing a command does.
async fn clean_up() {
    crate::process::settle().await;
    crate::scratch::remove_all();
}

/// The threads everything runs on: waiting is most of the work.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .enable_all()
        .build()
}
