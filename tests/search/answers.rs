//! What an answer says of names, and of an index that is not there yet.

use std::sync::Arc;
use std::time::Duration;

use pantheros_mcp::testing::config::{Overrides, Settings};
use pantheros_mcp::testing::deploy::Nobody;
use pantheros_mcp::testing::progress::Call;
use pantheros_mcp::testing::tools::{CallSlot, Context, Services, find};
use serde_json::{Value, json};

use super::little::Little;
use crate::common::fleet::nixes;

#[test]
fn a_name_has_one_of_four_answers() {
    for nix in nixes() {
        let little = Little::new(&nix);
        let ask = |query: &str| {
            let answer = little.fleet.call("nix_search", &json!({"query": query}));
            assert_eq!(answer.code, 0, "{answer:?}");
            answer.json
        };
        let works = ask("ripgrep");
        assert_eq!(works["exact"], json!({"status": "works"}), "{works:#}");
        assert_eq!(works["results"][0]["version"], "14.1", "{works:#}");
        let alias = ask("rg-search");
        assert_eq!(alias["exact"], json!({"status": "alias", "target": "ripgrep"}), "{alias:#}");
        assert_eq!(alias["results"][0]["attr"], "ripgrep", "{alias:#}");
        let removed = ask("neofetch");
        let message = "'neofetch' was removed. Consider 'hyfetch' or 'fastfetch'.";
        let instead = json!([{"attr": "hyfetch", "version": "2.0"}, {"attr": "fastfetch", "version": "2.1"}]);
        assert_eq!(
            removed["exact"],
            json!({"status": "removed", "message": message, "replacements": instead}),
            "{removed:#}"
        );
        assert_eq!(removed["results"][0]["attr"], "hyfetch", "{removed:#}");
        let missing = ask("ripgerp");
        assert_eq!(missing["exact"]["status"], "missing", "{missing:#}");
        assert!(missing["exact"]["message"].as_str().unwrap().contains("nix-locate"), "{missing:#}");
        assert_eq!(missing["suggestions"], json!(["ripgrep"]), "{missing:#}");
        // A removed name that is not in the list of aliases, and names in a set that is not searched.
        assert_eq!(ask("searched.gone")["exact"]["message"], "gone for good");
        let member = ask("members.requests");
        assert_eq!(
            (&member["exact"]["status"], &member["total"]),
            (&json!("works"), &json!(1)),
            "{member:#}"
        );
        let old = ask("members.old");
        let instead = json!([{"attr": "members.requests", "version": "2.32"}]);
        assert_eq!(old["exact"]["replacements"], instead, "{old:#}");
        assert_eq!(ask("members.none")["exact"]["status"], "missing");
        assert!(ask("function")["exact"]["message"].as_str().unwrap().contains("not a package"));
        assert_eq!(ask("_7zz")["results"][0]["flags"], json!(["unfree"]));
    }
}

#[test]
fn an_indexed_name_is_answered_without_an_evaluation() {
    let nix = nixes().pop().unwrap();
    let little = Little::new(&nix);
    let evaluations = little.fleet.count_evaluations();
    let ask = |query: &str| little.fleet.call("nix_search", &json!({"query": query})).json;
    ask("ripgrep");
    let before = evaluations();
    assert!(before > 0);
    for query in ["ripgrep", "rg-search", "neofetch", "nothing-like-it", "fetch"] {
        ask(query);
        assert_eq!(evaluations(), before, "{query}");
    }
}

#[test]
fn a_package_that_a_host_changes_has_both_versions_and_the_place() {
    for nix in nixes() {
        let little = Little::new(&nix);
        let url = little.nixpkgs.folder().display().to_string();
        let overlay = r#"final: prev: {
          ripgrep = prev.ripgrep // { version = "99.0"; };
          ours = prev.ripgrep // { pname = "ours"; version = "1.0"; };
          broken = throw "never read";
        }"#;
        let flake = format!(
            r#"{{
              inputs.nixpkgs.url = "git+file://{url}";
              outputs = {{ nixpkgs, ... }}: {{
                nixosConfigurations.web = let
                  prev = nixpkgs.legacyPackages.x86_64-linux;
                  overlay = import ./overlay.nix;
                in {{ options = {{ }}; pkgs = prev // overlay prev prev // {{ overlays = [ overlay ]; }}; }};
              }};
            }}"#
        );
        little.fleet.write("flake.nix", &flake);
        little.fleet.write("overlay.nix", overlay);
        little.fleet.git(&["add", "."]);
        let ask = |query: &str| little.fleet.call("nix_search", &json!({"query": query, "host": "web"})).json;
        let changed = ask("ripgrep");
        let first = &changed["results"][0];
        assert_eq!((&first["attr"], &first["version"]), (&json!("ripgrep"), &json!("14.1")), "{changed:#}");
        assert_eq!(
            first["on_host"],
            json!({"version": "99.0", "defined_at": "overlay.nix:2"}),
            "{changed:#}"
        );
        let ours = ask("ours");
        assert_eq!(
            (&ours["exact"]["status"], &ours["results"][0]["attr"]),
            (&json!("works"), &json!("ours"))
        );
        assert!(ours["unread"].to_string().contains("broken"), "{ours:#}");
    }
}

#[test]
fn a_result_has_all_details_if_asked() {
    let little = Little::new(&nixes().pop().unwrap());
    let answer = little.fleet.call("nix_search", &json!({"query": "ripgrep", "detail": true}));
    let first = &answer.json["results"][0];
    assert_eq!((&first["name"], &first["program"]), (&json!("ripgrep"), &json!("ripgrep")), "{first:#}");
    assert_eq!(answer.json["results"].as_array().unwrap().len(), 1);
}

/// A server in this process, which waits for an index only for a moment.
fn services(little: &Little) -> Arc<Services> {
    let config = little.fleet.folder().with_file_name("pantheros.toml");
    let overrides =
        Overrides { flake: Some(little.fleet.folder()), config: Some(config), ..Overrides::default() };
    let mut settings = Settings::load(None, &overrides, &[]).unwrap();
    settings.cache.folder = Some(little.fleet.home().join("cache/pantheros"));
    let mut services = Services::for_server(settings);
    services.index_wait = Duration::from_millis(1);
    Arc::new(services)
}

async fn ask(services: &Arc<Services>, query: &str) -> Value {
    let context = Context {
        services: Arc::clone(services),
        in_force: services.in_force(),
        call: Call::unattended(),
        approver: Arc::new(Nobody),
        client: "test".to_owned(),
        slot: CallSlot::default(),
    };
    let arguments = json!({"query": query}).as_object().unwrap().clone();
    find("nix_search").unwrap().run(&context, arguments).await.structured
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_while_the_index_is_built_says_so_and_uses_the_previous_one() {
    let little = Little::new(&nixes().pop().unwrap());
    little.hold();
    let server = services(&little);
    // There is no index at all: a name is evaluated by itself, which waits as well.
    let words = ask(&server, "the little").await;
    assert_eq!(words["index"][0]["building"], true, "{words:#}");
    assert_eq!((&words["total"], &words["results"]), (&json!(0), &json!([])), "{words:#}");
    little.release();
    loop {
        let answer = ask(&server, "the little").await;
        if answer["index"].is_null() {
            assert_eq!(answer["total"], 5, "{answer:#}");
            break;
        }
    }
    server.background.stop_all().await;
    // A newer nixpkgs.
    std::fs::remove_file(little.fleet.folder().with_file_name("go")).unwrap();
    little.nixpkgs.write("new", "");
    little.nixpkgs.git(&["add", "."]);
    little.nixpkgs.git(&["commit", "-qm", "newer"]);
    let before = ask(&services(&little), "ripgrep").await["nixpkgs_rev"].clone();
    little.lock();
    let server = services(&little);
    let answer = ask(&server, "ripgrep").await;
    assert_ne!(answer["nixpkgs_rev"], before);
    assert_eq!(answer["results"][0]["attr"], "ripgrep", "{answer:#}");
    let searched = answer["index"][0]["searched"].as_str().unwrap_or_else(|| panic!("{answer:#}"));
    assert!(searched.contains(before.as_str().unwrap()), "{answer:#}");
    little.release();
    server.background.stop_all().await;
}
