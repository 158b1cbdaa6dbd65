//! Systems that are started by a reboot, and kept only if they come up.

use crate::common::wait::wait_until;
use crate::supervisor::machine::{Deployment, Machine, NONCE, side_by_side};

const ONCE: [(&str, &str); 3] = [("action", "boot"), ("reboot", "1"), ("boot_once", "1")];

/// Begins, and waits until the supervisor requests a reboot.
fn begun(machine: &mut Machine, given: &[(&str, &str)]) -> Deployment {
    let deployment = machine.deployment(given);
    deployment.begin(machine);
    rebooting(machine);
    assert_eq!(deployment.written(machine)["state"], "rebooting");
    deployment
}

/// Waits until the supervisor requests a reboot.
fn rebooting(machine: &mut Machine) {
    let reboots = machine.web().path("/var/lib/reboots");
    wait_until("it is rebooted", || reboots.exists());
    std::fs::remove_file(reboots).unwrap();
}

fn confirmed(machine: &mut Machine) {
    let (old, new) = (machine.old.path.clone(), machine.new.path.clone());
    let deployment = begun(machine, &ONCE);
    assert_eq!((machine.web().boot_default(), machine.web().profile()), (old.clone(), old.clone()));
    assert_eq!(machine.activations(), ["old boot"]);
    machine.web().reboot();
    assert_eq!(machine.web().current_system(), new);
    let waiting = deployment.gives(machine, 0, &["state"]);
    assert_eq!(waiting["state"], "waiting", "{waiting:#}");
    assert_eq!((machine.web().boot_default(), machine.web().profile()), (old.clone(), old));
    let ended = deployment.gives(machine, 0, &["confirm", NONCE]);
    assert_eq!(
        (&ended["state"], &ended["profile_generation"]),
        (&"confirmed".into(), &2.into()),
        "{ended:#}"
    );
    machine.is_new();
    assert_eq!(machine.activations(), ["new boot"]);
    machine.web().reboot();
    machine.is_new();
}

/// A system that does not come up costs a second start.
fn does_not_come_up(machine: &mut Machine) {
    let deployment = begun(machine, &ONCE);
    machine.web().reboot();
    // Nobody reached the machine, so somebody cut its power.
    machine.web().reboot();
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!(
        (&ended["state"], &ended["reason"]),
        (&"rolled_back".into(), &"did_not_start".into()),
        "{ended:#}"
    );
    machine.is_old();
    assert_eq!(machine.generations().0, ["system-1-link"]);
}

/// A system that is not confirmed, or is cancelled, is left by another reboot.
fn is_not_confirmed(machine: &mut Machine) {
    for cancel in [false, true] {
        let deployment = begun(machine, &[&ONCE[..], &[("confirm_seconds", "2")]].concat());
        machine.web().reboot();
        assert_eq!(deployment.gives(machine, 0, &["state"])["state"], "waiting");
        if cancel {
            machine.sh(&format!("touch {}/cancel", deployment.folder));
        }
        rebooting(machine);
        machine.web().reboot();
        let ended = deployment.gives(machine, 0, &["state"]);
        let reason = if cancel { "cancelled" } else { "not_confirmed" };
        assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &reason.into()), "{ended:#}");
        let why = if cancel {
            "Cancelled before it was confirmed."
        } else {
            "The deployment was not confirmed within 2 s."
        };
        assert_eq!(ended["message"], format!("{why} The machine is rebooted into the previous system."));
        machine.is_old();
        assert_eq!(machine.generations().0, ["system-1-link"]);
    }
}

/// Runs the machine's unit at its start, which has to succeed: a failed unit makes a machine unhealthy.
fn finish_deployments(machine: &mut Machine) {
    let output = machine.finish_deployments();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A system that is not confirmed is left again, even if no command follows.
fn is_left_alone(machine: &mut Machine) {
    let deployment = begun(machine, &[&ONCE[..], &[("confirm_seconds", "2")]].concat());
    machine.web().reboot();
    finish_deployments(machine);
    assert_eq!(deployment.written(machine)["state"], "waiting");
    rebooting(machine);
    machine.web().reboot();
    finish_deployments(machine);
    let ended = deployment.written(machine);
    assert_eq!(
        (&ended["state"], &ended["reason"]),
        (&"rolled_back".into(), &"not_confirmed".into()),
        "{ended:#}"
    );
    machine.is_old();
    assert_eq!(machine.generations().0, ["system-1-link"]);
    // A deployment that is over does not change.
    finish_deployments(machine);
    assert_eq!(deployment.written(machine), ended);
}

/// A system that is confirmed after its start stays, and later starts change nothing.
fn is_confirmed_at_its_start(machine: &mut Machine) {
    let deployment = begun(machine, &ONCE);
    machine.web().reboot();
    finish_deployments(machine);
    assert_eq!(deployment.written(machine)["state"], "waiting");
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
    machine.web().reboot();
    finish_deployments(machine);
    machine.is_new();
}

/// A deployment that was sent but never begun is not finished. One that cannot be finished is reported, and does not
/// prevent others from being finished.
fn is_not_to_be_finished(machine: &mut Machine) {
    let sent = machine.deployment(&[]);
    finish_deployments(machine);
    assert!(!machine.web().path(&format!("{}/state.json", sent.folder)).exists());
    machine.web().reboot();

    let broken = machine.deployment(&ONCE);
    let left = begun(machine, &[&ONCE[..], &[("confirm_seconds", "2")]].concat());
    machine.web().reboot();
    std::fs::copy(
        machine.web().path(&format!("{}/state.json", left.folder)),
        machine.web().path(&format!("{}/state.json", broken.folder)),
    )
    .unwrap();
    std::fs::write(machine.web().path(&format!("{}/spec", broken.folder)), "version=9\n").unwrap();
    let output = machine.finish_deployments();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&broken.folder), "{said}");
    rebooting(machine);
    machine.web().reboot();
    assert_eq!(left.gives(machine, 0, &["state"])["state"], "rolled_back");
}

/// Before systemd 252, `bootctl` does not list the menu as JSON.
fn has_an_old_bootctl(machine: &mut Machine) {
    let old = "[ $1 = list ] && exit 1";
    let fake = crate::common::target::FAKE_BOOTCTL.replacen('\n', &format!("\n{old}\n"), 1);
    std::fs::write(machine.web().path("/var/lib/programs/bootctl"), fake).unwrap();
    confirmed(machine);
}

/// If the boot loader cannot start the system once, nothing is started.
fn cannot_start_once(machine: &mut Machine) {
    let no_entry = "case $1 in list) echo '[]'; exit ;; --print-boot-path) echo /nowhere ;; esac";
    for broken in ["exit 1", no_entry, "[ $1 = set-oneshot ] && exit 1"] {
        let fake = crate::common::target::FAKE_BOOTCTL.replacen('\n', &format!("\n{broken}\n"), 1);
        std::fs::write(machine.web().path("/var/lib/programs/bootctl"), fake).unwrap();
        let deployment = machine.deployment(&ONCE);
        deployment.begin(machine);
        let ended = deployment.wait_for(machine, "rolled_back");
        assert_eq!(ended["reason"], "boot_once_failed", "{broken}: {ended:#}");
        machine.is_old();
        assert!(!machine.web().path("/var/lib/reboots").exists());
        assert_eq!(machine.generations().0, ["system-1-link"]);
    }
}

/// Without a boot loader that can start an entry once, the new system becomes the boot default at once, and the old one
/// becomes it again if the new one is not healthy.
fn starts_for_good(machine: &mut Machine) {
    let given = [("action", "boot"), ("reboot", "1"), ("confirm_seconds", "2")];
    let deployment = begun(machine, &given);
    machine.web().reboot();
    assert_eq!(deployment.gives(machine, 0, &["state"])["state"], "waiting");
    rebooting(machine);
    machine.web().reboot();
    assert_eq!(deployment.gives(machine, 0, &["state"])["state"], "rolled_back");
    machine.is_old();

    let deployment = begun(machine, &[("action", "boot"), ("reboot", "1")]);
    machine.web().reboot();
    deployment.gives(machine, 0, &["state"]);
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

/// The supervisor is killed before the reboot.
fn dies_before(machine: &mut Machine) {
    machine.hook_old("boot", crate::supervisor::machine::HOLD);
    let deployment = machine.deployment(&ONCE);
    deployment.begin(machine);
    machine.wait_held();
    machine.kill(&["guardian", "worker"]);
    machine.release();
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!(
        (&ended["state"], &ended["reason"]),
        (&"rolled_back".into(), &"supervisor_died".into()),
        "{ended:#}"
    );
    machine.is_old();
    assert_eq!(machine.generations().0, ["system-1-link"]);
}

/// Power is lost after the confirmation, before the new system is the boot default.
fn loses_power_while_it_is_confirmed(machine: &mut Machine) {
    let deployment = begun(machine, &ONCE);
    machine.web().reboot();
    assert_eq!(deployment.gives(machine, 0, &["state"])["state"], "waiting");
    machine.hook_new("boot", crate::supervisor::machine::HOLD);
    machine.sh(&format!("touch {}/confirm", deployment.folder));
    machine.wait_held();
    machine.web().reboot();
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"rebooted".into()), "{ended:#}");
    assert_eq!(ended["message"], "The machine was rebooted while the new system was made the boot default.");
    machine.is_old();
}

/// The supervisor is killed when the boot loader is about to start the new system, which must not happen later.
fn dies_at_the_reboot(machine: &mut Machine) {
    let deployment = begun(machine, &ONCE);
    let once = machine.web().path("/var/lib/bootloader/once");
    assert!(once.exists());
    machine.kill(&["guardian", "worker"]);
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!(
        (&ended["state"], &ended["reason"], &ended["message"]),
        (
            &"rolled_back".into(),
            &"supervisor_died".into(),
            &"The supervisor was killed before the end.".into()
        ),
    );
    assert!(!once.exists());
    machine.is_old();
}

#[test]
fn a_system_that_is_started_is_kept_only_if_it_comes_up() {
    side_by_side::<fn(&mut Machine)>(&[
        ("confirmed", confirmed),
        ("does not come up", does_not_come_up),
        ("is not confirmed", is_not_confirmed),
        ("is left alone", is_left_alone),
        ("is confirmed at its start", is_confirmed_at_its_start),
        ("is not to be finished", is_not_to_be_finished),
        ("has an old bootctl", has_an_old_bootctl),
        ("cannot start once", cannot_start_once),
        ("starts for good", starts_for_good),
        ("dies before", dies_before),
        ("dies at the reboot", dies_at_the_reboot),
        ("loses power while it is confirmed", loses_power_while_it_is_confirmed),
    ]);
}
