//! New systems that take the access to a machine away.

use serde_json::{Value, json};

use super::host::Host;
use super::{ended, unit};
use crate::common::fleet::{Answer, nixes};

/// The configuration of the machine's sshd, with other lines before it.
fn sshd(host: &Host, lines: &str) -> Value {
    format!("{lines}\n{}", host.machine.sshd_config()).into()
}

/// Deploys, and asserts that the host went back, and was reached again.
fn goes_back(host: &Host) -> Answer {
    let answer = host.deploy(&json!({}));
    assert_eq!(ended(&answer), (1, json!("rolled_back")), "{:#}", answer.json);
    assert_eq!(answer.json["hosts"][0]["reached_again"], true, "{:#}", answer.json);
    assert_eq!(answer.error_code(), "rolled_back", "{:#}", answer.json);
    host.settled(&host.first, &host.first);
    answer
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_sshd_has_no_valid_configuration() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        let broken = sshd(&host, "NoSuchKeyword yes");
        host.change(|facts| facts["files"]["etc/ssh/sshd_config"] = broken);
        goes_back(&host);
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_sshd_listens_elsewhere() {
    let nix = nixes().pop().unwrap();
    let mut host = Host::start(&nix, &json!({}));
    for line in ["Port 2222", "ListenAddress 127.0.0.1"] {
        let elsewhere = sshd(&host, line);
        host.change(|facts| {
            facts["revision"] = line.split(' ').next_back().unwrap().into();
            facts["files"]["etc/ssh/sshd_config"] = elsewhere;
        });
        goes_back(&host);
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_no_key_is_accepted() {
    let nix = nixes().pop().unwrap();
    let mut host = Host::start(&nix, &json!({}));
    let none = sshd(&host, "AuthorizedKeysFile none");
    host.change(|facts| facts["files"]["etc/ssh/sshd_config"] = none);
    goes_back(&host);
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_a_firewall_closes() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        // Also packets of connections that exist are dropped.
        host.unit(
            "firewall.service",
            &unit(
                "Type=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/ip rule add priority 1 blackhole\n\
                 ExecStop=/usr/sbin/ip rule del priority 1",
            ),
        );
        goes_back(&host);
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_that_cannot_be_reached_after_it_went_back_is_told() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        // The previous system's sshd cannot start without it, either.
        host.change(|facts| {
            facts["files"]["activation"] = "mv /etc/ssh/test_host_key /etc/ssh/taken\n".into();
            facts["units"]["sshd.service"] =
                format!("{}\n# changed\n", facts["units"]["sshd.service"].as_str().unwrap()).into();
        });
        let answer = host.deploy(&json!({}));
        assert_eq!(ended(&answer), (1, json!("rolled_back")), "{:#}", answer.json);
        assert_eq!(answer.json["hosts"][0]["reached_again"], false, "{:#}", answer.json);
        assert_eq!(answer.error_code(), "unreachable_after_rollback", "{:#}", answer.json);
        let hint = answer.json["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("console") && hint.contains("rebootOnFailure"), "{hint}");
        let log = host.fleet.folder().with_file_name("state").join("audit.jsonl");
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains("\"reached_again\":false"), "{log}");
        host.machine.says(&["mv", "/etc/ssh/taken", "/etc/ssh/test_host_key"]);
        host.machine.says(&["systemctl", "reset-failed", "sshd.service"]);
        host.machine.says(&["systemctl", "start", "sshd.service"]);
        host.settled(&host.first, &host.first);
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn an_sshd_that_did_not_start_on_the_way_back_is_started() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        let once = "mkdir -p /run/systemd/system/sshd.service.d && cat >/run/systemd/system/sshd.service.d/once.conf <<END\n\
                    [Service]\nRestart=no\nExecStartPre=/bin/sh -c 'test ! -e /run/once || { rm /run/once; exit 1; }'\nEND\n\
                    systemctl daemon-reload";
        host.machine.says(&["sh", "-c", once]);
        host.change(|facts| {
            facts["files"]["activation"] = "touch /run/once\n".into();
            facts["units"].as_object_mut().unwrap().remove("sshd.service");
        });
        goes_back(&host);
        let state = host.machine.says(&["sh", "-c", "cat /var/lib/pantheros/deployments/plan-*/state.json"]);
        assert!(state.contains("sshd did not listen on port 22 any more, and was started."), "{state}");
    }
}
