//! Executes the steps of MCP-SETUP.md and the configurations in this repository literally.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::fleet::{Fleet, PROGRAM, nixes};
use crate::common::mcp::{Client, WITH_HANDSHAKE};
use crate::common::node::{node, program, run};
use crate::common::served::Served;
use pantheros_mcp::testing::config;
use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The blocks of MCP-SETUP.md in this language.
fn blocks(language: &str) -> Vec<String> {
    let guide = read("MCP-SETUP.md");
    let begin = format!("```{language}\n");
    let found = guide.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    let found: Vec<String> = found.collect();
    assert!(!found.is_empty(), "no {language} in MCP-SETUP.md");
    found
}

/// The commands in the guide's shell blocks, each split into words. None of them needs a shell.
fn commands() -> Vec<Vec<String>> {
    let text = blocks("sh").concat().replace("\\\n", " ");
    let lines = text.lines().map(|line| line.split(" #").next().unwrap());
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    lines.map(words).filter(|words| !words.is_empty()).collect()
}

/// A user's machine: the program is on `PATH`, and a fleet is in the folder from the guide.
struct Machine {
    fleet: Fleet,
    home: tempfile::TempDir,
    path: std::ffi::OsString,
}

impl Machine {
    fn new() -> Self {
        let nix = nixes().pop().unwrap();
        let fleet = Fleet::demo(&nix);
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(fleet.folder(), home.path().join("fleet")).unwrap();
        let folder = |program: &Path| program.parent().unwrap().to_owned();
        let mut folders = vec![folder(Path::new(PROGRAM)), folder(&nix)];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        Self { fleet, home, path: std::env::join_paths(folders).unwrap() }
    }

    /// Replaces a path from the guide by the path on this machine.
    fn place(&self, word: &str) -> String {
        let fleet = self.home.path().join("fleet");
        let fleet = fleet.to_str().unwrap();
        word.replace("/home/you/fleet", fleet).replace("${workspaceFolder}", fleet).replace("~/fleet", fleet)
    }

    /// Starts a server as a client does, and checks that it lists and calls tools.
    fn serves(&self, words: &[String]) {
        let words: Vec<String> = words.iter().map(|word| self.place(word)).collect();
        let (first, rest) = words.split_first().unwrap();
        let mut command = Command::new(first);
        command
            .args(rest)
            .current_dir(self.fleet.folder())
            .env("PATH", &self.path)
            .env("HOME", self.home.path());
        let mut client = Client::of(command);
        client.initialize(WITH_HANDSHAKE[3]);
        client.notify("notifications/initialized", serde_json::json!({}));
        assert!(client.tools().iter().any(|tool| tool == "list_hosts"), "{words:?}");
        let answer = client.call("list_hosts", serde_json::json!({}));
        let hosts = answer["result"]["structuredContent"]["hosts"].as_array();
        assert!(hosts.is_some_and(|hosts| hosts.len() > 2), "{words:?}: {answer}");
        client.close();
        client.ends();
    }
}

/// The command lines with which a client's configuration starts servers.
fn servers(text: &str) -> Vec<Vec<String>> {
    let json: Value = serde_json::from_str(text).unwrap();
    let servers = json.get("mcpServers").or_else(|| json.get("servers")).unwrap().as_object().unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    servers
        .iter()
        .inspect(|(name, _)| {
            assert_eq!(*name, "pantheros", "in every configuration the server is called pantheros");
        })
        // The entry of a server that already runs has an address instead of a command.
        .filter(|(_, server)| server.get("url").is_none())
        .map(|(_, server)| {
            let arguments = server["args"].as_array().unwrap().iter().map(word);
            std::iter::once(word(&server["command"])).chain(arguments).collect()
        })
        .collect()
}

#[test]
fn every_configuration_in_the_guide_starts_the_server() {
    let machine = Machine::new();
    let found: Vec<_> = blocks("json").iter().flat_map(|block| servers(block)).collect();
    assert!(found.len() >= 3, "{found:?}");
    for words in found {
        machine.serves(&words);
    }
    for words in servers(&read(".github/mcp-servers.json")) {
        machine.serves(&words);
    }
}

/// A client that is configured by the guide is accepted by a server that already runs.
#[test]
fn every_configuration_for_http_in_the_guide_has_the_token() {
    let machine = Machine::new();
    let served = Served::start(&machine.fleet);
    let mut found = 0;
    for block in blocks("json") {
        let json: Value = serde_json::from_str(&block).unwrap();
        let Some(server) =
            json["servers"]["pantheros"].as_object().filter(|server| server.contains_key("url"))
        else {
            continue;
        };
        found += 1;
        let input = format!("${{input:{}}}", json["inputs"][0]["id"].as_str().unwrap());
        let header = server["headers"]["Authorization"].as_str().unwrap();
        let header = header.replace(&input, served.token.as_deref().unwrap());
        let url = server["url"].as_str().unwrap().replace("http://127.0.0.1:8750", &served.origin);
        let mut command = node(machine.home.path(), &program("mcp-inspector"));
        command.args(["--cli", "--transport", "http", "--server-url", &url]);
        command.args(["--header", &format!("Authorization: {header}"), "--method", "tools/list"]);
        let ended = run(command);
        assert_eq!(ended.code, Some(0), "{}", ended.all());
    }
    assert!(found > 0, "the guide has no configuration for HTTP");
    served.stop();
}

/// The command of `.mcp.json`, in a clone with only the files that it names.
struct Clone {
    folder: tempfile::TempDir,
    words: Vec<String>,
}

impl Clone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tools")).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(root.join("tools/mcp"), folder.path().join("tools/mcp")).unwrap();
        let [words] = <[_; 1]>::try_from(servers(&read(".mcp.json"))).unwrap();
        Self { folder, words }
    }

    /// Puts a fake server into the clone that prints its name.
    fn place_fake(&self, at: &str) -> PathBuf {
        let path = self.folder.path().join(at);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\necho \"fake {at} $*\" >&2\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// Starts the command with a `PATH` that has only `more` and a folder with `sh`.
    fn start(&self, more: &Path, target: Option<&str>) -> std::process::Output {
        let shell = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/bin/sh", shell.path().join("sh")).unwrap();
        let mut command = Command::new("/bin/sh");
        assert_eq!(self.words[0], "sh");
        command
            .args(&self.words[1..])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::join_paths([shell.path(), more]).unwrap());
        if let Some(target) = target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command.output().unwrap()
    }

    fn says(&self, more: &Path, target: Option<&str>) -> String {
        let output = self.start(more, target);
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap().trim().to_owned()
    }
}

#[test]
fn a_clone_of_this_repository_serves_itself() {
    let clone = Clone::new();
    let machine = Machine::new();
    let tools = machine.fleet.folder().join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::fs::copy(clone.folder.path().join("tools/mcp"), tools.join("mcp")).unwrap();
    let built = machine.fleet.folder().join("target/debug");
    std::fs::create_dir_all(&built).unwrap();
    std::os::unix::fs::symlink(PROGRAM, built.join("pantheros-mcp")).unwrap();
    machine.serves(&clone.words);
}

#[test]
fn a_clone_where_nothing_is_built_says_what_to_run() {
    let clone = Clone::new();
    let output = clone.start(Path::new("/nowhere"), None);
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    assert!(output.stdout.is_empty(), "standard output is the protocol's: {output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    let folder = clone.folder.path().canonicalize().unwrap();
    for part in ["cargo build --release", "nix profile install .#pantheros-mcp", folder.to_str().unwrap()] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
}

#[test]
fn a_clone_starts_the_newest_build_and_then_what_is_on_path() {
    let clone = Clone::new();
    let installed = clone.place_fake("installed/pantheros-mcp");
    let on_path = installed.parent().unwrap();
    assert_eq!(clone.says(on_path, None), "fake installed/pantheros-mcp serve");
    let old = clone.place_fake("target/release/pantheros-mcp");
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::open(&old).unwrap().set_modified(earlier).unwrap();
    assert_eq!(clone.says(on_path, None), "fake target/release/pantheros-mcp serve");
    clone.place_fake("target/debug/pantheros-mcp");
    assert_eq!(clone.says(on_path, None), "fake target/debug/pantheros-mcp serve");
    let now = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    std::fs::File::open(&old).unwrap().set_modified(now).unwrap();
    assert_eq!(clone.says(on_path, None), "fake target/release/pantheros-mcp serve");
    // Other target folders of Cargo. A relative one begins at the clone's folder.
    let elsewhere = clone.place_fake("elsewhere/debug/pantheros-mcp");
    assert_eq!(clone.says(on_path, Some("elsewhere")), "fake elsewhere/debug/pantheros-mcp serve");
    let absolute = elsewhere.parent().unwrap().parent().unwrap().to_str().unwrap();
    assert_eq!(clone.says(on_path, Some(absolute)), "fake elsewhere/debug/pantheros-mcp serve");
    assert_eq!(clone.says(on_path, Some("nothing-here")), "fake installed/pantheros-mcp serve");
}

#[test]
fn the_guide_adds_the_server_to_claude_code() {
    let machine = Machine::new();
    let added: Vec<_> = commands()
        .into_iter()
        .filter(|words| words.starts_with(&["claude".into(), "mcp".into(), "add".into()]))
        .collect();
    assert!(!added.is_empty());
    for words in added {
        assert!(words.iter().any(|word| word == "pantheros"), "{words:?}");
        if let Some(at) = words.iter().position(|word| word == "--") {
            machine.serves(&words[at + 1..]);
        }
    }
}

#[test]
fn the_inspectors_commands_in_the_guide_work() {
    let machine = Machine::new();
    let found: Vec<_> = commands().into_iter().filter(|words| words[0] == "npx").collect();
    assert!(found.len() >= 2, "{found:?}");
    for words in found {
        assert_eq!(words[1], "@modelcontextprotocol/inspector", "{words:?}");
        let mut command = node(machine.home.path(), &program("mcp-inspector"));
        command.args(words[2..].iter().map(|word| machine.place(word))).env("PATH", &machine.path);
        // Clients pass almost nothing of their own environment to a server.
        if let Some(folder) = std::env::var_os("NIX_CONF_DIR") {
            command.arg("-e").arg(format!("NIX_CONF_DIR={}", Path::new(&folder).display()));
        }
        let ended = run(command);
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.all());
        let answer: Value =
            serde_json::from_str(&ended.output).unwrap_or_else(|error| panic!("{error}: {}", ended.all()));
        assert!(
            answer.get("tools").is_some() || answer.get("structuredContent").is_some(),
            "{}",
            ended.all()
        );
    }
}

#[test]
fn the_settings_in_the_guide_are_settings() {
    for block in blocks("toml") {
        toml::from_str::<config::SettingsFile>(&block).unwrap_or_else(|error| panic!("{error}:\n{block}"));
    }
}
