//! The command line: one file per subcommand, whose doc comments are its `--help`.

mod approve;
mod audit;
mod call;
mod demo;
mod deploy;
mod explain;
mod index;
mod plans;
mod prompt;
mod reject;
mod search;
mod serve;
mod signals;
mod token;
mod tools;
mod trust;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::advice::{self, Reader};
use crate::config::{ConfigError, Overrides, Settings};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{InputName, InputReference};

/// Exit code: the command succeeded.
pub const OK: u8 = 0;
/// Exit code: the command failed.
pub const FAILED: u8 = 1;
/// Exit code: the arguments or the settings are wrong.
pub const USAGE: u8 = 2;

/// Exit code: interrupted before anything was changed. Shells report it for a program that SIGINT ended.
pub const INTERRUPTED: u8 = 130;

/// Inspect, build and deploy a NixOS fleet, for AI assistants and for people
///
/// Answers come from the installed nix and the flake's locked inputs. Without a command, it serves MCP
/// over standard input and output, which is how assistants start it.
#[derive(Debug, Parser)]
#[command(name = "pantheros-mcp", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    command: Option<CliCommand>,
}

const EXAMPLES: &str = "\
Examples:
  pantheros-mcp demo                                  see everything work, offline
  pantheros-mcp call list_hosts                       the hosts of the flake in this folder
  pantheros-mcp call build_host host=web dry_run=true what a build would fetch and build
  pantheros-mcp --flake ~/fleet call flake_check      every failing output, with file and line
  pantheros-mcp deploy --tag production               plan, ask, and deploy the hosts with a tag
  pantheros-mcp serve --http 127.0.0.1:8750           MCP over HTTP";

/// Options of every command.
#[derive(Debug, Args)]
pub struct GlobalOptions {
    /// Folder of the flake [default: the nearest folder upwards with a flake.nix]
    #[arg(long, global = true, env = "PANTHEROS_FLAKE", value_name = "DIR")]
    flake: Option<OsString>,
    /// Your settings file [default: ~/.config/pantheros/config.toml, or pantheros/config.toml in
    /// $XDG_CONFIG_HOME]
    #[arg(long, global = true, env = "PANTHEROS_CONFIG", value_name = "FILE")]
    config: Option<OsString>,
    /// Enable only tools that change nothing; no other option or setting can undo this
    #[arg(long, global = true)]
    read_only: bool,
    /// Make no connection; what is missing fails with `needs_network`
    #[arg(long, global = true)]
    offline: bool,
    /// Enable only these tools
    #[arg(long, global = true, value_name = "TOOL,…", value_delimiter = ',')]
    tools: Vec<String>,
    /// Disable these tools
    #[arg(long, global = true, value_name = "TOOL,…", value_delimiter = ',')]
    exclude_tools: Vec<String>,
    /// Use another flake for an input, instead of the locked one; may be repeated. `a/b` is the input
    /// `b` of the input `a`. The variable has several, separated by blanks
    #[arg(
        long,
        global = true,
        env = "PANTHEROS_OVERRIDE_INPUT",
        value_name = "NAME=REF",
        value_delimiter = ' ',
        value_parser = parse_override
    )]
    override_input: Vec<Option<InputOverride>>,
    /// Format of the log on standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    Serve(serve::ServeCommand),
    Call(call::CallCommand),
    Explain(explain::ExplainCommand),
    Tools(tools::ToolsCommand),
    Search(search::SearchCommand),
    Index(index::IndexCommand),
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
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// An input, and the flake reference that replaces it.
type InputOverride = (InputName, InputReference);

/// Parses `NAME=REF`; `None` for an empty text, as in an empty variable.
fn parse_override(text: &str) -> Result<Option<InputOverride>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (name, reference) =
        text.split_once('=').ok_or("write NAME=REF, such as nixpkgs=github:NixOS/nixpkgs/REV")?;
    let name = name.parse().map_err(|error| format!("{error}"))?;
    let reference = reference.parse().map_err(|error| format!("{error}"))?;
    Ok(Some((name, reference)))
}

impl GlobalOptions {
    fn settings(&self) -> Result<Settings, ConfigError> {
        self.settings_with(|_| {})
    }

    /// The settings; `add` applies the options of the command.
    fn settings_with(&self, add: impl FnOnce(&mut Overrides)) -> Result<Settings, ConfigError> {
        // Some clients set a variable to an empty value if they have none.
        let path = |text: &Option<OsString>| text.as_ref().filter(|text| !text.is_empty()).map(PathBuf::from);
        let mut override_inputs = BTreeMap::new();
        for (name, reference) in self.override_input.iter().flatten().cloned() {
            if let Some(before) = override_inputs.insert(name.clone(), reference) {
                let message = format!("the input {name} is replaced twice, the first time by {before}");
                return Err(ConfigError::Conflict { message });
            }
        }
        let mut overrides = Overrides {
            flake: path(&self.flake),
            config: path(&self.config),
            read_only: self.read_only,
            offline: self.offline,
            only: self.tools.clone(),
            exclude: self.exclude_tools.clone(),
            override_inputs,
            token: std::env::var_os("PANTHEROS_HTTP_TOKEN").is_some(),
            ..Overrides::default()
        };
        add(&mut overrides);
        let working_folder = std::env::current_dir().ok();
        if working_folder.is_none() {
            tracing::warn!(
                "the folder in which the program was started was removed, so no flake is searched for there"
            );
            // Child processes inherit the working folder, and some fail without one.
            if let Err(error) = std::env::set_current_dir("/") {
                tracing::warn!(%error, "the working folder cannot be changed to /");
            }
        }
        Settings::load(working_folder.as_deref(), &overrides, &crate::tools::names())
    }
}

/// Runs the command.
#[must_use]
pub fn run(line: CommandLine) -> ExitCode {
    crate::process::reset_signals();
    crate::platform::return_large_allocations();
    start_logging(line.global.log_format);
    crate::process::adopt_orphans();
    let command = line.command.unwrap_or_else(|| CliCommand::Serve(serve::ServeCommand::default()));
    // The demo shows what a model reads.
    if !matches!(command, CliCommand::Serve(_) | CliCommand::Demo(_)) {
        advice::set_reader(Reader::Person);
    }
    if let CliCommand::Completions { shell } = command {
        let mut output = std::io::stdout();
        clap_complete::generate(shell, &mut CommandLine::command(), "pantheros-mcp", &mut output);
        return ExitCode::from(OK);
    }
    match command {
        CliCommand::Demo(command) => return command.run(),
        CliCommand::Trust(command) => return command.run(&line.global),
        CliCommand::Deploy(command) => return command.run(&line.global),
        CliCommand::Rollback(command) => return command.run(&line.global),
        _ => {}
    }
    let settings = match line.global.settings() {
        Ok(settings) => settings,
        Err(error) => return exit_with_error(&Diagnostic::from(&error), USAGE),
    };
    match command {
        CliCommand::Serve(command) => command.run(settings),
        CliCommand::Call(command) => command.run(settings),
        CliCommand::Explain(command) => command.run(settings),
        CliCommand::Tools(command) => command.run(&settings),
        CliCommand::Search(command) => command.run(settings),
        CliCommand::Index(command) => command.run(settings),
        CliCommand::Plans(command) => command.run(&settings),
        CliCommand::Approve(command) => command.run(&settings),
        CliCommand::Reject(command) => command.run(&settings),
        CliCommand::Audit(command) => command.run(&settings),
        CliCommand::Token(command) => command.run(&settings),
        // Handled above.
        CliCommand::Completions { .. }
        | CliCommand::Demo(_)
        | CliCommand::Deploy(_)
        | CliCommand::Rollback(_)
        | CliCommand::Trust(_) => ExitCode::from(OK),
    }
}

/// Prints the error on standard error and returns `code`, or [`INTERRUPTED`] if the command was cancelled.
fn exit_with_error(diagnostic: &Diagnostic, code: u8) -> ExitCode {
    crate::stderr::print_line(format_args!("pantheros-mcp: {diagnostic}"));
    ExitCode::from(if diagnostic.code == Code::Cancelled { INTERRUPTED } else { code })
}

/// The default log filter. It hides rmcp's warnings about client errors: each is also sent to the client as an error.
const DEFAULT_LOG_FILTER: &str = "warn,rmcp::service=error";

/// Starts the log on standard error. Standard output is for the protocol or the answer.
fn start_logging(format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_env("PANTHEROS_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG_FILTER));
    // By default, a log line that cannot be written would end the program.
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

/// Ends child processes and removes temporary folders. Call it at the end of a command.
async fn clean_up() {
    crate::process::end_all().await;
    crate::scratch::remove_all();
}

/// The async runtime. It has few threads, because most tasks wait for child processes and connections.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .enable_all()
        .build()
}
