//! `flake_check` beside the real `nix flake check`: what Nix refuses is refused here.

use std::thread;

use serde_json::json;

use crate::common::fleet::{Fleet, errors, nixes};

/// What every flake below can use.
const LET: &str = r#"
  drv = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo ${name} >$out" ]; };
  bad = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "exit 3" ]; };
  app = { type = "app"; program = "/bin/true"; };
  template = { path = ./.; description = "a template"; };
"#;

/// What Nix refuses, whether it builds or not.
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
];

/// What Nix takes, and so do we.
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

/// What can only be told by building, or can only be evaluated by building.
const BUILT: &[(&str, bool, bool)] = &[
    // Nix without building, Nix with it.
    ("checks.x86_64-linux.a = bad \"a\";", true, false),
    ("checks.x86_64-linux.a = drv \"a\";", true, true),
    ("packages.x86_64-linux.a = bad \"a\";", true, true),
];

fn fleet(nix: &std::path::Path, outputs: &str) -> Fleet {
    let flake = format!("{{ outputs = _: let {LET} in {{ {outputs} }}; }}");
    Fleet::committed(nix, &[("flake.nix", &flake)])
}

/// What Nix says of it, and what we say.
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

fn on_each_nix(test: impl Fn(&std::path::Path) + Sync) {
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
