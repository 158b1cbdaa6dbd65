//! `search` and `index` for a person.

use serde_json::{Value, json};

use super::little::Little;
use crate::common::fleet::{Fleet, errors, nixes};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_search_prints_how_each_result_is_used() {
    let little = Little::new(&nixes().pop().unwrap());
    let search = |words: &[&str]| {
        let output = little.fleet.command(&[&["search"], words].concat()).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        text(&output.stdout)
    };
    let found = search(&["--packages", "ripgrep"]);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "ripgrep 14.1",
            "    The ripgrep of the little nixpkgs",
            "    environment.systemPackages = [ pkgs.ripgrep ];"
        ]
    );
    assert!(lines.last().unwrap().starts_with("2 of 2 in nixpkgs "), "{found}");
    assert!(search(&["--packages", "neofetch"]).starts_with("removed: 'neofetch' was removed. Consider"));
    assert!(search(&["--packages", "rg-search"]).starts_with("alias: stands for ripgrep\nripgrep 14.1\n"));
    let missing = search(&["--packages", "ripgerp"]);
    assert!(missing.starts_with("missing: ") && missing.contains("similar: ripgrep"), "{missing}");
    // Words need no quotes.
    assert!(search(&["--packages", "little", "nixpkgs"]).contains("5 of 5"));
    let json: Value = serde_json::from_str(&search(&["--packages", "--json", "ripgrep"])).unwrap();
    assert_eq!(json["exact"], json!({"status": "works"}));
}

#[test]
fn packages_and_options_are_in_one_answer() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let output = fleet.command(&["search", "--host", "web", "openssh"]).output().unwrap();
    let found = text(&output.stdout);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(found.contains("services.openssh.enable boolean"), "{found}");
    assert!(found.contains("services.openssh.enable = true;"), "{found}");
    let unknown = fleet.command(&["search", "--host", "none", "openssh"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1), "{}", errors(&unknown));
    let wrong = fleet.command(&["search", "--host", "not a name", "openssh"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{}", errors(&wrong));
}

#[test]
fn index_says_what_is_indexed_its_size_and_its_age() {
    let little = Little::new(&nixes().pop().unwrap());
    let index = || {
        let output = little.fleet.command(&["index"]).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        errors(&output)
    };
    let first = index();
    assert!(first.contains("7 packages; ") && first.contains("KiB, built in "), "{first}");
    assert!(index().trim_end().ends_with(" ago"), "{}", index());
}
