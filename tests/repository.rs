//! A repository that somebody else made: its configuration runs no program, and no other repository is used in its
//! place.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::fleet::{Fleet, below, errors, nixes, told};
use serde_json::{Value, json};

fn flake(host: &str) -> String {
    format!("{{ outputs = _: {{ nixosConfigurations.{host}.config = {{ }}; }}; }}")
}

/// A program that leaves a mark when it runs, and the path of the mark.
fn marker(fleet: &Fleet) -> (String, PathBuf) {
    let mark = fleet.folder().with_file_name("ran");
    let text = format!("#!/bin/sh\necho \"$@\" >>'{}'\ncat\n", mark.display());
    let program = fleet.write_outside("marker", &text);
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    (program.display().to_string(), mark)
}

fn hosts(fleet: &Fleet) -> Value {
    fleet.call("list_hosts", &json!({})).json["hosts"].clone()
}

#[test]
fn its_configuration_runs_nothing() {
    for nix in nixes() {
        let attributes = "*.nix filter=first\n*.json filter=second.Part\n";
        let fleet = Fleet::committed(
            &nix,
            &[("flake.nix", &flake("web")), ("a.json", "{}"), (".gitattributes", attributes)],
        );
        let (program, mark) = marker(&fleet);
        let more =
            fleet.write_outside("more", &format!("[filter \"second.Part\"]\nprocess = {program} more\n"));
        for (key, value) in [
            ("filter.first.clean", format!("{program} clean")),
            ("filter.first.required", "true".to_owned()),
            ("filter.second.Part.clean", format!("{program} second")),
            ("include.path", more.display().to_string()),
            ("core.fsmonitor", program.clone()),
            ("core.hooksPath", fleet.folder().with_file_name("hooks").display().to_string()),
            ("core.pager", program.clone()),
            ("core.sshCommand", program.clone()),
            ("diff.external", program.clone()),
        ] {
            fleet.git(&["config", key, &value]);
        }
        let hooks = fleet.folder().with_file_name("hooks");
        std::fs::create_dir(&hooks).unwrap();
        for hook in ["post-index-change", "reference-transaction"] {
            std::fs::copy(&program, hooks.join(hook)).unwrap();
        }
        // To compare a changed file of the same size, Git would run the filter.
        fleet.write("flake.nix", &flake("api"));
        fleet.write("a.json", "[]");
        assert_eq!(hosts(&fleet)[0]["name"], "api");
        let told = fleet.command(&["--read-only", "call", "--quiet", "flake_check"]).output().unwrap();
        assert!(!told.stdout.is_empty());
        assert!(!mark.exists(), "it ran: {}", std::fs::read_to_string(&mark).unwrap_or_default());
        // Git by itself runs it.
        fleet.git(&["-c", "core.fsmonitor=false", "status"]);
        let ran = std::fs::read_to_string(&mark).unwrap();
        assert!(ran.contains("clean") && ran.contains("more"), "{ran}");
        std::fs::remove_file(&mark).unwrap();
        // The next change is noticed, too.
        fleet.write("flake.nix", &flake("dns"));
        assert_eq!(hosts(&fleet)[0]["name"], "dns");
        assert!(!mark.exists(), "it ran: {}", std::fs::read_to_string(&mark).unwrap_or_default());
    }
}

#[test]
fn what_it_lacks_is_not_fetched_by_a_program_of_its_own() {
    let fleet = Fleet::committed(&nixes().remove(0), &[("flake.nix", &flake("web"))]);
    let (program, mark) = marker(&fleet);
    for (key, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", &format!("ext::{program} fetch")),
        ("protocol.ext.allow", "always"),
    ] {
        fleet.git(&["config", key, value]);
    }
    let objects = fleet.folder().join(".git/objects");
    for folder in std::fs::read_dir(&objects).unwrap().map(|entry| entry.unwrap().path()) {
        // The commit stays, but the tree that it names is removed.
        let head =
            String::from_utf8(std::fs::read(fleet.folder().join(".git/refs/heads/main")).unwrap()).unwrap();
        for object in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = format!(
                "{}{}",
                folder.file_name().unwrap().to_str().unwrap(),
                object.file_name().unwrap().to_str().unwrap()
            );
            if name != head.trim() {
                std::fs::remove_file(object).unwrap();
            }
        }
    }
    let _whatever = fleet.command(&["call", "--quiet", "list_hosts"]).output().unwrap();
    assert!(!mark.exists(), "it ran: {}", std::fs::read_to_string(&mark).unwrap_or_default());
}

#[test]
fn no_other_repository_is_taken_for_it() {
    let fleet = Fleet::committed(&nixes().remove(0), &[("flake.nix", &flake("web"))]);
    let other = Fleet::committed(&nixes().remove(0), &[("other", "")]);
    // The environment in which a hook of the other repository starts programs.
    let seen = || {
        let mut command = fleet.command(&["call", "--quiet", "list_hosts"]);
        let git = other.folder().join(".git");
        command.env("GIT_DIR", &git).env("GIT_INDEX_FILE", git.join("index")).env("GIT_PREFIX", "");
        let answer: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        answer["hosts"][0]["name"].clone()
    };
    assert_eq!(seen(), "web");
    fleet.write("flake.nix", &flake("mail"));
    assert_eq!(seen(), "mail", "an older answer was taken for today's");
}

#[test]
fn links_of_a_repository_to_what_never_ends_are_not_read() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", &flake("web"))]);
        let pipe = fleet.folder().with_file_name("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // The pipe comes first: a program that reads the device to its end fills the memory.
        for (target, name) in [
            (pipe.as_path(), ".gitattributes"),
            (&pipe, "flake.lock"),
            (Path::new("/dev/zero"), ".gitattributes"),
            (Path::new("/dev/zero"), "flake.lock"),
        ] {
            std::os::unix::fs::symlink(target, fleet.folder().join(name)).unwrap();
            fleet.git(&["add", "."]);
            fleet.git(&["commit", "-qm", "a link"]);
            for (tool, arguments) in [("list_hosts", "{}"), ("nix_search", "{\"query\": \"web\"}")] {
                // Nobody writes to the pipe, so reading it would never end.
                let call = fleet.command(&["call", "--quiet", tool, arguments]);
                let output = below(&["timeout", "--signal=KILL", "60"], &call).output().unwrap();
                let answer: Value = serde_json::from_slice(&output.stdout)
                    .unwrap_or_else(|error| panic!("{name}, {tool}: {error}: {}", errors(&output)));
                match (name, tool) {
                    ("flake.lock", "nix_search") => {
                        assert_eq!(answer["error"]["code"], "lock_file_outdated", "{answer}");
                        assert!(told(&answer["error"]).contains("it is not a regular file"), "{answer}");
                    }
                    // This message is from Nix.
                    ("flake.lock", _) => {
                        assert!(told(&answer["error"]).contains("is a symlink"), "{answer}");
                    }
                    (_, "list_hosts") => assert_eq!(answer["hosts"][0]["name"], "web", "{answer}"),
                    _ => {}
                }
            }
            fleet.git(&["rm", "-q", name]);
        }
    }
}

/// An unreadable lock file does not tell which nixpkgs is pinned; searching the flake itself instead would be wrong.
#[test]
fn a_lock_file_that_cannot_be_read_is_no_reason_to_search_the_flake_itself() {
    const FLAKE: &str = r#"{ outputs = _: { packages.x86_64-linux.web = derivation {
        name = "web"; system = "x86_64-linux"; builder = "/bin/sh"; }; }; }"#;
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", FLAKE)]);
        let search = || fleet.call("nix_search", &serde_json::json!({"query": "web"}));
        assert_eq!(search().json["total"], 1, "without a lock file the flake itself is searched");
        let large = format!("{}\n", " ".repeat(16 * 1024 * 1024));
        for (text, problem) in [
            (large.as_str(), "more than 16777216 bytes"),
            ("{\"nodes\": {\"root\": {}}", "is not a valid lock file: line 1, column"),
            (r#"{"nodes": {"root": {}}, "root": "root", "version": 99}"#, "its version is 99"),
        ] {
            fleet.write("flake.lock", text);
            fleet.git(&["add", "."]);
            let answer = search();
            assert_eq!(answer.error_code(), "lock_file_outdated", "{:#}", answer.json);
            assert!(told(&answer.json["error"]).contains(problem), "{problem}: {:#}", answer.json);
        }
    }
}
