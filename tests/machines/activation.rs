//! Activations that fail, or that end what they run in.

use std::path::Path;

use serde_json::{Value, json};

use super::host::Host;
use super::{ended, unit};
use crate::common::fleet::{Answer, nixes};

/// Starts a machine, and deploys a system whose activation runs this script.
fn activated(nix: &Path, options: &Value, script: &str) -> (Host, Answer) {
    let mut host = Host::start(nix, options);
    host.change(|facts| facts["files"]["activation"] = script.into());
    let answer = host.deploy(&json!({}));
    (host, answer)
}

fn went_back(host: &Host, answer: &Answer) {
    assert_eq!(ended(answer), (1, json!("rolled_back")), "{:#}", answer.json);
    host.settled(&host.first, &host.first);
}

fn confirmed(host: &Host, answer: &Answer) {
    assert_eq!(ended(answer), (0, json!("confirmed")), "{:#}", answer.json);
    let second = host.toplevel();
    host.settled(&second, &second);
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn an_activation_that_fails_is_undone() {
    let nix = nixes().pop().unwrap();
    let (host, answer) = activated(&nix, &json!({}), "false\n");
    went_back(&host, &answer);
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn an_activation_that_hangs_is_ended() {
    let nix = nixes().pop().unwrap();
    let (host, answer) = activated(&nix, &json!({"activationTimeout": 3}), "sleep 1000\n");
    went_back(&host, &answer);
    assert!(host.machine.look(&["pgrep", "-f", "[s]leep 1000"]).stdout.is_empty());
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn an_activation_may_end_every_connection() {
    for nix in nixes() {
        let (host, answer) = activated(&nix, &json!({}), "pkill -KILL -x sshd\n");
        confirmed(&host, &answer);
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn an_activation_may_execute_systemd_again() {
    for nix in nixes() {
        let (host, answer) = activated(&nix, &json!({}), "systemctl daemon-reexec\n");
        confirmed(&host, &answer);
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_unit_that_fails_is_undone_unless_it_failed_before() {
    let nix = nixes().pop().unwrap();
    let mut host = Host::start(&nix, &json!({}));
    host.machine.says(&[
        "systemd-run",
        "--quiet",
        "--unit=old",
        "--property=Type=oneshot",
        "--no-block",
        "false",
    ]);
    crate::common::wait::wait_until("the failure", || {
        host.machine.look(&["systemctl", "is-failed", "--quiet", "old.service"]).status.success()
    });
    host.unit("broken.service", &unit("Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/false"));
    let answer = host.deploy(&json!({}));
    went_back(&host, &answer);
    let said = answer.json["error"].to_string();
    assert!(said.contains("broken.service") && !said.contains("old.service"), "{said}");
    host.change(|facts| {
        facts["units"].as_object_mut().unwrap().remove("broken.service");
        facts["revision"] = "3".into();
    });
    let answer = host.deploy(&json!({}));
    confirmed(&host, &answer);
}
