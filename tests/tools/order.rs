//! Every probe reads its parts in the order of their places: `stop` skips the parts behind a place, and the skipped
//! parts are determined by the same comparison.

use std::path::Path;

use pantheros_mcp::testing::diagnostic::{Code, Diagnostic};
use pantheros_mcp::testing::flake::{EXPLAIN, PathStep, SET_VALUES, UnreadPart};
use serde_json::{Value, json};

use crate::common::fleet::{Fleet, errors, nixes};

/// A flake of which every probe that reads parts can read all parts. Its lists have more than ten entries.
const FLAKE: &str = r#"{
  outputs = _: let
    system = "x86_64-linux";
    many = make: builtins.genList make 12;
    named = make: builtins.listToAttrs (many (n: { name = "n${toString n}"; value = make n; }));
    tool = name: derivation { inherit name system; builder = "/bin/sh"; };
    option = { _type = "option"; type.description = "t"; description = "d"; default = [ 1 ]; };
    filesystem = { type = "filesystem"; mountpoint = "/"; mountOptions = many (n: "o${toString n}"); };
  in {
    nixosConfigurations.web.options = named (_: option) // {
      set = named (_: { inner = option; });
      members = option // { type = { description = "s"; getSubOptions = _: named (_: option); }; };
      last = option;
    };
    nixosConfigurations.web.pkgs = {
      tool = tool "tool"; other = tool "other"; overlays = [ (final: prev: { tool = 1; other = 2; none = 3; }) ];
    };
    nixosConfigurations.web.config = {
      networking = { hostName = "web"; firewall = { allowedTCPPorts = [ 22 ]; }; };
      system = { stateVersion = "25.05"; build.toplevel = tool "web"; };
      nixpkgs.hostPlatform = system;
      pantheros.deploy = { targetHost = "web"; user = "root"; port = 22; tags = [ "all" ]; };
      services.openssh = { enable = true; settings = { AllowUsers = [ "a" ]; DenyGroups = [ "b" ]; }; };
      services.onepassword-secrets = { enable = true; tokenFile = "/etc/token"; };
      security.sudo = { extraRules = [ ]; extraConfig = ""; };
      users.users = named (_: { isNormalUser = true; extraGroups = [ "wheel" ]; });
      users.groups.wheel.members = [ "n1" ];
      fileSystems = named (n: { device = "/dev/${toString n}"; fsType = "ext4"; }) // { "/".device = "/dev/root"; };
      swapDevices = [ { device = "/dev/swap"; } ];
      boot.loader = { grub.devices = [ "/dev/vda" ]; systemd-boot.enable = false; efi.canTouchEfiVariables = true; };
      boot.initrd = {
        systemd.enable = true; secrets."/key" = null; clevis.devices = { }; luks.devices = named (_: { device = "/dev/x"; });
      };
      disko.enableConfig = true;
      disko.devices = {
        disk = named (n: {
          type = "disk"; device = "/dev/${toString n}";
          content = { type = "gpt"; partitions = { a.content = filesystem; z.content = filesystem; }; };
        });
        zpool.tank = { type = "zpool"; mode.topology.vdev = many (n: { mode = "mirror"; members = [ "n${toString n}" ]; }); };
      };
    };
    nixosConfigurations.modular = let
      option = told: { _type = "option"; type.description = "t"; loc = [ ]; declarations = [ ]; } // told;
      modules = [ { config.services = named (_: 1) // { web.port = { _type = "if"; condition = false; content = 2; }; }; } ];
    in {
      config.services = named (_: 1) // { web.port = 1; };
      options.services = named (_: option { }) // {
        web.port = option { default = 1; defaultText = "one"; example = 2; definitionsWithLocations = [ ]; };
      };
      lib = { };
      type.getSubModules = modules;
    };
    devShells.${system}.default = tool "shell" // { nativeBuildInputs = many (n: tool "tool-${toString n}"); };
    packages.${system} = named (n: tool "package-${toString n}");
    legacyPackages.${system} = named (n: tool "package-${toString n}") // {
      set = named (n: tool "inner-${toString n}") // { recurseForDerivations = true; };
      more = tool "more";
      alias = tool "more";
      stdenv.hostPlatform.system = system;
      lib = { };
      path = ./.;
    };
  };
}"#;

/// A list of aliases in the shape of nixpkgs' own.
const ALIASES: &str = r#"lib: self: super: with self; {
  alias = more;
  gone = throw "'gone' was removed. Use 'more'.";
  inside = { gone = throw "it was removed"; };
}"#;

/// Stands for the probe `own_in_parts` with the function that reads what a host sets.
const SET: &str = "set_values";

/// Each probe that reads parts: its path, its argument, and the least number of parts there.
fn probes() -> Vec<(&'static str, Value, Value, usize)> {
    let web = json!(["nixosConfigurations", "web"]);
    let nixpkgs = json!(["legacyPackages", "x86_64-linux"]);
    let option = json!(["nixosConfigurations", "modular"]);
    let packages = |output: &str| json!({"output": output, "system": "x86_64-linux"});
    vec![
        ("disko", web.clone(), Value::Null, 400),
        ("host_facts", web.clone(), Value::Null, 6),
        ("deploy_facts", web.clone(), Value::Null, 55),
        ("place", web.clone(), Value::Null, 6),
        ("proposal", web.clone(), Value::Null, 62),
        ("shell", json!(["devShells", "x86_64-linux", "default"]), json!({"system": "x86_64-linux"}), 27),
        ("value", web.clone(), json!({"depth": 12, "nodes": 2000, "bytes": 1000}), 300),
        ("options", web, json!({"most": 1000}), 250),
        ("overlay_packages", json!(["nixosConfigurations", "web"]), json!({"most": 100}), 3),
        ("package_names", nixpkgs.clone(), Value::Null, 2),
        ("package_aliases", nixpkgs.clone(), Value::Null, 4),
        ("package_index", nixpkgs, json!({"names": ["alias", "more", "n1", "set"]}), 7),
        ("own_in_parts", option.clone(), json!({"path": ["services", "web", "port"], "most": 1000}), 7),
        ("own_in_parts", option.clone(), json!({"path": ["services"], "most": 1000}), 14),
        (SET, option, json!({"bytes": 100}), 25),
        ("packages", json!([]), packages("packages"), 26),
        ("packages", json!([]), packages("legacyPackages"), 50),
    ]
}

fn source(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of the probes that read parts, found by the formatting of the file.
fn reading_parts() -> Vec<String> {
    let text = source("src/flake/probes.nix");
    let (_, probes) = text.split_once("\n  probes = parts: {\n").unwrap();
    let (probes, _) = probes.split_once("\n  };\n").unwrap();
    let mut found: Vec<(String, bool)> = Vec::new();
    for line in probes.lines() {
        if let Some(inner) = line.strip_prefix("    ")
            && inner.starts_with(|first: char| first.is_ascii_lowercase())
        {
            found.push((inner.split(' ').next().unwrap().to_owned(), false));
        }
        if let Some((_, reads)) = found.last_mut() {
            *reads |= line.contains("parts");
        }
    }
    assert!(found.len() > 15, "{found:?}");
    found.into_iter().filter(|(_, reads)| *reads).map(|(name, _)| name).collect()
}

/// The parts that a question reports, in their order.
fn told(fleet: &Fleet, question: &Value) -> Vec<Vec<PathStep>> {
    let [probes, disko, places, facts] =
        ["src/flake/probes.nix", "src/disko/probe.nix", "src/disko/places.nix", "src/flake/facts.nix"]
            .map(source);
    let mut question = question.clone();
    let own = match question["probe"].as_str() {
        Some("own_in_parts") => EXPLAIN,
        Some(SET) => {
            question["probe"] = json!("own_in_parts");
            SET_VALUES
        }
        _ => "null",
    };
    // JSON and Nix have the same escapes.
    let questions = json!(json!([question]).to_string());
    let apply = format!(
        "({probes}) {{ marker = \"told\"; single = true; questions = builtins.fromJSON {questions}; \
         disko = ({disko}); disko_places = ({places}); facts = ({facts}); own = ({own}); }}"
    );
    let output = fleet.by_hand(&["eval", "--json", "--read-only", "--apply", &apply, ".#."]);
    let said = errors(&output);
    assert!(output.status.success(), "{question}: {said}");
    let lines = said.lines().filter_map(|line| line.strip_prefix("trace: told "));
    let told = lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["at"].clone());
    told.map(|at| serde_json::from_value(at).unwrap()).collect()
}

fn behind(place: &[PathStep]) -> UnreadPart {
    let error = Diagnostic::new(Code::Throw, "not read");
    UnreadPart { rest: true, ..UnreadPart::new(place.iter().cloned(), error) }
}

#[test]
fn parts_are_read_in_the_order_of_their_places() {
    let tried = probes();
    for name in reading_parts() {
        assert!(tried.iter().any(|(probe, ..)| *probe == name), "{name} is not tried here");
    }
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[
                ("flake.nix", FLAKE),
                ("default.nix", "_: { more = { }; }"),
                ("pkgs/top-level/aliases.nix", ALIASES),
            ],
        );
        let mut wrong = Vec::new();
        for (probe, path, argument, least) in &tried {
            let question = json!({"probe": probe, "path": path, "argument": argument});
            let mut question = question.as_object().unwrap().clone();
            question.retain(|_, value| !value.is_null());
            let all = told(&fleet, &json!(question));
            assert!(all.len() >= *least, "{probe}: {} parts", all.len());
            for pair in all.windows(2) {
                if !behind(&pair[0]).covers(pair[1].iter().cloned()) {
                    wrong.push(format!(
                        "{probe}: {} is read before {}",
                        behind(&pair[0]).place(),
                        behind(&pair[1]).place()
                    ));
                }
            }
            // Nix compares places as `covers` does.
            for part in [1, 2, 3].map(|quarter| &all[all.len() * quarter / 4]) {
                question.insert("stop".into(), json!(part));
                let read = told(&fleet, &json!(question));
                let before: Vec<_> =
                    all.iter().filter(|at| !behind(part).covers(at.iter().cloned())).cloned().collect();
                if read != before {
                    let place = behind(part).place();
                    wrong.push(format!(
                        "{probe}: {} parts before {place}, {} read",
                        before.len(),
                        read.len()
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{nix:?}: {wrong:#?}");
    }
}
