//! Real clients with the real program: the Inspector, both generations of the official SDK, and the protocol's
//! conformance suite. `tools/setup` installs the versions in `tests/clients/package-lock.json`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::fleet::{Fleet, nixes};
use crate::common::node::{installed, node, program, run};
use crate::common::served::Served;
use crate::common::slow::Slow;
use pantheros_mcp::testing::tools::catalogue;
use serde_json::{Value, json};

/// The newest Nix; its version makes no difference to clients.
fn nix() -> PathBuf {
    nixes().pop().unwrap()
}

/// The command line of the server on this fleet, over standard input and output.
fn over_stdio(fleet: &Fleet) -> Vec<String> {
    let command = fleet.command(&["serve"]);
    let arguments = command.get_args().map(|argument| argument.to_str().unwrap().to_owned());
    std::iter::once(crate::common::fleet::PROGRAM.to_owned()).chain(arguments).collect()
}

// ---- the Inspector

/// How the Inspector reaches a server: flags before the method, and the words at the end.
struct Reach {
    flags: Vec<String>,
    last: Vec<String>,
}

struct Inspector<'a> {
    home: &'a Path,
    era: &'a str,
    reach: &'a Reach,
}

impl Inspector<'_> {
    /// Calls a method. Returns the exit code, the answer as JSON, and everything that was printed.
    fn asks(&self, method: &str, arguments: &[&str]) -> (Option<i32>, Value, String) {
        let mut command = node(self.home, &program("mcp-inspector"));
        command.args(["--cli", "--format", "json", "--protocol-era", self.era, "--method", method]);
        command.args(arguments).args(&self.reach.flags).args(&self.reach.last);
        let ended = run(command);
        let all = ended.all();
        let json = serde_json::from_str(&ended.output).unwrap_or_else(|error| panic!("{error}: {all}"));
        (ended.code, json, all)
    }

    /// Makes the calls that a person makes first.
    fn looks_around(&self) {
        // --strict also fails if another client could not use a schema.
        let (code, answer, all) = self.asks("tools/list", &["--strict"]);
        assert_eq!(code, Some(0), "{all}");
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{all}"));
        assert_eq!(tools.len(), catalogue().len(), "{all}");

        let (code, answer, all) = self.asks("tools/call", &["--tool-name", "list_hosts"]);
        assert_eq!(code, Some(0), "{all}");
        let hosts = answer["result"]["structuredContent"]["hosts"].as_array();
        assert!(hosts.is_some_and(|hosts| hosts.iter().any(|host| host["name"] == "web")), "{all}");

        let (code, answer, all) =
            self.asks("tools/call", &["--tool-name", "build_host", "--tool-arg", "host=wbe"]);
        assert_eq!(code, Some(5), "a tool that fails is its exit code 5: {all}");
        assert_eq!(answer["result"]["isError"], true, "{all}");
        let error = &answer["result"]["structuredContent"]["error"];
        assert_eq!(
            (&error["code"], &error["suggestions"][0]),
            (&json!("unknown_host"), &json!("web")),
            "{all}"
        );

        let (code, answer, all) = self.asks("resources/list", &[]);
        assert_eq!(code, Some(0), "{all}");
        assert_eq!(answer["result"]["resources"], json!([]), "{all}");

        let (code, answer, all) = self.asks("resources/templates/list", &[]);
        assert_eq!(code, Some(0), "{all}");
        let template = &answer["result"]["resourceTemplates"][0]["uriTemplate"];
        assert_eq!(*template, "pantheros://log/{derivation}", "{all}");
    }
}

/// The Inspector's names of the eras, and what a client sends first in each.
const ERAS: [(&str, &str); 2] = [("legacy", "\"initialize\""), ("modern", "\"server/discover\"")];

#[test]
fn the_inspector_over_standard_input_and_output() {
    for (era, first) in ERAS {
        let fleet = Fleet::demo(&nix());
        let home = tempfile::tempdir().unwrap();
        // Keeps what the Inspector sends, to check that it used the requested protocol.
        let sent = home.path().join("sent");
        let mut last: Vec<String> =
            ["--", "/bin/sh", "-c", "tee -a \"$0\" | \"$@\""].into_iter().map(String::from).collect();
        last.push(sent.to_str().unwrap().to_owned());
        last.extend(over_stdio(&fleet));
        // Clients pass almost nothing of their own environment to a server.
        let mut flags = Vec::new();
        for name in ["NIX_CONF_DIR", "HOME", "XDG_CACHE_HOME"] {
            let value = match name {
                "HOME" => Some(home.path().to_str().unwrap().to_owned()),
                "XDG_CACHE_HOME" => Some(home.path().join("cache").to_str().unwrap().to_owned()),
                name => std::env::var(name).ok(),
            };
            flags.extend(value.into_iter().flat_map(|value| ["-e".to_owned(), format!("{name}={value}")]));
        }
        let reach = Reach { flags, last };
        Inspector { home: home.path(), era, reach: &reach }.looks_around();
        let sent = std::fs::read_to_string(&sent).unwrap();
        let other = ERAS.iter().find(|(name, _)| *name != era).unwrap().1;
        assert!(sent.contains(first) && !sent.contains(other), "{era}: {sent}");
    }
}

#[test]
fn the_inspector_over_http() {
    for (era, _) in ERAS {
        let fleet = Fleet::demo(&nix());
        let home = tempfile::tempdir().unwrap();
        let served = Served::start(&fleet);
        let header = format!("Authorization: {}", served.authorization().unwrap());
        let flags = ["--transport", "http", "--header", &header, "--server-url"].map(String::from).to_vec();
        let reach = Reach { flags, last: vec![served.url("/mcp")] };
        Inspector { home: home.path(), era, reach: &reach }.looks_around();
        served.stop();
    }
}

// ---- the SDK

fn sdk(home: &Path, job: &Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/sdk.mjs");
    installed();
    let mut command = node(home, &script);
    command.arg(job.to_string());
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{job}: {}", ended.all());
}

/// Each SDK with each of its transports, and the protocol version and era to be negotiated.
fn sdks() -> [Value; 6] {
    let old = json!({"sdk": "v1", "version": "2025-11-25"});
    let new = json!({
        "sdk": "v2", "mode": {"pin": "2026-07-28"}, "version": "2026-07-28", "era": "modern",
    });
    let any = json!({"sdk": "v2", "mode": "auto", "version": "2026-07-28", "era": "modern"});
    let over = |who: &Value, transport: &str| {
        let mut job = who.clone();
        job["transport"] = json!(transport);
        job
    };
    [
        over(&old, "stdio"),
        over(&old, "http"),
        over(&old, "sse"),
        over(&new, "stdio"),
        over(&new, "http"),
        over(&any, "stdio"),
    ]
}

/// Runs a task of the SDK on this fleet, over the job's transport.
fn sdk_on(fleet: &Fleet, mut job: Value) {
    let home = tempfile::tempdir().unwrap();
    let path = match job["transport"].as_str().unwrap() {
        "stdio" => {
            job["command"] = json!(over_stdio(fleet));
            return sdk(home.path(), &job);
        }
        "sse" => "/sse",
        _ => "/mcp",
    };
    let served = Served::start(fleet);
    job["url"] = json!(served.url(path));
    job["authorization"] = json!(served.authorization());
    job["pid"] = json!(served.id());
    sdk(home.path(), &job);
    served.stop();
}

#[test]
fn the_sdk_calls_every_tool() {
    for mut job in sdks() {
        job["task"] = json!("tour");
        sdk_on(&Fleet::demo(&nix()), job);
    }
}

#[test]
fn the_sdk_takes_back_a_call() {
    for mut job in sdks() {
        let slow = Slow::new(&nix());
        job["task"] = json!("cancel");
        job["marker"] = json!(slow.marker());
        sdk_on(&slow.fleet, job);
        slow.nobody_left();
    }
}

// ---- clients that convert schemas for their models

/// A value for each argument that some tool requires.
fn plausible() -> Value {
    json!({
        "host": "web", "query": "purpose", "plan_id": format!("plan-{}", "a".repeat(26)),
        "option": "services.nginx.enable", "view": "ports", "attr": "nixosConfigurations.web.config.networking.hostName",
    })
}

#[test]
fn openai_google_and_pydantic_call_every_tool_in_their_own_form() {
    let fleet = Fleet::demo(&nix());
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::common::node::python(home.path(), "strict.py");
    command.arg(json!({"command": over_stdio(&fleet), "plausible": plausible()}).to_string());
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let called: Vec<String> = serde_json::from_str(&ended.output).unwrap();
    let there: Vec<String> = pantheros_mcp::testing::tools::names().into_iter().map(str::to_owned).collect();
    assert_eq!(called, there, "{}", ended.all());
}

// ---- the conformance suite

#[test]
fn the_conformance_suite_on_2025_11_25() {
    conforms("2025-11-25");
}

#[test]
fn the_conformance_suite_on_2026_07_28() {
    conforms("2026-07-28");
}

/// Runs every scenario of a version. Only those that its baseline lists with a reason may fail.
fn conforms(version: &str) {
    let nix = nix();
    let fleet = Fleet::demo(&nix);
    // Every scenario begins a session and leaves it open.
    fleet.write_outside(
        "pantheros.toml",
        &format!("[nix]\nprogram = {nix:?}\n[http]\nlegacy_sessions = 1000\nrequests_per_minute = 100000\n"),
    );
    // The suite cannot be told to send a header, so the server requires no token.
    let served = Served::with(&fleet, &["--without-token"]);
    let home = tempfile::tempdir().unwrap();
    // A failed build has a log, which is a resource to list and read.
    let url = served.url("/mcp");
    let flags = ["--transport", "http", "--server-url"].map(String::from).to_vec();
    let reach = Reach { flags, last: vec![url.clone()] };
    let (_, answer, all) = Inspector { home: home.path(), era: "modern", reach: &reach }
        .asks("tools/call", &["--tool-name", "flake_check", "--tool-arg", "build=true"]);
    assert_eq!(answer["result"]["isError"], true, "{all}");

    let file = format!("tests/clients/conformance-{version}.yml");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let results = home.path().join("results");
    let mut command = node(home.path(), &program("conformance"));
    command.args(["server", "--suite", "all", "--spec-version", version, "--url", &url]);
    command.arg("--expected-failures").arg(&file).arg("--output-dir").arg(&results);
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());

    // The suite accepts a baseline entry whose check it did not reach. Here no entry may be out of date.
    let mut failed = BTreeSet::new();
    let mut scenarios = 0;
    for entry in std::fs::read_dir(&results).unwrap() {
        let folder = entry.unwrap();
        let name = folder.file_name().into_string().unwrap();
        // server-NAME-2026-07-28T01-02-03-004Z
        let stamp = name.len().checked_sub("-2026-07-28T01-02-03-004Z".len()).unwrap();
        let scenario = name.get("server-".len()..stamp).unwrap();
        scenarios += 1;
        let checks = std::fs::read(folder.path().join("checks.json")).unwrap();
        let checks: Vec<Value> = serde_json::from_slice(&checks).unwrap();
        // A warning means that the server does not do what it SHOULD.
        for check in
            checks.iter().filter(|check| check["status"] == "FAILURE" || check["status"] == "WARNING")
        {
            failed.insert(format!("{scenario}:{}", check["id"].as_str().unwrap()));
        }
    }
    assert!(scenarios >= 30, "only {scenarios} scenarios ran: {}", ended.all());
    let excused: BTreeSet<String> = baseline(&file).into_iter().collect();
    assert_eq!(failed, excused, "what fails, and what {file:?} says fails");
    served.stop();
}

/// The entries of a baseline. Fails if one has no reason above it.
fn baseline(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut reason = false;
    let mut entries = Vec::new();
    for line in text.lines() {
        match line.trim() {
            "" => reason = false,
            line if line.starts_with('#') => reason = true,
            line => {
                if let Some(entry) = line.strip_prefix("- ") {
                    assert!(reason, "{file:?}: {entry} stands below no reason");
                    entries.push(entry.to_owned());
                }
            }
        }
    }
    entries
}
