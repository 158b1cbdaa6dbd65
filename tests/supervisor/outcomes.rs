//! The outcomes of undisturbed deployments.

use serde_json::Value;

use crate::common::fleet::nixes;
use crate::supervisor::machine::{Machine, NONCE, side_by_side};

/// A deployment that is not confirmed, and one that is. Runs with every Nix, and with every shell.
pub fn confirmed_or_not(machine: &mut Machine) {
    let unconfirmed = machine.deployment(&[("confirm_seconds", "1")]);
    let begun = unconfirmed.gives(machine, 0, &["begin"]);
    assert!(["activating", "waiting"].contains(&begun["state"].as_str().unwrap()), "{begun:#}");
    let waiting = unconfirmed.wait_for(machine, "waiting");
    assert_eq!(
        (&waiting["activation_exit"], &waiting["running"]),
        (&0.into(), &machine.new.path.clone().into())
    );
    let old = machine.old.path.clone();
    assert_eq!((machine.web().profile(), machine.web().boot_default()), (old.clone(), old));
    let ended = unconfirmed.wait_for(machine, "rolled_back");
    assert_eq!((&ended["reason"], &ended["rollback_exit"]), (&"not_confirmed".into(), &0.into()));
    machine.is_old();
    assert_eq!(machine.activations(), ["new test", "old test"]);

    let confirmed = machine.deployment(&[]);
    confirmed.begin_and_wait(machine);
    let ended = confirmed.gives(machine, 0, &["confirm", NONCE]);
    assert_eq!(
        (&ended["state"], &ended["profile_generation"]),
        (&"confirmed".into(), &2.into()),
        "{ended:#}"
    );
    machine.is_new();
    assert_eq!(machine.activations(), ["new test", "new boot"]);
}

#[test]
fn a_confirmed_system_is_kept_and_an_unconfirmed_one_is_not() {
    let stories: Vec<_> = nixes().iter().map(|_| ("each Nix", confirmed_or_not)).collect();
    side_by_side(&stories);
}

/// Deploys a system that is broken in this way, and returns the final state.
fn broken(machine: &mut Machine, script: &str, given: &[(&str, &str)]) -> Value {
    machine.hook_new("test", script);
    let deployment = machine.deployment(&[&[("activation_seconds", "1")], given].concat());
    deployment.begin(machine);
    let ended = deployment.wait_for(machine, "rolled_back");
    machine.is_old();
    ended
}

fn failing_activations(machine: &mut Machine) {
    for (script, reason, code) in [
        ("exit 1", "activation_failed", 1),
        ("activate; exit 2", "activation_failed", 2),
        ("exit 100", "needs_reboot", 100),
        ("exec /nowhere/at/all", "activation_failed", 127),
        ("exit 0", "wrong_system", 0),
        ("exit 4", "wrong_system", 4),
        ("ln -sfn /var/lib /run/current-system; exit 0", "wrong_system", 0),
    ] {
        let ended = broken(machine, script, &[]);
        assert_eq!((&ended["reason"], &ended["activation_exit"]), (&reason.into(), &code.into()), "{script}");
        assert_eq!(machine.activations(), ["new test", "old test"], "{script}");
    }
    // A path that JSON can represent only with escapes.
    let ended = broken(
        machine,
        "p='/var/lib/\"\\\\\u{1}\u{7f}\n\té'; mkdir -p \"$p\"; ln -sfn \"$p\" /run/current-system; sleep 0.3; exit 0",
        &[],
    );
    assert_eq!(ended["reason"], "wrong_system", "{ended:#}");
    // No check may keep a machine from going back.
    let say = |of: &str| format!("echo \"{of} unchecked=$NIXOS_NO_CHECK\" >>/var/lib/activation.log");
    let (forward, back) = (say(machine.new.name), say(machine.old.name));
    machine.hook_old("test", &back);
    machine.activations();
    broken(machine, &format!("{forward}; exit 1"), &[]);
    assert_eq!(machine.activations(), ["new test", "new unchecked=", "old test", "old unchecked=1"]);
}

fn hanging_activations(machine: &mut Machine) {
    for script in [
        "sleep 1000",
        "trap '' TERM; while :; do sleep 1000; done",
        "activate; (sleep 1000 & sleep 1000); sleep 1000",
        "kill -s STOP $$",
    ] {
        let ended = broken(machine, script, &[]);
        assert_eq!(
            (&ended["reason"], &ended["activation_exit"]),
            (&"activation_timeout".into(), &124.into())
        );
    }
}

fn output(machine: &mut Machine) {
    let script = "head -c 10000000 /dev/zero | tr '\\0' x; printf '\\033[31m\\001\"\\\\\\377end'";
    machine.hook_new("test", script);
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    let log = deployment.log(machine);
    assert!(log.len() > 32 * 1024 && log.len() <= 64 * 1024, "{}", log.len());
    assert!(log.ends_with(b"xx\x1b[31m\x01\"\\\xffend"));
    machine.hook_new("boot", "echo the boot loader");
    deployment.gives(machine, 0, &["confirm", NONCE]);
    let log = deployment.log(machine);
    assert!(log.len() <= 64 * 1024 && log.ends_with(b"\xffendthe boot loader\n"), "{}", log.len());
    machine.is_new();
    // A process that keeps the output open does not delay the deployment.
    machine.swap();
    machine.hook_new("test", "echo early; setsid sleep 1000 & :");
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    assert_eq!(deployment.log(machine), b"early\n");
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.sh("kill $(cat /proc/[0-9]*/stat | sed -n 's/^\\([0-9]*\\) (sleep) . 1 .*/\\1/p')");
    machine.is_new();
}

fn failed_units(machine: &mut Machine) {
    machine.hook_new("test", "activate; exit 4");
    let deployment = machine.deployment(&[]);
    deployment.begin(machine);
    let waiting = deployment.wait_for(machine, "waiting");
    assert_eq!((&waiting["units_failed"], &waiting["activation_exit"]), (&true.into(), &4.into()));
    let ended = deployment.gives(machine, 0, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["units_failed"]), (&"confirmed".into(), &true.into()));
    machine.is_new();
    // The same for the rollback.
    machine.swap();
    machine.unhook();
    machine.hook_old("test", "activate; exit 4");
    let ended = broken(machine, "exit 1", &[]);
    assert_eq!(ended["rollback_exit"], 4);
}

fn other_actions(machine: &mut Machine) {
    let (old, new) = (machine.old.path.clone(), machine.new.path.clone());
    let dry = machine.deployment(&[("action", "dry-activate")]);
    dry.begin(machine);
    dry.wait_for(machine, "checked");
    assert_eq!(dry.log(machine), b"would restart nothing\n");
    machine.is_old();
    assert_eq!(machine.activations(), ["new dry-activate"]);

    machine.hook_new("dry-activate", "exit 1");
    let dry = machine.deployment(&[("action", "dry-activate")]);
    dry.begin(machine);
    assert_eq!(dry.wait_for(machine, "refused")["reason"], "activation_failed");
    machine.is_old();
    machine.activations();

    let test = machine.deployment(&[("action", "test")]);
    test.begin_and_wait(machine);
    let ended = test.gives(machine, 0, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["profile_generation"]), (&"confirmed".into(), &Value::Null));
    machine.settled(&new, &old);
    assert_eq!(machine.activations(), ["new test"]);
    machine.web().reboot();
    assert_eq!(test.gives(machine, 0, &["state"])["state"], "confirmed");
    machine.is_old();

    machine.hook_new("boot", "exit 1");
    let failing = machine.deployment(&[("action", "boot")]);
    failing.begin(machine);
    let ended = failing.wait_for(machine, "rolled_back");
    assert_eq!((&ended["reason"], &ended["boot_exit"]), (&"boot_failed".into(), &1.into()));
    machine.is_old();
    assert_eq!(machine.activations(), ["new boot", "old boot"]);
    assert_eq!(machine.generations(), (vec!["system-1-link".to_owned()], "system-1-link".to_owned()));

    machine.unhook();
    let boot = machine.deployment(&[("action", "boot")]);
    boot.begin(machine);
    let ended = boot.wait_for(machine, "staged");
    assert_eq!((&ended["running"], &ended["profile_generation"]), (&old.as_str().into(), &2.into()));
    machine.settled(&old, &new);
    assert_eq!(machine.activations(), ["new boot"]);
    machine.web().reboot();
    assert_eq!(machine.web().current_system(), new);
}

/// A generation that existed before is kept, even if its deployment fails.
fn an_older_generation(machine: &mut Machine) {
    let new = machine.new.path.clone();
    machine.sh(&format!(
        "p=/nix/var/nix/profiles/system; nix-env -p $p --set {new}; nix-env -p $p --switch-generation 1"
    ));
    machine.hook_new("boot", "exit 1");
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    let ended = deployment.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"boot_failed".into()));
    machine.is_old();
    let both = ["system-1-link", "system-2-link"].map(str::to_owned).to_vec();
    assert_eq!(machine.generations(), (both, "system-1-link".to_owned()));
}

/// A deployment of an existing generation makes no new one.
fn back_to_a_generation(machine: &mut Machine) {
    let confirmed = machine.deployment(&[]);
    confirmed.begin_and_wait(machine);
    confirmed.gives(machine, 0, &["confirm", NONCE]);
    machine.swap();
    let back = machine.deployment(&[("generation", "1")]);
    back.begin_and_wait(machine);
    let ended = back.gives(machine, 0, &["confirm", NONCE]);
    assert_eq!(
        (&ended["state"], &ended["profile_generation"]),
        (&"confirmed".into(), &1.into()),
        "{ended:#}"
    );
    machine.is_new();
    let both = ["system-1-link", "system-2-link"].map(str::to_owned).to_vec();
    assert_eq!(machine.generations(), (both.clone(), "system-1-link".to_owned()));
    // The generation is another system than planned.
    machine.swap();
    let wrong = machine.deployment(&[("generation", "1")]);
    wrong.begin_and_wait(machine);
    let ended = wrong.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"profile_failed".into()));
    machine.is_old();
    assert_eq!(machine.generations(), (both, "system-1-link".to_owned()));
}

/// A machine that cannot be reached after a rollback reboots, if that is allowed.
fn unreached(machine: &mut Machine) {
    let given = |seconds| [("reboot_on_failure", "1"), ("confirm_seconds", seconds)];
    let reached = machine.deployment(&given("4"));
    reached.begin_and_wait(machine);
    reached.wait_for(machine, "awaiting_contact");
    reached.gives(machine, 0, &["seen"]);
    assert_eq!(reached.wait_for(machine, "rolled_back")["reason"], "not_confirmed");
    let reboots = machine.web().path("/var/lib/reboots");
    assert!(!reboots.exists());
    machine.is_old();

    // Whoever cancels has reached the machine.
    let cancelled = machine.deployment(&given("4"));
    cancelled.begin_and_wait(machine);
    cancelled.gives(machine, 0, &["cancel"]);
    assert!(!reboots.exists());
    machine.is_old();

    let unreached = machine.deployment(&given("1"));
    unreached.begin_and_wait(machine);
    crate::common::wait::wait_until("it is rebooted", || reboots.exists());
    machine.web().reboot();
    let ended = unreached.gives(machine, 0, &["state"]);
    assert_eq!(
        (&ended["state"], &ended["reason"]),
        (&"rolled_back".into(), &"not_confirmed".into()),
        "{ended:#}"
    );
    machine.is_old();
}

/// A deployment to another profile than the usual one.
fn another_profile(machine: &mut Machine) {
    let profile = "/nix/var/nix/profiles/system-profiles/second_one";
    let deployment = machine.deployment(&[("profile", profile)]);
    deployment.begin_and_wait(machine);
    deployment.gives(machine, 0, &["confirm", NONCE]);
    let new = machine.new.path.clone();
    assert_eq!(machine.sh(&format!("readlink -f {profile}")), new);
    assert_eq!(machine.web().boot_default(), new);
}

fn no_way_back(machine: &mut Machine) {
    let old = machine.old.path.clone();
    machine.hook_new("test", "exit 1");
    // A snippet of the old system's activation has always failed. The system runs nevertheless.
    machine.hook_old("test", "activate; exit 2");
    let failing = machine.deployment(&[]);
    failing.begin(machine);
    let ended = failing.wait_for(machine, "rolled_back");
    assert_eq!((&ended["reason"], &ended["rollback_exit"]), (&"activation_failed".into(), &2.into()));
    assert_eq!(machine.activations(), ["new test", "old test", "old test"], "tried twice");
    machine.is_old();

    machine.hook_old("test", "exit 1");
    let stuck = machine.deployment(&[]);
    stuck.begin(machine);
    let ended = stuck.wait_for(machine, "rollback_failed");
    assert_eq!((&ended["reason"], &ended["rollback_exit"]), (&"activation_failed".into(), &1.into()));
    assert_eq!(machine.activations(), ["new test", "old test", "old test"], "tried twice");
    machine.is_old();
    assert!(!machine.web().path("/var/lib/reboots").exists());

    machine.hook_new("test", "activate; exit 1");
    let rebooting = machine.deployment(&[("reboot_on_failure", "1")]);
    rebooting.begin(machine);
    let reboots = machine.web().path("/var/lib/reboots");
    crate::common::wait::wait_until("it is rebooted", || reboots.exists());
    assert_eq!(rebooting.written(machine)["state"], "rolling_back");
    machine.web().reboot();
    let ended = rebooting.gives(machine, 0, &["state"]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"activation_failed".into()));
    assert_eq!(ended["running"], old);
    machine.is_old();
}

#[test]
fn every_outcome() {
    side_by_side::<fn(&mut Machine)>(&[
        ("activations that fail", failing_activations),
        ("activations that hang", hanging_activations),
        ("output", output),
        ("units that fail", failed_units),
        ("boot, test and dry-activate", other_actions),
        ("a generation from before", an_older_generation),
        ("another profile", another_profile),
        ("no way back", no_way_back),
        ("back to a generation", back_to_a_generation),
        ("nobody reaches it", unreached),
    ]);
}
