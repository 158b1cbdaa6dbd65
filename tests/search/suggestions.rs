//! Names from the search indexes in the errors of other tools.

use serde_json::{Value, json};

use super::little::Little;
use crate::common::fleet::{Fleet, nixes};
use crate::common::option_fleet::OptionFleet;

/// Makes the flake of [`Little`] use a package.
fn using(little: &Little, package: &str) {
    let url = little.nixpkgs.folder().display().to_string();
    let flake = format!(
        r#"{{
          inputs.nixpkgs.url = "git+file://{url}";
          outputs = {{ nixpkgs, ... }}: let pkgs = nixpkgs.legacyPackages.x86_64-linux; in {{
            wrong = {package};
          }};
        }}"#
    );
    little.fleet.write("flake.nix", &flake);
    little.fleet.git(&["add", "."]);
}

fn suggestions(fleet: &Fleet) -> Value {
    let answer = fleet.call("evaluate", &json!({"attr": "wrong"}));
    assert!(answer.json["error"]["code"].is_string(), "{answer:?}");
    answer.json["error"]["suggestions"].clone()
}

#[test]
fn a_wrong_package_has_suggestions_from_the_index() {
    for nix in nixes() {
        let little = Little::new(&nix);
        let fleet = &little.fleet;
        using(&little, "with pkgs; ripgerp");
        assert_eq!(suggestions(fleet), json!([]));
        fleet.call("nix_search", &json!({"query": "ripgrep"}));
        assert_eq!(suggestions(fleet), json!(["ripgrep"]));
        using(&little, "with pkgs; fastfetsh");
        assert_eq!(suggestions(fleet), json!(["fastfetch"]));
        using(&little, "pkgs.rippgrep");
        assert_eq!(suggestions(fleet)[0], "ripgrep");
        // A variable that is no package, and an attribute of something else.
        using(&little, "ripgerp");
        assert_eq!(suggestions(fleet), json!([]));
        using(&little, "{ }.ripgerp");
        assert_eq!(suggestions(fleet), json!([]));
    }
}

#[test]
fn a_wrong_option_has_suggestions_from_the_index() {
    for nix in nixes() {
        let OptionFleet { fleet, .. } = &OptionFleet::new(&nix);
        let search = json!({"query": "openssh", "kind": "option", "host": "web"});
        fleet.write("hosts/vhosts.nix", "{ services.openssh.enabel = true; }");
        let check = || fleet.call("flake_check", &json!({"host": "web"})).json.to_string();
        let wrong = r#""services.openssh.enable""#;
        assert!(!check().contains(wrong), "{}", check());
        fleet.write("hosts/vhosts.nix", "{ }");
        assert_eq!(fleet.call("nix_search", &search).code, 0);
        fleet.write("hosts/vhosts.nix", "{ services.openssh.enabel = true; }");
        assert!(check().contains(wrong), "{}", check());
    }
}
