//! The names of a fleet are listed at once. Its facts follow when they are evaluated.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, alive, nixes};
use crate::common::mcp::{Client, started_by};
use crate::common::wait::wait_until;

/// Two hosts, one that fails and one whose facts take longer than any test.
const FLEET: &str = r#"{
  outputs = _: let
    add = builtins.foldl' (sum: number: sum + number) 0;
    endless = builtins.foldl' (sum: _: add (builtins.genList (x: x) 100000)) 0 (builtins.genList (x: x) 1000000);
    host = name: { config.networking.hostName = name; };
  in {
    nixosConfigurations = {
      a = host "a";
      b = host "b";
      broken = throw "this one is broken";
      slow = host (toString endless);
    };
  };
}"#;

fn of(answer: &Value) -> &Value {
    let answer = &answer["result"]["structuredContent"];
    assert!(answer["hosts"].is_array(), "{answer:#}");
    answer
}

fn facts(answer: &Value) -> Vec<(&str, &str)> {
    let hosts = answer["hosts"].as_array().unwrap();
    hosts.iter().map(|host| (host["name"].as_str().unwrap(), host["facts"].as_str().unwrap())).collect()
}

/// Whether the server is evaluating.
fn evaluates(client: &Client) -> bool {
    started_by(client.id()).iter().any(|line| line.contains("--apply"))
}

#[test]
fn names_are_there_before_the_facts() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", FLEET)]);
        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let first = client.call("list_hosts", json!({"limit": 2}));
        let first = of(&first);
        assert_eq!((&first["total"], &first["pending"]), (&json!(4), &json!(4)), "{first:#}");
        assert_eq!(facts(first), [("a", "pending"), ("b", "pending")]);
        // The call that began the evaluation is over, but the evaluation continues.
        wait_until("the facts that can be had", || of(&client.call("list_hosts", json!({})))["pending"] == 1);
        let later = client.call("list_hosts", json!({}));
        assert_eq!(
            facts(of(&later)),
            [("a", "known"), ("b", "known"), ("broken", "failed"), ("slow", "pending")]
        );
        assert_eq!(of(&later)["hosts"][2]["error"]["code"], "throw", "{later:#}");
        // The next page follows the last one, although facts have arrived in between.
        let rest = client.call("list_hosts", json!({"cursor": first["next_cursor"]}));
        assert_eq!(facts(of(&rest)), [("broken", "failed"), ("slow", "pending")]);
        let one = client.call("list_hosts", json!({"host": "a"}));
        assert_eq!(facts(of(&one)), [("a", "known")]);
        // Each host is remembered by itself, and the command line begins no evaluation that would outlive it.
        let other = fleet.call("list_hosts", &json!({"wait": false}));
        assert_eq!((&other.json["known"], &other.json["pending"]), (&json!(2), &json!(1)), "{other:?}");

        let folder = fleet.folder().to_str().unwrap().to_owned();
        assert!(evaluates(&client));
        client.close();
        assert!(client.ends().success());
        assert!(!alive(&folder), "it ended with the server");
    }
}

#[test]
fn nobody_goes_on_with_a_flake_that_changed() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::committed(&nix, &[("flake.nix", FLEET)]);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    // Waits until only the last host is pending: by then Nix has read the flake.
    wait_until("the facts that can be had", || of(&client.call("list_hosts", json!({})))["pending"] == 1);
    fleet.write("flake.nix", &FLEET.replace("toString endless", "\"quick\""));
    // This call waits for its turn, which comes at the end of the other evaluation.
    let answer = client.call("list_hosts", json!({"wait": true}));
    let slow = &of(&answer)["hosts"][3];
    assert_eq!((&slow["facts"], &slow["host_name"]), (&json!("known"), &json!("quick")), "{answer:#}");
    wait_until("the end of the other evaluation", || !evaluates(&client));
}

#[test]
fn who_waits_is_told_how_far_it_is() {
    let nix = nixes().pop().unwrap();
    let flake = FLEET.replace("1000000)", "30)");
    let fleet = Fleet::committed(&nix, &[("flake.nix", &flake)]);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    let begun = client.call("list_hosts", json!({}));
    assert_eq!(of(&begun)["pending"], 4, "{begun:#}");
    // It joins the running evaluation.
    let arguments = json!({"wait": true});
    let id = client.ask(
        "tools/call",
        json!({"name": "list_hosts", "arguments": arguments, "_meta": {"progressToken": "p"}}),
    );
    let answer = client.answer(id).json;
    assert_eq!(of(&answer)["pending"], 0, "{answer:#}");
    assert_eq!(of(&answer)["known"], 3, "{answer:#}");
    let told = client.notifications.iter().any(|message| {
        let said = message.json["params"]["message"].as_str().unwrap_or_default();
        said.starts_with("evaluated ") && said.ends_with(" of 4 hosts")
    });
    assert!(told, "{:?}", client.notifications.iter().map(|message| &message.json).collect::<Vec<_>>());
}

/// The content of a submodule is unknown, and the flake may ask Nix to read it.
#[test]
fn names_are_there_at_once_of_a_flake_that_reads_more_than_is_known_of_it() {
    let nix = nixes().pop().unwrap();
    let flake = format!("# submodules\n{FLEET}");
    let fleet = Fleet::committed(&nix, &[("flake.nix", flake.as_str()), (".gitmodules", "")]);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    let first = client.call("list_hosts", json!({"limit": 2}));
    assert_eq!(facts(of(&first)), [("a", "pending"), ("b", "pending")]);
    assert_eq!(of(&first)["note"], Value::Null, "no facts that could be old: {first:#}");
    wait_until("the facts that can be had", || of(&client.call("list_hosts", json!({})))["pending"] == 1);
    let later = client.call("list_hosts", json!({"cursor": of(&first)["next_cursor"]}));
    assert_eq!(facts(of(&later)), [("broken", "failed"), ("slow", "pending")]);
    assert!(of(&later)["note"].as_str().unwrap().contains("`wait`"), "{later:#}");
    // A change of the flake's own files is noticed nevertheless.
    fleet.write("flake.nix", &flake.replace("host \"a\"", "host \"changed\""));
    let changed = client.call("list_hosts", json!({"limit": 1}));
    assert_eq!(facts(of(&changed)), [("a", "pending")]);
    wait_until("the facts that can be had", || of(&client.call("list_hosts", json!({})))["pending"] == 1);
    let changed = client.call("list_hosts", json!({"limit": 1}));
    assert_eq!(of(&changed)["hosts"][0]["host_name"], "changed", "{changed:#}");
    // No answer is remembered.
    let other = fleet.call("list_hosts", &json!({"wait": false}));
    assert_eq!(other.json["pending"], 4, "{other:?}");
}

#[test]
fn names_are_there_at_once_if_nothing_is_remembered() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::committed(&nix, &[("flake.nix", FLEET)]);
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {nix:?}\n[cache]\nenabled = false\n"));
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    let first = client.call("list_hosts", json!({"limit": 1}));
    assert_eq!(facts(of(&first)), [("a", "pending")]);
    wait_until("the facts that can be had", || of(&client.call("list_hosts", json!({})))["pending"] == 1);
}

/// A `nix` that waits before it evaluates one of two hosts. The flake changes in the meantime.
#[test]
fn facts_are_of_one_state_of_the_flake() {
    let nix = nixes().pop().unwrap();
    let flake = r#"{
      outputs = _: {
        nixosConfigurations = builtins.listToAttrs (map (name: {
          inherit name;
          value.config.networking.hostName = builtins.readFile ./value;
        }) [ "first-host" "waits-here" ]);
      };
    }"#;
    let fleet = Fleet::committed(&nix, &[("flake.nix", flake), ("value", "old")]);
    let [ready, waiting, go] = ["ready", "waiting", "go"].map(|name| fleet.folder().with_file_name(name));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n\
         *waits-here*) : >{waiting:?}; until [ -e {go:?} ]; do sleep 0.05; done ;;\n\
         *first-host*) {nix:?} \"$@\"; code=$?; : >{ready:?}; exit $code ;;\nesac\nexec {nix:?} \"$@\"\n"
    );
    let program = fleet.write_outside("nix-that-waits", &script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = format!("[nix]\nprogram = {program:?}\n[limits]\nevaluation_workers = 2\n");
    fleet.write_outside("pantheros.toml", &settings);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    let id = client.ask("tools/call", json!({"name": "list_hosts", "arguments": {"wait": true}}));
    wait_until("one host to be evaluated", || ready.exists() && waiting.exists());
    fleet.write("value", "new");
    std::fs::write(go, "").unwrap();
    let answer = client.answer(id).json;
    let names: Vec<&Value> =
        of(&answer)["hosts"].as_array().unwrap().iter().map(|host| &host["host_name"]).collect();
    assert_eq!(names, ["new", "new"], "{answer:#}");
}
