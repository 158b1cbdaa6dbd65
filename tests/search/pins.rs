//! Which nixpkgs is searched: the one that an input follows or that replaces it.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, error_of, errors, nixes};

/// A nixpkgs with the package `tool` of this version.
fn nixpkgs(nix: &Path, version: &str) -> Fleet {
    let flake =
        r#"{ outputs = _: { legacyPackages.x86_64-linux = import ./. { system = "x86_64-linux"; }; }; }"#;
    let packages = format!(
        r#"{{ system, config ? {{ }}, overlays ? [ ] }}: {{
          tool = (derivation {{ name = "tool"; inherit system; builder = "/bin/sh"; }}) // {{
            pname = "tool"; version = "{version}"; meta.description = "A tool";
          }};
          gone-{version} = throw "gone in {version}";
          path = ./.;
          stdenv.hostPlatform = {{ inherit system; }};
          lib = {{ }};
        }}"#
    );
    Fleet::committed(nix, &[("flake.nix", flake), ("default.nix", &packages)])
}

fn url(fleet: &Fleet) -> String {
    format!("git+file://{}", fleet.folder().display())
}

/// A flake reference with the commit.
fn pinned(fleet: &Fleet) -> String {
    let head = fleet.folder().join(".git/refs/heads");
    let branch = std::fs::read_dir(head).unwrap().next().unwrap().unwrap().path();
    format!("{}?rev={}", url(fleet), std::fs::read_to_string(branch).unwrap().trim())
}

/// A flake with this text and its lock file.
fn locked(nix: &Path, text: &str) -> Fleet {
    let fleet = Fleet::committed(nix, &[("flake.nix", text)]);
    let output = fleet.by_hand(&["flake", "lock"]);
    assert!(output.status.success(), "{}", errors(&output));
    fleet.git(&["add", "."]);
    fleet.git(&["commit", "-qm", "lock"]);
    fleet
}

/// Searches the package `name` with these flags.
fn run(fleet: &Fleet, flags: &[&str], name: &str) -> Output {
    let input = json!({"query": name, "kind": "package"}).to_string();
    fleet.command(&[flags, &["call", "--quiet", "nix_search", &input]].concat()).output().unwrap()
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", errors(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_replaced_input_is_searched_where_nixpkgs_follows_it() {
    for nix in nixes() {
        let [one, two, three, four] = ["1", "2", "3", "4"].map(|version| nixpkgs(&nix, version));
        let with_input =
            |of: &Fleet| format!("{{ inputs.nixpkgs.url = \"{}\"; outputs = _: {{ }}; }}", url(of));
        let other = locked(&nix, &with_input(&two));
        let newer_other = locked(&nix, &with_input(&three));
        let direct = locked(
            &nix,
            &format!(
                "{{ inputs.unstable.url = \"{}\"; inputs.nixpkgs.follows = \"unstable\"; outputs = _: {{ }}; }}",
                url(&one)
            ),
        );
        let nested = locked(
            &nix,
            &format!(
                "{{ inputs.other.url = \"{}\"; inputs.nixpkgs.follows = \"other/nixpkgs\"; outputs = _: {{ }}; }}",
                url(&other)
            ),
        );
        let unstable = format!("unstable={}", pinned(&four));
        let other_nixpkgs = format!("other/nixpkgs={}", pinned(&four));
        let whole_other = format!("other={}", pinned(&newer_other));
        for (fleet, replaced, version) in [
            (&direct, None, "1"),
            (&direct, Some(&*unstable), "4"),
            (&nested, None, "2"),
            (&nested, Some(&*other_nixpkgs), "4"),
        ] {
            let flags: Vec<&str> =
                replaced.iter().flat_map(|replaced| ["--override-input", replaced]).collect();
            let found = answer(&run(fleet, &flags, "tool"));
            assert_eq!(found["results"][0]["version"], version, "{replaced:?}: {found:#}");
            let gone = answer(&run(fleet, &flags, &format!("gone-{version}")));
            assert_eq!(gone["exact"]["message"], format!("gone in {version}"), "{replaced:?}: {gone:#}");
            assert_eq!(found["index"], Value::Null, "{replaced:?}: {found:#}");
        }
        // What the other flake has as nixpkgs is in its own lock file.
        let error = error_of(&run(&nested, &["--override-input", &whole_other], "tool"));
        assert_eq!(error["code"], "invalid_settings", "{error:#}");
        assert!(error["hint"].as_str().unwrap().contains("--override-input other/nixpkgs="), "{error:#}");
        let both = ["--override-input", &whole_other, "--override-input", &other_nixpkgs];
        let found = answer(&run(&nested, &both, "tool"));
        assert_eq!(found["results"][0]["version"], "4", "{found:#}");
    }
}
