//! The workflows and configurations under `.github/` are sound: they parse, everything is pinned and bounded, and no
//! text of a stranger reaches a shell as code.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

fn github() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".github")
}

/// Every workflow, with its name and its text.
fn workflows() -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(github().join("workflows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(name.ends_with(".yml"), "{name}");
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(found.len() >= 3, "{found:?}");
    found
}

fn parse(text: &str) -> Yaml<'_> {
    let mut documents = Yaml::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.pop().unwrap()
}

fn field<'a, 'b>(node: &'a Yaml<'b>, key: &str) -> Option<&'a Yaml<'b>> {
    node.as_mapping_get(key)
}

fn entries<'a>(node: &'a Yaml<'_>) -> Vec<(&'a str, &'a Yaml<'a>)> {
    node.as_mapping().unwrap().iter().map(|(key, value)| (key.as_str().unwrap(), value)).collect()
}

/// Every step of every job, with the job's name.
fn steps<'a>(workflow: &'a Yaml<'_>) -> Vec<(&'a str, &'a Yaml<'a>)> {
    entries(field(workflow, "jobs").unwrap())
        .into_iter()
        .flat_map(|(name, job)| {
            field(job, "steps").unwrap().as_vec().unwrap().iter().map(move |step| (name, step))
        })
        .collect()
}

#[test]
fn the_workflows_we_promise_are_there() {
    let names: Vec<String> = workflows().into_iter().map(|(name, _)| name).collect();
    for name in ["check.yml", "deploy.yml", "update.yml"] {
        assert!(names.iter().any(|known| known == name), "{name} is missing: {names:?}");
    }
}

#[test]
fn every_workflow_is_bounded_and_has_no_rights_it_does_not_name() {
    for (name, text) in workflows() {
        let workflow = parse(&text);
        let rights = field(&workflow, "permissions").unwrap_or_else(|| panic!("{name} names no permissions"));
        assert!(
            rights.as_mapping().is_some_and(|rights| rights.is_empty()),
            "{name}: rights belong to a job"
        );
        let concurrency =
            field(&workflow, "concurrency").unwrap_or_else(|| panic!("{name} has no concurrency"));
        assert!(field(concurrency, "group").is_some(), "{name}");
        for (job, content) in entries(field(&workflow, "jobs").unwrap()) {
            let minutes = field(content, "timeout-minutes").and_then(Yaml::as_integer);
            assert!(
                minutes.is_some_and(|minutes| (1..=120).contains(&minutes)),
                "{name}: {job}: {minutes:?}"
            );
            assert!(field(content, "permissions").is_some(), "{name}: {job} names no permissions");
        }
    }
}

#[test]
fn every_action_is_pinned_to_a_commit_and_says_which_version_that_is() {
    let mut seen = 0;
    for (name, text) in workflows() {
        for line in
            text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "))
        {
            seen += 1;
            let (action, version) = line.split_once(" # ").unwrap_or((line, ""));
            let (_, commit) = action.split_once('@').unwrap_or_else(|| panic!("{name}: {line}"));
            assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{name}: {line}");
            assert!(version.starts_with('v'), "{name}: {line} does not say which version it is");
        }
        let parsed = parse(&text);
        for (job, step) in steps(&parsed) {
            let checkout =
                field(step, "uses").and_then(Yaml::as_str).is_some_and(|uses| uses.contains("/checkout@"));
            if checkout {
                let kept = field(step, "with").and_then(|with| field(with, "persist-credentials"));
                assert_eq!(
                    kept.and_then(Yaml::as_bool),
                    Some(false),
                    "{name}: {job} leaves its token in .git"
                );
            }
        }
    }
    assert!(seen > 5, "only {seen} actions were found");
}

/// GitHub puts the value of an expression into a script as text, where it is code. In an environment variable it stays
/// a value.
#[test]
fn no_expression_is_part_of_a_script() {
    for (name, text) in workflows() {
        let parsed = parse(&text);
        for (job, step) in steps(&parsed) {
            let Some(script) = field(step, "run").and_then(Yaml::as_str) else { continue };
            assert!(!script.contains("${{"), "{name}: {job}: {script}");
        }
    }
}

#[test]
fn every_script_is_clean() {
    for (name, text) in workflows() {
        let parsed = parse(&text);
        for (job, step) in steps(&parsed) {
            let Some(script) = field(step, "run").and_then(Yaml::as_str) else { continue };
            let mut shellcheck = Command::new("shellcheck")
                .args(["--shell=bash", "--norc", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            std::io::Write::write_all(&mut shellcheck.stdin.take().unwrap(), script.as_bytes()).unwrap();
            let output = shellcheck.wait_with_output().unwrap();
            assert!(output.status.success(), "{name}: {job}:\n{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn secrets_reach_only_what_needs_them() {
    for (name, text) in workflows() {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.contains("secrets.")) {
            let key = line.trim().split(':').next().unwrap();
            let fine = matches!(
                (name.as_str(), key),
                ("deploy.yml", "DEPLOY_SSH_KEY" | "DEPLOY_SIGNING_KEY") | ("update.yml", "token")
            );
            assert!(fine, "{name}:{}: {line}", at + 1);
        }
    }
    // Only a job that is reviewed gets the keys.
    let (_, text) = workflows().into_iter().find(|(name, _)| name == "deploy.yml").unwrap();
    let workflow = parse(&text);
    for (job, content) in entries(field(&workflow, "jobs").unwrap()) {
        let reviewed = field(content, "environment").and_then(Yaml::as_str) == Some("production");
        assert_eq!(reviewed, job == "deploy", "{job}");
    }
    let triggers = field(&workflow, "on").unwrap();
    assert_eq!(entries(triggers).iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["workflow_dispatch"]);
    assert!(!text.contains("--install"), "an installation wants a person at a terminal");
}

/// Copilot's settings accept this file as it is: every server has its type and the tools that it provides.
#[test]
fn copilots_servers_are_complete() {
    let text = std::fs::read_to_string(github().join("mcp-servers.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let servers = json["mcpServers"].as_object().unwrap();
    assert!(!servers.is_empty());
    for (name, server) in servers {
        let kind = server["type"].as_str().unwrap_or_default();
        match kind {
            "local" | "stdio" => {
                assert!(server["command"].is_string(), "{name}");
                assert!(server["args"].as_array().unwrap().iter().all(Value::is_string), "{name}");
            }
            "http" | "sse" => assert!(server["url"].as_str().unwrap().starts_with("https://"), "{name}"),
            other => panic!("{name} is of type {other:?}"),
        }
        let tools = server["tools"].as_array().unwrap();
        assert!(!tools.is_empty() && tools.iter().all(Value::is_string), "{name}");
    }
}
