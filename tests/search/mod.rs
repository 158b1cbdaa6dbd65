//! `nix_search` on packages and options in nixpkgs' shape, and its score on the queries of relevance.toml.

mod answers;
mod commands;
mod faults;
mod little;
mod nested;
mod paths;
mod pins;
mod score;
mod suggestions;
mod terminal;
mod values;

use std::path::Path;

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::Client;
use score::{Queries, Report};

/// A nixpkgs of generated packages, and a flake that pins it and has a host with generated options.
pub fn generated(nix: &Path) -> (Fleet, Fleet) {
    let nixpkgs = Fleet::committed(
        nix,
        &[
            (
                "flake.nix",
                r#"{
                  outputs = _: {
                    legacyPackages.x86_64-linux = import ./. { system = "x86_64-linux"; };
                  };
                }"#,
            ),
            (
                "default.nix",
                r#"{ system, config ? { }, overlays ? [ ] }:
                import ./packages.nix { inherit system; allowAliases = config.allowAliases or true; }
                // { path = ./.; stdenv.hostPlatform = { inherit system; }; }"#,
            ),
            ("packages.nix", include_str!("packages.nix")),
        ],
    );
    let flake = format!(
        r#"{{
          inputs.nixpkgs.url = "git+file://{}";
          outputs = _: {{ nixosConfigurations.web.options = import ./options.nix {{ }}; }};
        }}"#,
        nixpkgs.folder().display()
    );
    let fleet = Fleet::plain(nix, &[("flake.nix", &flake), ("options.nix", include_str!("options.nix"))]);
    fleet.git(&["init", "-q"]);
    fleet.git(&["add", "."]);
    let locked = fleet.by_hand(&["flake", "lock"]);
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    fleet.git(&["add", "."]);
    (fleet, nixpkgs)
}

fn ask(client: &mut Client, arguments: Value) -> Value {
    let answer = client.call("nix_search", arguments)["result"].clone();
    assert!(!answer["isError"].as_bool().unwrap_or_default(), "{answer:#}");
    answer["structuredContent"].clone()
}

#[test]
fn nine_of_ten_queries_have_the_right_first_result() {
    let nix = nixes().pop().unwrap();
    let (fleet, _nixpkgs) = generated(&nix);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    let queries = Queries::read();
    let report = Report::of(&queries, |arguments| ask(&mut client, arguments), "web");
    println!("{report}");
    for held_out in [false, true] {
        assert!(report.share_at(1, held_out) >= 0.9, "{report}");
        assert!(report.share_of_status(held_out) >= 0.9, "{report}");
    }
    let mut shown = |arguments: Value| {
        let answer = ask(&mut client, arguments);
        (answer["results"].as_array().unwrap().len(), answer["total"].as_u64().unwrap(), answer)
    };
    // Little stands around the answer to a name, and much is shown of a set.
    let (count, total, _) = shown(json!({"query": "python3"}));
    assert!(count == 6 && total > 20, "{count} of {total}");
    let option = json!({"query": "services.nginx", "kind": "option", "host": "web"});
    let (count, total, set) = shown(option);
    assert!(count > 6 || count as u64 == total, "{set:#}");
    let (count, _, _) = shown(json!({"query": "web server"}));
    assert!(count > 6, "{count}");
    // A name that only a main program has.
    let (_, _, program) = shown(json!({"query": "rg"}));
    let message = program["exact"]["message"].as_str().unwrap();
    assert!(message.contains("as their main program"), "{message}");
    assert_eq!(program["results"][0]["attr"], "ripgrep");
}

/// Run by `tools/score-search` on a flake that pins the real nixpkgs.
#[test]
#[ignore = "needs a flake with the real nixpkgs: tools/score-search"]
fn score_on_real_nixpkgs() {
    let flake = std::env::var("PANTHEROS_SEARCH_FLAKE").unwrap();
    let host = std::env::var("PANTHEROS_SEARCH_HOST").unwrap();
    let mut command = std::process::Command::new(crate::common::fleet::PROGRAM);
    command.args(["--flake", &flake, "serve"]);
    let mut client = Client::of(command);
    client.initialize("2025-11-25");
    client.notify("notifications/initialized", json!({}));
    let queries = Queries::read();
    let report = Report::of(
        &queries,
        |arguments| {
            loop {
                let answer = ask(&mut client, arguments.clone());
                if answer["index"][0]["building"] != true {
                    return answer;
                }
            }
        },
        &host,
    );
    println!("{report}");
}
