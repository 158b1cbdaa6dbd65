//! Systems that are started by a reboot, on a machine whose boot loader can start an entry once.

use serde_json::json;

use super::ended;
use super::host::Host;
use crate::common::fleet::nixes;

/// The states of all deployments of a host.
fn told(host: &Host) -> String {
    host.machine.says(&["sh", "-c", "cat /var/lib/pantheros/deployments/plan-*/state.json"])
}

/// Sets the clock that the supervisor reads ten minutes ahead once it is stopped, and then needs some more seconds, as a
/// database does that writes its last data.
const SLOW: &str = r#"[Unit]
Description=Database

[Service]
ExecStart=/bin/sleep infinity
ExecStop=/bin/sh -c 'read -r up rest </proc/uptime && echo "$(($${up%%.*} + 600)).00 $$rest" >/run/later && mount --bind /run/later /proc/uptime && sleep 4 && touch /var/lib/written'
TimeoutStopSec=300

[Install]
WantedBy=multi-user.target
"#;

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_reboot_waits_for_units_that_stop_slowly() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        host.unit("database.service", SLOW);
        let answer = host.deploy(&json!({}));
        assert_eq!(ended(&answer), (0, json!("confirmed")), "{:#}", answer.json);
        host.change(|facts| facts["revision"] = "3".into());
        let answer = host.deploy(&json!({"action": "boot", "reboot": true}));
        assert_eq!(ended(&answer), (0, json!("confirmed")), "{:#}\n{}", answer.json, host.machine.console());
        let third = host.toplevel();
        host.settled(&third, &third);
        assert_eq!(host.machine.says(&["readlink", "/run/booted-system"]), third, "it was not rebooted");
        assert!(!told(&host).contains("forced"), "{}", told(&host));
        assert!(
            host.machine.look(&["test", "-e", "/var/lib/written"]).status.success(),
            "{}",
            host.machine.console()
        );
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_reboot_that_is_refused_is_forced() {
    for nix in nixes() {
        let host = Host::start(&nix, &json!({}));
        host.machine.says(&["systemctl", "mask", "--runtime", "--quiet", "reboot.target"]);
        let answer = host.deploy(&json!({"action": "boot", "reboot": true}));
        assert_eq!(ended(&answer), (0, json!("confirmed")), "{:#}\n{}", answer.json, host.machine.console());
        let second = host.toplevel();
        host.settled(&second, &second);
        assert_eq!(host.machine.says(&["readlink", "/run/booted-system"]), second, "it was not rebooted");
        let message =
            "\"message\":\"The machine did not stop when it was asked to, so its reboot was forced.\"";
        assert!(told(&host).contains(message), "{}", told(&host));
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_system_that_comes_up_without_sshd_is_left_by_another_reboot() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        host.change(|facts| {
            facts["units"].as_object_mut().unwrap().remove("sshd.service");
        });
        let answer = host.deploy(&json!({"action": "boot", "reboot": true}));
        assert_eq!(
            ended(&answer),
            (1, json!("rolled_back")),
            "{:#}\n{}",
            answer.json,
            host.machine.console()
        );
        let said =
            "The deployment was not confirmed within 10 s. The machine is rebooted into the previous system.";
        assert_eq!(answer.json["hosts"][0]["error"]["said"], said);
        host.settled(&host.first, &host.first);
        assert_eq!(host.machine.says(&["readlink", "/run/booted-system"]), host.first);
    }
}
