//! Real builds.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::common::faulty::{NO_DAEMON, fake_faulty_nix};
use crate::common::fleet::{Fleet, errors, nixes, told};

/// A flake whose host `a` is built by the script `toplevel`, from a dependency built by the script `dependency`.
fn fleet_of(nix: &std::path::Path, dependency: &str, toplevel: &str) -> Fleet {
    // Makes the derivations differ from those of other runs.
    let salt = format!("{:?}-{:?}", std::process::id(), std::time::SystemTime::now());
    Fleet::committed(
        nix,
        &[(
            "flake.nix",
            &format!(
                r#"{{ outputs = _: let
                    make = name: script: attributes: derivation ({{
                      inherit name; system = "{}-linux"; builder = "/bin/sh"; args = [ "-c" script ]; salt = {salt:?};
                    }} // attributes);
                    dependency = make "dependency" ''{dependency}'' {{ }};
                  in {{
                    nixosConfigurations.a.config.system.build.toplevel =
                      make "toplevel" ''{toplevel}'' {{ inherit dependency; }};
                  }}; }}"#,
                std::env::consts::ARCH
            ),
        )],
    )
}

#[test]
fn a_build_says_what_it_made() {
    for nix in nixes() {
        let fleet = fleet_of(&nix, "echo one > $out", "echo $dependency > $out");
        let plan = fleet.call("build_host", &json!({"host": "a", "dry_run": true}));
        assert_eq!(plan.code, 0, "{plan:?}");
        assert_eq!(plan.json["built"], 2, "{plan:?}");
        assert_eq!(plan.json["built_paths"].as_array().unwrap().len(), 2);
        let out_path = plan.json["out_path"].as_str().unwrap();
        assert!(!std::path::Path::new(out_path).exists(), "a dry run builds nothing");

        let built = fleet.call("build_host", &json!({"host": "a"}));
        assert_eq!(built.code, 0, "{built:?}");
        assert_eq!(built.json["built"], 2);
        assert_eq!(built.json["out_path"], plan.json["out_path"]);
        assert_eq!(built.json["drv_path"], plan.json["drv_path"]);
        assert!(built.json["closure_bytes"].as_u64().unwrap() > 0);
        assert_eq!(built.json["failures"], json!([]));
        assert!(std::path::Path::new(out_path).exists());

        let again = fleet.call("build_host", &json!({"host": "a"}));
        assert_eq!((again.code, &again.json["built"]), (0, &json!(0)));
        let summary = fleet.command(&["call", "build_host", "host=a"]).output().unwrap();
        assert!(errors(&summary).contains("Built 0 derivations, fetched 0 paths"), "{}", errors(&summary));
    }
}

#[test]
fn a_build_lists_the_packages_of_its_closure() {
    for nix in nixes() {
        let system = format!("{}-linux", std::env::consts::ARCH);
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    r#"{{ outputs = _: let
                        make = name: script: attributes: derivation ({{
                          inherit name; system = "{system}"; builder = "/bin/sh"; args = [ "-c" script ];
                        }} // attributes);
                        package = name: make name "echo ${{name}} > $out" {{ }};
                        many = builtins.genList (n: package "tool-x${{toString n}}-1.0") 250;
                      in {{
                        nixosConfigurations.a.config.system.build.toplevel = make "toplevel" "echo $all > $out" {{
                          all = [ (package "openssl-3.0.1") (package "openssl-1.1.1w") (package "LibSSL-4") ] ++ many;
                        }};
                      }}; }}"#
                ),
            )],
        );
        let ask = |arguments: Value| {
            let mut all = json!({"host": "a"});
            all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
            fleet.call("build_host", &all)
        };
        let plain = ask(json!({})).json;
        let by_hand = fleet.by_hand(&["path-info", "--recursive", plain["out_path"].as_str().unwrap()]);
        let listed = String::from_utf8(by_hand.stdout).unwrap().lines().count();
        assert_eq!((plain["closure_paths"].as_u64(), listed), (Some(254), 254), "{plain:#}");
        let size = fleet.by_hand(&["path-info", "--closure-size", plain["out_path"].as_str().unwrap()]);
        let size = String::from_utf8(size.stdout).unwrap();
        let size = size.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
        assert_eq!(plain["closure_bytes"], json!(size));
        assert_eq!(plain.get("packages"), None, "{plain:#}");

        let ssl = ask(json!({"packages": "ssl"})).json;
        let told: Vec<Value> = ssl["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| json!([package["name"], package["versions"]]))
            .collect();
        assert_eq!(told, [json!(["LibSSL", ["4"]]), json!(["openssl", ["1.1.1w", "3.0.1"]])], "{ssl:#}");
        assert_eq!((&ssl["packages_total"], ssl.get("next_cursor")), (&json!(2), None), "{ssl:#}");
        let open = ask(json!({"packages": "open*"})).json;
        assert_eq!(open["packages_total"], 1, "{open:#}");
        let none = ask(json!({"packages": "gone"})).json;
        assert_eq!((&none["packages"], &none["packages_total"]), (&json!([]), &json!(0)), "{none:#}");

        let (mut names, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = ask(json!({"packages": "tool-*", "cursor": cursor})).json;
            assert_eq!(page["packages_total"], 250, "{page:#}");
            assert!(page.to_string().len() < 26_000);
            names.extend(page["packages"].as_array().unwrap().iter().map(|package| package["name"].clone()));
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(names.len(), 250);
        names.dedup();
        assert_eq!(names.len(), 250);

        for wrong in [json!({"packages": "ssl", "dry_run": true}), json!({"packages": "a b"})] {
            let answer = ask(wrong.clone());
            assert_eq!((answer.code, answer.error_code()), (2, "invalid_input"), "{wrong}: {answer:?}");
        }
        let text = fleet.command(&["call", "build_host", "host=a", "packages=ssl"]).output().unwrap();
        let text = errors(&text);
        assert!(text.contains("in 254 paths") && text.contains("openssl 1.1.1w, 3.0.1"), "{text}");
    }
}

#[test]
fn a_failed_build_ends_with_its_log() {
    for nix in nixes() {
        let fleet = fleet_of(
            &nix,
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo line $i; done; echo '\x1b[31mboom'; exit 7",
            "echo $dependency > $out",
        );
        let answer = fleet.call("build_host", &json!({"host": "a"}));
        assert_eq!(answer.code, 1);
        assert_eq!(answer.error_code(), "builder_failed", "{answer:?}");
        let failures = answer.json["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 1, "what only lacks its dependency did not fail itself: {failures:#?}");
        assert!(failures[0]["drv_path"].as_str().unwrap().ends_with("-dependency.drv"));
        assert!(failures[0]["reason"].as_str().unwrap().contains("exit code 7"), "{failures:#?}");
        let tail = failures[0]["log_tail"].as_str().unwrap();
        assert!(tail.contains("line 1\n") && tail.ends_with("boom"), "{tail:?}");
        assert!(!tail.contains('\u{1b}'), "control sequences are taken out");
        assert!(failures[0]["log_uri"].as_str().unwrap().starts_with("pantheros://log/"));
        assert!(answer.json["drv_path"].as_str().unwrap().ends_with("-toplevel.drv"));
    }
}

#[test]
fn every_failed_derivation_is_named() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    r#"{{ outputs = _: let make = name: attributes: derivation ({{
                        inherit name; system = "{}-linux"; builder = "/bin/sh"; args = [ "-c" "echo {{name}}; exit 1" ];
                      }} // attributes); in {{
                        nixosConfigurations.a.config.system.build.toplevel =
                          make "top" {{ one = make "one" {{ }}; two = make "two" {{ }}; }};
                      }}; }}"#,
                    std::env::consts::ARCH
                ),
            )],
        );
        let answer = fleet.call("build_host", &json!({"host": "a"}));
        let mut names: Vec<_> = answer.json["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|failure| failure["drv_path"].as_str().unwrap().rsplit('-').next().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["one.drv", "two.drv"], "{answer:?}");
    }
}

#[test]
fn the_demo_builds_in_all_its_forms() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        for artifact in ["toplevel", "vm", "disko-script", "disko-image"] {
            let answer = fleet.call("build_host", &json!({"host": "web", "artifact": artifact}));
            assert_eq!(answer.code, 0, "{artifact}: {answer:?}");
        }
        let answer = fleet.call("build_host", &json!({"host": "broken-on-purpose"}));
        assert_eq!(answer.error_code(), "missing_attribute");
        assert_eq!(answer.json["error"]["file"], "hosts/broken-on-purpose/motd.nix");
    }
}

#[test]
fn a_host_of_another_architecture_is_refused_by_name() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                r#"{ outputs = _: { nixosConfigurations.a.config.system.build.toplevel = derivation {
                    name = "x"; system = "riscv64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ];
                  }; }; }"#,
            )],
        );
        let answer = fleet.call("build_host", &json!({"host": "a"}));
        assert_eq!(answer.code, 1);
        assert_eq!(answer.error_code(), "unsupported_system", "{answer:?}");
    }
}

#[test]
fn a_fixed_output_with_another_hash_is_named() {
    for nix in nixes() {
        let salt = format!("{:?}", std::time::SystemTime::now());
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    r#"{{ outputs = _: {{ nixosConfigurations.a.config.system.build.toplevel = derivation {{
                        name = "fixed"; system = "{}-linux"; builder = "/bin/sh"; args = [ "-c" "echo x > $out" ];
                        salt = {salt:?}; outputHashMode = "flat"; outputHashAlgo = "sha256";
                        outputHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
                      }}; }}; }}"#,
                    std::env::consts::ARCH
                ),
            )],
        );
        let answer = fleet.call("build_host", &json!({"host": "a"}));
        assert_eq!(answer.error_code(), "hash_mismatch", "{answer:?}");
        assert!(answer.json["error"].to_string().contains("sha256-"), "the right hash is told: {answer:?}");
    }
}

#[test]
fn an_interrupted_look_at_json_is_still_json() {
    let nix = nixes().remove(0);
    let output = Fleet::demo(&nix).command(&["call", "list_hosts"]).output().unwrap();
    let _: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("4 hosts"), "people read standard error");
}

/// A flake with one check that is built and one that is not.
fn checks_of(nix: &std::path::Path) -> Fleet {
    let salt = format!("{:?}-{:?}", std::process::id(), std::time::SystemTime::now());
    let system = format!("{}-linux", std::env::consts::ARCH);
    Fleet::committed(
        nix,
        &[(
            "flake.nix",
            &format!(
                r#"{{ outputs = _: let make = name: script: derivation {{
                    inherit name; system = "{system}"; builder = "/bin/sh"; args = [ "-c" script ]; salt = {salt:?};
                  }}; in {{
                    checks.{system} = {{ good = make "good" "echo > $out"; bad = make "bad" "echo no; exit 1"; }};
                  }}; }}"#
            ),
        )],
    )
}

#[test]
fn what_failed_is_not_built_though_nix_does_not_say_what_is_left() {
    for nix in nixes() {
        let fleet = checks_of(&nix);
        let fake = fake_faulty_nix(&fleet, &nix, "--dry-run", NO_DAEMON);
        fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
        let answer = fleet.call("flake_check", &json!({"build": true}));
        assert_eq!(answer.json["ok"], false, "{answer:?}");
        let outputs = answer.json["outputs"].as_array().unwrap();
        let output = |name: &str| {
            let found = outputs.iter().find(|output| output["attr"].as_str().unwrap().ends_with(name));
            found.unwrap_or_else(|| panic!("{answer:?}"))
        };
        for name in ["bad", "good"] {
            assert_eq!(output(name)["status"], "failed", "{answer:?}");
            assert_ne!(output(name)["built"], true, "{answer:?}");
        }
        assert_eq!(output("bad")["error"]["code"], "builder_failed");
        assert_eq!(output("good")["error"]["code"], "daemon_unreachable");
        let said = told(&output("good")["error"]);
        assert!(said.contains("is not known") && said.contains("/nonexistent/socket"), "{said}");

        // After the daemon has restarted, good hosts build.
        fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {nix:?}\n"));
        let answer = fleet.call("flake_check", &json!({"build": true}));
        let status: Vec<_> = answer.json["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|output| (output["attr"].as_str().unwrap().rsplit('.').next().unwrap(), &output["status"]))
            .collect();
        assert!(
            status.contains(&("good", &json!("ok"))) && status.contains(&("bad", &json!("failed"))),
            "{answer:?}"
        );
    }
}

#[test]
fn settings_that_nix_refuses_are_told_in_its_words() {
    for nix in nixes() {
        let fleet = checks_of(&nix);
        let fake = fake_faulty_nix(&fleet, &nix, "config show", "NIX_CONFIG=max-jobs = many");
        fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
        let answer = fleet.call("flake_check", &json!({"build": true}));
        let said = told(&answer.json["error"]);
        assert!(said.contains("max-jobs"), "{said}");
    }
}

/// A `nix` that accepts command lines a little longer than this program's longest, and refuses longer ones.
fn fake_short_nix(fleet: &Fleet, nix: &std::path::Path) -> std::path::PathBuf {
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = build ]; then words=\"$*\"; [ ${{#words}} -lt 34000 ] || {{\n\
         echo '@nix {{\"action\":\"msg\",\"level\":0,\"msg\":\"error: Argument list too long\"}}' >&2; exit 1; }}; fi\n\
         exec {nix:?} \"$@\"\n"
    );
    let fake = fleet.write_outside("fake-short-nix", &script);
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fake
}

#[test]
fn more_checks_are_built_than_a_command_line_holds() {
    let many = 150;
    for nix in nixes() {
        let salt = format!("{:?}-{:?}", std::process::id(), std::time::SystemTime::now());
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    r#"{{ outputs = _: {{
                        checks.{system} = builtins.listToAttrs (builtins.genList (number: {{
                          name = "c${{toString number}}";
                          value = derivation {{
                            name = "c${{toString number}}-{long}";
                            system = "{system}"; builder = "/bin/sh"; salt = {salt:?};
                            args = [ "-c" (if number == 7 then "exit 1" else "echo >$out") ];
                          }} // {{ type = "derivation"; }};
                        }}) {many});
                    }}; }}"#,
                    system = format_args!("{}-linux", std::env::consts::ARCH),
                    long = "x".repeat(200),
                ),
            )],
        );
        let fake = fake_short_nix(&fleet, &nix);
        fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
        let answer = fleet.call("flake_check", &json!({"build": true}));
        assert_eq!(answer.code, 1, "{:#}", answer.json);
        assert_eq!(
            (&answer.json["counts"]["ok"], &answer.json["counts"]["failed"]),
            (&json!(many - 1), &json!(1))
        );
        let failed = &answer.json["outputs"][0];
        assert!(failed["attr"].as_str().unwrap().ends_with(".c7"), "{failed:#}");
        assert_eq!(failed["error"]["code"], "builder_failed", "{failed:#}");
    }
}
