//! `explain_option` on a fleet with a module system: every definition of an option, with its file and line.
//! `tools/explain-nixpkgs` runs it on a real nixpkgs.

use std::process::Output;

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, errors, nixes, told};
use crate::common::option_fleet::OptionFleet;

/// Calls the tool for a host; it must succeed.
fn explained(fleet: &Fleet, host: &str, option: &str) -> Value {
    let answer = fleet.call("explain_option", &json!({"host": host, "option": option}));
    assert_eq!(answer.code, 0, "{option}: {:#}", answer.json);
    answer.json
}

/// Runs a check with every Nix under test.
fn with_each(check: impl Fn(&Fleet)) {
    for nix in nixes() {
        check(&OptionFleet::new(&nix).fleet);
    }
}

/// The definitions as `✓ file:line priority value`, in the order of the answer; `✗` for those that lose.
fn definitions(answer: &Value) -> Vec<String> {
    let definitions = answer["defined_in"].as_array().into_iter().flatten();
    definitions
        .map(|found| {
            let mark = if found["wins"] == true { "✓" } else { "✗" };
            let text = |name: &str| found[name].as_str().map(|text| format!(" {text}")).unwrap_or_default();
            let condition = found["condition"].as_str().map(|is| format!(" if {is}")).unwrap_or_default();
            let line = found["line"].as_u64().map(|line| format!(":{line}")).unwrap_or_default();
            let priority = found["priority"].as_i64().map(|number| format!(" {number}")).unwrap_or_default();
            let file = found["file"].as_str().unwrap();
            format!("{mark} {file}{line}{priority}{}{condition}", text("value"))
        })
        .collect()
}

#[test]
fn each_definition_has_its_place_and_its_fate() {
    with_each(|fleet| {
        let answer = explained(fleet, "web", "services.openssh.settings.PermitRootLogin");
        assert_eq!(
            definitions(&answer),
            [
                r#"✓ hosts/web.nix:12 50 "prohibit-password""#,
                r#"✗ hosts/web.nix:12 70 "no""#,
                r#"✗ hosts/ssh.nix:5 100 "yes""#,
                r#"✗ hosts/common.nix:35 1000 "no""#,
                r#"✗ hosts/web.nix:12 50 "yes" if false"#,
            ]
        );
        assert_eq!(answer["value"], r#""prohibit-password""#);
        assert_eq!(answer["type"], r#"one of "yes", "prohibit-password", "no""#);
        assert_eq!(answer["default"], r#""prohibit-password""#);
        assert_eq!(answer["default_text"], "a word of sshd_config(5)");
        assert_eq!(
            answer["declared_in"],
            json!([{"file": "<nixpkgs/nixos/modules/openssh.nix>", "line": 38}])
        );
        assert!(answer.to_string().len() < 6_000);
        // Nobody sets it: the default decides.
        let answer =
            explained(fleet, "db", "config.services.openssh.settings.PasswordAuthentication = false;");
        assert_eq!(answer["value"], "true");
        assert_eq!(definitions(&answer), ["✓ <nixpkgs/nixos/modules/openssh.nix>:47 1500 true"]);
    });
}

#[test]
fn modules_that_are_not_in_use_are_on_a_later_page() {
    with_each(|fleet| {
        let asked = json!({"host": "web", "option": "services.nginx.virtualHosts"});
        let answer = explained(fleet, "web", "services.nginx.virtualHosts");
        let shown = definitions(&answer);
        assert!(!shown.iter().any(|definition| definition.contains("<nixpkgs/")), "{shown:#?}");
        assert_eq!(answer["total"], shown.len() + 1);
        let mut rest = asked;
        rest["cursor"] = answer["next_cursor"].clone();
        let answer = fleet.call("explain_option", &rest);
        assert_eq!(
            definitions(&answer.json),
            ["✗ <nixpkgs/nixos/modules/nginx.nix>:38 if false"],
            "{:#}",
            answer.json
        );
    });
}

#[test]
fn a_whole_set_that_loses_takes_its_parts_with_it() {
    with_each(|fleet| {
        let answer = explained(fleet, "mail", "services.openssh.settings.PermitRootLogin");
        assert_eq!(
            definitions(&answer),
            [
                r#"✓ hosts/mail.nix:6 100 "no""#,
                r#"✗ hosts/ssh.nix:5 100 "yes""#,
                r#"✗ hosts/common.nix:35 1000 "no""#,
            ]
        );
        assert_eq!(answer["defined_in"][1]["lost_at"], "services.openssh.settings");
    });
}

#[test]
fn options_in_submodules_and_undeclared_ones_are_explained() {
    with_each(|fleet| {
        let answer = explained(fleet, "web", "services.nginx.virtualHosts.\"a.b\".forceSSL");
        assert_eq!(answer["value"], "false");
        assert_eq!(definitions(&answer), ["✓ hosts/vhosts.nix:3 50 false", "✗ hosts/web.nix:20 1000 true"]);
        // The module of the submodule sets it where TLS is forced.
        let answer = explained(fleet, "web", "services.nginx.virtualHosts.\"a.b\".root");
        assert_eq!(answer["value"], "null");
        assert!(definitions(&answer)[1].starts_with("✗ <nixpkgs/nixos/modules/nginx.nix>:31"), "{answer:#}");
        let answer = explained(fleet, "web", "services.nginx.virtualHosts.gone.root");
        assert_eq!(answer["is_unset"], true);
        assert_eq!(definitions(&answer)[0], r#"✗ hosts/vhosts.nix:6 100 "/gone" if false"#);
        // Freeform: the type is that of undeclared options.
        let answer = explained(fleet, "web", "services.openssh.settings.MaxAuthTries");
        assert_eq!((&answer["value"], &answer["freeform"]), (&json!("3"), &json!(true)));
        assert_eq!(answer["type"], "null or signed integer");
        assert_eq!(definitions(&answer), ["✓ hosts/common.nix:36 100 3"]);
        // Of any user.
        let answer = explained(fleet, "web", "users.users.<name>.shell");
        assert_eq!((&answer["default"], &answer["value"]), (&json!("«bash 5.3»"), &Value::Null));
        let answer = explained(fleet, "web", "users.users.alice.shell");
        assert_eq!(answer["value"], "«zsh 5.9»");
        assert_eq!(answer["default_text"], "pkgs.bash");
    });
}

#[test]
fn a_value_is_found_in_its_data_file() {
    with_each(|fleet| {
        let answer = explained(fleet, "web", "services.openssh.ports");
        let definition = &answer["defined_in"][0];
        assert_eq!((&definition["file"], &definition["line"]), (&json!("hosts/web.nix"), &json!(11)));
        assert_eq!(definition["data"], json!({"file": "fleet.toml", "line": 4}));
        let answer = explained(fleet, "web", "services.nginx.virtualHosts.\"example.org\".root");
        assert_eq!(answer["defined_in"][0]["data"], json!({"file": "data/sites.json", "line": 4}));
        // What is written in Nix is in no data file.
        let answer = explained(fleet, "web", "services.openssh.settings.MaxAuthTries");
        assert_eq!(answer["defined_in"][0]["data"], Value::Null);
    });
}

#[test]
fn aliases_are_followed_and_removed_options_say_why() {
    with_each(|fleet| {
        let answer = explained(fleet, "web", "programs.sshd.enable");
        assert_eq!(answer["renamed_from"], "programs.sshd.enable");
        assert_eq!(
            (&answer["option"], &answer["value"]),
            (&json!("services.openssh.enable"), &json!("true"))
        );
        assert_eq!(definitions(&answer)[0], "✓ hosts/ssh.nix:4 100 true");
        let answer =
            fleet.call("explain_option", &json!({"host": "web", "option": "services.telnetd.enable"}));
        assert_eq!((answer.code, answer.error_code()), (1, "unknown_option"), "{:#}", answer.json);
        assert!(told(&answer.json["error"]).contains("Use services.openssh.enable."), "{:#}", answer.json);
    });
}

#[test]
fn a_missing_option_has_suggestions_that_exist() {
    with_each(|fleet| {
        for (option, nearest) in [
            ("services.opensh.enable", "services.openssh.enable"),
            ("openssh.enable", "services.openssh.enable"),
            ("services.nginx.virtualHosts.x.forceSsl", "services.nginx.virtualHosts.x.forceSSL"),
        ] {
            let answer = fleet.call("explain_option", &json!({"host": "web", "option": option}));
            assert_eq!((answer.code, answer.error_code()), (1, "unknown_option"), "{:#}", answer.json);
            assert_eq!(answer.json["error"]["suggestions"][0], nearest, "{:#}", answer.json);
        }
        let answer = fleet.call(
            "explain_option",
            &json!({"host": "web", "option": "services.nginx.virtualHosts.example.org.root"}),
        );
        let hint = answer.json["error"]["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("a name with dots in quotation marks"), "{:#}", answer.json);
        let answer = fleet.call("explain_option", &json!({"host": "wbe", "option": "services"}));
        assert_eq!(answer.error_code(), "unknown_host", "{:#}", answer.json);
        let answer = fleet.call("explain_option", &json!({"host": "web", "option": "a..b"}));
        assert_eq!((answer.code, answer.error_code()), (2, "invalid_input"), "{:#}", answer.json);
    });
}

#[test]
fn what_throws_costs_itself_only() {
    with_each(|fleet| {
        let answer = explained(fleet, "mail", "fleet.note");
        assert!(answer["value"].is_null() && answer["is_unset"].is_null(), "{answer:#}");
        assert!(told(&answer["unread"][0]["error"]).contains("no note"), "{answer:#}");
        assert_eq!(answer["default"], r#""none""#);
        assert_eq!(definitions(&answer), ["✓ hosts/mail.nix:7 100 «throws an error»"]);
        let answer = explained(fleet, "web", "fleet.broken");
        assert_eq!(answer["default"], "«throws an error»");
        // An error that `tryEval` does not catch.
        let answer = explained(fleet, "web", "fleet.worse");
        assert!(answer["default"].is_null() && answer["unread_total"] == 2, "{answer:#}");
        assert_eq!(answer["type"], "string");
        let answer = explained(fleet, "web", "fleet.make");
        assert_eq!(answer["value"], "«function»");
        let answer = explained(fleet, "web", "services.openssh.hostKeyPath");
        assert_eq!((&answer["is_unset"], &answer["value"]), (&json!(true), &Value::Null));
    });
}

#[test]
fn secrets_are_not_shown() {
    with_each(|fleet| {
        for option in
            ["users.users.alice.hashedPassword", "users.users.alice", "users.users", "users", "fleet.token"]
        {
            let answer = explained(fleet, "web", option).to_string();
            assert!(!answer.contains("hunter2") && answer.contains("redacted"), "{option}: {answer}");
        }
        // Nor are they in the cache.
        let cache = fleet.home().join("cache");
        let mut folders = vec![cache];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() && !path.ends_with("nix") {
                    folders.push(path);
                } else if path.is_file() {
                    let bytes = std::fs::read(&path).unwrap();
                    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{}", path.display());
                }
            }
        }
    });
}

#[test]
fn a_prefix_lists_what_is_set_below_it() {
    with_each(|fleet| {
        let answer = explained(fleet, "web", "services");
        let rows: Vec<String> = answer["set"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                format!("{} {}:{} {}", row["option"], row["file"], row["line"], row["value"]).replace('"', "")
            })
            .collect();
        assert_eq!(
            rows,
            [
                "services.nginx.enable hosts/web.nix:17 true",
                "services.nginx.virtualHosts.\\a.b\\.forceSSL hosts/vhosts.nix:3 false",
                "services.nginx.virtualHosts.\\example.org\\.root hosts/web.nix:22 \\/srv/www/example\\",
                "services.openssh.enable hosts/ssh.nix:4 true",
                "services.openssh.ports hosts/web.nix:11 [ 2222 ]",
                // Of the free form of the settings.
                "services.openssh.settings.MaxAuthTries hosts/common.nix:36 3",
                "services.openssh.settings.PermitRootLogin hosts/web.nix:12 \\prohibit-password\\",
            ]
        );
        assert_eq!(answer["total"], 7);
        let page = fleet.call("explain_option", &json!({"host": "web", "option": "services", "limit": 4}));
        let cursor = page.json["next_cursor"].clone();
        let rest = fleet.call(
            "explain_option",
            &json!({"host": "web", "option": "services", "limit": 4, "cursor": cursor}),
        );
        let count = |page: &Value| page["set"].as_array().unwrap().len();
        assert_eq!((count(&page.json), count(&rest.json)), (4, 3));
        let answer = explained(fleet, "db", "services.nginx");
        assert_eq!((&answer["total"], &answer["names"]), (&json!(0), &json!(["enable", "virtualHosts"])));
    });
}

#[test]
fn equal_values_of_several_hosts_are_one_entry() {
    with_each(|fleet| {
        let ask = |option: &str| {
            fleet.call("explain_option", &json!({"hosts": ["web", "db", "mail"], "option": option}))
        };
        let answer = ask("services.openssh.ports").json;
        assert_eq!(answer["values"], json!({"db": "[ 22 ]", "mail": "[ 22 ]", "web": "[ 2222 ]"}));
        let values = answer["by_value"].as_array().unwrap();
        assert_eq!(values.len(), 2, "{answer:#}");
        // The values are not repeated.
        assert_eq!((&values[0]["hosts"], values[0].get("value")), (&json!(["web"]), None));
        assert_eq!(values[0]["decided_in"], json!([{"file": "fleet.toml", "line": 4}]));
        assert_eq!(values[1]["hosts"], json!(["db", "mail"]));
        // Without hosts, it is the whole fleet.
        let all = fleet.call("explain_option", &json!({"option": "services.openssh.ports"})).json;
        assert_eq!(all["values"], answer["values"], "{all:#}");
        let text = fleet.command(&["explain", "web,db,mail", "services.openssh.ports"]).output().unwrap();
        let text = shown(&text);
        assert!(text.contains("• db, mail") && text.contains("│ [ 22 ]"), "{text}");
        // A host that fails has its error, and the others their values.
        let answer = ask("fleet.note");
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let values = answer.json["by_value"].as_array().unwrap();
        assert_eq!(values.iter().filter(|value| value["error"].is_object()).count(), 1, "{values:#?}");
        let answer = ask("fleet.nothing");
        assert_eq!(answer.code, 1, "{:#}", answer.json);
        assert_eq!(answer.json["by_value"].as_array().unwrap().len(), 1, "{:#}", answer.json);
        // What is set below a prefix names the hosts.
        let answer = ask("networking").json;
        let rows = answer["set"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["hosts"] == json!(["web", "db", "mail"])), "{answer:#}");
    });
}

#[test]
fn a_second_call_evaluates_nothing() {
    with_each(|fleet| {
        let count = fleet.count_evaluations();
        let first = explained(fleet, "web", "services.openssh.ports");
        let before = count();
        assert_eq!(explained(fleet, "web", "services.openssh.ports"), first);
        assert_eq!((before, count()), (1, 1));
        fleet.write("fleet.toml", "[hosts.web]\nports = [2022]\n[hosts.db]\nports = [22]\n");
        let answer = explained(fleet, "web", "services.openssh.ports");
        assert_eq!(answer["value"], "[ 2022 ]");
        assert_eq!(answer["defined_in"][0]["data"], json!({"file": "fleet.toml", "line": 2}));
    });
}

/// The standard output of the command for people.
fn shown(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_person_reads_the_same() {
    let nix = &nixes()[0];
    let fleet = &OptionFleet::new(nix).fleet;
    let run = |arguments: &[&str]| fleet.command(&[&["explain"], arguments].concat()).output().unwrap();
    let output = run(&["web", "services.openssh.settings.PermitRootLogin"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let text = shown(&output);
    for line in [
        "services.openssh.settings.PermitRootLogin on web:",
        "✓ hosts/web.nix:12, priority 50 (mkForce)",
        "✗ hosts/common.nix:35, priority 1000 (mkDefault)",
        "✗ hosts/web.nix:12, priority 50 (mkForce), its condition is false",
        "declared in <nixpkgs/nixos/modules/openssh.nix>:38",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line:?} in:\n{text}");
    }
    let output = run(&["web,db", "services.openssh.ports", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["by_value"].as_array().unwrap().len(), 2);
    let output = run(&["web", "services.opensh.enable"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("did you mean: services.openssh.enable"), "{}", errors(&output));
    let output = run(&["wbe", "services.openssh.enable"]);
    assert!(errors(&output).contains("did you mean: web"), "{}", errors(&output));
    assert_eq!(run(&["web", ""]).status.code(), Some(2));
}

#[test]
fn a_file_of_an_input_has_the_inputs_name() {
    for nix in nixes() {
        let library = Fleet::committed(
            &nix,
            &[
                ("flake.nix", "{ outputs = _: { }; }"),
                ("modules/note.nix", "{\n  fleet.note = \"of the library\";\n}\n"),
            ],
        );
        let fleet = OptionFleet::new(&nix);
        let fleet = &fleet.fleet;
        let text = std::fs::read_to_string(fleet.folder().join("flake.nix")).unwrap();
        let text = text.replacen("inputs.nixpkgs", "inputs.library.url = \"LIBRARY\";\n  inputs.nixpkgs", 1);
        let text = text.replacen("{ nixpkgs, ... }", "{ nixpkgs, library, ... }", 1);
        let text =
            text.replacen("./hosts/common.nix", "./hosts/common.nix \"${library}/modules/note.nix\"", 1);
        fleet.write("flake.nix", &text);
        fleet.replace_and_lock("flake.nix", "LIBRARY", &format!("git+file://{}", library.folder().display()));
        let answer = explained(fleet, "web", "fleet.note");
        let place = &answer["defined_in"][0];
        assert_eq!(place["file"], "<library/modules/note.nix>", "{answer:#}");
        assert_eq!(place["line"], 2, "{answer:#}");
    }
}
