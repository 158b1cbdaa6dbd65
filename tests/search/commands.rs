//! Commands that are no main program: in the store of this machine, and in a database of nix-index.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::little::Little;
use crate::common::fleet::{Fleet, errors, nixes};

/// Adds a path with a command to the store of this machine.
fn build(fleet: &Fleet, name: &str, command: &str) {
    let folder = fleet.folder().with_file_name(format!("built-{name}"));
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::write(folder.join("bin").join(command), "").unwrap();
    let added = fleet.by_hand(&["store", "add-path", "--name", name, folder.to_str().unwrap()]);
    assert!(added.status.success(), "{}", errors(&added));
}

fn ask(fleet: &Fleet, query: &str) -> Value {
    let answer = fleet.call("nix_search", &json!({"query": query}));
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.json
}

#[test]
fn a_command_is_found_in_what_is_built() {
    for nix in nixes() {
        let Little { fleet, .. } = &Little::new(&nix);
        let unknown = ask(fleet, "pantheros-test-no-command");
        let message = unknown["exact"]["message"].as_str().unwrap();
        assert!(message.contains("nothing that is built") && message.contains("is not known"), "{message}");
        assert_eq!(unknown["exact"]["commands"], Value::Null);
        // Another version than the pinned one, of an output with a name.
        build(fleet, "hyfetch-1.9-bin", "pantheros-test-hyctl");
        let found = ask(fleet, "pantheros-test-hyctl");
        let package = json!({"attr": "hyfetch", "version": "2.0", "found_in": "built"});
        assert_eq!(found["exact"]["commands"], json!([package]), "{found:#}");
        assert_eq!(found["exact"]["status"], "missing", "{found:#}");
        assert_eq!(found["results"][0]["attr"], "hyfetch", "{found:#}");
        build(fleet, "pantheros-test-other-3", "pantheros-test-otherctl");
        let other = ask(fleet, "pantheros-test-otherctl");
        let message = other["exact"]["message"].as_str().unwrap();
        assert!(message.contains("pantheros-test-other-3"), "{message}");
    }
}

#[test]
fn a_command_is_found_by_nix_index() {
    let Little { fleet, .. } = &Little::new(&nixes().pop().unwrap());
    let folder = fleet.folder().with_file_name("programs");
    fs::create_dir(&folder).unwrap();
    // Not the real program: it answers the same whatever it is asked for.
    let fake = fleet.write_outside(
        "fake-nix-locate",
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"${0%/*}/arguments\"\nprintf '(gone.out)\\nripgrep.out\\n'\n",
    );
    fs::set_permissions(&fake, PermissionsExt::from_mode(0o755)).unwrap();
    symlink(&fake, folder.join("nix-locate")).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let search = |query: &str| {
        let mut command = fleet.command(&["search", "--packages", "--json", query]);
        let output = command.env("PATH", &path).env_remove("NIX_INDEX_DATABASE").output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let without = search("pantheros-test-rgctl");
    assert!(without["exact"]["message"].as_str().unwrap().contains("no database"), "{without:#}");
    let database = fleet.home().join("cache/nix-index/files");
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    let made = SystemTime::now() - Duration::from_secs(3 * 86_400 + 60);
    File::create(&database).unwrap().set_modified(made).unwrap();
    let found = search("pantheros-test-rgctl");
    let package = json!({"attr": "ripgrep", "version": "14.1", "found_in": "nix_index"});
    assert_eq!(found["exact"]["commands"], json!([package]), "{found:#}");
    assert!(found["exact"]["message"].as_str().unwrap().contains("3 days old"), "{found:#}");
    assert_eq!(
        fs::read_to_string(folder.join("arguments")).unwrap(),
        "--minimal\n--whole-name\n--at-root\n/bin/pantheros-test-rgctl\n"
    );
    // The main program of a package needs neither.
    fs::remove_file(folder.join("arguments")).unwrap();
    search("fastfetch");
    assert!(!folder.join("arguments").exists());
    let mut command = fleet.command(&["search", "--packages", "pantheros-test-rgctl"]);
    let text = String::from_utf8(command.env("PATH", &path).output().unwrap().stdout).unwrap();
    assert!(text.contains("command of: ripgrep 14.1 (by nix-index)"), "{text}");
}
