//! What is said of a path that is no option itself.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};

const FLAKE: &str = r#"{
  outputs = _: {
    nixosConfigurations.web.options = let option = description: { _type = "option"; type = { inherit description; }; }; in {
      boot.kernel.sysctl = option "open submodule of attribute set of (null or string)";
      environment.variables = option "lazy attribute set of string";
      services.nginx.enable = option "boolean";
      services.odd = option (throw "no type");
    };
  };
}"#;

#[test]
fn a_path_that_is_no_option_is_told_by_the_option_above_it() {
    for nix in nixes() {
        let fleet = Fleet::plain(&nix, &[("flake.nix", FLAKE)]);
        let ask = |query: &str| fleet.call("nix_search", &json!({"query": query, "host": "web"})).json;
        for (query, status, said) in [
            ("environment.variables.EDITOR", "works", "a name that the option environment.variables"),
            (
                r#"boot.kernel.sysctl."net.ipv4.ip_forward""#,
                "works",
                "that the option boot.kernel.sysctl (open",
            ),
            ("services.nginx", "works", "a set of options"),
            (
                "services.nginx.enable.x",
                "missing",
                "it lies below the option services.nginx.enable (boolean)",
            ),
            ("services.nginx.port", "missing", "services.nginx has other options"),
        ] {
            let answer = ask(query);
            let message = answer["exact"]["message"].as_str().unwrap_or_default();
            assert_eq!(answer["exact"]["status"], status, "{query}: {answer:#}");
            assert!(message.contains(said), "{query}: {answer:#}");
            // What could not be read may be what is missing.
            let names_unread = answer["unread"].to_string().contains("services.odd");
            assert_eq!(
                (names_unread, &answer["unread_total"]),
                (status == "missing", &json!(1)),
                "{answer:#}"
            );
        }
        let shown = fleet.command(&["search", "environment.variables.EDITOR"]).output().unwrap();
        let text = String::from_utf8(shown.stdout).unwrap();
        assert!(text.contains("a name that the option environment.variables"), "{text}");
    }
}

#[test]
fn a_path_without_a_host_is_said_to_be_searched_among_packages_only() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::plain(&nix, &[("flake.nix", FLAKE)]);
    let answer = fleet.call("nix_search", &json!({"query": "services.nginx.enable"})).json;
    assert_eq!(
        answer["exact"],
        json!({"status": "missing", "message": "no package has this name; if it is an option, search the options of a host"}),
        "{answer:#}"
    );
    let options = fleet.call("nix_search", &json!({"query": "services.nginx.enable", "kind": "option"})).json;
    assert_eq!(options["exact"]["status"], Value::from("works"), "{options:#}");
}
