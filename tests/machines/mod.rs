//! Deployments to a machine that boots: a real systemd, real units, and power cuts. `tools/test-machines` runs these, because they
//! need Debian's files and `systemd-nspawn`.

mod access;
mod activation;
mod chaos;
mod health;
mod host;
mod machine;
mod reboots;
mod supervisor;
mod takeaways;

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::fleet::nixes;
use crate::common::wait::wait_until;
use host::Host;

/// The state of the host in the answer of a deployment, with the exit code.
fn ended(answer: &crate::common::fleet::Answer) -> (i32, Value) {
    (answer.code, answer.json["hosts"][0]["state"].clone())
}

/// Starts a machine and a deployment to it, and kills the server before it can confirm. Returns the plan, whose new system waits for
/// the confirmation.
fn left_waiting(nix: &Path) -> (Host, String) {
    let mut host = Host::start(nix, &json!({"rollbackTimeout": 60}));
    host.change(|facts| facts["files"]["activation"] = "sleep 3\n".into());
    let (plan, mut command) = host.deploying();
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    host.wait_for_state(&plan, "activating");
    server.kill().unwrap();
    server.wait().unwrap();
    host.wait_for_state(&plan, "waiting");
    (host, plan)
}

/// The text of a unit that starts with the machine, with this section `[Service]`.
fn unit(service: &str) -> String {
    format!("[Unit]\nDescription=A test\n\n[Service]\n{service}\n\n[Install]\nWantedBy=multi-user.target\n")
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_new_unit_runs_after_a_deployment_and_a_power_cut() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        host.unit("greeter.service", &unit("ExecStart=/bin/sleep infinity"));
        let answer = host.deploy(&json!({}));
        assert_eq!(ended(&answer), (0, json!("confirmed")), "{:#}", answer.json);
        let second = host.toplevel();
        host.settled(&second, &second);
        assert!(host.is_active("greeter.service"));
        host.machine.cut_power();
        host.machine.switch_on();
        host.settled(&second, &second);
        host.wait_for_unit("greeter.service");
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_host_goes_back_if_the_new_system_stops_sshd() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        host.change(|facts| {
            let units = facts["units"].as_object_mut().unwrap();
            units.remove("sshd.service");
        });
        let answer = host.deploy(&json!({}));
        assert_eq!(ended(&answer), (1, json!("rolled_back")), "{:#}", answer.json);
        host.settled(&host.first, &host.first);
        assert!(host.is_active("sshd.service"));
    }
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_supervisor_that_is_killed_again_and_again_still_goes_back() {
    for nix in nixes() {
        let (host, plan) = left_waiting(&nix);
        let running = || host.machine.look(&["pgrep", "-f", "[d]eployments/plan-"]).stdout;
        // systemd gives a unit up that starts more than five times in ten seconds.
        for _ in 0..8 {
            wait_until("a supervisor", || !running().is_empty());
            host.machine.look(&["pkill", "-KILL", "-f", "[d]eployments/plan-"]);
        }
        let cancelled = host.machine.look(&[
            "sh",
            &format!("/var/lib/pantheros/deployments/{plan}/supervisor"),
            "cancel",
            &format!("/var/lib/pantheros/deployments/{plan}"),
        ]);
        let said = String::from_utf8_lossy(&cancelled.stdout).into_owned();
        assert!(said.contains("rolled_back"), "{said} {cancelled:?}");
        host.settled(&host.first, &host.first);
    }
}
