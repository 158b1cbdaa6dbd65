//! If more parts fail than are tried one by one, each part is in the answer, is named, or is behind a part that is
//! marked as the end.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, errors, nixes, package_names};

/// As `PARTS` in `src/flake/evaluate/attempt.rs`: this many failures end the reading.
const PARTS: usize = 24;

fn flake(nix: &std::path::Path, outputs: &str) -> Fleet {
    Fleet::committed(nix, &[("flake.nix", &format!("{{ outputs = _: {{ {outputs} }}; }}"))])
}

fn system() -> String {
    format!("{}-linux", std::env::consts::ARCH)
}

fn derivation(name: &str) -> String {
    let system = system();
    format!(r#"(derivation {{ name = "{name}"; system = "{system}"; builder = "/bin/sh"; }})"#)
}

#[test]
fn every_package_of_a_shell_is_named_or_counted() {
    for nix in nixes() {
        // Two of three inputs fail.
        let inputs: String = (0..60)
            .map(|number| match number % 3 {
                0 => derivation(&format!("tool-{number}")),
                _ => format!("(abort \"{number}\")"),
            })
            .collect();
        let many: String = (0..70).map(|number| derivation(&format!("tool-{number}"))).collect();
        let (system, shell) = (system(), derivation("shell"));
        let fleet = flake(
            &nix,
            &format!(
                "devShells.{system} = {{
                   a = {shell} // {{ buildInputs = [ {inputs} ]; }}; z = {shell} // {{ buildInputs = [ {many} ]; }};
                 }};"
            ),
        );
        let answer = fleet.call("list_devshells", &json!({}));
        assert_eq!(answer.code, 0, "{answer:?}");
        let shell = &answer.json["shells"][0];
        // Two of three fail, so the 24th failure is the 36th input, the last that is tried.
        let read: Vec<_> = (0..36).step_by(3).map(|number| format!("tool {number}")).collect();
        assert_eq!((&shell["status"], package_names(shell)), (&json!("ok"), read.clone()), "{shell}");
        assert_eq!(shell["unread"], 60 - read.len(), "{shell}");
        let more = &answer.json["shells"][1];
        assert_eq!(more["packages"].as_array().unwrap().len(), 60, "{more}");
        assert_eq!(
            (&more["more_packages"], more.get("unread"), more.get("error")),
            (&json!(10), None, None),
            "{more}"
        );
        let said = errors(&fleet.command(&["call", "list_devshells"]).output().unwrap());
        for line in ["✗ 48 packages could not be read", "… and 10 more packages"] {
            assert!(said.contains(line), "{line}: {said}");
        }
    }
}

#[test]
fn every_option_is_found_named_or_behind_the_rest() {
    const OPTION: &str = r#"_type = "option"; type.description = "a type"; description = "To be found.";"#;
    for nix in nixes() {
        // A set is read before the defaults of options behind it, and after the defaults of options before it.
        let sets: String = (10..50).map(|number| format!("n{number} = abort \"{number}\";\n")).collect();
        let fleet = flake(
            &nix,
            &format!(
                "nixosConfigurations.web.options = {{
                   a = {{ {OPTION} default = abort \"a\"; }};
                   {sets}
                   n20-option = {{ {OPTION} default = 1; }};
                   z = {{ {OPTION} default = 1; }};
                 }};"
            ),
        );
        let answer = fleet.call("nix_search", &json!({"query": "found", "kind": "option"}));
        assert_eq!(answer.code, 0, "{answer:?}");
        let names: Vec<_> = answer.json["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["attr"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["a", "n20-option"], "{answer:?}");
        assert_eq!(answer.json["unread_total"], PARTS, "{answer:?}");
        let rest = &answer.json["unread"][0];
        // 24 failures: the default of `a`, and 23 sets.
        assert_eq!((&rest["rest"], &rest["attr"]), (&json!(true), &json!("n32")), "{answer:?}");
    }
}

/// The names that were found, the number of unread parts, and the places where reading ended.
fn search(fleet: &Fleet) -> (Vec<String>, Value, Vec<String>) {
    let answer = fleet.call("nix_search", &json!({"query": "to be found", "limit": 100}));
    assert_eq!(answer.code, 0, "{answer:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut names: Vec<_> =
        answer.json["results"].as_array().unwrap().iter().map(|found| text(&found["name"])).collect();
    names.sort();
    let gaps = answer.json["unread"].as_array().unwrap().iter();
    let rest = gaps.filter(|gap| gap["rest"] == true).map(|gap| text(&gap["attr"])).collect();
    (names, answer.json["unread_total"].clone(), rest)
}

#[test]
fn too_many_bad_packages_in_one_output_cost_nothing_of_the_other() {
    for nix in nixes() {
        let good =
            |name: &str| format!("({} // {{ meta.description = \"To be found.\"; }})", derivation(name));
        let bad = |count: usize| -> String {
            (10..10 + count).map(|number| format!("n{number} = abort \"{number}\";\n")).collect()
        };
        let system = system();
        for (packages, legacy, more) in [(40, 1, "packages"), (1, 40, "legacyPackages")] {
            let fleet = flake(
                &nix,
                &format!(
                    "packages.{system} = {{ a = {}; {} z = {}; }};
                     legacyPackages.{system} = {{ a = {}; {} z = {}; }};",
                    good("packages-a"),
                    bad(packages),
                    good("packages-z"),
                    good("legacyPackages-a"),
                    bad(legacy),
                    good("legacyPackages-z"),
                ),
            );
            let (names, unread, rest) = search(&fleet);
            let less = if more == "packages" { "legacyPackages" } else { "packages" };
            let mut wanted = [format!("{more}-a"), format!("{less}-a"), format!("{less}-z")];
            wanted.sort();
            assert_eq!(names, wanted);
            assert_eq!(unread, PARTS + 1);
            assert_eq!(rest, [format!("{more}.{system}.n{}", 10 + PARTS - 1)]);
        }
    }
}
