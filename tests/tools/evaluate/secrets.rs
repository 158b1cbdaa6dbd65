//! Secrets of a configuration that are not shown.

use serde_json::{Value, json};

use super::{evaluate, on_each_nix};
use crate::common::fleet::{Fleet, errors};

const PLAIN: &str = "hunter2hunter2";
const HASH: &str = "$y$j9T$0123456789abcdef$hunter2hunter2hunter2hunter2";

const FLAKE: &str = r#"{ outputs = _: {
  nixosConfigurations.web = rec {
    config = {
      users.users.root = { initialPassword = "PLAIN"; hashedPassword = "HASH"; hashedPasswordFile = "/run/keys/root"; };
      users.users.admin.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA" ];
      networking.wireguard.interfaces.wg0.privateKey = "PLAIN";
      services.app = {
        token = "PLAIN";
        settings.env = [ { name = "APP_PASSWORD"; value = "PLAIN"; } { name = "APP_PORT"; value = "80"; } ];
        extraArgs = [ "--port" "80" "--token" "PLAIN" ];
        text = "user = app\npassword = PLAIN\n";
        key = "-----BEGIN OPENSSH PRIVATE KEY-----\nPLAIN\n-----END OPENSSH PRIVATE KEY-----\n";
        nothing = null;
        broken = throw "the password: PLAIN is too short";
        fatal = { }."x password=PLAIN";
      };
    };
    options.services.app.password = { _type = "option"; value = "PLAIN"; definitions = [ "PLAIN" ]; default = "PLAIN"; };
  };
}; }"#;

fn flake() -> String {
    FLAKE.replace("PLAIN", PLAIN).replace("HASH", HASH)
}

#[test]
fn secrets_are_hidden_by_name_and_by_form() {
    on_each_nix(|nix| {
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake())]);
        let shown = |arguments: Value| {
            let output = fleet.command(&["call", "evaluate", &arguments.to_string()]).output().unwrap();
            let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), errors(&output));
            assert!(!text.contains("hunter2"), "{arguments}: {text}");
            serde_json::from_slice::<Value>(&output.stdout).unwrap()
        };
        let whole = shown(json!({"attr": "config", "host": "web"}));
        let (users, app) = (&whole["value"]["users"]["users"], &whole["value"]["services"]["app"]);
        assert_eq!(users["root"]["initialPassword"], "[redacted]");
        // What is no secret is shown.
        assert_eq!(users["root"]["hashedPasswordFile"], "/run/keys/root");
        assert!(users["admin"].to_string().contains("ssh-ed25519 AAAA"), "{users:#}");
        assert_eq!(app["extraArgs"], json!(["--port", "80", "--token", "[redacted]"]));
        assert_eq!(app["settings"]["env"][1]["value"], "80");
        assert_eq!(app["text"], "user = app\npassword = [redacted]\n");
        for attr in [
            "users.users.root.initialPassword",
            "users.users.root.hashedPassword",
            "networking.wireguard.interfaces.wg0.privateKey",
            "services.app.token",
            "options.services.app.password",
            "options.services.app.password.value",
            "options.services.app.password.definitions",
            "services.app.key",
            "services.app.broken",
            "services.app.fatal",
        ] {
            let answer = shown(json!({"attr": attr, "host": "web", "positions": true}));
            assert!(answer.to_string().contains("[redacted]"), "{attr}: {answer:#}");
        }
    });
}

#[test]
fn a_function_gets_around_names_and_not_around_forms() {
    on_each_nix(|nix| {
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake())]);
        let apply = |attr: &str, function: &str| {
            evaluate(&fleet, json!({"attr": attr, "host": "web", "apply": function})).json["value"].clone()
        };
        for function in [
            "user: { innocent = user.hashedPassword; }",
            "user: { ${user.hashedPassword} = 1; }",
            "user: [ \"a ${user.hashedPassword} b\" ]",
        ] {
            let value = apply("users.users.root", function).to_string();
            assert!(value.contains("[redacted]") && !value.contains("hunter2"), "{function}: {value}");
        }
        let key = apply("services.app", "app: { innocent = app.key; }").to_string();
        assert!(!key.contains("hunter2"), "{key}");
        // The threat model says so.
        assert_eq!(
            apply("users.users.root", "user: { innocent = user.initialPassword; }")["innocent"],
            PLAIN
        );
        assert_eq!(apply("users.users.root", "user: { password = \"a choice\"; }")["password"], "a choice");
    });
}
