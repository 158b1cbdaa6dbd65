//! `flake_check` compared with the real `nix flake check`: what Nix refuses is refused here.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::fleet::{Answer, Fleet, errors, nixes};

/// Definitions that every flake below can use.
const LET: &str = r#"
  drv = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo ${name} >$out" ]; };
  bad = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "exit 3" ]; };
  app = { type = "app"; program = "/bin/true"; };
  imported = import (derivation { name = "made-UNIQUE"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo 7 >$out" ]; });
  written = builtins.readFile (builtins.toFile "written-UNIQUE" "7");
  using = part: derivation { name = "with"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo ${toString part} >$out" ]; };
  template = { path = ./.; description = "a template"; };
"#;

/// Outputs that Nix refuses, whether it builds or not.
const REFUSED: &[&str] = &[
    "hydraJobs = drv \"a\";",
    "hydraJobs.a.b = 1;",
    "hydraJobs.a.b = throw \"no\";",
    "hydraJobs.a = throw \"no\";",
    "hydraJobs.x.y.z = { type = \"derivation\"; };",
    "lib = throw \"no\";",
    "lib = { }.missing;",
    "somethingElse = throw \"no\";",
    "homeModules = throw \"no\";",
    "legacyPackages = throw \"no\";",
    "legacyPackages.linux = { };",
    "legacyPackages = [ ];",
    "packages.linux.a = drv \"a\";",
    "packages.linux = { };",
    "checks.linux = { };",
    "apps.linux = { };",
    "formatter.linux = drv \"a\";",
    "bundlers.linux = { };",
    "defaultBundler.linux = x: x;",
    "packages.x86_64-linux.a = { type = \"derivation\"; };",
    "packages.x86_64-linux.a = { type = \"derivation\"; name = 1; };",
    "packages.x86_64-linux.a = drv \"a\" // { name = \"${drv \"b\"}\"; };",
    "packages.x86_64-linux.a = drv \"a\" // { drvPath = \"nowhere\"; };",
    "packages.x86_64-linux.a = drv \"a\" // { drvPath = builtins.toString (drv \"b\"); };",
    "packages.x86_64-linux = drv;",
    "packages.x86_64-linux.a = 1;",
    "packages.x86_64-linux.set.a = drv \"a\";",
    "checks.x86_64-linux.a = throw \"no\";",
    "devShells.x86_64-linux.a = \"text\";",
    "formatter.x86_64-linux = 1;",
    "defaultPackage.x86_64-linux = 1;",
    "devShell.x86_64-linux = 1;",
    "apps.x86_64-linux.a = app // { more = 1; };",
    "apps.x86_64-linux.a = app // { meta = 1; };",
    "apps.x86_64-linux.a = app // { meta.description = 1; };",
    "apps.x86_64-linux.a = app // { meta.description = \"${drv \"b\"}\"; };",
    "apps.x86_64-linux.a = app // { type = 1; };",
    "apps.x86_64-linux.a = app // { program = 1; };",
    "apps.x86_64-linux.a = { type = \"app\"; };",
    "apps.x86_64-linux.a = drv \"a\";",
    "defaultApp.x86_64-linux = { };",
    "overlays.a = { final, prev }: { };",
    "overlays.a = self: super: { };",
    "overlays.a = builtins.map;",
    "overlays.a = { __functor = self: final: prev: { }; };",
    "overlays.a = 1;",
    "overlays = final: prev: { };",
    "overlay = self: super: { };",
    "templates.a = template // { more = 1; };",
    "templates.a = template // { description = 1; };",
    "templates.a = template // { description = \"${drv \"b\"}\"; };",
    "templates.a = { description = \"x\"; };",
    "templates.a = template // { path = ./none; };",
    "templates.a = 1;",
    "defaultTemplate = { };",
    "bundlers.x86_64-linux.a = builtins.map;",
    "bundlers.x86_64-linux.a = 1;",
    "defaultBundler.x86_64-linux = builtins.map (x: x);",
    "nixosModules.a = throw \"no\";",
    "nixosModules = 1;",
    "nixosModule = throw \"no\";",
    "nixosConfigurations.a = { };",
    "nixosConfigurations.a.config.system.build.toplevel = { };",
    "nixosConfigurations.a.config.system.build.toplevel = throw \"no\";",
    "nixosConfigurations = 1;",
    "packages.x86_64-linux.a = using imported;",
    "packages.x86_64-linux.a = using written;",
    "hydraJobs.a = using imported;",
    "lib = if imported == 7 then { } else { };",
];

/// Outputs that Nix accepts, and this program, too.
const TAKEN: &[&str] = &[
    "hydraJobs.a.b.c = drv \"a\";",
    "lib.x = throw \"nobody looks\";",
    "legacyPackages.x86_64-linux = throw \"nobody looks\";",
    "packages.x86_64-linux.a = drv \"a\";",
    "apps.x86_64-linux.a = app // { meta.description = \"runs\"; };",
    "overlays.a = final: prev: { }; overlays.b = _: _: { }; overlays.c = _final: prev: { };",
    "templates.a = template // { welcomeText = \"hello\"; };",
    "bundlers.x86_64-linux.a = x: x; bundlers.x86_64-linux.b = { a, b ? 1 }: a;",
    "defaultBundler.x86_64-linux = x: x;",
    "nixosModules.a = { ... }: { };",
    "formatter.x86_64-linux = drv \"a\";",
    "somethingElse.x = throw \"nobody looks\";",
];

/// Outputs that can be judged or evaluated only by building.
const BUILT: &[(&str, bool, bool)] = &[
    // Each with whether Nix accepts it without building, and with building.
    ("checks.x86_64-linux.a = bad \"a\";", true, false),
    ("checks.x86_64-linux.a = drv \"a\";", true, true),
    ("packages.x86_64-linux.a = bad \"a\";", true, true),
    ("packages.x86_64-linux.a = using imported;", false, true),
    ("packages.x86_64-linux.a = using written;", false, true),
    ("checks.x86_64-linux = if imported == 7 then { a = bad \"a\"; } else { };", false, false),
    ("hydraJobs.a = using imported;", false, false),
    ("hydraJobs = if imported == 7 then { } else { };", false, false),
    ("hydraJobs.a = using written;", false, true),
];

fn fleet(nix: &Path, outputs: &str) -> Fleet {
    // Without unique names, store paths of one run would affect the next.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let unique = format!("{now}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let flake = format!("{{ outputs = _: let {LET} in {{ {outputs} }}; }}").replace("UNIQUE", &unique);
    Fleet::committed(nix, &[("flake.nix", &flake)])
}

/// Whether Nix and this program accept the flake, and both outputs for the message of a failed test.
fn verdicts(fleet: &Fleet, build: bool) -> (bool, bool, String) {
    let mut arguments = vec!["flake", "check"];
    if !build {
        arguments.push("--no-build");
    }
    let theirs = fleet.by_hand(&arguments);
    let ours = fleet.call("flake_check", &json!({ "build": build }));
    assert_eq!(ours.code == 0, ours.json["ok"] == true, "{:#}", ours.json);
    (theirs.status.success(), ours.code == 0, format!("{:#}\nNix: {}", ours.json, errors(&theirs)))
}

fn on_each_nix(test: impl Fn(&Path) + Sync) {
    let nixes = nixes();
    thread::scope(|scope| {
        for nix in &nixes {
            scope.spawn(|| test(nix));
        }
    });
}

#[test]
fn what_nix_refuses_is_refused() {
    on_each_nix(|nix| {
        let wrong: Vec<String> = REFUSED
            .iter()
            .filter_map(|outputs| match verdicts(&fleet(nix, outputs), false) {
                (false, false, _) => None,
                (theirs, ours, _) => Some(format!("{outputs} Nix {theirs}, here {ours}")),
            })
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", nix.display());
    });
}

#[test]
fn what_nix_takes_is_taken() {
    on_each_nix(|nix| {
        for outputs in TAKEN {
            let (theirs, ours, said) = verdicts(&fleet(nix, outputs), false);
            assert!(theirs && ours, "{outputs} {said}");
        }
    });
}

#[test]
fn building_gives_the_same_verdict() {
    on_each_nix(|nix| {
        for (outputs, evaluates, builds) in BUILT {
            let fleet = fleet(nix, outputs);
            for (build, expected) in [(false, *evaluates), (true, *builds)] {
                let (theirs, ours, said) = verdicts(&fleet, build);
                assert_eq!((theirs, ours), (expected, expected), "build={build} {outputs} {said}");
            }
        }
    });
}

fn status<'a>(answer: &'a Answer, attr: &str) -> &'a Value {
    let outputs = answer.json["outputs"].as_array().unwrap();
    outputs.iter().find(|output| output["attr"] == attr).unwrap_or_else(|| panic!("{:#}", answer.json))
}

#[test]
fn what_needs_a_build_to_be_evaluated_is_told_of_and_not_built() {
    on_each_nix(|nix| {
        let outputs = r#"
            made = derivation { name = "made-UNIQUE"; system = "x86_64-linux"; builder = "/bin/sh";
              args = [ "-c" "echo 7 >$out" ]; };
            nixosConfigurations.needy.config = rec {
              networking.hostName = "host-${toString imported}";
              system.build.toplevel = drv networking.hostName;
            };
            nixosConfigurations.fine.config.system.build.toplevel = drv "fine";
        "#;
        let fleet = fleet(nix, outputs);
        // Even if it only reads, Nix builds a derivation that is already in the store.
        let told = |of: &str| {
            let told = fleet.by_hand(&["eval", "--raw", &format!(".#made.{of}")]);
            assert!(told.status.success(), "{}", errors(&told));
            String::from_utf8(told.stdout).unwrap()
        };
        let (drv, out) = (told("drvPath"), told("outPath"));
        assert!(Path::new(&drv).exists(), "{drv}");

        let needy = "nixosConfigurations.needy";
        let answer = fleet.call("flake_check", &json!({}));
        assert_eq!((answer.code, &answer.json["counts"]["needs_build"]), (1, &json!(1)), "{:#}", answer.json);
        assert_eq!(status(&answer, needy)["status"], "needs_build");
        assert_eq!(status(&answer, needy)["error"]["code"], "needs_build");
        assert!(status(&answer, needy)["error"]["message"].as_str().unwrap().contains(&drv), "{answer:#?}");
        assert_eq!(status(&answer, "nixosConfigurations.fine")["status"], "ok");
        let listed = fleet.command(&["--read-only", "call", "-q", "list_hosts"]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("needs_build") && listed.contains("fine"), "{listed}");
        assert!(!Path::new(&out).exists(), "nothing was built");

        let answer = fleet.call("flake_check", &json!({"build": true}));
        assert_eq!((answer.code, &answer.json["counts"]["built"]), (0, &json!(2)), "{:#}", answer.json);
        assert!(Path::new(&out).exists(), "{out}");
    });
}

#[test]
fn what_the_configuration_warns_of_is_told() {
    on_each_nix(|nix| {
        let outputs = r#"
            nixosConfigurations.web.config.system.build.toplevel = builtins.warn "web: \u{1b}[31mold\u{1b}[0m option" (drv "web");
            nixosConfigurations.db.config.system.build.toplevel =
              builtins.trace "\u{1b}[1;31mevaluation warning: as lib.warn was\u{1b}[0m" (drv "db");
            packages.x86_64-linux.a = builtins.trace "just a trace" (drv "a");
            devShell.x86_64-linux = drv "shell";
            mine = 1;
            checks = builtins.warn "no checks yet" { };
        "#;
        let fleet = fleet(nix, &outputs.replace("\\u{1b}", "\u{1b}"));
        let answer = fleet.call("flake_check", &json!({}));
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let warnings = answer.json["warnings"].as_array().unwrap();
        let of = |attr: &str| {
            let found = warnings.iter().find(|warning| warning["attrs"][0] == attr);
            found.unwrap_or_else(|| panic!("{attr}: {warnings:#?}")).clone()
        };
        assert_eq!(of("nixosConfigurations.web")["said"], "web: old option");
        assert_eq!(of("nixosConfigurations.db")["said"], "as lib.warn was");
        assert!(of("devShell")["message"].as_str().unwrap().contains("devShells.<system>.default"));
        assert!(of("mine")["message"].as_str().unwrap().contains("knows no output"));
        assert_eq!(
            of("checks")["said"],
            "no checks yet",
            "nothing is in it, so it only comes up in the list"
        );
        assert_eq!(warnings.len(), 5, "{warnings:#?}");
        // Warnings are remembered with the answer.
        let again = fleet.call("flake_check", &json!({}));
        assert_eq!(again.json, answer.json);
        let text = fleet.command(&["call", "flake_check"]).output().unwrap();
        assert!(errors(&text).contains("! nixosConfigurations.web\n│ web: old option"), "{text:?}");
    });
}

#[test]
fn each_text_of_a_warning_counts_once() {
    // Each host has one warning of its own and three that all hosts have. The last ten hosts have one more.
    let outputs = r#"
        nixosConfigurations = builtins.listToAttrs (builtins.genList (number: rec {
          name = "host-${toString (100 + number)}";
          value.config.system.build.toplevel = builtins.foldl' (host: said: builtins.warn said host) (drv name)
            ([ "one" "two" "three" "${name} is old" ] ++ (if number < 60 then [ ] else [ "zero" ]));
        }) 70);
    "#;
    on_each_nix(|nix| {
        let fleet = fleet(nix, outputs);
        let answer = fleet.call("flake_check", &json!({})).json;
        let warnings = answer["warnings"].as_array().unwrap();
        assert_eq!((warnings.len(), &answer["more_warnings"]), (50, &json!(74 - 50)), "{answer:#}");
        for said in ["one", "two", "three"] {
            let warning = warnings.iter().find(|warning| warning["said"] == said).unwrap();
            let attrs = warning["attrs"].as_array().unwrap();
            assert_eq!((attrs.len(), &attrs[0]), (10, &json!("nixosConfigurations.host-100")), "{warning:#}");
        }
        let text = fleet.command(&["call", "flake_check"]).output().unwrap();
        assert!(errors(&text).contains("and 24 more warnings"), "{text:?}");
    });
}

#[test]
fn what_nix_warns_of_an_app_is_told() {
    on_each_nix(|nix| {
        let outputs = r#"
            apps.x86_64-linux.bare = app;
            apps.x86_64-linux.short = app // { meta.mainProgram = "true"; };
            apps.x86_64-linux.whole = app // { meta.description = "Does nothing"; };
            defaultApp.x86_64-linux = app // { meta = { }; };
        "#;
        let fleet = fleet(nix, outputs);
        let said = errors(&fleet.by_hand(&["flake", "check", "--no-build"]));
        let answer = fleet.call("flake_check", &json!({}));
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let warnings = answer.json["warnings"].as_array().unwrap();
        for (attr, lacks) in [
            ("apps.x86_64-linux.bare", Some("meta")),
            ("apps.x86_64-linux.short", Some("meta.description")),
            ("apps.x86_64-linux.whole", None),
            ("defaultApp.x86_64-linux", Some("meta.description")),
        ] {
            let by_nix = lacks.map(|lacks| said.contains(&format!("app '{attr}' lacks attribute '{lacks}'")));
            assert_ne!(by_nix, Some(false), "{attr}: {said}");
            let told =
                warnings.iter().find(|warning| warning["attrs"].as_array().unwrap().contains(&json!(attr)));
            assert_eq!(told.is_some(), lacks.is_some(), "{attr}: {warnings:#?}");
            let message = told.map(|warning| warning["message"].as_str().unwrap()).unwrap_or_default();
            assert!(
                lacks.is_none_or(|_| message.contains("meta") && message.contains("description")),
                "{message}"
            );
        }
    });
}
