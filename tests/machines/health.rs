//! The health of a new system on a machine with a real systemd.

use std::path::Path;

use serde_json::{Value, json};

use super::host::Host;
use super::{ended, unit};
use crate::common::fleet::{Answer, nixes};

/// Starts a machine, adds this unit, and deploys.
fn deployed(nix: &Path, options: &Value, name: &str, service: &str) -> (Host, Answer) {
    let mut host = Host::start(nix, options);
    host.unit(name, &unit(service));
    let answer = host.deploy(&json!({}));
    (host, answer)
}

/// Asserts that the host went back, and that a failed check names this.
fn went_back(host: &Host, answer: &Answer, named: &str) {
    assert_eq!(ended(answer), (1, json!("rolled_back")), "{:#}", answer.json);
    let health = answer.json["hosts"][0]["health"].as_array().unwrap();
    let failed: Vec<&Value> = health.iter().filter(|health| health["ok"] == false).collect();
    assert!(serde_json::to_string(&failed).unwrap().contains(named), "{:#}", answer.json);
    host.settled(&host.first, &host.first);
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_service_that_crashes_again_and_again_is_not_confirmed() {
    for nix in nixes() {
        let (host, answer) = deployed(
            &nix,
            &json!({}),
            "crash.service",
            "ExecStart=/bin/sh -c 'sleep 0.3; exit 1'\nRestart=always\nRestartSec=1",
        );
        went_back(&host, &answer, "crash.service");
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_service_that_crashes_seldom_is_watched_longer() {
    let nix = nixes().pop().unwrap();
    // It runs in nine of ten looks, and is down for no time at all.
    let (host, answer) = deployed(
        &nix,
        &json!({"rollbackTimeout": 2}),
        "crash.service",
        "ExecStart=/bin/sleep 4.5\nRestart=always\nRestartSec=5",
    );
    // A service that ends with success and is started again has done its work.
    assert_eq!(ended(&answer), (0, json!("confirmed")), "{:#}", answer.json);
    let second = host.toplevel();
    host.settled(&second, &second);
    drop(host);
    let (host, answer) = deployed(
        &nix,
        &json!({"rollbackTimeout": 2}),
        "crash.service",
        "ExecStart=/bin/sh -c 'sleep 4.5; exit 1'\nRestart=always\nRestartSec=5",
    );
    went_back(&host, &answer, "crash.service");
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_service_that_crashed_before_does_not_stop_a_deployment() {
    let nix = nixes().pop().unwrap();
    let mut host = Host::start(&nix, &json!({}));
    let service = "[Service]\nExecStart=/bin/sh -c 'sleep 0.3; exit 1'\nRestart=always\nRestartSec=1\n";
    // The system does not have it, so no deployment touches it.
    host.machine.says(&["sh", "-c", "printf '%s' \"$1\" >/run/systemd/system/old.service", "put", service]);
    host.machine.says(&["systemctl", "daemon-reload"]);
    host.machine.says(&["systemctl", "start", "old.service"]);
    host.unit(
        "greeter.service",
        "[Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n",
    );
    let answer = host.deploy(&json!({}));
    assert_eq!(ended(&answer), (0, json!("confirmed")), "{:#}", answer.json);
    let second = host.toplevel();
    host.settled(&second, &second);
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_check_that_fails_now_and_then_is_not_passed() {
    let nix = nixes().pop().unwrap();
    // It passes, fails twice, passes, and so on.
    let check = "count=$(cat /run/count 2>/dev/null || echo 0); echo $((count + 1)) >/run/count; [ $((count % 3)) -eq 0 ]";
    let (host, answer) = deployed(
        &nix,
        &json!({"healthChecks": [{"command": ["sh", "-c", check]}]}),
        "greeter.service",
        "ExecStart=/bin/sleep infinity",
    );
    went_back(&host, &answer, "command sh -c");
}
