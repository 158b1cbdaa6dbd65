//! Supervisors of different versions on one machine: each finishes what the other left unfinished, or refuses to and
//! names it.

use pantheros_mcp::testing::deploy::SUPERVISOR_SCRIPT;

use crate::supervisor::machine::{Deployment, Machine, NONCE, side_by_side};

/// The supervisor of commit 5229908, as it is on hosts that it deployed to.
const OLDER: &str = include_str!("../fixtures/forms/5229908/supervisor.sh");

/// A deployment of the new system by the supervisor `script`.
fn deployment(machine: &mut Machine, script: &str) -> Deployment {
    let deployment = machine.deployment(&[]);
    let place = machine.web().inside(&format!("{}/supervisor", deployment.folder));
    std::fs::write(place, script).unwrap();
    deployment
}

/// A deployment by the supervisor `before` waits while another one begins by the supervisor `after`.
fn meet(machine: &mut Machine, before: &str, after: &str) {
    let waits = deployment(machine, before);
    waits.begin_and_wait(machine);
    // The first one still runs: the next command is refused with that reason.
    let refused = deployment(machine, after).refuses(machine, 75, &["begin"]);
    assert!(refused.contains(&waits.id), "{refused}");
    waits.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();

    // The first one was killed: the next command finishes it and then continues.
    machine.swap();
    let cut = deployment(machine, before);
    cut.begin_and_wait(machine);
    machine.kill(&["guardian", "worker"]);
    let next = deployment(machine, after);
    next.begin_and_wait(machine);
    assert_eq!(cut.written(machine)["state"], "rolled_back");
    assert_eq!(cut.written(machine)["reason"], "supervisor_died");
    next.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
    // Each supervisor lists the deployments of the other.
    for script in [before, after] {
        let one = deployment(machine, script);
        let listed = String::from_utf8(one.run(machine, &["list"]).stdout).unwrap();
        for told in [&waits, &cut, &next] {
            assert!(listed.contains(&told.id), "{listed}");
        }
    }
}

fn an_older_one_before(machine: &mut Machine) {
    meet(machine, OLDER, SUPERVISOR_SCRIPT);
}

fn a_newer_one_before(machine: &mut Machine) {
    meet(machine, SUPERVISOR_SCRIPT, OLDER);
}

/// A state of another version is named, and left alone.
fn a_state_of_another_version(machine: &mut Machine) {
    let strange = machine.deployment(&[]);
    strange.begin_and_wait(machine);
    machine.kill(&["guardian", "worker"]);
    let state = machine.web().inside(&format!("{}/state.json", strange.folder));
    let text = std::fs::read_to_string(&state).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    std::fs::write(&state, &text).unwrap();
    let refused = machine.deployment(&[]).refuses(machine, 75, &["begin"]);
    assert!(refused.contains(&format!("{}: a supervisor of another version", strange.id)), "{refused}");
    assert_eq!(std::fs::read_to_string(&state).unwrap(), text, "its state was written anew");
    assert_eq!(machine.activations(), ["new test"]);
    // Its own supervisor brings the machine back.
    std::fs::write(&state, text.replacen("\"version\":2", "\"version\":1", 1)).unwrap();
    assert_eq!(strange.gives(machine, 0, &["state"])["state"], "rolled_back");
    machine.is_old();
}

#[test]
fn versions_meet() {
    side_by_side::<fn(&mut Machine)>(&[
        ("an older one before", an_older_one_before),
        ("a newer one before", a_newer_one_before),
        ("a state of another version", a_state_of_another_version),
    ]);
}
