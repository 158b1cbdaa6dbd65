//! The answers of the tools that only read, for the fleet of the demo.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};

fn output<'a>(json: &'a Value, attr: &str) -> &'a Value {
    let outputs = json["outputs"].as_array().unwrap();
    outputs
        .iter()
        .find(|output| output["attr"] == attr)
        .unwrap_or_else(|| panic!("no {attr} in {outputs:#?}"))
}

#[test]
fn hosts_have_their_facts() {
    for nix in nixes() {
        let answer = Fleet::demo(&nix).call("list_hosts", &json!({}));
        assert_eq!(answer.code, 0);
        let names: Vec<_> =
            answer.json["hosts"].as_array().unwrap().iter().map(|host| &host["name"]).collect();
        assert_eq!(names, ["broken-on-purpose", "db", "mail", "web"]);
        assert_eq!(
            answer.json["hosts"][3],
            json!({
                "name": "web",
                "facts": "known",
                "system": "x86_64-linux",
                "host_name": "web",
                "state_version": "25.05",
                "target": "web.fleet.example",
                "tags": ["production", "web"],
            })
        );
    }
}

#[test]
fn hosts_come_in_pages() {
    let nix = nixes().remove(0);
    let fleet = Fleet::demo(&nix);
    let mut names = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let arguments = match &cursor {
            Some(cursor) => json!({"limit": 3, "cursor": cursor}),
            None => json!({"limit": 3}),
        };
        let answer = fleet.call("list_hosts", &arguments);
        assert_eq!(answer.json["total"], 4);
        names.extend(answer.json["hosts"].as_array().unwrap().iter().map(|host| host["name"].clone()));
        match answer.json["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(names, ["broken-on-purpose", "db", "mail", "web"]);
}

#[test]
fn a_host_whose_facts_do_not_evaluate_hides_no_other() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                r#"{ outputs = _: { nixosConfigurations = {
                    good.config.networking.hostName = "good";
                    bad = missing.attribute;
                  }; }; }"#
                    .replace("missing.attribute", "{ }.missing")
                    .as_str(),
            )],
        );
        let answer = fleet.call("list_hosts", &json!({}));
        assert_eq!(answer.code, 0);
        assert_eq!(answer.json["hosts"][0]["error"]["code"], "missing_attribute");
        assert_eq!(answer.json["hosts"][1]["host_name"], "good");
    }
}

#[test]
fn a_check_reports_every_failure() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let answer = fleet.call("flake_check", &json!({}));
        assert_eq!(answer.code, 1, "a failed check is a failed call");
        assert_eq!(answer.json["ok"], false);
        let failed: Vec<_> = answer.json["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|output| output["status"] == "failed")
            .map(|output| output["attr"].as_str().unwrap())
            .collect();
        assert_eq!(
            failed,
            [
                "nixosConfigurations.broken-on-purpose",
                "devShells.aarch64-linux.broken-on-purpose",
                "devShells.x86_64-linux.broken-on-purpose",
            ]
        );
        let error = &output(&answer.json, "nixosConfigurations.broken-on-purpose")["error"];
        assert_eq!(error["code"], "missing_attribute");
        assert_eq!(error["file"], "hosts/broken-on-purpose/motd.nix");
        assert_eq!(error["line"], 5);
        assert_eq!(error["suggestions"], json!(["hostName"]));
        // The same cause for two systems is one error.
        let shell = output(&answer.json, "devShells.aarch64-linux.broken-on-purpose");
        assert_eq!(shell["error"]["code"], "throw");
        let both = ["devShells.aarch64-linux.broken-on-purpose", "devShells.x86_64-linux.broken-on-purpose"];
        assert_eq!(shell["breaks"], json!(both));
        let other = output(&answer.json, both[1]);
        assert_eq!((&other["same_as"], other.get("error")), (&json!(both[0]), None));

        let kinds: std::collections::BTreeSet<_> = answer.json["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|output| output["kind"].as_str().unwrap())
            .collect();
        let expected =
            ["app", "check", "devshell", "formatter", "host", "module", "overlay", "package", "template"];
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);

        // Nix itself gives the same paths.
        let by_hand = fleet.by_hand(&[
            "eval",
            "--raw",
            ".#nixosConfigurations.web.config.system.build.toplevel.drvPath",
        ]);
        assert_eq!(
            fleet.call("flake_check", &json!({"host": "web"})).json["outputs"][0]["drv_path"],
            String::from_utf8(by_hand.stdout).unwrap()
        );
    }
}

#[test]
fn every_kind_of_output_can_fail_on_its_own() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                r#"{
  outputs = _: {
    packages.x86_64-linux.not-a-derivation = 1;
    packages.aarch64-linux = throw "no packages here";
    apps.x86_64-linux.no-program.type = "app";
    formatter.x86_64-linux = "text";
    nixosModules.number = 1;
    nixosModules.good = { ... }: { };
    overlays.set = { final, prev }: { };
    overlays.good = final: prev: { };
    templates.no-path.description = "text";
    templates.good = { path = ./.; description = "text"; };
    checks = throw "no checks at all";
    somethingElse.x = throw "never looked at";
    lib = throw "no library";
  };
}"#,
            )],
        );
        let answer = fleet.call("flake_check", &json!({}));
        let status = |attr: &str| output(&answer.json, attr)["status"].as_str().unwrap().to_owned();
        for attr in [
            "packages.x86_64-linux.not-a-derivation",
            "packages.aarch64-linux",
            "apps.x86_64-linux.no-program",
            "formatter.x86_64-linux",
            "nixosModules.number",
            "overlays.set",
            "templates.no-path",
            "checks",
            "lib",
        ] {
            assert_eq!(status(attr), "failed", "{attr}");
        }
        for attr in ["nixosModules.good", "overlays.good", "templates.good"] {
            assert_eq!(status(attr), "ok", "{attr}");
        }
        assert_eq!(status("somethingElse"), "skipped");
        assert_eq!(
            answer.json["counts"],
            json!({"ok": 3, "failed": 9, "needs_build": 0, "skipped": 1, "built": 0})
        );
    }
}

#[test]
fn a_check_can_be_restricted() {
    let nix = nixes().remove(0);
    let fleet = Fleet::demo(&nix);
    let web = fleet.call("flake_check", &json!({"host": "web"}));
    assert_eq!(web.code, 0);
    assert_eq!(web.json["counts"], json!({"ok": 1, "failed": 0, "needs_build": 0, "skipped": 0, "built": 0}));
    assert!(web.json["covered"].as_str().unwrap().contains("built nothing"), "{:#}", web.json);

    let arm = fleet.call("flake_check", &json!({"system": "aarch64-linux"}));
    assert_eq!(output(&arm.json, "nixosConfigurations.web")["status"], "skipped");
    assert_eq!(output(&arm.json, "nixosConfigurations.broken-on-purpose")["status"], "failed");
    assert_eq!(output(&arm.json, "packages.aarch64-linux.default")["status"], "ok");
    assert_eq!(output(&arm.json, "packages.x86_64-linux.default")["status"], "skipped");
}

#[test]
fn checks_are_built_when_asked() {
    for nix in nixes() {
        let answer = Fleet::demo(&nix).call("flake_check", &json!({"build": true}));
        let check = |name: &str| {
            output(&answer.json, &format!("checks.{}-linux.{name}", std::env::consts::ARCH)).clone()
        };
        assert_eq!(check("hello-panther-says-hello")["status"], "ok");
        assert_eq!(check("fails-on-purpose")["status"], "failed");
        assert_eq!(check("fails-on-purpose")["error"]["code"], "builder_failed");
    }
}

/// Hosts that build, that fail, that depend on one that fails, and that cannot be built here.
const HOSTS: &str = r#"{
  outputs = _: let
    drv = system: name: script: derivation { inherit name system; builder = "/bin/sh"; args = [ "-c" script ]; };
    here = drv "x86_64-linux";
    broken = here "broken-part" "exit 3";
    host = toplevel: { config.system.build = { inherit toplevel; }; };
  in {
    nixosConfigurations = {
      good = host (here "good" "echo good >$out");
      bad = host (here "bad" "echo no; exit 4");
      one = host (here "needs-one" "echo ${broken} >$out");
      two = host (here "needs-two" "echo ${broken} >$out");
      mac = host (drv "aarch64-darwin" "mac" "echo mac >$out");
    };
    checks.x86_64-linux.good = here "good-check" "echo good >$out";
    packages.x86_64-linux.bad = here "bad-package" "exit 5";
  };
}"#;

#[test]
fn hosts_are_built_when_asked() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", HOSTS)]);
        assert_eq!(fleet.call("flake_check", &json!({})).code, 0, "all of it evaluates");
        let answer = fleet.call("flake_check", &json!({"build": true}));
        assert_eq!((answer.code, &answer.json["ok"]), (1, &json!(false)), "{:#}", answer.json);
        let of = |name: &str| output(&answer.json, &format!("nixosConfigurations.{name}")).clone();
        assert_eq!((&of("good")["status"], &of("good")["built"]), (&json!("ok"), &json!(true)));
        let bad = of("bad");
        assert_eq!((&bad["status"], &bad["error"]["code"]), (&json!("failed"), &json!("builder_failed")));
        // One part broke two hosts: one error.
        assert_eq!(of("one")["breaks"], json!(["nixosConfigurations.one", "nixosConfigurations.two"]));
        assert_eq!(of("two")["same_as"], "nixosConfigurations.one");
        let mac = of("mac");
        assert_eq!((&mac["status"], mac.get("built")), (&json!("ok"), None));
        assert!(mac["reason"].as_str().unwrap().contains("aarch64-darwin"), "{mac:#}");
        let package = output(&answer.json, "packages.x86_64-linux.bad");
        assert_eq!((&package["status"], package.get("built")), (&json!("ok"), None));
        assert!(package["reason"].as_str().unwrap().starts_with("not built"), "{package:#}");
        let counts = json!({"ok": 4, "failed": 3, "needs_build": 0, "skipped": 0, "built": 2});
        assert_eq!(answer.json["counts"], counts);
        let covered = answer.json["covered"].as_str().unwrap();
        assert!(covered.contains("built 2 checks and hosts; 1 not built"), "{covered}");
    }
}

#[test]
fn what_a_call_changes_is_said_by_its_arguments() {
    let nix = nixes().remove(0);
    let fleet = Fleet::demo(&nix);
    let hints = |flags: &[&str]| {
        let flags = [flags, &["tools", "--json"]].concat();
        let listed = fleet.command(&flags).output().unwrap();
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let tools = listed["tools"].as_array().unwrap().clone();
        tools.into_iter().find(|tool| tool["name"] == "flake_check").unwrap()["annotations"].clone()
    };
    assert_eq!(hints(&[])["readOnlyHint"], false);
    assert_eq!(hints(&["--read-only"])["readOnlyHint"], true);
    let checked = fleet.command(&["--read-only", "call", "-q", "flake_check", "host=web"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let output = fleet.command(&["--read-only", "call", "-q", "flake_check", "build=true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["error"]["code"], "tool_disabled");
    let output = fleet.command(&["--read-only", "call", "-q", "build_host", "host=web"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_unchanged_flake_is_answered_from_memory() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let evaluations = fleet.count_evaluations();
        let first = fleet.call("flake_check", &json!({}));
        let before = evaluations();
        assert!(before > 0);
        let again = fleet.call("flake_check", &json!({}));
        assert_eq!(first.json, again.json);
        assert_eq!(evaluations(), before, "it was evaluated again");

        let motd = std::fs::read_to_string(fleet.folder().join("hosts/broken-on-purpose/motd.nix")).unwrap();
        fleet.write("hosts/broken-on-purpose/motd.nix", &motd.replace(".hostname", ".hostName"));
        let mended = fleet.call("flake_check", &json!({}));
        assert_eq!(output(&mended.json, "nixosConfigurations.broken-on-purpose")["status"], "ok");
    }
}

#[test]
fn shells_are_listed_with_what_is_in_them() {
    for nix in nixes() {
        let answer = Fleet::demo(&nix).call("list_devshells", &json!({"system": "x86_64-linux"}));
        assert_eq!(answer.code, 0);
        let shells = answer.json["shells"].as_array().unwrap();
        let names: Vec<_> = shells.iter().map(|shell| shell["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["broken-on-purpose", "default", "rust"]);
        assert_eq!(shells[0]["status"], "failed");
        assert_eq!(shells[0]["error"]["code"], "throw");
        assert_eq!(shells[1]["command"], "nix develop");
        assert_eq!(shells[2]["command"], "nix develop '.#rust'");
        assert!(!shells[2]["packages"].as_array().unwrap().is_empty());
    }
}

#[test]
fn a_check_names_what_evaluates_without_its_derivation() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let all = fleet.call("flake_check", &json!({}));
        let ok: Vec<&Value> = all.json["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|output| output["status"] == "ok")
            .collect();
        assert!(ok.len() > 2 && ok.iter().all(|output| output.get("drv_path").is_none()), "{:#}", all.json);
        let text = fleet.command(&["call", "flake_check"]).output().unwrap();
        let text = String::from_utf8(text.stderr).unwrap();
        let names =
            text.lines().find_map(|line| line.strip_prefix("ok: ")).unwrap_or_else(|| panic!("{text}"));
        assert!(ok.iter().all(|output| names.contains(output["attr"].as_str().unwrap())), "{text}");
        let web = fleet.call("flake_check", &json!({"host": "web"})).json;
        assert!(web["outputs"][0]["drv_path"].as_str().unwrap().ends_with(".drv"), "{web:#}");
    }
}

#[test]
fn disks_are_shown_with_their_hazards() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let web = fleet.call("inspect_disko", &json!({"host": "web"}));
        assert_eq!(web.code, 0);
        let mounts: Vec<_> =
            web.json["mounts"].as_array().unwrap().iter().map(|mount| mount["mountpoint"].clone()).collect();
        assert!(mounts.contains(&json!("/")) && mounts.contains(&json!("/boot")), "{mounts:?}");
        let mail = fleet.call("inspect_disko", &json!({"host": "mail"}));
        let hazards = mail.json["hazards"].to_string();
        assert!(hazards.contains("/dev/sda") && hazards.contains("danger"), "{hazards}");
    }
}

#[test]
fn a_host_without_disko_has_no_disks() {
    let nix = nixes().remove(0);
    let fleet =
        Fleet::committed(&nix, &[("flake.nix", "{ outputs = _: { nixosConfigurations.a.config = { }; }; }")]);
    let answer = fleet.call("inspect_disko", &json!({"host": "a"}));
    assert_eq!((answer.code, &answer.json["disks"]), (0, &json!([])), "{answer:?}");
}

#[test]
fn packages_are_found_in_the_flake_itself() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let answer = fleet.call("nix_search", &json!({"query": "panther"}));
        assert_eq!(answer.code, 0);
        let first = &answer.json["results"][0];
        assert!(first["attr"].as_str().unwrap().ends_with("hello-panther"), "{first}");
        assert!(first["description"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(answer.json.get("nixpkgs_rev").is_none());

        let nothing = fleet.call("nix_search", &json!({"query": "ngnix"}));
        assert_eq!(nothing.code, 0);
        assert_eq!(nothing.json["total"], 0);
        assert!(
            nothing.json["suggestions"].as_array().unwrap().contains(&json!("nginx")),
            "{}",
            nothing.json
        );
    }
}

#[test]
fn packages_are_found_in_the_locked_input() {
    for nix in nixes() {
        let pinned = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                r#"{ outputs = _: { legacyPackages.x86_64-linux = rec {
                    hello = derivation { name = "hello-2.12"; builder = "/bin/sh"; system = "x86_64-linux"; }
                      // { pname = "hello"; version = "2.12"; meta.description = "A friendly greeting"; };
                  }; }; }"#,
            )],
        );
        let flake = format!(
            "{{ inputs.nixpkgs.url = \"git+file://{}\"; outputs = _: {{ }}; }}",
            pinned.folder().display()
        );
        let fleet = Fleet::plain(&nix, &[("flake.nix", &flake)]);
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "."]);
        let locked = fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
        fleet.git(&["add", "."]);
        let answer = fleet.call("nix_search", &json!({"query": "friendly greeting"}));
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(answer.json["results"][0]["version"], "2.12");
        assert_eq!(answer.json["nixpkgs_rev"].as_str().unwrap().len(), 40);
    }
}

#[test]
fn options_are_found_in_a_host() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let answer =
            fleet.call("nix_search", &json!({"query": "openssh enable", "kind": "option", "host": "web"}));
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(answer.json["results"][0]["attr"], "services.openssh.enable");
        let unsaid = fleet.call("nix_search", &json!({"query": "openssh", "kind": "option"}));
        assert_eq!(unsaid.error_code(), "invalid_input");
        assert!(unsaid.json["error"]["message"].as_str().unwrap().contains("web"));
    }
}
