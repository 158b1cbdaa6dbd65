//! The value that a host sets, in the results about its options.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, errors, nixes};
use crate::common::option_fleet::OptionFleet;

/// The result about an option of the host `web`.
fn found(fleet: &Fleet, option: &str) -> Value {
    let answer = fleet.call("nix_search", &json!({"query": option, "kind": "option", "host": "web"}));
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.json["results"][0].clone()
}

/// What a result says of the host: whether it sets the option, the value, and the priority.
fn said(result: &Value) -> [&Value; 3] {
    ["set", "value", "priority"].map(|field| &result[field])
}

#[test]
fn an_option_has_the_value_that_the_host_sets() {
    for nix in nixes() {
        let OptionFleet { fleet, .. } = &OptionFleet::new(&nix);
        let none = Value::Null;
        let set = json!(true);
        for (option, value, priority) in [
            ("services.openssh.enable", json!("true"), &none),
            ("services.openssh.settings.PermitRootLogin", json!("\"prohibit-password\""), &json!(50)),
            ("networking.firewall.allowedTCPPorts", json!("[2222]"), &none),
            (r#"services.nginx.virtualHosts."a.b".forceSSL"#, json!("false"), &json!(50)),
            // Options with submodules have no value of their own.
            ("services.nginx.virtualHosts", Value::Null, &none),
            ("services.openssh.settings", Value::Null, &none),
            // The name in it is not chosen, a package is no simple value, and a secret is never shown.
            ("services.nginx.virtualHosts.<name>.forceSSL", Value::Null, &none),
            ("users.users.alice.shell", Value::Null, &none),
            ("users.users.alice.hashedPassword", json!("\"[redacted]\""), &none),
            ("fleet.token", json!("\"[redacted]\""), &none),
        ] {
            let result = found(fleet, option);
            assert_eq!(said(&result), [&set, &value, priority], "{option}: {result:#}");
        }
        for option in ["services.openssh.settings.PasswordAuthentication", "fleet.note", "fleet.worse"] {
            let result = found(fleet, option);
            assert_eq!(result["attr"], option);
            assert_eq!(said(&result), [&none; 3], "{option}: {result:#}");
        }
    }
}

#[test]
fn a_value_that_fails_costs_only_itself() {
    for nix in nixes() {
        let OptionFleet { fleet, .. } = &OptionFleet::new(&nix);
        fleet.write("hosts/vhosts.nix", r#"{ lib, ... }: { fleet.note = lib.mkForce ("x" + 1); }"#);
        let answer =
            fleet.call("nix_search", &json!({"query": "fleet.note", "kind": "option", "host": "web"})).json;
        assert_eq!(said(&answer["results"][0]), [&Value::Null; 3], "{answer:#}");
        // Two defaults of the fixture fail as well.
        assert_eq!(answer["unread_total"], 3, "{answer:#}");
        // An option that is read after it.
        let enable = found(fleet, "services.openssh.enable");
        assert_eq!(enable["value"], "true", "{enable:#}");
    }
}

#[test]
fn a_person_sees_the_value() {
    let OptionFleet { fleet, .. } = &OptionFleet::new(&nixes().pop().unwrap());
    let output =
        fleet.command(&["search", "--options", "--host", "web", "services.openssh.enable"]).output().unwrap();
    let found = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(found.contains("\n    the host sets true\n"), "{found}");
}
