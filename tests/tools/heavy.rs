//! Every tool with its largest answers: an answer ends at about a page, and counts what it leaves out.

use pantheros_mcp::testing::tools::find;
use serde_json::{Value, json};

use crate::common::catalogue::{arguments, require_accepted};
use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::Client;
use crate::common::site::Site;

/// The largest size of an answer in bytes, as JSON and as text.
const MOST: usize = 26 * 1024;
/// The number of hosts in the plan.
const HOSTS: usize = 30;

/// A flake with many entries of every kind that needs no host, each of them long.
const FLAKE: &str = r#"{
  outputs = _: let
    system = "x86_64-linux";
    many = count: name: make: builtins.listToAttrs (builtins.genList (number: {
      name = "${name}-${toString number}"; value = make number;
    }) count);
    long = number: builtins.concatStringsSep " " (builtins.genList (_: "wörd-${toString number}") 230);
    drv = name: { inherit name system; builder = "/bin/sh"; };
    lines = number: derivation (drv "part-${toString number}-${builtins.concatStringsSep "-" (builtins.genList (_: "long") 25)}" // {
      line = long number;
      args = [ "-c" "at=0; while [ $at -lt 30 ]; do echo \"$line\"; at=$((at + 1)); done; exit 1" ];
    });
  in {
    nixosConfigurations = many 40 "host" (number: throw (long number)) // {
      fails.config.system.build.toplevel = derivation (drv "fails" // { parts = builtins.genList lines 12; });
      options = let option = { _type = "option"; type.description = "t"; description = "d"; }; in {
        lib = { };
        options.services = many 300 "service" (_: { enable = option; note = option; });
        config.services = many 300 "service" (number: { enable = true; note = long number; });
        type.getSubModules = builtins.genList (number: { services.service-1.note = long number; }) 300
          ++ [ { services = many 300 "service" (number: { enable = true; note = long number; }); } ];
      };
      disks.config.disko.devices.disk = many 40 "disk" (number: throw (long number));
    };
    devShells.${system} = many 60 "shell" (number: throw (long number));
    packages.${system} = many 80 "tool" (number: derivation (drv "tool-${toString number}") // { meta.description = long number; })
      // many 20 "tool-bad" (number: throw (long number));
  };
}"#;

/// The counters and cursors in an answer.
fn counters(answer: &Value, found: &mut Vec<String>) {
    match answer {
        Value::Object(fields) => {
            let is_counter = |name: &&String| name.starts_with("more_") || *name == "next_cursor";
            found.extend(fields.keys().filter(is_counter).cloned());
            fields.values().for_each(|value| counters(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| counters(value, found)),
        Value::String(said) if said.starts_with("… and ") => found.push(said.clone()),
        _ => {}
    }
}

/// The answer. Fails if it is larger than [`MOST`].
fn bounded(tool: &Value, result: &Value) -> Value {
    let name = tool["name"].as_str().unwrap();
    let answer = result["structuredContent"].clone();
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{name}: {result:#}"));
    let weighs = (answer.to_string().len(), text.len());
    assert!(weighs.0 <= MOST && weighs.1 <= MOST, "{name}: {weighs:?} bytes of JSON and of text");
    answer
}

/// As [`bounded`], for an answer that has to report that it is incomplete.
fn light(tool: &Value, result: &Value) -> Value {
    let (name, answer) = (tool["name"].as_str().unwrap(), bounded(tool, result));
    let mut found = Vec::new();
    counters(&answer, &mut found);
    assert!(!found.is_empty(), "{name} is not heavy ({} bytes): {answer:#}", answer.to_string().len());
    answer
}

fn length(list: &Value) -> Option<u64> {
    list.as_array().map(|list| list.len() as u64)
}

/// The result of a call that a person approves in a form.
fn approved(client: &mut Client, tool: &str, arguments: &Value) -> Value {
    let id = client.ask("tools/call", json!({"name": tool, "arguments": arguments}));
    let form = client.next();
    assert_eq!(form["method"], "elicitation/create", "{form:#}");
    let yes = json!({"action": "accept", "content": {"name": "web"}});
    client.send_line(&json!({"jsonrpc": "2.0", "id": form["id"], "result": yes}).to_string());
    client.answer(id).json["result"].clone()
}

/// The number of the plan's hosts in the answer, in full or by name.
fn hosts_told(answer: &Value) -> usize {
    let shown = answer["hosts"].as_array().unwrap().len();
    let named = answer["more_named"].as_object().unwrap();
    let names: usize = named.values().map(|names| names.as_array().unwrap().len()).sum();
    assert_eq!(answer["more_hosts"], names, "{answer:#}");
    shown + names
}

/// A machine with much to report, and many hosts that are all this machine.
fn site() -> Site {
    let nix = nixes().pop().unwrap();
    let checks = vec![json!({"tcp": 1}); 500];
    let deploy = json!({"targetHost": "web", "healthChecks": checks, "rollbackTimeout": 3});
    let mut site = Site::start(&nix, &["web"], &deploy);
    let refusals: Vec<Value> = (0..12)
        .map(|number| json!({"code": format!("reason_{number}"), "message": "not well ".repeat(40)}))
        .collect();
    site.change(|facts| {
        let mut host = facts["hosts"]["web"].clone();
        host["healthChecks"] = json!([]);
        host["refusals"] = json!(refusals);
        for number in 0..HOSTS {
            facts["hosts"][format!("host-{number}")] = host.clone();
        }
    });
    let second = site.toplevel("web");
    site.machine("web").install(&nix, &second);
    site.revise("3");
    site
}

/// Makes the machine report failed units, through a stand-in for systemctl, and generations.
fn burden(site: &mut Site) {
    let unit = "ü".repeat(150);
    let script = format!(
        "tools=$(readlink -f /run/current-system)/sw/bin; chmod u+w $tools; mkdir -p /run/systemd/system
         printf '#!/bin/sh\\nat=0; while [ $at -lt 120 ]; do echo {unit}-$at.service; at=$((at + 1)); done\\n' >$tools/systemctl
         chmod +x $tools/systemctl
         at=10; while [ $at -lt 200 ]; do
           ln -s /nix/store/{}-{} /nix/var/nix/profiles/system-$at-link; at=$((at + 1))
         done",
        "0".repeat(32),
        "n".repeat(200)
    );
    site.machine("web").says(&["sh", "-c", &script]);
}

#[test]
fn no_answer_of_any_tool_is_heavier_than_a_page() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::committed(&nix, &[("flake.nix", FLAKE)]);
    let mut here = Client::begun(&fleet, &[], "2025-11-25");
    let mut site = site();
    let capabilities = json!({"elicitation": {"form": {}}});
    let mut there = Client::able(&site.fleet, &[], "2025-11-25", capabilities);
    let tools = there.request("tools/list", json!({}))["result"]["tools"].clone();
    let tools = tools.as_array().unwrap();
    // Deploys before the machine gets more to report.
    let is_read = |tool: &&Value| tool["annotations"]["readOnlyHint"] == true;
    let (read, others): (Vec<&Value>, Vec<&Value>) = tools.iter().partition(is_read);
    for tool in others.into_iter().chain(read) {
        let mut call =
            |arguments: Value| here.call(tool["name"].as_str().unwrap(), arguments)["result"].clone();
        match tool["name"].as_str().unwrap() {
            "list_hosts" => _ = light(tool, &call(json!({"wait": true, "limit": 500}))),
            "flake_check" => _ = light(tool, &call(json!({"limit": 500}))),
            "list_devshells" => _ = light(tool, &call(json!({"limit": 500}))),
            "nix_search" => {
                let answer = bounded(tool, &call(json!({"query": "tool", "limit": 100, "detail": true})));
                assert!(length(&answer["results"]) < answer["total"].as_u64(), "{answer:#}");
                assert!(length(&answer["unread"]) < answer["unread_total"].as_u64(), "{answer:#}");
            }
            "inspect_disko" => {
                let answer = bounded(tool, &call(json!({"host": "disks"})));
                assert!(length(&answer["unread"]) < answer["unread_total"].as_u64(), "{answer:#}");
            }
            "explain_option" => {
                for option in ["services", "services.service-1.note"] {
                    light(tool, &call(json!({"host": "options", "option": option, "limit": 500})));
                }
                let hosts: Vec<String> = (0..40).map(|number| format!("host-{number}")).collect();
                light(tool, &call(json!({"hosts": hosts, "option": "services"})));
            }
            "fleet_view" => {
                light(tool, &call(json!({"host": "options", "view": "ports", "limit": 500})));
                bounded(tool, &call(json!({"host": "options", "view": "services", "limit": 500})));
                bounded(tool, &call(json!({"view": "access"})));
            }
            "build_host" => {
                let answer = light(tool, &call(json!({"host": "fails"})));
                let failures = answer["failures"].as_array().unwrap();
                assert_eq!(failures.len() as u64 + answer["more_failures"].as_u64().unwrap(), 12);
                for failure in failures {
                    let uri = failure["log_uri"].as_str().unwrap();
                    let log = here.request("resources/read", json!({"uri": uri}));
                    assert!(
                        log["result"]["contents"][0]["text"].as_str().unwrap().contains("wörd"),
                        "{log:#}"
                    );
                }
            }
            "plan_deploy" => {
                let hosts: Vec<String> = (0..HOSTS).map(|number| format!("host-{number}")).collect();
                let result = there.call("plan_deploy", json!({"hosts": hosts}))["result"].clone();
                let answer = light(tool, &result);
                assert_eq!(hosts_told(&answer), HOSTS, "{answer:#}");
                assert!(answer["plan_id"].is_string(), "{answer:#}");
                for host in answer["hosts"].as_array().unwrap() {
                    let risks = host["risks"].as_array().unwrap();
                    assert!(risks.iter().all(|risk| risk["severity"] == "blocking"), "{host:#}");
                }
            }
            "deploy" => {
                let planned = there.call("plan_deploy", json!({"hosts": ["web"]}))["result"].clone();
                let plan = json!({"plan_id": planned["structuredContent"]["plan_id"]});
                let answer = light(tool, &approved(&mut there, "deploy", &plan));
                assert_eq!(answer["hosts"][0]["state"], "rolled_back", "{answer:#}");
            }
            // A rollback is of one host, and only checks whether it is the right one and runs the right system.
            "rollback_host" => {
                site.hook(
                    "web",
                    "1-test",
                    "at=0; while [ $at -lt 999 ]; do echo it is bröken >&2; at=$((at + 1)); done; exit 1",
                );
                let answer = bounded(tool, &approved(&mut there, "rollback_host", &json!({"host": "web"})));
                assert_eq!(answer["hosts"][0]["state"], "rolled_back", "{answer:#}");
            }
            "host_status" => {
                burden(&mut site);
                site.change(|facts| facts["broken"] = "it is bröken ".repeat(150).into());
                let answer = light(tool, &there.call("host_status", json!({"host": "web"}))["result"]);
                let units = answer["failed_units"].as_array().unwrap().len() as u64;
                assert_eq!(units + answer["more_failed_units"].as_u64().unwrap(), 120);
            }
            "list_generations" => {
                let arguments = json!({"host": "web", "limit": 500});
                let answer = light(tool, &there.call("list_generations", arguments)["result"]);
                assert!(answer["total"].as_u64() > Some(100), "{answer:#}");
            }
            // A tool without a case here is called with arguments by its schema.
            name => {
                let arguments = arguments(find(name).unwrap());
                require_accepted(name, &bounded(tool, &call(arguments.clone())));
                require_accepted(name, &bounded(tool, &there.call(name, arguments)["result"]));
            }
        }
    }
}
