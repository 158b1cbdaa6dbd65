//! The size of an answer: a page ends by its size in bytes, whatever it contains.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::Client;

/// Maximum size of a page and the fields around its entries, in bytes.
const PAGE: usize = 24 * 1024 + 512;

/// Sixty hosts, each of which fails with 1,900 characters of its own.
const LOUD: &str = r#"{
  outputs = _: let
    numbers = builtins.genList (number: number) 60;
    long = number: builtins.concatStringsSep " " (builtins.genList (_: "word ${toString number}") 240);
  in {
    nixosConfigurations = builtins.listToAttrs (map (number: {
      name = "host-${toString number}";
      value = throw (long number);
    }) numbers);
  };
}"#;

#[test]
fn a_page_of_long_errors_ends_by_weight() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::committed(&nix, &[("flake.nix", LOUD)]);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    for (tool, list, name) in [("list_hosts", "hosts", "name"), ("flake_check", "outputs", "attr")] {
        let mut seen = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let mut arguments = json!({"limit": 500});
            if tool == "list_hosts" {
                arguments["wait"] = json!(true);
            }
            if !cursor.is_null() {
                arguments["cursor"] = cursor;
            }
            let id = client.ask("tools/call", json!({"name": tool, "arguments": arguments}));
            let result = client.answer(id).json["result"].clone();
            let answer = &result["structuredContent"];
            let page = answer[list].as_array().unwrap_or_else(|| panic!("{result:#}"));
            assert!(answer.to_string().len() <= PAGE, "{tool}: {} bytes", answer.to_string().len());
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.len() <= PAGE, "{tool}: {} bytes of text", text.len());
            seen.extend(page.iter().map(|entry| entry[name].as_str().unwrap().to_owned()));
            cursor = answer["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
            assert!(page.len() > 5, "{tool}: a page of {}", page.len());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 60, "{tool}: nothing is left out");
    }
}

/// Stands in for nixpkgs: the evaluation of a host goes through many nested calls in it.
const LIBRARY: &str = r#"{
  outputs = _: {
    lib = let
      through = depth: name: configuration:
        if depth == 0 then configuration name else builtins.addErrorContext
          "while evaluating the module argument number ${toString depth} of the configuration that is being evaluated here"
          (through (depth - 1) name configuration);
      option = name: definition: builtins.addErrorContext
        "while evaluating the option `${name}':" (builtins.foldl' (value: _: value) definition [ 1 2 3 ]);
    in {
      system = name: configuration: { config.system.build.toplevel = through 30 name (name: option "services.${name}.settings" (configuration name)); };
    };
  };
}"#;

/// Forty hosts that fail for six causes, each through the library.
const SIX: &str = r#"{
  inputs.library.url = "git+file://LIBRARY";
  outputs = { library, ... }: let
    causes = import ./causes.nix;
    host = number: let name = "machine-${toString number}"; in {
      inherit name;
      value = library.lib.system name (builtins.elemAt causes (number - number / 6 * 6));
    };
  in {
    nixosConfigurations = builtins.listToAttrs (map host (builtins.genList (number: number) 40));
  };
}"#;

const CAUSES: &str = r#"[
  (name: throw "Failed assertions:\n- ${name} has no file system for `/`, and so cannot be started: set `fileSystems` to what is mounted there.")
  (name: { }.missing)
  (name: ({ port }: port) { })
  (name: assert name == ""; 1)
  (name: throw "The option `services.web.${name}' does not exist. Definition values:\n- In `hosts/web.nix': true")
  (name: 1 + "text of ${name}")
]"#;

#[test]
fn forty_failures_of_six_causes_are_six_errors() {
    for nix in nixes() {
        let library = Fleet::committed(&nix, &[("flake.nix", LIBRARY)]);
        let flake = SIX.replace("LIBRARY", &library.folder().display().to_string());
        let fleet = Fleet::plain(&nix, &[("flake.nix", flake.as_str()), ("causes.nix", CAUSES)]);
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "."]);
        let locked = fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{locked:?}");
        fleet.git(&["add", "."]);
        let answer = fleet.call("flake_check", &json!({}));
        let outputs = answer.json["outputs"].as_array().unwrap();
        assert_eq!((outputs.len(), &answer.json["counts"]["failed"]), (40, &json!(40)), "{:#}", answer.json);
        let errors: Vec<&Value> = outputs.iter().filter(|output| output.get("error").is_some()).collect();
        assert_eq!(errors.len(), 6, "{errors:#?}");
        let broken: Vec<&Value> =
            errors.iter().flat_map(|error| error["breaks"].as_array().unwrap()).collect();
        assert_eq!(broken.len(), 40);
        for output in outputs.iter().filter(|output| output.get("error").is_none()) {
            let first = errors.iter().find(|error| error["attr"] == output["same_as"]).unwrap();
            assert!(first["breaks"].as_array().unwrap().contains(&output["attr"]), "{output}");
        }
        for error in errors {
            let file = error["error"]["file"].as_str().unwrap();
            assert!(["causes.nix", "hosts/web.nix"].contains(&file), "{error:#}");
            let trace = error["error"]["trace"].to_string();
            assert!(!trace.contains("library") && !trace.contains("/nix/store"), "{error:#}");
        }
        let size = answer.json.to_string().len();
        assert!(size < 12_000, "{size} bytes");
        let text =
            String::from_utf8(fleet.command(&["call", "flake_check"]).output().unwrap().stderr).unwrap();
        assert!(text.contains("machine-30 and 2 more: ") && text.len() < 6_000, "{text}");
    }
}

#[test]
fn forty_hosts_without_facts_for_six_causes_are_six_errors() {
    // Each cause is on a line of its own, and `tryEval` catches none of them.
    let causes: String =
        (0..6).map(|number| format!("(name: {{ }}.${{\"part-${{name}}-{number}\"}})\n")).collect();
    let flake = r#"{
      outputs = _: {
        nixosConfigurations = builtins.listToAttrs (builtins.genList (number: rec {
          name = "machine-${toString number}";
          value = (builtins.elemAt (import ./causes.nix) (number - number / 6 * 6)) name;
        }) 40);
      };
    }"#;
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", flake), ("causes.nix", &format!("[\n{causes}]"))]);
        let answer = fleet.call("list_hosts", &json!({"limit": 500}));
        let hosts = answer.json["hosts"].as_array().unwrap();
        assert_eq!(hosts.len(), 40, "{:#}", answer.json);
        let errors: Vec<&Value> = hosts.iter().filter(|host| host.get("error").is_some()).collect();
        assert_eq!(errors.len(), 6, "{errors:#?}");
        let broken: usize = errors.iter().map(|host| host["breaks"].as_array().unwrap().len()).sum();
        assert_eq!(broken, 40, "{errors:#?}");
        let size = answer.json.to_string().len();
        assert!(size < 12_000, "{size} bytes");
    }
}

/// Ten shells and ten hosts that fail for one reason, and others that evaluate.
const ONE_REASON: &str = r#"{
  outputs = _: let
    names = builtins.genList (number: "part-${toString number}") 10;
    each = of: builtins.listToAttrs (map (name: { inherit name; value = of name; }) names);
    gone = name: throw "${name} needs a secret that is not there";
    drv = system: derivation { name = "good"; inherit system; builder = "/bin/sh"; args = [ "-c" "echo >$out" ]; };
    host = where: { config.pantheros.deploy.targetHost = where; };
  in {
    devShells.x86_64-linux = each gone // { good = drv "x86_64-linux"; };
    devShells.aarch64-linux = each gone;
    nixosConfigurations = each (name: host (gone name)) // { other = host (throw "something else"); };
  };
}"#;

#[test]
fn ten_shells_or_hosts_that_fail_for_one_reason_are_one_error() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", ONE_REASON)]);
        let hosts: Vec<String> = (0..10).map(|number| format!("part-{number}")).collect();
        let mut asked = hosts.clone();
        asked.insert(3, "other".to_owned());
        let with_error = |list: &Value| -> Vec<Value> {
            list.as_array().unwrap().iter().filter(|one| one.get("error").is_some()).cloned().collect()
        };

        let planned = fleet.call("plan_deploy", &json!({ "hosts": asked }));
        assert_eq!((planned.code, planned.error_code()), (1, "throw"), "{:#}", planned.json);
        let list = &planned.json["hosts"];
        let errors = with_error(list);
        assert_eq!((list.as_array().unwrap().len(), errors.len()), (11, 2), "{list:#}");
        assert_eq!((&errors[0]["host"], &errors[0]["breaks"]), (&json!("part-0"), &json!(hosts)), "{list:#}");
        assert_eq!((&errors[1]["host"], errors[1].get("breaks")), (&json!("other"), None), "{list:#}");
        let same = list.as_array().unwrap().iter().filter(|host| host["same_as"] == "part-0").count();
        assert_eq!(same, 9, "{list:#}");
        let size = planned.json.to_string().len();
        assert!(size < 4_000, "{size} bytes");

        let listed = fleet.call("list_devshells", &json!({}));
        let list = &listed.json["shells"];
        let errors = with_error(list);
        assert_eq!((list.as_array().unwrap().len(), errors.len()), (21, 1), "{list:#}");
        assert_eq!(errors[0]["breaks"].as_array().unwrap().len(), 20, "{list:#}");
        let names = list.as_array().unwrap().iter().map(|shell| &shell["name"]);
        assert_eq!(names.filter(|name| **name == "good").count(), 1);
        // Shells of the same name for two systems are two shells.
        let same_as = list.as_array().unwrap().iter().filter_map(|shell| shell["same_as"].as_str());
        assert!(
            same_as.clone().count() == 19
                && same_as.clone().all(|first| first == "devShells.aarch64-linux.part-0")
        );
        let told = |arguments: &[&str]| {
            String::from_utf8(fleet.command(&[&["call"], arguments].concat()).output().unwrap().stderr)
                .unwrap()
        };
        for text in [told(&["list_devshells"]), told(&["plan_deploy", "hosts=[\"part-1\",\"part-2\"]"])] {
            assert_eq!(text.matches("needs a secret").count(), 1, "{text}");
        }
    }
}

#[test]
fn a_search_ends_by_weight_too() {
    let nix = nixes().pop().unwrap();
    let flake = r#"{
      outputs = _: {
        packages.x86_64-linux = builtins.listToAttrs (builtins.genList (number: {
          name = "tool-${toString number}";
          value = derivation { name = "tool-${toString number}"; system = "x86_64-linux"; builder = "/bin/sh"; }
            // { meta.description = builtins.concatStringsSep " " (builtins.genList (_: "described") 90); };
        }) 100);
      };
    }"#;
    let fleet = Fleet::committed(&nix, &[("flake.nix", flake)]);
    let answer = fleet.call("nix_search", &json!({"query": "tool", "limit": 100}));
    let shown = answer.json["results"].as_array().unwrap().len();
    assert_eq!(answer.json["total"], 100, "{:#}", answer.json);
    assert!(shown > 10, "{shown}");
    assert!(answer.json.to_string().len() <= PAGE, "{shown}: {}", answer.json.to_string().len());
}

/// Sixty disks with twenty partitions each, and a pool that is larger than a page.
const DISKS: &str = r#"{
  outputs = _: let
    named = make: count: builtins.listToAttrs (builtins.genList (number: { name = "h${toString number}"; value = make number; }) count);
    disk = number: {
      device = "/dev/sd${toString number}";
      type = "disk";
      content = { type = "gpt"; partitions = named (part: {
        size = "1G";
        content = { type = "filesystem"; format = "ext4"; mountpoint = "/srv/data/of/customers/${toString number}/${toString part}"; };
      }) 20; };
    };
  in {
    nixosConfigurations.many.config.disko.devices = {
      disk = named disk 60;
      zpool.tank = { type = "zpool"; datasets = named (number: { type = "zfs_fs"; mountpoint = "/tank/${toString number}"; }) 500; };
    };
    nixosConfigurations.one.config.disko.devices.disk = named disk 1;
  };
}"#;

#[test]
fn a_layout_of_many_disks_comes_in_pages() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", DISKS)]);
        let one = fleet.call("inspect_disko", &json!({"host": "one"})).json;
        assert!(one["next_cursor"].is_null() && one["disks"][0]["more_children"].is_null(), "{one:#}");
        assert_eq!((&one["total_disks"], one["disks"].as_array().unwrap().len()), (&json!(1), 1));

        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let (mut cursor, mut pages) = (Value::Null, 0);
        let (mut names, mut mounts, mut hazards) = (Vec::new(), Vec::new(), 0);
        let total = loop {
            let arguments = json!({"host": "many", "cursor": cursor});
            let id = client.ask("tools/call", json!({"name": "inspect_disko", "arguments": arguments}));
            let result = client.answer(id).json["result"].clone();
            let answer = &result["structuredContent"];
            assert!(answer.to_string().len() <= PAGE, "{} bytes", answer.to_string().len());
            assert!(result["content"][0]["text"].as_str().unwrap().len() <= PAGE);
            pages += 1;
            for disk in answer["disks"].as_array().unwrap_or_else(|| panic!("{result:#}")) {
                let children = disk["children"].as_array().map_or(0, Vec::len);
                names.push((
                    disk["name"].as_str().unwrap().to_owned(),
                    children,
                    disk["more_children"].as_u64(),
                ));
            }
            mounts
                .extend(answer["mounts"].as_array().unwrap().iter().map(|mount| mount["mountpoint"].clone()));
            hazards += answer["hazards"].as_array().unwrap().len() as u64;
            cursor = answer["next_cursor"].clone();
            if cursor.is_null() {
                break answer.clone();
            }
        };
        assert!((8..40).contains(&pages), "{pages}");
        assert_eq!((&total["total_disks"], &total["total_hazards"]), (&json!(61), &json!(hazards)));
        assert!(hazards > 0, "{total:#}");
        let of = |name: &str| -> Vec<_> { names.iter().filter(|(named, _, _)| named == name).collect() };
        for number in 0..60 {
            assert_eq!(of(&format!("h{number}")), [&(format!("h{number}"), 20, None)]);
        }
        let tank = of("tank");
        assert!(tank.len() > 1, "{tank:?}");
        assert_eq!(tank.iter().map(|(_, children, _)| children).sum::<usize>(), 500);
        assert!(
            tank.windows(2).all(|two| two[0].2 > two[1].2) && tank.last().unwrap().2.is_none(),
            "{tank:?}"
        );
        mounts.sort_by_key(Value::to_string);
        mounts.dedup();
        assert_eq!(mounts.len(), 60 * 20 + 500);
    }
}

#[test]
fn a_name_longer_than_an_argument_costs_itself() {
    for nix in nixes() {
        let flake = r#"{
          outputs = _: let
            drv = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; };
            long = builtins.concatStringsSep "-" (builtins.genList toString 30000);
            system = "x86_64-linux";
          in {
            packages.${system} = { fine = drv "fine"; ${long} = drv "long"; };
            checks.${system}.also = drv "also";
            lib = { };
          };
        }"#;
        let fleet = Fleet::committed(&nix, &[("flake.nix", flake)]);
        let answer = fleet.call("flake_check", &json!({}));
        let outputs = answer.json["outputs"].as_array().unwrap_or_else(|| panic!("{:#}", answer.json));
        let status = |attr: &str| {
            let found = outputs.iter().find(|output| output["attr"].as_str().unwrap().contains(attr));
            found.unwrap_or_else(|| panic!("{attr}: {outputs:#?}"))["status"].clone()
        };
        assert_eq!((status(".fine"), status(".also")), (json!("ok"), json!("ok")));
        assert_eq!((answer.code, status("0-1-2-3")), (1, json!("failed")));
        let said = answer.json.to_string();
        assert!(said.contains("too long") && said.len() < PAGE, "{said}");
    }
}
