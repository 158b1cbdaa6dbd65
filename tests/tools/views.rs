//! `fleet_view` on a fleet with a module system: who reaches what, what is enabled, who has access.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};
use crate::common::option_fleet::OptionFleet;

fn with_each(check: impl Fn(&Fleet)) {
    for nix in nixes() {
        check(&OptionFleet::new(&nix).fleet);
    }
}

fn view(fleet: &Fleet, name: &str, host: &str) -> Value {
    let answer = fleet.call("fleet_view", &json!({"view": name, "host": host}));
    assert_eq!(answer.code, 0, "{name} of {host}: {:#}", answer.json);
    answer.json
}

/// The rows as texts of these fields.
fn rows(answer: &Value, list: &str, fields: &[&str]) -> Vec<String> {
    let rows = answer[list].as_array().unwrap();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("+"),
        other => other.to_string(),
    };
    rows.iter()
        .map(|row| fields.iter().map(|field| text(&row[*field])).collect::<Vec<_>>().join(" "))
        .collect()
}

/// The names of what is not covered, with the reason and the place.
fn unknown(answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for group in answer["unknown"].as_array().unwrap() {
        for part in group["parts"].as_array().unwrap() {
            let names: Vec<&str> =
                part["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let (at, note) = (part["at"].as_str().unwrap(), group["note"].as_str().unwrap());
            found.push(format!("{} {at}: {note}", names.join("+")));
        }
    }
    found
}

#[test]
fn each_port_says_who_reaches_it_and_which_lines_decide() {
    with_each(|fleet| {
        let fields =
            ["name", "instance", "protocol", "address", "port", "reach", "interfaces", "file", "line"];
        let answer = view(fleet, "ports", "db");
        assert_eq!(
            rows(&answer, "rows", &fields),
            [
                "openssh null tcp null 22 everyone null <nixpkgs/nixos/modules/openssh.nix> 14",
                "redis queue tcp null 6379 interfaces eth1 hosts/db.nix 7",
                "redis local tcp 127.0.0.1 6380 machine null hosts/db.nix 12",
            ]
        );
        assert_eq!(answer["rows"][1]["opened_in"], "hosts/db.nix:3");
        assert_eq!(
            unknown(&answer),
            [
                "51820/udp hosts/db.nix:4: open in the firewall, and no listener is known",
                "services.mystery hosts/db.nix:15: its ports are not known",
                "services.pools hosts/db.nix:16: its ports are not known",
                "virtualisation.docker hosts/db.nix:19: its ports are not known",
                "networking.dhcpcd hosts/db.nix:41: its ports are not known",
                "systemd.services.mine hosts/db.nix:17: this unit may listen",
            ]
        );
        // Each reason is said once.
        let notes = answer["unknown"].as_array().unwrap().iter().map(|group| group["note"].to_string());
        assert_eq!(notes.collect::<Vec<_>>().len(), 3, "{answer:#}");
        let answer = view(fleet, "ports", "web");
        let found = rows(&answer, "rows", &["name", "instance", "port", "reach", "line"]);
        assert_eq!(found[0], "openssh null 2222 everyone 11");
        assert!(found.contains(&"nginx a.b 80 closed 19".to_owned()), "{found:?}");
        // Rules in text may open what the options do not open.
        let answer = view(fleet, "ports", "mail");
        assert_eq!(rows(&answer, "rows", &["name", "port", "reach"]), ["openssh 22 unknown"]);
        assert_eq!(
            unknown(&answer),
            ["networking.firewall.extraCommands hosts/mail.nix:4: rules in text are not read"]
        );
    });
}

#[test]
fn services_are_listed_with_what_enables_them() {
    with_each(|fleet| {
        let answer = view(fleet, "services", "db");
        assert_eq!(
            rows(&answer, "rows", &["name", "file", "line"]),
            [
                "services.mystery hosts/db.nix 15",
                "services.openssh hosts/ssh.nix 4",
                "virtualisation.docker hosts/db.nix 19",
                "networking.dhcpcd hosts/db.nix 41",
                "services.pools hosts/db.nix 16",
                "services.redis hosts/db.nix 5",
                "systemd.services.mine hosts/db.nix 17",
                "services.fstrim <nixpkgs/nixos/modules/others.nix> 28",
            ]
        );
    });
}

#[test]
fn access_names_users_keys_and_the_ways_to_root() {
    with_each(|fleet| {
        let answer = view(fleet, "access", "db");
        let fields = ["name", "password", "login", "root", "file", "line"];
        let users: Vec<String> = rows(&answer, "rows", &fields)
            .into_iter()
            .filter(|row| !row.contains(" null null null "))
            .collect();
        assert_eq!(
            users,
            [
                "alice set ssh with a password+console with a password \
                 sudo without a password, only /bin/restart --token=[redacted] and 1 more (extraRules)+the group docker hosts/common.nix 37",
                "bob none ssh with a key sudo without a password (wheel) hosts/db.nix 23",
                "root none null is root <nixpkgs/nixos/modules/users.nix> 43",
            ]
        );
        let keys = answer["rows"][1]["keys"].as_array().unwrap();
        assert!(keys[0].as_str().unwrap().starts_with("ssh-ed25519 SHA256:"), "{keys:?}");
        assert!(keys[0].as_str().unwrap().ends_with(" bob@laptop"), "{keys:?}");
        let rules = rows(&answer, "rows", &["name", "value", "file"]);
        for rule in [
            "sshd yes hosts/ssh.nix",
            "sshd PermitRootLogin yes hosts/ssh.nix",
            "sudo asks wheel for a password no hosts/db.nix",
        ] {
            assert!(rules.contains(&rule.to_owned()), "{rule}: {rules:?}");
        }
        assert!(!answer.to_string().contains("hunter2"), "{answer:#}");
    });
}

#[test]
fn equal_rows_of_the_fleet_are_one() {
    with_each(|fleet| {
        let answer = fleet.call("fleet_view", &json!({"view": "access"}));
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let root = answer.json["rows"].as_array().unwrap().iter().find(|row| row["name"] == "root").unwrap();
        // A row names hosts only if others lack it.
        assert_eq!((&answer.json["hosts"], root.get("hosts")), (&json!(["db", "mail", "web"]), None));
        let bob = answer.json["rows"].as_array().unwrap().iter().find(|row| row["name"] == "bob").unwrap();
        assert_eq!(bob["hosts"], json!(["db"]));
        assert!(answer.json.to_string().len() < 6_000);
        let text = fleet.command(&["call", "fleet_view", "view=access"]).output().unwrap();
        let text = String::from_utf8(text.stderr).unwrap();
        assert!(text.contains("access of db, mail, web: ") && text.contains("\n• db: bob"), "{text}");
        assert!(text.contains("\n• root"), "{text}");
        let pages = |cursor: Value| {
            fleet.call("fleet_view", &json!({"view": "access", "limit": 5, "cursor": cursor})).json
        };
        let first = pages(Value::Null);
        let second = pages(first["next_cursor"].clone());
        assert_eq!(first["rows"].as_array().unwrap().len(), 5);
        assert!(!second["rows"].as_array().unwrap().is_empty() && second["rows"][0] != first["rows"][0]);
        let answer = fleet.call("fleet_view", &json!({"view": "ports", "hosts": ["web", "nobody"]}));
        assert_eq!(answer.json["hosts"], json!(["web"]), "{:#}", answer.json);
        assert_eq!(answer.json["failed"][0]["hosts"], json!(["nobody"]), "{:#}", answer.json);
    });
}
