//! `demo`: every tool on the embedded flake, offline.
//!
//! It is an MCP client: it starts this program as a server, calls the tools, and prints the answers.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use console::style;
use include_dir::{Dir, include_dir};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientConfig, Implementation, ProgressNotificationParam,
    ReadResourceRequestParams, ResourceContents,
};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::{ClientHandler, Peer, RoleClient, ServiceExt};
use serde_json::{Value, json};

use super::signals::Signals;
use super::{FAILED, OK, clean_up, runtime};
use crate::process::Command;
use crate::scratch::{self, ScratchFolder};
use crate::text;

/// The flake of the demo, which tests use as well.
pub static FLEET: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/examples/demo");

/// See everything work, offline
///
/// Starts the server on a small flake that is part of this program, calls every tool over MCP as an
/// assistant would, and prints the answers. It needs nix, but neither network nor nixpkgs.
#[derive(Args, Debug)]
pub struct DemoCommand {
    /// Keep the flake in this folder, to try more with it; the folder must not exist yet
    #[arg(long, value_name = "DIR")]
    keep: Option<std::path::PathBuf>,
}

/// A question, and the call that answers it.
struct Scene {
    question: &'static str,
    tool: &'static str,
    arguments: Value,
    /// Whether the call has to fail, because the flake is broken on purpose.
    fails: bool,
}

fn scenes() -> Vec<Scene> {
    let scene = |question, tool, arguments, fails| Scene { question, tool, arguments, fails };
    vec![
        scene("Which hosts do I have?", "list_hosts", json!({}), false),
        scene("Is anything broken?", "flake_check", json!({}), true),
        scene("And now, with nothing changed?", "flake_check", json!({}), true),
        scene("What would building web take?", "build_host", json!({"host": "web", "dry_run": true}), false),
        scene("Does it build?", "build_host", json!({"host": "web"}), false),
        scene("Does the broken one?", "build_host", json!({"host": "broken-on-purpose"}), true),
        scene("Did I mean another host?", "build_host", json!({"host": "wbe"}), true),
        scene("Which shells can I work in?", "list_devshells", json!({"system": system()}), false),
        scene("How are the disks of db laid out?", "inspect_disko", json!({"host": "db"}), false),
        scene("And would mail boot?", "inspect_disko", json!({"host": "mail"}), false),
        scene("Is there a package for panthers?", "nix_search", json!({"query": "panther"}), false),
        scene(
            "Which option opens a port?",
            "nix_search",
            json!({"query": "firewall ports", "kind": "option", "host": "web"}),
            false,
        ),
        scene("Do the checks pass when they are built?", "flake_check", json!({"build": true}), true),
    ]
}

/// The system of this machine, as Nix names it.
fn system() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

impl DemoCommand {
    /// Runs the demo. Exits with 1 if a call did not have the expected result.
    pub fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::from(OK),
            Err(error) => {
                crate::stderr::print_line(format_args!("pantheros-mcp: the demo stopped: {error:#}"));
                ExitCode::from(FAILED)
            }
        }
    }

    fn try_run(self) -> anyhow::Result<()> {
        let scratch = ScratchFolder::make(&scratch::candidate_folders(), usize::MAX)?;
        let fleet = match &self.keep {
            Some(folder) if folder.exists() => bail!("{} exists already", folder.display()),
            Some(folder) => folder.clone(),
            None => scratch.path().join("fleet"),
        };
        std::fs::create_dir_all(&fleet).with_context(|| format!("creating {}", fleet.display()))?;
        unpack(&fleet)?;
        // A new cache, so that each demo is a first run.
        let cache = scratch.path().join("cache");
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            let mut signals = Signals::catch();
            let result = tokio::select! {
                result = run_demo(&fleet, &cache) => result,
                () = signals.next() => Err(anyhow::anyhow!("interrupted")),
            };
            clean_up().await;
            result
        });
        if let Some(folder) = &self.keep {
            print(&format!("\nThe example flake is in {}.\n", folder.display()))?;
        }
        result
    }
}

/// Writes the flake, with executable scripts as in the repository.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    FLEET.extract(folder).context("unpacking the fleet")?;
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if std::fs::read(&path)?.starts_with(b"#!") {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
            }
        }
    }
    Ok(())
}

/// A client that shows progress while it waits.
#[derive(Clone)]
struct DemoClient;

impl ClientHandler for DemoClient {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.client_info = Implementation::new("pantheros-demo", env!("CARGO_PKG_VERSION"));
        info
    }

    async fn on_progress(&self, progress: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let message = progress.message.unwrap_or_default();
        if std::io::stderr().is_terminal() {
            crate::stderr::print(format_args!("\r\u{1b}[K  {}", style(text::bounded(&message, 100)).dim()));
        }
    }
}

async fn run_demo(fleet: &Path, cache: &Path) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("finding this program")?;
    let command = Command::new(program).args(["serve", "--flake"]).arg(fleet).env("XDG_CACHE_HOME", cache);
    let server = command.spawn_with_pipes().context("starting the server")?;
    let started = Instant::now();
    let client: RunningService<RoleClient, DemoClient> =
        DemoClient.serve((server.output, server.input)).await.context("greeting the server")?;
    let tools = client.list_all_tools().await.context("listing the tools")?;
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    print(&format!(
        "{}\n\nA client has started the server on a fleet of four hosts and greeted it: {}.\nTools: {}\n",
        style("pantherOS — typed, safe hands on a NixOS fleet").bold(),
        format_duration(started.elapsed()),
        names.join(", ")
    ))?;
    let mut last = None;
    for scene in scenes() {
        last = Some(run_scene(client.peer(), scene).await?);
    }
    if let Some(uri) = last.as_ref().and_then(log_uri) {
        read_log(client.peer(), &uri).await?;
    }
    client.cancel().await.context("leaving")?;
    print(&format!(
        "\n{}\nThe failures were intended: the flake is broken on purpose.\n",
        style("That was all of it.").bold()
    ))
}

async fn run_scene(server: &Peer<RoleClient>, scene: Scene) -> anyhow::Result<CallToolResult> {
    let call = if scene.arguments == json!({}) {
        scene.tool.to_owned()
    } else {
        format!("{} {}", scene.tool, scene.arguments)
    };
    print(&format!("\n{}\n{}\n", style(scene.question).cyan().bold(), style(format!("→ {call}")).dim()))?;
    let mut request = CallToolRequestParams::new(scene.tool);
    request.arguments = scene.arguments.as_object().cloned();
    let started = Instant::now();
    let result = server.call_tool(request).await.with_context(|| format!("calling {}", scene.tool))?;
    let elapsed = started.elapsed();
    if std::io::stderr().is_terminal() {
        crate::stderr::print("\r\u{1b}[K");
    }
    let failed = result.is_error == Some(true);
    let shown: String =
        result.content.iter().filter_map(|block| block.as_text()).map(|block| block.text.as_str()).collect();
    let mark = if failed { style("failed").red() } else { style("ok").green() };
    print(&format!(
        "{}\n{mark} {}\n",
        indented(&shown),
        style(format!("({})", format_duration(elapsed))).dim()
    ))?;
    if failed != scene.fails {
        bail!("{call} should have {}", if scene.fails { "failed" } else { "succeeded" });
    }
    Ok(result)
}

/// The URI of the first build log that an answer has.
fn log_uri(result: &CallToolResult) -> Option<String> {
    let text = result.structured_content.as_ref()?.to_string();
    let start = text.find("pantheros://log/")?;
    let uri = text.get(start..)?;
    let end = uri.find(['"', '\\', ' ']).unwrap_or(uri.len());
    uri.get(..end).map(str::to_owned)
}

async fn read_log(server: &Peer<RoleClient>, uri: &str) -> anyhow::Result<()> {
    print(&format!(
        "\n{}\n{}\n",
        style("Show me the whole log of that build.").cyan().bold(),
        style(format!("→ resources/read {uri}")).dim()
    ))?;
    let log = server.read_resource(ReadResourceRequestParams::new(uri)).await.context("reading the log")?;
    for contents in log.contents {
        if let ResourceContents::TextResourceContents { text, .. } = contents {
            print(&format!("{}\n", indented(text.trim_end())))?;
        }
    }
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn format_duration(time: Duration) -> String {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match milliseconds {
        0 => "less than 1ms".to_owned(),
        milliseconds => format!("{:.0?}", Duration::from_millis(milliseconds)),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(())
}
