//! `--override-input`: every evaluation reads the other input, and a plan says so and is deployed with it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, error_of, errors, nixes};
use crate::common::site::Site;

/// A flake with an input `word` that the outputs are named after.
const FLAKE: &str = r#"{
  inputs.word.url = "git+file://@word@";
  outputs = { self, word }: {
    nixosConfigurations.web.config = {
      networking.hostName = word.word;
      system.build.toplevel = derivation {
        name = "web-${word.word}"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ];
      } // { type = "derivation"; };
    };
  };
}"#;

/// A repository with a flake whose output `word` is this one; returns its commit.
fn repository(folder: &Path, word: &str) -> String {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("flake.nix"), format!("{{ outputs = _: {{ word = \"{word}\"; }}; }}"))
        .unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", word]);
    git(&["rev-parse", "HEAD"])
}

/// A flake that is locked to `one`, with the references of two other repositories: pinned and not.
fn fleet(nix: &Path) -> (Fleet, String, String) {
    let fleet = Fleet::plain(nix, &[]);
    let beside = |name: &str| fleet.folder().with_file_name(name);
    repository(&beside("one"), "one");
    let two = repository(&beside("two"), "two");
    repository(&beside("three"), "three");
    fleet.write("flake.nix", &FLAKE.replace("@word@", beside("one").to_str().unwrap()));
    fleet.git(&["init", "-q"]);
    fleet.git(&["add", "."]);
    let locked = fleet.by_hand(&["flake", "lock"]);
    assert!(locked.status.success(), "{}", errors(&locked));
    fleet.git(&["add", "."]);
    fleet.git(&["commit", "-qm", "a fleet"]);
    let pinned = format!("git+file://{}?rev={two}", beside("two").display());
    let open = format!("git+file://{}", beside("three").display());
    (fleet, pinned, open)
}

#[test]
fn every_evaluation_reads_the_other_input() {
    for nix in nixes() {
        let (fleet, pinned, open) = fleet(&nix);
        let call = |flags: &[&str], variable: Option<&str>, tool: &str, arguments: &Value| {
            let mut command =
                fleet.command(&[flags, &["call", "--quiet", tool, &arguments.to_string()]].concat());
            command.envs(variable.map(|value| ("PANTHEROS_OVERRIDE_INPUT", value)));
            let output = command.output().unwrap();
            let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            (output.status.code(), json, errors(&output))
        };
        let name = |flags: &[&str], variable: Option<&str>| {
            let (_, json, said) = call(flags, variable, "list_hosts", &json!({"wait": true}));
            json["hosts"][0]["host_name"].as_str().unwrap_or_else(|| panic!("{json:#} {said}")).to_owned()
        };
        let (with_pinned, with_open) = (format!("word={pinned}"), format!("word={open}"));
        // The answers are cached, each for its inputs.
        for _ in 0..2 {
            assert_eq!(name(&[], None), "one");
            assert_eq!(name(&["--override-input", &with_pinned], None), "two");
            assert_eq!(name(&["--override-input", &with_open], None), "three");
            assert_eq!(name(&[], Some(&with_pinned)), "two");
            assert_eq!(name(&[], Some("")), "one");
        }
        let built = |flags: &[&str]| {
            let (_, json, said) = call(flags, None, "build_host", &json!({"host": "web"}));
            json["out_path"].as_str().unwrap_or_else(|| panic!("{json:#} {said}")).to_owned()
        };
        assert!(built(&[]).ends_with("-web-one"));
        assert!(built(&["--override-input", &with_pinned]).ends_with("-web-two"));
        // A reference that is not pinned may mean something else at the next call.
        repository_changes(&fleet, "four");
        assert_eq!(name(&["--override-input", &with_open], None), "four");
        // The lock file is left alone.
        let status =
            Command::new("git").args(["status", "--porcelain"]).current_dir(fleet.folder()).output().unwrap();
        assert!(status.stdout.is_empty(), "{status:?}");

        fleet.write_outside(
            "pantheros.toml",
            &format!("[nix]\nprogram = {nix:?}\n[nix.override_inputs]\nword = \"{pinned}\"\n"),
        );
        assert_eq!(name(&[], None), "two");
        assert_eq!(name(&["--override-input", &with_open], None), "four");
        for (wrong, code) in [
            ("word=./relative", 2),
            ("word=nixpkgs", 2),
            ("word", 2),
            ("--x=github:a/b", 2),
            ("gone=github:a/b", 1),
        ] {
            let (exit, json, said) =
                call(&[&format!("--override-input={wrong}")], None, "list_hosts", &json!({"wait": true}));
            assert_eq!(exit, Some(code), "{wrong}: {json:#} {said}");
        }
        let twice = ["--override-input", &*with_pinned, "--override-input", &*with_open];
        let (exit, _, said) = call(&twice, None, "list_hosts", &json!({}));
        assert!(exit == Some(2) && said.contains("replaced twice"), "{said}");
        let output =
            fleet.command(&["--override-input=gone=github:a/b", "call", "list_hosts"]).output().unwrap();
        let error = error_of(&output);
        assert_eq!(error["code"], "invalid_settings", "{error:#}");
        assert!(error["message"].as_str().unwrap().contains("no input gone"), "{error:#}");
    }
}

/// Commits another word to the repository `three`.
fn repository_changes(fleet: &Fleet, word: &str) {
    repository(&fleet.folder().with_file_name("three"), word);
}

#[test]
fn a_plan_with_another_input_says_so_and_is_deployed_with_it() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let beside = |name: &str| site.fleet.folder().with_file_name(name);
    repository(&beside("one"), "one");
    let two = repository(&beside("two"), "two");
    // The revision of the systems comes from the input.
    let flake = std::fs::read_to_string(site.fleet.folder().join("flake.nix")).unwrap();
    let inputs =
        format!("{{\n  inputs.word.url = \"git+file://{}\";\n  outputs = inputs:", beside("one").display());
    let flake = flake.replacen("{\n  outputs = _:", &inputs, 1).replace(
        "fleet = builtins.fromJSON (builtins.readFile ./fleet.json);",
        "fleet = builtins.fromJSON (builtins.readFile ./fleet.json) // { revision = inputs.word.word; };",
    );
    site.fleet.write("flake.nix", &flake);
    let locked = site.fleet.by_hand(&["flake", "lock"]);
    assert!(locked.status.success(), "{}", errors(&locked));
    site.fleet.git(&["add", "."]);
    site.fleet.git(&["commit", "-qm", "an input"]);

    let reference = format!("git+file://{}?rev={two}", beside("two").display());
    let flag = format!("--override-input=word={reference}");
    let planned = site
        .fleet
        .command(&[&flag, "call", "--quiet", "plan_deploy", r#"{"hosts":["web"]}"#])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(json["overrides"], json!({"word": reference}), "{json:#}");
    let toplevel = json["hosts"][0]["toplevel"].as_str().unwrap().to_owned();
    assert!(toplevel.ends_with("-two"), "{json:#}");
    let plan = json["plan_id"].as_str().unwrap();
    let shown = site.fleet.command(&["plans", plan]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&format!("input   word is {reference}, not the locked one")), "{shown}");
    // The plan is deployed with its own inputs, although this call replaces none.
    assert!(site.approve(plan).status.success());
    let deployed = site.deploy(plan);
    assert_eq!(deployed.json["hosts"][0]["state"], "confirmed", "{:#}", deployed.json);
    site.settled("web", &toplevel, &toplevel);

    // A plan without another input is not changed by a call that replaces one.
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let deployed = site
        .fleet
        .command(&[&flag, "call", "--quiet", "deploy", &json!({"plan_id": plan}).to_string()])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&deployed.stdout).unwrap();
    assert_eq!(json["hosts"][0]["state"], "confirmed", "{json:#}");
    assert!(site.machine("web").current_system().ends_with("-one"));

    site.settings(&nix, "clean = true");
    let refused = site
        .fleet
        .command(&[&flag, "call", "--quiet", "plan_deploy", r#"{"hosts":["web"]}"#])
        .output()
        .unwrap();
    assert_eq!(error_of(&refused)["code"], "dirty_flake");
}
