//! The selection of hosts for a plan: no host is left out silently, and an empty selection is not all hosts.

use std::process::Stdio;
use std::time::Instant;

use crate::common::fleet::{Answer, Fleet, errors, nixes, told};
use crate::common::mcp::Client;
use crate::common::site::Site;
use crate::common::wait::PATIENCE;
use serde_json::{Value, json};

/// Two machines, and hosts that do not evaluate: two with the same cause, one whose tags alone fail, and one that is
/// not a configuration.
fn site(nix: &std::path::Path) -> Site {
    let site = Site::start(nix, &["a", "b"], &json!({}));
    let flake = std::fs::read_to_string(site.fleet.folder().join("flake.nix")).unwrap();
    let broken = r#"let gone = throw "the secret is not there"; in builtins.mapAttrs host fleet.hosts // {
      broken-1.config.pantheros.deploy = gone;
      broken-2.config.pantheros.deploy = gone;
      tagless.config.pantheros.deploy.tags = throw "no tags today";
      odd = 42;
    };"#;
    let changed = flake.replace("builtins.mapAttrs host fleet.hosts;", broken);
    assert_ne!(changed, flake);
    site.fleet.write("flake.nix", &changed);
    site.fleet.git(&["commit", "-qam", "break some"]);
    site
}

const BROKEN: [&str; 4] = ["broken-1", "broken-2", "tagless", "odd"];

fn plan(site: &Site, arguments: &Value) -> Answer {
    let answer = site.fleet.call("plan_deploy", arguments);
    assert_eq!(answer.code == 0, answer.json.get("plan_id").is_some(), "{:#}", answer.json);
    answer
}

fn hosts(answer: &Answer) -> Vec<&str> {
    answer.json["hosts"].as_array().unwrap().iter().map(|host| host["host"].as_str().unwrap()).collect()
}

#[test]
fn a_tag_is_not_planned_for_while_hosts_do_not_evaluate() {
    for nix in nixes() {
        let site = site(&nix);
        let answer = plan(&site, &json!({"tag": "all"}));
        assert_eq!((answer.code, answer.error_code()), (1, "evaluation_failed"), "{:#}", answer.json);
        let unread = answer.json["unread"].as_array().unwrap();
        let mut causes: Vec<(&Value, String)> =
            unread.iter().map(|cause| (&cause["hosts"], told(&cause["error"]))).collect();
        causes.sort_by_key(|(hosts, _)| hosts.to_string());
        assert_eq!(causes.len(), 3, "one cause is told once: {causes:#?}");
        for ((hosts, said), (wanted, message)) in causes.iter().zip([
            (json!(["broken-1", "broken-2"]), "the secret is not there"),
            (json!(["odd"]), "expected a NixOS configuration"),
            (json!(["tagless"]), "no tags today"),
        ]) {
            assert!(**hosts == wanted && said.contains(message), "{causes:#?}");
        }
        let error = &answer.json["error"];
        for name in BROKEN {
            assert!(error["message"].as_str().unwrap().contains(name), "{error:#}");
        }
        assert!(error["hint"].as_str().unwrap().contains("`except`"), "{error:#}");

        // Leaving out only some of them is not enough.
        let answer = plan(&site, &json!({"tag": "all", "except": ["broken-1", "odd", "tagless"]}));
        assert_eq!(answer.json["unread"][0]["hosts"], json!(["broken-2"]), "{:#}", answer.json);
    }
}

#[test]
fn who_is_left_out_by_name_is_shown_to_who_approves() {
    let site = site(&nixes().pop().unwrap());
    let answer = plan(&site, &json!({"tag": "all", "except": BROKEN}));
    assert_eq!((answer.code, hosts(&answer)), (0, vec!["a", "b"]), "{:#}", answer.json);
    assert_eq!(answer.json["except"].as_array().unwrap().len(), 4, "{:#}", answer.json);
    let id = answer.json["plan_id"].as_str().unwrap();
    let shown = site.fleet.command(&["plans", id]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("without broken-1, broken-2, odd, tagless, left out by name"), "{shown}");

    // A host that evaluates is left out in the same way, with a tag and with names, also in a terminal.
    for named in [json!({"tag": "all"}), json!({"hosts": ["a", "b", "a"]})] {
        let mut arguments = named;
        arguments["except"] = json!(["a", "broken-1", "broken-2", "odd", "tagless"]);
        let answer = plan(&site, &arguments);
        assert_eq!((answer.code, hosts(&answer)), (0, vec!["b"]), "{:#}", answer.json);
        assert!(answer.json["except"].as_array().unwrap().contains(&json!("a")), "{:#}", answer.json);
    }
    let mut line = vec!["deploy", "--tag", "all", "--dry-run", "--except", "a"];
    line.extend(BROKEN.iter().flat_map(|name| ["--except", name]));
    let told = site.fleet.command(&line).stdin(Stdio::null()).output().unwrap();
    assert_eq!(told.status.code(), Some(0), "{}", errors(&told));
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("switch b to a new system") && told.contains("without a, broken-1"), "{told}");
}

#[test]
fn nothing_named_is_not_everything() {
    let site = site(&nixes().pop().unwrap());
    let mut all = BROKEN.to_vec();
    all.extend(["a", "b"]);
    for (arguments, code, attr, said) in [
        (json!({}), "invalid_input", "hosts", "neither a host nor a tag is named"),
        (json!({"hosts": []}), "invalid_input", "hosts", "neither a host nor a tag is named"),
        (json!({"hosts": [], "tag": ""}), "invalid_input", "hosts", "neither a host nor a tag is named"),
        (json!({"tag": " "}), "invalid_input", "hosts", "neither a host nor a tag is named"),
        (json!({"except": ["a"]}), "invalid_input", "hosts", "neither a host nor a tag is named"),
        (json!({"hosts": ["a"], "tag": "all"}), "invalid_input", "tag", "not both"),
        (
            json!({"hosts": ["a"], "except": ["a"]}),
            "invalid_input",
            "except",
            "leaves out every selected host",
        ),
        (json!({"tag": "all", "except": all}), "invalid_input", "except", "leaves out every selected host"),
        (json!({"tag": "al", "except": BROKEN}), "invalid_input", "tag", "the tags are all"),
        (json!({"tag": "all", "except": ["brokn-1"]}), "unknown_host", "except", "`brokn-1`"),
        (json!({"hosts": ["a"], "except": ["c"]}), "unknown_host", "except", "`c`"),
    ] {
        let answer = plan(&site, &arguments);
        let error = &answer.json["error"];
        assert_eq!((&error["code"], &error["attr"]), (&json!(code), &json!(attr)), "{arguments}: {error:#}");
        assert!(error["message"].as_str().unwrap().contains(said), "{arguments}: {error:#}");
    }
    let near = plan(&site, &json!({"tag": "all", "except": ["brokn-1"]}));
    assert_eq!(near.json["error"]["suggestions"][0], "broken-1", "{:#}", near.json);
    let told = site.fleet.command(&["deploy", "--tag", ""]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(told.status.code(), Some(2), "{told:?}");
}

/// Settings and configuration can both give tags to a host.
#[test]
fn a_group_has_all_that_anybody_says_belong_to_it() {
    let site = Site::start(&nixes().pop().unwrap(), &["a", "b"], &json!({}));
    let settings = std::fs::read_to_string(site.fleet.folder().with_file_name("pantheros.toml")).unwrap();
    site.fleet
        .write_outside("pantheros.toml", &format!("{settings}\n[hosts.b]\ntags = [\"edge\", \"all\"]\n"));
    let listed = site.fleet.call("list_hosts", &json!({}));
    assert_eq!(listed.json["hosts"][1]["tags"], json!(["all", "edge"]), "{:#}", listed.json);
    let answer = plan(&site, &json!({"tag": "edge"}));
    assert_eq!((answer.code, hosts(&answer)), (0, vec!["b"]), "{:#}", answer.json);
}

/// Two hosts whose tags evaluate at once, and one whose tags take longer than any test.
const ENDLESS: &str = r#"{
  outputs = _: let
    add = builtins.foldl' (sum: number: sum + number) 0;
    endless = builtins.foldl' (sum: _: add (builtins.genList (x: x) 100000)) 0 (builtins.genList (x: x) 1000000);
    host = tag: { config.pantheros.deploy = { targetHost = "192.0.2.1"; tags = [ tag ]; }; };
  in {
    nixosConfigurations = { a = host "all"; b = host "all"; slow = host (toString endless); };
  };
}"#;

/// Planning by tag waits for the tags of every host and reports how many are known.
#[test]
fn a_plan_by_tag_says_how_far_it_is() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", ENDLESS)]);
        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let plans = |client: &mut Client, token: &str| {
            let id = client.ask(
                "tools/call",
                json!({"name": "plan_deploy", "arguments": {"tag": "all"}, "_meta": {"progressToken": token}}),
            );
            let deadline = Instant::now() + PATIENCE;
            loop {
                let message = client.next();
                assert!(Instant::now() < deadline, "{token}: {message:#}");
                let params = &message["params"];
                assert_eq!(message["method"], "notifications/progress", "{message:#}");
                assert_eq!(params["progressToken"], token, "{message:#}");
                if params["message"] == "evaluated 2 of 3 hosts" {
                    assert_eq!(params["total"], 3.0, "{message:#}");
                    let progress = params["progress"].as_f64().unwrap();
                    assert!((2.0..3.0).contains(&progress), "{message:#}");
                    client.cancel(id);
                    return;
                }
            }
        };
        plans(&mut client, "alone");
        // The same if another call evaluates the tags.
        client.call("list_hosts", json!({}));
        plans(&mut client, "beside");
    }
}

/// A host of which two facts fail, the second because it uses all the time. The facts after it, which include the tags,
/// are not read.
#[test]
fn a_host_whose_tags_were_given_up_is_named() {
    const SECONDS: u64 = 5;
    for nix in nixes() {
        let slow = r#"slow = {
          config.networking.hostName = abort "no name today";
          config.system.stateVersion = toString endless;
          config.pantheros.deploy = { targetHost = "192.0.2.1"; tags = [ "all" ]; };
        };"#;
        let flake = ENDLESS.replace("slow = host (toString endless);", slow);
        assert_ne!(flake, ENDLESS);
        let fleet = Fleet::committed(&nix, &[("flake.nix", &flake)]);
        fleet.write_outside(
            "pantheros.toml",
            &format!("[nix]\nprogram = {nix:?}\n[limits]\nevaluation_seconds = {SECONDS}\n"),
        );
        let answer = fleet.call("plan_deploy", &json!({"tag": "all"}));
        assert_eq!((answer.code, answer.error_code()), (1, "evaluation_failed"), "{:#}", answer.json);
        let unread = answer.json["unread"].as_array().unwrap();
        assert_eq!(unread.len(), 1, "{:#}", answer.json);
        assert_eq!(
            (&unread[0]["hosts"], &unread[0]["error"]["code"]),
            (&json!(["slow"]), &json!("timed_out")),
            "{:#}",
            answer.json
        );
        assert!(answer.json["error"]["message"].as_str().unwrap().contains("slow"), "{:#}", answer.json);
    }
}
