//! The questions of questions.toml, which `tools/ask-questions` asks on a real nixpkgs, are well-formed: each has what both sides
//! need, and the tools accept the calls.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pantheros_mcp::testing::tools::{Effect, Reach, catalogue};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::Client;

/// Fewest questions.
const FEWEST: usize = 24;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    fleet: String,
    kind: String,
    ask: String,
    calls: Vec<Call>,
    shell: Vec<String>,
    expect: Vec<String>,
    #[serde(default)]
    expect_tools: Vec<String>,
    #[serde(default)]
    expect_shell: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    tool: String,
    #[serde(default = "nothing")]
    arguments: Value,
}

fn nothing() -> Value {
    json!({})
}

fn questions() -> Vec<Question> {
    toml::from_str::<Questions>(include_str!("questions.toml")).unwrap().question
}

fn fleets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/questions/fleets")
}

fn folders(of: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(of).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn each_question_has_what_both_sides_need() {
    let questions = questions();
    assert!(questions.len() >= FEWEST, "{}", questions.len());
    let mut asked = BTreeSet::new();
    for question in &questions {
        assert!(question.ask.ends_with(['?', '.']), "{}", question.ask);
        assert!(asked.insert((&question.fleet, &question.ask)), "asked twice: {}", question.ask);
        assert!(!question.calls.is_empty() && !question.shell.is_empty(), "{}", question.ask);
        // Without an expectation, an error would count as a short answer.
        assert!(!question.expect.is_empty(), "{}", question.ask);
        let texts = [&question.shell, &question.expect, &question.expect_tools, &question.expect_shell];
        assert!(texts.into_iter().flatten().chain([&question.kind]).all(|text| !text.trim().is_empty()));
    }
    let used: BTreeSet<String> = questions.iter().map(|question| question.fleet.clone()).collect();
    assert_eq!(used, folders(&fleets()));
}

#[test]
fn the_fleets_name_inputs_that_everybody_has() {
    for name in folders(&fleets()) {
        let flake = std::fs::read_to_string(fleets().join(&name).join("flake.nix")).unwrap();
        let urls: Vec<&str> =
            flake.split("url = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(!urls.is_empty(), "{name}");
        assert!(urls.iter().all(|url| url.starts_with("github:")), "{name}: {urls:?}");
    }
}

/// A tool refuses an argument that it does not know or that has a wrong type before it looks at the flake.
#[test]
fn the_tools_accept_the_calls_and_change_nothing() {
    let nix = nixes().into_iter().next().unwrap();
    let fleet = Fleet::plain(&nix, &[("flake.nix", "{ outputs = _: { nixosConfigurations = { }; }; }")]);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    let mut tried = BTreeSet::new();
    for Question { ask, calls, .. } in questions() {
        for Call { tool, arguments } in calls {
            if !tried.insert((tool.clone(), arguments.to_string())) {
                continue;
            }
            let entry = catalogue().iter().find(|entry| entry.name == tool);
            let entry = entry.unwrap_or_else(|| panic!("{ask}: there is no tool {tool}"));
            assert!(entry.min_effect == Effect::Read && entry.reach == Reach::Here, "{ask}: {tool}");
            let answer = client.call(&tool, arguments.clone());
            assert!(answer["error"].is_null(), "{ask}: {tool} {arguments}: {answer}");
            let code = &answer["result"]["structuredContent"]["error"]["code"];
            assert_ne!(code, "invalid_input", "{ask}: {tool} {arguments}: {answer}");
        }
    }
}

/// A question about a host names a host of its fleet, on both sides.
#[test]
fn the_calls_name_hosts_of_the_fleet() {
    for Question { fleet, ask, calls, .. } in questions() {
        let folder = fleets().join(&fleet);
        let hosts = match folder.join("hosts") {
            hosts if hosts.is_dir() => folders(&hosts),
            _ => BTreeSet::from(["vps".to_owned()]),
        };
        for Call { arguments, .. } in calls {
            let list = arguments["hosts"].as_array().cloned().unwrap_or_default();
            let named = list.iter().chain(arguments.get("host")).map(|host| host.as_str().unwrap());
            for host in named {
                assert!(hosts.contains(host), "{ask}: {fleet} has no host {host}");
            }
        }
    }
}
