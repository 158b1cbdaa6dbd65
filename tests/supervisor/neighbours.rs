//! Other influences on a machine: programs with odd names, other switches of the system, and broken tools.

use std::time::{Duration, Instant};

use crate::supervisor::machine::{Deployment, Machine, NONCE, side_by_side};

/// Like the lock of `switch-to-configuration`: only one runs at a time, and a second one exits at once.
const LOCKED: &str =
    "mkdir -p /run/nixos; exec 8>/run/nixos/switch-to-configuration.lock; flock -n 8 || exit 1";

/// Holds that lock for some time.
fn hold_the_lock(machine: &mut Machine, seconds: u32) {
    machine.sh(&format!(
        "mkdir -p /run/nixos; setsid flock /run/nixos/switch-to-configuration.lock \
         sh -c 'echo $$ >/run/nixos/holder; touch /run/nixos/held; exec sleep {seconds}' </dev/null >/dev/null 2>&1 & \
         until [ -e /run/nixos/held ]; do sleep 0.02; done; rm /run/nixos/held"
    ));
}

/// A process can have any name.
fn odd_names(machine: &mut Machine) {
    for name in ["a) b\nc", ") ", "\n", "a) S 1 1 1", "*"] {
        let name = name.replace('\n', "\\n");
        // The name of a process is that of the file it was started as.
        machine.sh(&format!(
            "file=$(printf '/var/lib/{name}.'); file=${{file%.}}; cp $(command -v sleep) \"$file\" && \
             (setsid \"$file\" 60 </dev/null >/dev/null 2>&1 &)"
        ));
    }
    machine.hook_new("test", "activate; sleep 1000");
    let deployment = machine.deployment(&[("activation_seconds", "1")]);
    deployment.begin(machine);
    assert_eq!(deployment.wait_for(machine, "rolled_back")["reason"], "activation_timeout");
    machine.unhook();
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.sh("pkill -f '^/var/lib/.* 60$'");
    machine.is_new();
}

/// The supervisor waits for another switch of the machine. If that takes too long, nothing begins.
fn another_switch(machine: &mut Machine) {
    for of in [machine.old.clone(), machine.new.clone()] {
        for action in ["test", "boot"] {
            machine.hook(&of, action, LOCKED);
        }
    }
    // Held until the deployment is refused, however long that takes on a busy machine.
    hold_the_lock(machine, 600);
    let deployment = machine.deployment(&[]);
    deployment.begin(machine);
    assert_eq!(deployment.wait_for(machine, "refused")["reason"], "busy");
    machine.sh("kill -s KILL $(cat /run/nixos/holder)");
    assert!(machine.activations().is_empty());
    machine.is_old();

    // At the confirmation timeout, and at the confirmation.
    let deployment = machine.deployment(&[("confirm_seconds", "2")]);
    deployment.begin_and_wait(machine);
    hold_the_lock(machine, 4);
    let ended = deployment.wait_for(machine, "rolled_back");
    assert_eq!(
        (&ended["reason"], &ended["rollback_exit"]),
        (&"not_confirmed".into(), &0.into()),
        "{ended:#}"
    );
    machine.is_old();
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    hold_the_lock(machine, 2);
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

/// A third system that somebody else switched to is neither undone nor reported as the old one.
fn a_third_system(machine: &mut Machine) {
    let old = machine.old.path.clone();
    let third = machine.sh(&format!("cp -r {old} /var/lib/third && nix-store --add /var/lib/third"));
    let deployment = machine.deployment(&[("confirm_seconds", "2")]);
    deployment.begin_and_wait(machine);
    machine.sh(&format!(
        "nix-env -p /nix/var/nix/profiles/system --set {third} && ln -sfn {third} /run/current-system && \
         echo {third} >/var/lib/bootloader/default"
    ));
    let ended = deployment.wait_for(machine, "rollback_failed");
    assert_eq!(ended["reason"], "system_changed", "{ended:#}");
    machine.settled(&third, &third);
    assert_eq!(machine.activations(), ["new test"]);
}

/// A generation that somebody made in the meantime is not overwritten.
fn another_generation(machine: &mut Machine) {
    let old = machine.old.path.clone();
    let third = machine.sh(&format!("cp -r {old} /var/lib/third && nix-store --add /var/lib/third"));
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    machine.sh(&format!(
        "nix-env -p /nix/var/nix/profiles/system --set {third} && echo {third} >/var/lib/bootloader/default"
    ));
    let ended = deployment.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!(
        (&ended["state"], &ended["reason"]),
        (&"rolled_back".into(), &"profile_changed".into()),
        "{ended:#}"
    );
    assert_eq!((machine.web().current_system(), machine.web().boot_default()), (old, third.clone()));
    assert_eq!(machine.web().profile(), third);
}

/// The rollback needs none of the new system's tools.
fn tools_that_do_not_work(machine: &mut Machine) {
    let (old, new) = (machine.old.path.clone(), machine.new.path.clone());
    machine.sh(&format!(
        "chmod -R u+w {old} {new}; for tool in sh setsid sleep mv readlink sync rm mkfifo cat; do \
         ln -s \"$(command -v $tool)\" {old}/sw/bin/ && printf '#!/bin/sh\\nexit 132\\n' >{new}/sw/bin/$tool && \
         chmod +x {new}/sw/bin/$tool; done"
    ));
    // The test itself does not need them either.
    let deployment = machine.deployment(&[("confirm_seconds", "1")]);
    // On a busy machine the new system may run before the command has printed everything, which then fails with the
    // broken tools.
    let begun = deployment.run(machine, &["begin"]).status.code();
    assert!(matches!(begun, Some(0 | 132)), "{begun:?}");
    let state = machine.web().inside(&format!("{}/state.json", deployment.folder));
    crate::common::wait::wait_until("it is back", || {
        std::fs::read_to_string(&state).is_ok_and(|json| json.contains("\"rolled_back\""))
    });
    machine.is_old();
}

/// An activation continues only as long as the machine can be reached.
fn an_activation_nobody_attends(machine: &mut Machine) {
    machine.hook_new("test", "activate; sleep 1000");
    let spec = [("activation_seconds", "60"), ("confirm_seconds", "2")];
    let deployment = machine.deployment(&spec);
    deployment.begin(machine);
    assert_eq!(deployment.wait_for(machine, "rolled_back")["reason"], "unattended");
    machine.is_old();

    // Longer than the confirmation timeout, which in turn is long enough for a busy machine.
    machine.hook_new("test", "sleep 7; activate");
    let deployment = machine.deployment(&[("activation_seconds", "60"), ("confirm_seconds", "5")]);
    let start = Instant::now();
    deployment.begin(machine);
    while deployment.gives(machine, 0, &["alive"])["state"] != "waiting" {
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(start.elapsed() > Duration::from_secs(7));
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

/// A withdrawn deployment never begins, and a deployment that has begun cannot be withdrawn.
fn withdrawn(machine: &mut Machine) {
    let deployment = machine.deployment(&[]);
    let withdraw =
        |machine: &mut Machine, deployment: &Deployment| deployment.run(machine, &["withdraw"]).status.code();
    assert_eq!(withdraw(machine, &deployment), Some(0));
    assert!(deployment.refuses(machine, 69, &["begin"]).contains("withdrawn"));
    machine.is_old();
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    assert_eq!(withdraw(machine, &deployment), Some(69));
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

#[test]
fn nothing_else_on_a_machine_keeps_it_from_going_back() {
    side_by_side::<fn(&mut Machine)>(&[
        ("odd names", odd_names),
        ("another switch", another_switch),
        ("a third system", a_third_system),
        ("another generation", another_generation),
        ("tools that do not work", tools_that_do_not_work),
        ("an activation nobody attends", an_activation_nobody_attends),
        ("withdrawn", withdrawn),
    ]);
}
