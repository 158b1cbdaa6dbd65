//! Evaluations that never end, and the answers that are given nevertheless.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes, told};

/// A flake with these hosts. The second part of a name selects how the host evaluates: `well`, `never` ending, or
/// `partly`.
fn flake(hosts: &[&str]) -> String {
    let hosts: Vec<String> = hosts
        .iter()
        .map(|name| format!("\"{name}\" = {} \"{name}\";", name.split('-').nth(1).unwrap()))
        .collect();
    format!(
        r#"{{
  outputs = _: let
    add = builtins.foldl' (sum: number: sum + number) 0;
    endless = builtins.foldl' (sum: _: add (builtins.genList (x: x) 100000)) 0 (builtins.genList (x: x) 1000000);
    host = name: rest: {{ config = {{ networking.hostName = name; system.build.toplevel = derivation {{
      inherit name; system = "x86_64-linux"; builder = "/bin/sh"; }}; }} // rest; }};
    well = name: host name {{ }};
    never = name: builtins.seq endless (host name {{ }});
    partly = name: host name {{ networking.hostName = toString endless; pantheros.deploy.tags = [ "kept" ]; }};
  in {{
    nixosConfigurations = {{ {} }};
  }};
}}"#,
        hosts.join(" ")
    )
}

/// A fleet with one worker, so that hosts are evaluated one after the other, and with four seconds for each host.
fn fleet(nix: &Path, hosts: &[&str]) -> Fleet {
    let fleet = Fleet::committed(nix, &[("flake.nix", &flake(hosts))]);
    limited(&fleet, nix, 4);
    fleet
}

/// Sets the time for each host.
fn limited(fleet: &Fleet, nix: &Path, seconds: u64) {
    let limits =
        format!("evaluation_seconds = {seconds}\nevaluation_workers = 1\nevaluation_memory_mib = 256\n");
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {nix:?}\n[limits]\n{limits}"));
}

/// The names in a list with their results: `well`, `endless` if the time ran out, or `left` if it was not evaluated.
fn fared<'a>(list: &'a Value, name: &str) -> Vec<(&'a str, &'static str)> {
    // Entries with the same error share one.
    let mut errors = BTreeMap::new();
    let list = list.as_array().unwrap_or_else(|| panic!("{list:#}"));
    for entry in list {
        let error = &entry["error"];
        if !error.is_null() {
            assert_eq!(error["code"], "timed_out", "{entry:#}");
            assert!(error["hint"].as_str().unwrap().contains("limits.evaluation_seconds"), "{entry:#}");
            errors.insert(entry[name].as_str().unwrap(), told(error));
        }
    }
    let become_of = |entry: &'a Value| {
        let own = entry[name].as_str().unwrap();
        match errors.get(entry["same_as"].as_str().unwrap_or(own)) {
            None => "well",
            Some(error) if error.starts_with("the evaluation took longer than 4 s") => "endless",
            Some(error) if error.starts_with("not evaluated, because 3 other evaluations exceeded") => "left",
            Some(error) => panic!("{error}"),
        }
    };
    let mut fared: Vec<_> =
        list.iter().map(|entry| (entry[name].as_str().unwrap(), become_of(entry))).collect();
    fared.sort_unstable();
    fared
}

#[test]
fn what_never_ends_costs_itself() {
    for nix in nixes() {
        let fleet = fleet(&nix, &["a-never", "b-well", "c-never", "d-well"]);
        let answer = fleet.call("list_hosts", &json!({})).json;
        let expected =
            [("a-never", "endless"), ("b-well", "well"), ("c-never", "endless"), ("d-well", "well")];
        assert_eq!(fared(&answer["hosts"], "name"), expected);
        assert_eq!((&answer["known"], &answer["failed"]), (&json!(2), &json!(2)), "{answer:#}");
    }
}

#[test]
fn a_fact_that_never_ends_costs_that_fact() {
    let nix = nixes().pop().unwrap();
    let fleet = fleet(&nix, &["a-partly", "b-well"]);
    // A call for one host gives the same answer.
    let all = fleet.call("list_hosts", &json!({})).json;
    let one = fleet.call("list_hosts", &json!({"host": "a-partly"})).json;
    for host in [&all["hosts"][0], &one["hosts"][0]] {
        assert_eq!((&host["unread"], &host["tags"]), (&json!(["host_name"]), &json!(["kept"])), "{host:#}");
        assert_eq!(host["error"]["code"], "timed_out", "{host:#}");
    }
    assert_eq!(all["hosts"][1]["facts"], "known", "{all:#}");
}

#[test]
fn after_three_that_never_end_the_rest_says_that_it_was_left() {
    let nix = nixes().pop().unwrap();
    let fleet = fleet(&nix, &["a-well", "b-never", "c-never", "d-never", "e-never", "f-well"]);
    let expected = [
        ("a-well", "well"),
        ("b-never", "endless"),
        ("c-never", "endless"),
        ("d-never", "endless"),
        ("e-never", "left"),
        ("f-well", "left"),
    ];
    let answer = fleet.call("list_hosts", &json!({})).json;
    assert_eq!(fared(&answer["hosts"], "name"), expected);
    // None of that is remembered: a shorter limit is in each error, and a call for one host alone is answered, as the
    // hint says.
    limited(&fleet, &nix, 2);
    let again = fleet.call("list_hosts", &json!({})).json;
    let told: Vec<_> = again["hosts"].as_array().unwrap().iter().map(|host| told(&host["error"])).collect();
    assert!(told[1].starts_with("the evaluation took longer than 2 s"), "{again:#}");
    assert!(told[4].starts_with("not evaluated"), "{again:#}");
    let one = fleet.call("list_hosts", &json!({"host": "f-well"})).json;
    assert_eq!(one["hosts"][0]["facts"], "known", "{one:#}");
}

#[test]
fn a_check_of_what_never_ends_is_an_error_each_and_not_remembered() {
    let nix = nixes().pop().unwrap();
    let fleet = fleet(&nix, &["a-never", "b-never", "c-well"]);
    let expected = [("a-never", "endless"), ("b-never", "endless"), ("c-well", "well")];
    let expected = expected.map(|(name, fared)| (format!("nixosConfigurations.{name}"), fared));
    let answer = fleet.call("flake_check", &json!({})).json;
    let fared: Vec<_> =
        fared(&answer["outputs"], "attr").into_iter().map(|(name, fared)| (name.to_owned(), fared)).collect();
    assert_eq!(fared, expected);
    limited(&fleet, &nix, 2);
    let again = fleet.call("flake_check", &json!({"host": "a-never"})).json;
    assert!(
        told(&again["outputs"][0]["error"]).starts_with("the evaluation took longer than 2 s"),
        "{again:#}"
    );
    let again = fleet.call("flake_check", &json!({})).json;
    assert!(
        told(&again["outputs"][0]["error"]).starts_with("the evaluation took longer than 2 s"),
        "{again:#}"
    );
}

/// A `nix` that prints each answer one second after the previous one.
#[test]
fn the_time_begins_anew_at_each_answer() {
    let nix = nixes().pop().unwrap();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|letter| format!("{letter}-well"));
    let names = names.each_ref().map(String::as_str);
    let fleet = fleet(&nix, &names);
    let script = format!(
        "#!/bin/sh\npipe=\"$0.$$\"; mkfifo \"$pipe\"; {nix:?} \"$@\" 2>\"$pipe\" & nix=$!\n\
         while IFS= read -r line; do\n\
         case $line in *pantheros-answer*value*) sleep 1 ;; esac; printf '%s\\n' \"$line\" >&2\n\
         done <\"$pipe\"; rm \"$pipe\"; wait $nix\n"
    );
    let slow = fleet.write_outside("slow-nix", &script);
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    limited(&fleet, &slow, 5);
    let answer = fleet.call("list_hosts", &json!({})).json;
    assert_eq!(fared(&answer["hosts"], "name"), names.map(|name| (name, "well")));
}
