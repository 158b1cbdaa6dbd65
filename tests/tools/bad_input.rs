//! Wrong input of many kinds: each gets a clear error, and nothing is done.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::common::fleet::{Fleet, below, nixes};

#[test]
fn an_unknown_host_is_answered_with_the_nearest() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        for tool in ["build_host", "inspect_disko", "flake_check"] {
            let answer = fleet.call(tool, &json!({"host": "wbe"}));
            assert_eq!(answer.error_code(), "unknown_host", "{tool}: {answer:?}");
            assert_eq!(answer.json["error"]["suggestions"], json!(["web"]), "{tool}");
        }
    }
}

#[test]
fn hostile_names_never_reach_nix() {
    let nix = nixes().remove(0);
    let fleet = Fleet::demo(&nix);
    for name in [
        "web\"; builtins.abort \"x",
        "..",
        "a..b",
        "${builtins.abort \"x\"}",
        "-rf",
        "--help",
        "web\nweb",
        "",
        "web#x",
        "web^*",
        &"x".repeat(10_000),
    ] {
        for tool in ["build_host", "inspect_disko", "flake_check"] {
            if tool != "build_host" && name.is_empty() {
                // An optional name that is empty counts as omitted.
                continue;
            }
            let answer = fleet.call(tool, &json!({"host": name}));
            assert_eq!(
                (answer.code, answer.error_code()),
                (2, "invalid_input"),
                "{tool} {name:?}: {answer:?}"
            );
            assert!(answer.json.to_string().len() < 2_000);
        }
    }
}

#[test]
fn a_query_that_can_find_nothing_is_told_why() {
    let fleet = Fleet::demo(&nixes().remove(0));
    for (query, said) in [
        ("", "at least one word"),
        ("a\u{1b}[2J", "remove the control character '\\u{1b}'"),
        ("😀", "needs a letter or a digit"),
        ("..", "needs a letter or a digit"),
        (&"x".repeat(10_000), "bytes"),
    ] {
        let answer = fleet.call("nix_search", &json!({"query": query}));
        assert_eq!((answer.code, answer.error_code()), (2, "invalid_input"), "{query:?}: {answer:?}");
        assert!(answer.json["error"]["message"].as_str().unwrap().contains(said), "{query:?}: {answer:?}");
    }
}

#[test]
fn a_name_with_dots_is_one_name() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                r#"{ outputs = _: { nixosConfigurations."web.example.org".config.system.build.toplevel =
                    derivation { name = "x"; system = "x86_64-linux"; builder = "/bin/sh"; }; }; }"#,
            )],
        );
        let answer = fleet.call("build_host", &json!({"host": "web.example.org", "dry_run": true}));
        assert_eq!(answer.code, 0, "{answer:?}");
        let answer = fleet.call("flake_check", &json!({}));
        assert_eq!(answer.json["outputs"][0]["attr"], "nixosConfigurations.\"web.example.org\"");
    }
}

#[test]
fn no_flake_is_said_so() {
    let nix = nixes().remove(0);
    let fleet = Fleet::plain(&nix, &[]);
    for (tool, arguments) in [
        ("list_hosts", json!({})),
        ("flake_check", json!({})),
        ("build_host", json!({"host": "web"})),
        ("nix_search", json!({"query": "x"})),
    ] {
        let answer = fleet.call(tool, &arguments);
        assert_eq!((answer.code, answer.error_code()), (1, "flake_not_found"), "{tool}: {answer:?}");
    }
}

#[test]
fn a_flake_that_does_not_parse_has_its_line() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", "{\n  outputs = _: {\n    a = ;\n  };\n}\n")]);
        for tool in ["list_hosts", "flake_check", "list_devshells"] {
            let answer = fleet.call(tool, &json!({}));
            assert_eq!(answer.error_code(), "syntax_error", "{tool}: {answer:?}");
            assert_eq!(answer.json["error"]["file"], "flake.nix");
            assert_eq!(answer.json["error"]["line"], 3);
        }
    }
}

#[test]
fn a_dirty_tree_is_evaluated_as_it_is() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[("flake.nix", "{ outputs = _: { nixosConfigurations.a.config = { }; }; }")],
        );
        assert_eq!(fleet.call("list_hosts", &json!({})).json["total"], 1);
        fleet.write(
            "flake.nix",
            "{ outputs = _: { nixosConfigurations = { a.config = { }; b.config = { }; }; }; }",
        );
        assert_eq!(fleet.call("list_hosts", &json!({})).json["total"], 2);
    }
}

#[test]
fn an_untracked_file_says_git_add() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", "{ outputs = _: import ./outputs.nix; }")]);
        fleet.write("outputs.nix", "{ nixosConfigurations.a.config = { }; }");
        let answer = fleet.call("list_hosts", &json!({}));
        assert_eq!(answer.error_code(), "untracked_file", "{answer:?}");
        assert!(answer.json["error"]["hint"].as_str().unwrap().contains("git add outputs.nix"), "{answer:?}");
        fleet.git(&["add", "outputs.nix"]);
        assert_eq!(fleet.call("list_hosts", &json!({})).code, 0, "the mend works, and nothing stale is kept");
    }
}

#[test]
fn an_untracked_flake_says_git_add() {
    for nix in nixes() {
        let fleet = Fleet::plain(&nix, &[("flake.nix", "{ outputs = _: { }; }")]);
        fleet.git(&["init", "-q"]);
        let answer = fleet.call("list_hosts", &json!({}));
        assert_eq!(answer.error_code(), "untracked_file", "{answer:?}");
        assert!(answer.json["error"]["hint"].as_str().unwrap().contains("git add flake.nix"), "{answer:?}");
    }
}

#[test]
fn a_folder_without_git_works() {
    for nix in nixes() {
        let fleet =
            Fleet::plain(&nix, &[("flake.nix", "{ outputs = _: { nixosConfigurations.a.config = { }; }; }")]);
        assert_eq!(fleet.call("list_hosts", &json!({})).json["total"], 1);
        assert_eq!(fleet.call("list_hosts", &json!({})).json["total"], 1);
    }
}

#[test]
fn the_lock_file_is_never_written() {
    for nix in nixes() {
        let input = Fleet::committed(&nix, &[("flake.nix", "{ outputs = _: { }; }")]);
        let flake = format!(
            "{{ inputs.a.url = \"git+file://{}\"; outputs = _: {{ nixosConfigurations = {{ }}; }}; }}",
            input.folder().display()
        );
        let fleet = Fleet::committed(&nix, &[("flake.nix", &flake)]);
        for (tool, arguments) in
            [("list_hosts", json!({})), ("build_host", json!({"host": "a"})), ("flake_check", json!({}))]
        {
            let answer = fleet.call(tool, &arguments);
            assert_eq!(answer.error_code(), "lock_file_outdated", "{tool}: {answer:?}");
        }
        assert!(!fleet.folder().join("flake.lock").exists());
    }
}

#[test]
fn a_flakes_settings_are_never_taken() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                r#"{ nixConfig.pure-eval = false; nixConfig.extra-substituters = [ "https://evil.example" ];
                    outputs = _: { nixosConfigurations.a.config.networking.hostName = builtins.getEnv "HOME"; }; }"#,
            )],
        );
        let answer = fleet.call("list_hosts", &json!({}));
        assert_eq!(answer.json["hosts"][0]["host_name"], "", "evaluation stays pure: {answer:?}");
    }
}

#[test]
fn no_nix_and_an_old_nix_are_told_apart() {
    let nix = nixes().remove(0);
    let fleet = Fleet::demo(&nix);
    fleet.write_outside("pantheros.toml", "[nix]\nprogram = \"nix-that-is-not-there\"\n");
    let answer = fleet.call("list_hosts", &json!({}));
    assert_eq!(answer.error_code(), "nix_not_found");

    // A real Nix of 2022 is not available; only its answer to --version matters.
    let fake = fleet.write_outside("fake-old-nix", "#!/bin/sh\necho 'nix (Nix) 2.8.0'\n");
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
    let answer = fleet.call("list_hosts", &json!({}));
    assert_eq!(answer.error_code(), "nix_too_old");
    assert!(answer.json["error"]["message"].as_str().unwrap().contains("2.26"), "{answer:?}");

    let fake = fleet.write_outside("fake-other-program", "#!/bin/sh\necho hello\n");
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
    assert_eq!(fleet.call("list_hosts", &json!({})).error_code(), "nix_failed");
}

#[test]
fn a_full_disk_is_named() {
    // The store on a file system of 3 MiB, in a mount namespace of its own.
    if !rustix_is_root() {
        eprintln!("skipped: mounting needs root");
        return;
    }
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    r#"{{ outputs = _: {{ nixosConfigurations.a.config.system.build.toplevel = derivation {{
                        name = "large"; system = "{}-linux"; builder = "/bin/sh"; salt = "{:?}";
                        args = [ "-c" "x=0123456789abcdef; while [ \${{#x}} -lt 4000000 ]; do x=$x$x; done; echo $x > $out" ];
                      }}; }}; }}"#,
                    std::env::consts::ARCH,
                    std::time::SystemTime::now()
                ),
            )],
        );
        let script = "mount -t tmpfs -o size=3m none /nix && exec \"$@\"";
        let inner = fleet.command(&["call", "-q", "build_host", "host=a"]);
        let output = below(&["unshare", "-m", "/bin/sh", "-c", script, "sh"], &inner).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(json["error"]["code"], "out_of_disk", "{json}");
    }
}

fn rustix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0)
}

#[test]
fn wrong_arguments_are_named_with_the_right_ones() {
    let nix = nixes().remove(0);
    let fleet = Fleet::demo(&nix);
    for (tool, arguments, word) in [
        ("build_host", json!({}), "host"),
        ("build_host", json!({"hst": "web"}), "hst"),
        ("build_host", json!({"host": 1}), "string"),
        ("build_host", json!({"host": "web", "artifact": "topleve"}), "toplevel"),
        ("nix_search", json!({"query": "  "}), "query"),
        ("nix_search", json!({"query": "a\nb"}), "query"),
        ("nix_search", json!({"query": "x", "limit": 0}), "limit"),
        ("list_hosts", json!({"cursor": "nonsense"}), "cursor"),
        ("flake_check", json!({"system": "x86_64"}), "system"),
    ] {
        let output = fleet.command(&["call", "-q", tool, &arguments.to_string()]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{tool} {arguments}");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(word), "{tool} {arguments}: {said}");
    }
}

#[test]
fn unknown_settings_are_refused() {
    let nix = nixes().remove(0);
    let fleet = Fleet::demo(&nix);
    fleet.write_outside("pantheros.toml", "[limits]\nbuild_second = 3\n");
    let output = fleet.command(&["call", "list_hosts"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("build_second") && said.contains("build_seconds"), "{said}");
}

#[test]
fn odd_folder_names_are_just_folders() {
    for nix in nixes() {
        let fleet = Fleet::plain(&nix, &[]);
        for (name, in_git) in [("a b#c?d%20e", false), ("ünï & 'quotes'", true)] {
            let folder = fleet.folder().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(
                folder.join("flake.nix"),
                "{ outputs = _: { nixosConfigurations.a.config = { }; }; }",
            )
            .unwrap();
            if in_git {
                git_in(&folder);
            }
            let output = std::process::Command::new(crate::common::fleet::PROGRAM)
                .args(["call", "-q", "list_hosts"])
                .current_dir(&folder)
                .env("PATH", format!("{}:/usr/bin:/bin:/usr/local/bin", nix.parent().unwrap().display()))
                .env("HOME", fleet.folder())
                .output()
                .unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

fn git_in(folder: &Path) {
    for arguments in [&["init", "-q"][..], &["add", "."]] {
        let status = std::process::Command::new("git").args(arguments).current_dir(folder).status().unwrap();
        assert!(status.success());
    }
}

#[test]
fn what_is_around_a_name_is_passed_over_or_shown() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::demo(&nix);
    let answer = fleet.call("build_host", &json!({"host": " web\n", "dry_run": true}));
    assert_eq!(answer.code, 0, "{answer:?}");
    let message = |host: &str| {
        let answer = fleet.call("build_host", &json!({"host": host, "dry_run": true}));
        assert_eq!((answer.code, answer.error_code()), (2, "invalid_input"), "{host:?}: {answer:?}");
        answer.json["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(message(" ").contains("must not be empty"), "{}", message(" "));
    for (host, shown) in [
        ("w eb", "w eb"),
        ("web\u{200b}", "web\\u{200b}"),
        ("\u{a0}web", "\\u{a0}web"),
        ("\u{202e}web", "\\u{202e}web"),
        ("web\u{1b}[0m", "web\\u{1b}[0m"),
    ] {
        assert!(message(host).contains(&format!("{shown}\" is not a host name")), "{}", message(host));
    }
}
