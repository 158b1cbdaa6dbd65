//! Disks that become full at a critical moment.

use crate::supervisor::machine::{Machine, NONCE, side_by_side};

const OWN: &str = "/var/lib/pantheros";
const FILL: &str = "head -c 10000000 /dev/zero >/var/lib/pantheros/fill 2>/dev/null || :";

/// Puts the deployments on a small disk of their own.
fn small_disk(machine: &mut Machine) {
    machine.sh(&format!("mkdir -p {OWN} && mount -t tmpfs -o size=256k,mode=700 tmpfs {OWN}"));
}

fn at_the_beginning(machine: &mut Machine) {
    small_disk(machine);
    let deployment = machine.deployment(&[]);
    machine.sh(FILL);
    let why = deployment.refuses(machine, 74, &["begin"]);
    assert!(why.contains("disk full"), "{why}");
    assert!(machine.activations().is_empty());
    machine.is_old();
    // Once there is room again, the same deployment can begin.
    machine.sh(&format!("rm {OWN}/fill"));
    deployment.begin_and_wait(machine);
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

fn while_activating(machine: &mut Machine) {
    small_disk(machine);
    machine.hook_new("test", &format!("{FILL}; head -c 100000 /dev/zero | tr '\\0' x"));
    let deployment = machine.deployment(&[]);
    deployment.begin(machine);
    let ended = deployment.wait_for(machine, "rolled_back");
    assert_eq!(ended["reason"], "state_not_written", "{ended:#}");
    // Commands still work: the state is kept in memory.
    let told = deployment.gives(machine, 0, &["state"]);
    assert_eq!((&told["state"], &told["message"]), (&ended["state"], &ended["message"]));
    assert_eq!(deployment.gives(machine, 1, &["confirm", NONCE])["state"], "rolled_back");
    machine.sh(&format!("rm {OWN}/fill"));
    assert_eq!(deployment.gives(machine, 0, &["state"]), told, "and it is written once there is room");
    machine.is_old();
    assert_eq!(deployment.written(machine), told);
    assert_eq!(machine.activations(), ["new test", "old test"]);
}

fn while_waiting(machine: &mut Machine) {
    small_disk(machine);
    let deployment = machine.deployment(&[("confirm_seconds", "3")]);
    deployment.begin_and_wait(machine);
    machine.sh(FILL);
    // It depends on the file system whether an empty file can still be created.
    let code = deployment.run(machine, &["confirm", NONCE]).status.code();
    assert!([Some(1), Some(74)].contains(&code), "{code:?}");
    let ended = deployment.wait_for(machine, "rolled_back");
    assert!(["state_not_written", "not_confirmed"].contains(&ended["reason"].as_str().unwrap()), "{ended:#}");
    machine.sh(&format!("rm {OWN}/fill"));
    deployment.gives(machine, 0, &["state"]);
    machine.is_old();
    assert_eq!(machine.activations(), ["new test", "old test"]);
}

/// The new system can be activated, but not be made a generation.
fn no_room_for_a_generation(machine: &mut Machine) {
    let profiles = "/nix/var/nix/profiles";
    machine.sh(&format!(
        "cp -a {profiles} /var/lib/profiles && mount -t tmpfs -o nr_inodes=20 tmpfs {profiles} && \
         cp -a /var/lib/profiles/. {profiles} && cd {profiles} && mkdir system-room && \
         i=0; while touch system-room/$i; do i=$((i + 1)); done 2>/dev/null; [ $i -gt 5 ]"
    ));
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    let ended = deployment.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"profile_failed".into()));
    assert_eq!(machine.activations(), ["new test", "old test"]);
    machine.sh(&format!("rm -r {profiles}/system-room"));
    machine.is_old();
    let first = "system-1-link".to_owned();
    assert_eq!(machine.generations(), (vec![first.clone()], first));
}

/// The boot loader's disk is full until the old system becomes the boot default again.
fn no_room_for_a_boot_entry(machine: &mut Machine) {
    machine.hook_new("boot", "echo half >/var/lib/bootloader/default; echo No space left on device; exit 1");
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    let ended = deployment.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"boot_failed".into()));
    machine.is_old();
    assert_eq!(machine.activations(), ["new test", "new boot", "old boot", "old test"]);

    // The disk stays full: the old system runs, and the state says that the boot default may be another one.
    machine.hook_old("boot", "exit 1");
    let deployment = machine.deployment(&[("reboot_on_failure", "1")]);
    deployment.begin_and_wait(machine);
    let ended = deployment.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["defaults_changed"]), (&"rollback_failed".into(), &true.into()));
    assert_eq!(ended["running"], machine.old.path.as_str());
    assert!(!machine.web().path("/var/lib/reboots").exists(), "into what, nobody knows");
}

/// As before, but the boot loader says that the old system stays the boot default: so a reboot leads to it.
fn no_room_but_the_old_default(machine: &mut Machine) {
    for system in [&machine.new.clone(), &machine.old.clone()] {
        machine.hook(system, "boot", "exit 1");
    }
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    let ended = deployment.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"boot_failed".into()));
    assert_eq!(
        ended["message"],
        "switch-to-configuration boot ended with 1. switch-to-configuration boot of the previous system ended with 1, \
         but that is the boot default."
    );
    machine.is_old();

    machine.hook_old("test", "exit 1");
    let deployment = machine.deployment(&[("reboot_on_failure", "1")]);
    deployment.begin_and_wait(machine);
    std::fs::write(machine.web().inside(&format!("{}/confirm", deployment.folder)), "").unwrap();
    let reboots = machine.web().path("/var/lib/reboots");
    crate::common::wait::wait_until("it is rebooted", || reboots.exists());
    machine.web().reboot();
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"boot_failed".into()));
    let message = ended["message"].as_str().unwrap();
    assert!(message.contains("The previous system could not be activated."), "{message}");
    machine.is_old();
}

/// `/run` in memory becomes full at once: no log, no notes, but still a rollback.
fn memory_full(machine: &mut Machine) {
    let filler = "i=0; while [ -e /var/lib/hooks/filling ]; do { true >/run/fill$i; } 2>/dev/null && i=$((i + 1)); done";
    machine.hook_new(
        "test",
        &format!(
            "activate; touch /var/lib/hooks/filling; setsid sh -c '{filler}' </dev/null >/dev/null 2>&1 & \
             sleep 1; exit 1"
        ),
    );
    machine.hook_old("test", "rm /var/lib/hooks/filling; sleep 0.2; rm -f /run/fill*");
    machine.sh("mount -o remount,nr_inodes=60 /run");
    let deployment = machine.deployment(&[]);
    deployment.begin(machine);
    let ended = deployment.wait_for(machine, "rolled_back");
    assert_eq!(ended["reason"], "activation_failed");
    machine.is_old();
}

#[test]
fn a_full_disk_keeps_no_machine_from_the_way_back() {
    side_by_side::<fn(&mut Machine)>(&[
        ("at the beginning", at_the_beginning),
        ("while activating", while_activating),
        ("while waiting", while_waiting),
        ("no room for a generation", no_room_for_a_generation),
        ("no room for a boot entry", no_room_for_a_boot_entry),
        ("no room, but the old default", no_room_but_the_old_default),
        ("memory full", memory_full),
    ]);
}
