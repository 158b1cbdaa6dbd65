//! Deployments to a machine that boots: a real systemd, real units, and power cuts. `tools/test-machines` runs these, because they
//! need Debian's files and `systemd-nspawn`.

mod host;
mod machine;

use serde_json::{Value, json};

use crate::common::fleet::nixes;
use host::Host;

/// The state of the host in the answer of a deployment, with the exit code.
fn ended(answer: &crate::common::fleet::Answer) -> (i32, Value) {
    (answer.code, answer.json["hosts"][0]["state"].clone())
}

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_new_unit_runs_after_a_deployment_and_a_power_cut() {
    for nix in nixes() {
        let mut host = Host::start(&nix, &json!({}));
        host.unit(
            "greeter.service",
            "[Unit]\nDescription=Greeter\n\n[Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n",
        );
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
