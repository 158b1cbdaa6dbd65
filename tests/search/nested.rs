//! Packages in sets in sets, small and large.

use serde_json::{Value, json};

use super::little::Little;
use crate::common::fleet::{Fleet, errors, nixes};

/// Packages in nixpkgs' shape. `large` has more names than are read with the set around it.
const PACKAGES: &str = r#"{ system, config ? { }, overlays ? [ ] }: let
  tool = name: (derivation { inherit name system; builder = "/bin/sh"; }) // {
    pname = name; version = "1"; meta.description = "A tool";
  };
  sets = members: members // { recurseForDerivations = true; };
  numbers = builtins.genList (n: n) 500;
  genuine = {
    outer = sets {
      middle = sets { inner = sets { deep = sets { deeper = sets { lowest = tool "lowest"; }; }; }; };
      beside = tool "beside";
      gone = throw "gone from outer";
      broken = 1 + { };
      after = tool "after";
    };
    again = let again = sets { inherit again; once = tool "once"; }; in again;
    large = sets (builtins.listToAttrs (map (n: { name = "n${toString n}"; value = tool "n${toString n}"; }) numbers) // {
      within = sets { leaf = tool "leaf"; };
    });
    failing = sets (builtins.listToAttrs (builtins.genList (n: { name = "b${toString n}"; value = 1 + { }; }) 30) // {
      zz = tool "zz";
    });
    last = tool "last";
    path = ./.;
    stdenv.hostPlatform = { inherit system; };
    lib = { };
  };
in genuine // (if config.allowAliases or true then { old = genuine.outer; } else { })"#;

fn search(fleet: &Fleet, query: &str) -> Value {
    fleet.call("nix_search", &json!({"query": query, "kind": "package"})).json
}

#[test]
fn every_set_marked_for_recursion_is_read() {
    for nix in nixes() {
        let little = Little::of(&nix, &[("default.nix", PACKAGES)]);
        for (attr, status, first) in [
            ("outer.middle.inner.deep.deeper.lowest", "works", "outer.middle.inner.deep.deeper.lowest"),
            ("outer.after", "works", "outer.after"),
            // The name at the top exists only with aliases.
            ("old.beside", "alias", "outer.beside"),
            ("large.n499", "works", "large.n499"),
            ("large.within.leaf", "works", "large.within.leaf"),
            ("again.again.once", "works", "again.again.once"),
        ] {
            let found = search(&little.fleet, attr);
            let answer = (&found["exact"]["status"], &found["results"][0]["attr"]);
            assert_eq!(answer, (&json!(status), &json!(first)), "{attr}: {found:#}");
        }
        // Too much of `failing` fails: its rest is not in the index, and what is behind it is.
        for (attr, status, said) in [
            ("last", "works", None),
            ("failing.zz", "works", None),
            ("failing.b3", "fails", Some("cannot add")),
            ("failing.b29", "fails", Some("cannot add")),
            ("outer.broken", "fails", Some("cannot add")),
            ("failing.none", "missing", None),
        ] {
            let found = search(&little.fleet, attr);
            let message = found["exact"]["message"].as_str().unwrap_or_default();
            assert_eq!(found["exact"]["status"], status, "{attr}: {found:#}");
            assert!(said.is_none_or(|said| message.contains(said)), "{attr}: {found:#}");
        }
        let gone = search(&little.fleet, "outer.gone");
        assert_eq!(gone["exact"], json!({"status": "removed", "message": "gone from outer"}), "{gone:#}");
        let index = little.fleet.command(&["index"]).output().unwrap();
        let said = errors(&index);
        // `broken` in `outer`, and in its other name, 24 in `failing`, and the rest of `again`, of which 47 levels are read.
        assert!(said.contains("555 packages, 27 could not be read"), "{said}");
    }
}

#[test]
fn an_option_is_shown_if_its_visibility_cannot_be_read() {
    for nix in nixes() {
        let option = r#"visible: { _type = "option"; inherit visible; type.description = "boolean"; description = "x"; }"#;
        let flake = format!(
            r#"{{
              outputs = _: {{
                nixosConfigurations.web.options = let option = {option}; in {{
                  a.first = option true; b.unknown = option (throw "not now"); c.secret = option false; d.last = option true;
                }};
              }};
            }}"#
        );
        let fleet = Fleet::plain(&nix, &[("flake.nix", &flake)]);
        let answer = fleet
            .call("nix_search", &json!({"query": "x", "kind": "option", "host": "web", "limit": 9}))
            .json;
        let attrs: Vec<&Value> =
            answer["results"].as_array().unwrap().iter().map(|result| &result["attr"]).collect();
        assert_eq!(attrs, ["a.first", "b.unknown", "d.last"], "{answer:#}");
        assert_eq!(answer["unread"], Value::Null, "{answer:#}");
    }
}
