//! New systems that take away what a rollback uses.

use serde_json::{Value, json};

use super::host::Host;
use super::{ended, unit};
use crate::common::fleet::nixes;

/// Deploys a system whose activation runs this script and that has no sshd. Asserts that the host went back.
fn goes_back(script: &str) {
    goes_back_from(&json!({"activation": script}));
}

/// As [`goes_back`], from a system with these files.
fn goes_back_from(files: &Value) {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        host.change(|facts| {
            for (name, text) in files.as_object().unwrap() {
                facts["files"][name] = text.clone();
            }
            facts["units"].as_object_mut().unwrap().remove("sshd.service");
            facts["units"]["greeter.service"] = unit("ExecStart=/bin/sleep infinity").into();
        });
        let answer = host.deploy(&json!({}));
        assert_eq!(
            ended(&answer),
            (1, json!("rolled_back")),
            "{:#}\n{}",
            answer.json,
            host.machine.console()
        );
        assert!(host.is_active("sshd.service"));
        host.settled(&host.first, &host.first);
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_the_folder_of_deployments_is_hidden() {
    goes_back("mount -t tmpfs tmpfs /var/lib\n");
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_the_store_is_hidden() {
    // What runs after the script is in the store.
    goes_back("(sleep 1; mount -t tmpfs tmpfs /nix/store) </dev/null >/dev/null 2>&1 &\n");
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_the_shell_is_removed() {
    goes_back_from(&json!({"activation": "rm /bin/sh\n", "without-binsh": ""}));
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_there_is_no_room_in_run() {
    goes_back("dd if=/dev/zero of=/run/full bs=1M 2>/dev/null || true\n");
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_the_bus_is_stopped() {
    goes_back("systemctl stop dbus.socket dbus.service\n");
}
