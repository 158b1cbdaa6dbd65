//! A part of an answer that does not evaluate costs only that part, even if `tryEval` does not catch its error.

use serde_json::{Value, json};

use crate::common::fleet::{Answer, Fleet, nixes, package_names, told};

/// Errors that `tryEval` does not catch, and text that is not UTF-8: a name, an expression, the code of its error.
const FAULTS: [(&str, &str, &str); 5] = [
    ("aborts", r#"(abort "stopped on purpose")"#, "abort"),
    ("misses", "{ }.missing", "missing_attribute"),
    ("recurs", "(let x = x; in x)", "infinite_recursion"),
    ("mistypes", r#"(1 + "a")"#, "type_mismatch"),
    ("garbles", r#"(builtins.substring 0 1 "é")"#, "evaluation_failed"),
];
/// A value without a form in JSON.
const FUNCTION: &str = "{ f = x: x; }";

/// `text` for each fault, with its name and expression in place of `NAME` and `FAULT`.
fn each(text: &str) -> String {
    FAULTS.iter().map(|(name, fault, _)| text.replace("NAME", name).replace("FAULT", fault)).collect()
}

fn flake(nix: &std::path::Path, outputs: &str) -> Fleet {
    Fleet::committed(nix, &[("flake.nix", &format!("{{ outputs = _: {{ {outputs} }}; }}"))])
}

fn host<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let hosts = answer.json["hosts"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    hosts.iter().find(|host| host["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer:?}"))
}

/// The place of each part that was not read, and the code of its error.
fn unread(answer: &Answer) -> Vec<(String, String)> {
    let parts = answer.json["unread"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    let said = |value: &Value| value.as_str().unwrap().to_owned();
    let mut parts: Vec<_> =
        parts.iter().map(|part| (said(&part["attr"]), said(&part["error"]["code"]))).collect();
    parts.sort();
    parts
}

fn wanted(attr: &str) -> Vec<(String, String)> {
    let mut wanted: Vec<_> =
        FAULTS.iter().map(|(name, _, code)| (attr.replace("NAME", name), (*code).to_owned())).collect();
    wanted.sort();
    wanted
}

const OPTION: &str = r#"_type = "option"; type.description = "a type"; description = "To be found.";"#;

#[test]
fn an_option_costs_what_of_it_fails() {
    for nix in nixes() {
        let faults = each(&format!("options.b.NAME = {{ {OPTION} default = FAULT; }};\n"));
        let fleet = flake(
            &nix,
            &format!(
                r#"nixosConfigurations.web = {{
                  {faults}
                  options.a.first = {{ {OPTION} default = [ 1 ]; }};
                  options.b.function = {{ {OPTION} default = {FUNCTION}; }};
                  options.b.thrown = {{ {OPTION} default = throw "never shown"; }};
                  options.b.set = abort "a whole set";
                  options.z.last = {{ {OPTION} default = ./flake.nix; }};
                }};"#
            ),
        );
        let answer = fleet.call("nix_search", &json!({"query": "found", "kind": "option", "host": "web"}));
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(answer.json["total"], FAULTS.len() + 4, "{answer:?}");
        let results = answer.json["results"].as_array().unwrap();
        let default = |name: &str| {
            let found = results.iter().find(|found| found["attr"] == name);
            found.unwrap_or_else(|| panic!("no {name}: {answer:?}"))["default"].clone()
        };
        assert_eq!(default("a.first"), "[1]");
        assert_eq!(default("b.function"), r#"{"f":"«function»"}"#);
        assert!(default("z.last").as_str().unwrap().ends_with("flake.nix\""), "{answer:?}");
        for (name, ..) in FAULTS {
            assert_eq!(default(&format!("b.{name}")), Value::Null);
        }
        assert_eq!(answer.json["unread_total"], FAULTS.len() + 2, "{answer:?}");
        // Each fault alone, because an answer shows only the first few.
        for (name, fault, code) in FAULTS {
            fleet.write(
                "flake.nix",
                &format!(
                    "{{ outputs = _: {{ nixosConfigurations.web.options = {{
                       a = {{ {OPTION} }}; {name} = {{ {OPTION} default = {fault}; }}; z = {{ {OPTION} }};
                     }}; }}; }}"
                ),
            );
            let answer = fleet.call("nix_search", &json!({"query": "found", "kind": "option"}));
            assert_eq!(answer.json["total"], 3, "{answer:?}");
            assert_eq!(unread(&answer), [(format!("{name}.default"), code.to_owned())], "{answer:?}");
        }
    }
}

#[test]
fn a_long_description_is_never_cut_within_a_character() {
    let nix = nixes().pop().unwrap();
    let long = "é".repeat(300);
    for shift in ["", "a"] {
        let option =
            format!(r#"{{ _type = "option"; description = "{shift}{long}"; default = "{shift}{long}"; }}"#);
        let fleet = flake(&nix, &format!("nixosConfigurations.web.options.a = {option};"));
        let answer = fleet.call("nix_search", &json!({"query": "a", "kind": "option"}));
        let described =
            answer.json["results"][0]["description"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
        assert!(
            described.starts_with(&format!("{shift}ééé")) && answer.json.get("unread").is_none(),
            "{answer:?}"
        );
    }
}

#[test]
fn where_too_much_fails_it_is_said_what_was_not_read() {
    for nix in nixes() {
        let options: String = (10..60)
            .map(|number| format!("n{number} = {{ {OPTION} default = abort \"{number}\"; }};\n"))
            .collect();
        let fleet = flake(&nix, &format!("nixosConfigurations.web.options = {{ {options} }};"));
        let answer = fleet.call("nix_search", &json!({"query": "found", "kind": "option"}));
        assert_eq!(answer.code, 0, "{answer:?}");
        let gaps = answer.json["unread"].as_array().unwrap();
        let rest = gaps.iter().find(|gap| gap["rest"] == true).unwrap_or_else(|| panic!("{answer:?}"));
        let found = answer.json["total"].as_u64().unwrap();
        // The options before it were read, each without its default.
        assert_eq!(rest["attr"], format!("n{}.default", 10 + found), "{answer:?}");
        assert_eq!(answer.json["unread_total"], found + 1, "{answer:?}");
        assert!((10..50).contains(&found), "{answer:?}");
    }
}

#[test]
fn a_package_costs_itself() {
    for nix in nixes() {
        let system = format!("{}-linux", std::env::consts::ARCH);
        let package = |name: &str| {
            format!(
                r#"(derivation {{ name = "{name}-1.0"; system = "{system}"; builder = "/bin/sh"; }}
                   // {{ meta.description = "To be found."; }})"#
            )
        };
        let fleet = flake(
            &nix,
            &format!(
                "packages.{system} = {{ a = {}; z = {}; function = x: x; {} }};
                 legacyPackages.{system} = {{ {} set = {{ recurseForDerivations = true; inner = {}; }}; }};",
                package("first"),
                package("last"),
                each(&format!("NAME = {} // {{ meta.description = FAULT; }};\n", package("NAME"))),
                each("NAME = FAULT;\n"),
                package("inner"),
            ),
        );
        let answer = fleet.call("nix_search", &json!({"query": "found"}));
        assert_eq!(answer.code, 0, "{answer:?}");
        let names: Vec<_> =
            answer.json["results"].as_array().unwrap().iter().map(|found| found["attr"].clone()).collect();
        assert_eq!(names, ["a", "z", "set.inner"], "{answer:?}");
        assert_eq!(answer.json["results"][0]["version"], "1.0");
        // This includes the function. A text in `legacyPackages` is not a failure.
        assert_eq!(answer.json["unread_total"], 2 * FAULTS.len() + 1 - 1, "{answer:?}");
    }
}

#[test]
fn a_fact_costs_itself() {
    for nix in nixes() {
        let hosts = each(
            r#"nixosConfigurations.NAME.config = { networking.hostName = FAULT; system.stateVersion = "25.05"; };
               nixosConfigurations.whole-NAME = FAULT;
            "#,
        );
        let fleet = flake(
            &nix,
            &format!(
                r#"{hosts}
                   nixosConfigurations.good.config.networking.hostName = "good";
                   nixosConfigurations.function.config.pantheros.deploy.tags = [ (x: x) ];
                   nixosConfigurations.text = "text";
                   nixosConfigurations.empty = {{ }};
                   nixosConfigurations.thrown.config.pantheros.deploy.tags = throw "no tags today";
                   nixosConfigurations.twice.config = {{
                     networking.hostName = throw "no name today";
                     pantheros.deploy.targetHost = abort "no place today";
                     system.stateVersion = "25.05";
                   }};
                   nixosConfigurations.number.config.networking.hostName = 1;
                   nixosConfigurations.old = {{
                     config.nixpkgs.hostPlatform = throw "it is not defined";
                     options.nixpkgs.hostPlatform.isDefined = false;
                     pkgs.stdenv.hostPlatform.system = "x86_64-linux";
                   }};"#
            ),
        );
        let answer = fleet.call("list_hosts", &json!({}));
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(host(&answer, "good")["facts"], "known", "{answer:?}");
        for (name, _, code) in FAULTS {
            let bad = host(&answer, name);
            assert_eq!((&bad["facts"], &bad["error"]["code"]), (&json!("failed"), &json!(code)), "{bad}");
            assert_eq!(
                (&bad["unread"], &bad["state_version"]),
                (&json!(["host_name"]), &json!("25.05")),
                "{bad}"
            );
            let whole = host(&answer, &format!("whole-{name}"));
            // A text is a value, but not a host.
            let code = if name == "garbles" { "throw" } else { code };
            assert_eq!(whole["facts"], "failed", "{whole}");
            // A cause that several share is reported once.
            let told = whole["same_as"].as_str().map_or(whole, |first| host(&answer, first));
            assert_eq!(told["error"]["code"], code, "{whole}");
        }
        for (name, says) in [
            ("function", "function"),
            ("text", "found string"),
            ("empty", "no NixOS configuration"),
            ("thrown", "no tags today"),
            ("number", "host_name"),
        ] {
            let bad = host(&answer, name);
            assert_eq!(bad["facts"], "failed", "{bad}");
            assert!(told(&bad["error"]).contains(says), "{bad}");
        }
        let twice = host(&answer, "twice");
        assert_eq!(twice["unread"], json!(["host_name", "target"]), "{twice}");
        assert!(twice["error"].to_string().contains("no name today"), "{twice}");
        assert!(twice["reasons"]["target"].to_string().contains("no place today"), "{twice}");
        let said = fleet.command(&["call", "list_hosts"]).output().unwrap().stderr;
        let said = String::from_utf8_lossy(&said).into_owned();
        for line in
            ["twice: host_name, target could not be read", "twice: target: ", "twice: state version 25.05"]
        {
            assert!(said.contains(&format!("\n  {line}")), "{line}: {said}");
        }
        let old = host(&answer, "old");
        assert_eq!((&old["facts"], &old["system"]), (&json!("known"), &json!("x86_64-linux")), "{old}");
    }
}

#[test]
fn a_shell_costs_what_of_it_fails() {
    for nix in nixes() {
        let system = format!("{}-linux", std::env::consts::ARCH);
        let derivation = |name: &str| {
            format!(r#"derivation {{ name = "{name}"; system = "{system}"; builder = "/bin/sh"; }}"#)
        };
        let fleet = flake(
            &nix,
            &format!(
                "devShells.{system} = {{ good = {}; function = x: x; {} {} }};",
                derivation("good"),
                each("NAME = FAULT;\n"),
                each(&format!(
                    "in-NAME = ({}) // {{ buildInputs = [ ({}) FAULT ({}) ]; }};\n",
                    derivation("shell"),
                    derivation("tool-1"),
                    derivation("tool-2")
                )),
            ),
        );
        let answer = fleet.call("list_devshells", &json!({}));
        assert_eq!(answer.code, 0, "{answer:?}");
        let shells = answer.json["shells"].as_array().unwrap();
        let shell = |name: &str| shells.iter().find(|shell| shell["name"] == name).unwrap();
        assert_eq!(shell("good")["status"], "ok");
        assert_eq!(shell("function")["error"]["code"], "throw");
        for (name, _, code) in FAULTS {
            let whole = shell(name);
            let of_whole = if name == "garbles" { "throw" } else { code };
            assert_eq!(
                (&whole["status"], &whole["error"]["code"]),
                (&json!("failed"), &json!(of_whole)),
                "{whole}"
            );
            let inner = shell(&format!("in-{name}"));
            assert_eq!(
                (&inner["status"], package_names(inner)),
                (&json!("ok"), vec!["tool 1".to_owned(), "tool 2".to_owned()]),
                "{inner}"
            );
            // A text among the packages is not a package.
            if name != "garbles" {
                assert_eq!((&inner["unread"], &inner["error"]["code"]), (&json!(1), &json!(code)), "{inner}");
            }
        }
    }
}

#[test]
fn a_layout_costs_what_of_it_fails() {
    for nix in nixes() {
        let disks = each(r#"disk.NAME = { type = "disk"; device = FAULT; };"#);
        let fleet = flake(
            &nix,
            &format!(
                r#"nixosConfigurations.web.config = {{
                     disko.devices = {{
                       {disks}
                       disk.good = {{ type = "disk"; device = "/dev/good"; }};
                       disk.function = {{ type = "disk"; device = x: x; }};
                       disk.thrown = {{ type = "disk"; device = throw "no device today"; }};
                     }};
                     boot.loader.grub.enable = abort "no boot loader today";
                     boot.loader.systemd-boot.enable = throw "nor this one";
                     fileSystems = throw "no mounts today";
                     nixpkgs.hostPlatform = throw "no platform today";
                   }};"#
            ),
        );
        let answer = fleet.call("inspect_disko", &json!({"host": "web"}));
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(answer.json["disks"].to_string().contains("/dev/good"), "{answer:?}");
        assert_eq!(answer.json["disks"].as_array().unwrap().len(), FAULTS.len() + 3, "{answer:?}");
        let mut wanted = wanted("devices.disk.NAME.device");
        wanted.push(("boot.grub".to_owned(), "abort".to_owned()));
        // Errors that `tryEval` would catch are reported as well, with their reasons.
        for thrown in ["boot.systemdBoot", "devices.disk.thrown.device", "fileSystems", "system"] {
            wanted.push((thrown.to_owned(), "throw".to_owned()));
        }
        assert!(answer.json["unread"].to_string().contains("no mounts today"), "{answer:?}");
        wanted.sort();
        assert_eq!(unread(&answer), wanted);
    }
}

#[test]
fn a_host_that_takes_all_memory_costs_itself() {
    let nix = nixes().pop().unwrap();
    let endless = "builtins.length (builtins.genericClosure { \
        startSet = [ { key = 0; } ]; operator = x: [ { key = x.key + 1; } ]; })";
    let fleet = flake(
        &nix,
        &format!(
            r#"nixosConfigurations.greedy.config.networking.hostName = "${{toString ({endless})}}";
               nixosConfigurations.small.config.networking.hostName = "small";"#
        ),
    );
    fleet.write_outside(
        "pantheros.toml",
        &format!("[nix]\nprogram = {nix:?}\n[limits]\nevaluation_memory_mib = 1\n"),
    );
    let answer = fleet.call("list_hosts", &json!({}));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(host(&answer, "greedy")["error"]["code"], "out_of_memory", "{answer:?}");
    assert_eq!(host(&answer, "small")["host_name"], "small", "{answer:?}");
}
