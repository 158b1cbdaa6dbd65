//! Import from derivation: built only if the policy allows it, and reported in the answer.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pantheros_mcp::testing::tools::find;
use serde_json::{Value, json};

use crate::common::catalogue::{arguments, require_accepted};
use crate::common::fleet::{Fleet, errors, nixes};
use crate::common::mcp::{Client, WITH_HANDSHAKE};
use crate::common::wait::wait_until;

/// A host, a shell and a package that read an address from the output of a derivation.
const FLAKE: &str = r#"{ outputs = _: let
  drv = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo ${name} >$out" ]; };
  made = derivation { name = "made-UNIQUE"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo '\"127.0.0.1\"' >$out" ]; };
  address = import made;
in {
  inherit made;
  nixosConfigurations.web = {
    options.listen = { _type = "option"; visible = false; type.description = "a type"; default = address; };
    options.address = { _type = "option"; type.description = "a type"; description = "The address ${address}."; };
    config = {
      networking.hostName = "web";
      system.build.toplevel = drv "web-${address}" // { type = "derivation"; };
      pantheros.deploy = { targetHost = address; port = 1; };
      disko.devices.disk.main = { type = "disk"; device = "/dev/${address}"; content = null; };
    };
  };
  devShells.x86_64-linux.default = drv "shell-${address}" // { type = "derivation"; };
  packages.x86_64-linux.tool = drv "tool-${address}" // { type = "derivation"; };
}; }"#;

/// Such a fleet, and the output path of its derivation, which is not built yet. The derivation itself is in the store:
/// Nix builds what is in the store even if it only reads.
fn fleet(nix: &Path) -> (Fleet, PathBuf) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let unique = format!("{now}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let fleet = Fleet::committed(nix, &[("flake.nix", &FLAKE.replace("UNIQUE", &unique))]);
    let told = |of: &str| {
        let told = fleet.by_hand(&["eval", "--raw", &format!(".#made.{of}")]);
        assert!(told.status.success(), "{}", errors(&told));
        PathBuf::from(String::from_utf8(told.stdout).unwrap())
    };
    assert!(told("drvPath").exists());
    let made = told("outPath");
    assert!(!made.exists());
    (fleet, made)
}

/// A user's Nix setting that lets an evaluation build, whatever the default of a Nix subcommand is.
fn permissive(mut command: Command) -> Command {
    command.env("NIX_CONFIG", "allow-import-from-derivation = true");
    command
}

fn run(fleet: &Fleet, flags: &[&str], tool: &str, arguments: &Value) -> Output {
    let arguments = arguments.to_string();
    let line = [flags, &["call", "--quiet", tool, &arguments]].concat();
    permissive(fleet.command(&line)).output().unwrap()
}

fn ask(fleet: &Fleet, flags: &[&str], tool: &str, arguments: &Value) -> Value {
    let output = run(fleet, flags, tool, arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{tool}: {}", errors(&output)))
}

/// The calls of each tool in the catalogue.
fn calls(fleet: &Fleet) -> Vec<(String, Vec<Value>)> {
    let listed = fleet.command(&["tools", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let tools = listed.as_array().or_else(|| listed["tools"].as_array()).unwrap();
    let names = tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
    names
        .map(|name| {
            let host = json!({"host": "web"});
            let calls = match name.as_str() {
                "list_hosts" => vec![json!({"wait": true}), host],
                "flake_check" => vec![json!({}), host],
                "list_devshells" => vec![json!({})],
                "nix_search" => {
                    vec![
                        json!({"query": "tool"}),
                        json!({"query": "address", "kind": "option", "host": "web"}),
                    ]
                }
                "evaluate" => vec![json!({"host": "web", "attr": "pantheros.deploy.targetHost"})],
                "explain_option" => vec![json!({"host": "web", "option": "listen"})],
                "fleet_view" => vec![json!({"view": "ports", "host": "web"})],
                "plan_deploy" => vec![json!({"hosts": ["web"]})],
                "deploy" => vec![json!({"plan_id": "plan-7cy3n6b6uyoaotuzogvmohvdo5"})],
                "build_host" | "inspect_disko" | "host_status" | "list_generations" | "rollback_host" => {
                    vec![host]
                }
                new => vec![arguments(find(new).unwrap())],
            };
            (name, calls)
        })
        .collect()
}

const CHANGING: [&str; 4] = ["build_host", "plan_deploy", "deploy", "rollback_host"];
/// Tools that have to evaluate the derivation's output. Other tools only must not build without reporting it.
const EVALUATING: [&str; 9] = [
    "evaluate",
    "explain_option",
    "list_hosts",
    "flake_check",
    "list_devshells",
    "inspect_disko",
    "nix_search",
    "host_status",
    "list_generations",
];

#[test]
fn a_read_only_server_builds_nothing_whatever_it_is_asked() {
    for nix in nixes() {
        let (fleet, made) = fleet(&nix);
        for (tool, calls) in calls(&fleet) {
            for arguments in calls {
                let output = run(&fleet, &["--read-only"], &tool, &arguments);
                let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), errors(&output));
                let refused = match tool.as_str() {
                    tool if CHANGING.contains(&tool) => "is disabled",
                    tool if EVALUATING.contains(&tool) => "\"needs_build\"",
                    _ => "",
                };
                assert!(said.contains(refused), "{tool} {arguments}: {said}");
                if refused.is_empty() {
                    require_accepted(&tool, &serde_json::from_slice(&output.stdout).unwrap());
                }
                assert!(!made.exists(), "{tool} {arguments} built it, {}", nix.display());
            }
        }
        let shells = ask(&fleet, &["--read-only"], "list_devshells", &json!({}));
        assert_eq!(shells["shells"][0]["status"], "needs_build", "{shells:#}");
    }
}

#[test]
fn what_was_built_to_evaluate_is_told() {
    for nix in nixes() {
        let (first, _) = fleet(&nix);
        let reading = calls(&first).into_iter().filter(|(tool, _)| !CHANGING.contains(&tool.as_str()));
        for (tool, arguments) in
            reading.flat_map(|(tool, calls)| calls.into_iter().map(move |c| (tool.clone(), c)))
        {
            let (fleet, made) = fleet(&nix);
            let answer = ask(&fleet, &[], &tool, &arguments);
            let told = &answer["built_to_evaluate"];
            if !EVALUATING.contains(&tool.as_str()) {
                let expected = if made.exists() { json!(1) } else { Value::Null };
                assert_eq!(told, &expected, "{tool} {arguments}: {answer:#}");
                continue;
            }
            // These build nothing in order to evaluate.
            if ["evaluate", "flake_check"].contains(&tool.as_str()) {
                assert!(answer.to_string().contains("\"needs_build\""), "{tool} {arguments}: {answer:#}");
                assert!(!made.exists() && told.is_null(), "{tool} {arguments}: {answer:#}");
                continue;
            }
            assert!(!answer.to_string().contains("\"needs_build\""), "{tool} {arguments}: {answer:#}");
            assert_eq!((made.exists(), told), (true, &json!(1)), "{tool} {arguments}: {answer:#}");
            // The output is built by now.
            let again = ask(&fleet, &[], &tool, &arguments);
            assert!(again["built_to_evaluate"].is_null(), "{tool} {arguments}: {again:#}");
        }
    }
}

#[test]
fn what_is_built_in_the_background_is_told_with_what_it_was_for() {
    let (fleet, made) = fleet(&nixes().pop().unwrap());
    let mut client = Client::begun(&fleet, &[], WITH_HANDSHAKE[3]);
    let mut hosts = || client.call("list_hosts", json!({}))["result"].clone();
    let first = hosts();
    assert_eq!(first["structuredContent"]["pending"], 1, "{first:#}");
    let mut told = Value::Null;
    wait_until("the facts", || {
        told = hosts();
        told["structuredContent"]["pending"] == 0
    });
    assert_eq!(
        (made.exists(), &told["structuredContent"]["built_to_evaluate"]),
        (true, &json!(1)),
        "{told:#}"
    );
    let text = told["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("Nix built 1 derivation for this evaluation"), "{text}");
}
