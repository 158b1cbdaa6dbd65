//! Processes that are killed and machines that lose power, at each step of a deployment.

use serde_json::Value;

use crate::common::wait::wait_until;
use crate::supervisor::machine::{Deployment, HOLD, Machine, NONCE, side_by_side};

/// What happens, and the expected result at each step: the last state, its reason, and whether the old system has to be
/// activated again.
struct Death {
    strike: fn(&mut Machine),
    /// Whether the deployment ends without another command.
    ends_alone: bool,
    activating: (&'static str, &'static str),
    waiting: (&'static str, &'static str),
    confirming: (&'static str, &'static str),
    activates_old: bool,
}

const ROLLED_BACK: (&str, &str) = ("rolled_back", "supervisor_died");
const REBOOTED: (&str, &str) = ("rolled_back", "rebooted");

fn worker_killed() -> Death {
    Death {
        strike: |machine| machine.kill(&["worker"]),
        ends_alone: true,
        activating: ROLLED_BACK,
        waiting: ROLLED_BACK,
        confirming: ("confirmed", ""),
        activates_old: true,
    }
}

/// Only the next command can end the deployment.
fn all_killed() -> Death {
    Death { strike: |machine| machine.kill(&["worker", "guardian"]), ends_alone: false, ..worker_killed() }
}

fn power_lost() -> Death {
    Death {
        strike: |machine| machine.web().reboot(),
        ends_alone: false,
        activating: REBOOTED,
        waiting: REBOOTED,
        confirming: REBOOTED,
        activates_old: false,
    }
}

/// Kills the guardian, and once it has a successor the worker: the successor has to be fully functional.
fn guardian_killed() -> Death {
    Death {
        strike: |machine| {
            let first = machine.part("guardian");
            machine.kill(&["guardian"]);
            wait_until("there is another guardian", || {
                machine.part("guardian").is_some_and(|pid| Some(pid) != first)
            });
            machine.kill(&["worker"]);
        },
        ..worker_killed()
    }
}

/// Waits for the end of the deployment, or runs the command that ends it, and returns the final state.
fn ended(
    machine: &mut Machine,
    deployment: &Deployment,
    death: &Death,
    (state, reason): (&str, &str),
) -> Value {
    if death.ends_alone {
        deployment.wait_for(machine, state);
    } else {
        let left = deployment.written(machine);
        assert_ne!(left["state"], state, "a command ends it: {left:#}");
    }
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!(ended["state"], state, "{ended:#}");
    assert_eq!(ended["reason"].as_str().unwrap_or_default(), reason, "{ended:#}");
    ended
}

fn at_each_step(machine: &mut Machine, death: &Death) {
    let back: &[&str] = if death.activates_old { &["old test"] } else { &[] };

    // An activation that ignores SIGTERM.
    machine.hook_new("test", &format!("trap '' TERM; {HOLD}"));
    let deployment = machine.deployment(&[]);
    deployment.begin(machine);
    machine.wait_held();
    assert_eq!(deployment.written(machine)["state"], "activating");
    (death.strike)(machine);
    ended(machine, &deployment, death, death.activating);
    machine.is_old();
    assert_eq!(machine.activations(), [&["new test"], back].concat());

    machine.unhook();
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    (death.strike)(machine);
    ended(machine, &deployment, death, death.waiting);
    machine.is_old();
    assert_eq!(machine.activations(), [&["new test"], back].concat());

    machine.hook_old("test", HOLD);
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    std::fs::write(machine.web().inside(&format!("{}/cancel", deployment.folder)), "").unwrap();
    machine.wait_held();
    assert_eq!(deployment.written(machine)["state"], "rolling_back");
    (death.strike)(machine);
    ended(machine, &deployment, death, ("rolled_back", "cancelled"));
    machine.is_old();
    assert_eq!(machine.activations(), [&["new test", "old test"], back].concat());

    machine.unhook();
    machine.hook_new("boot", HOLD);
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    std::fs::write(machine.web().inside(&format!("{}/confirm", deployment.folder)), "").unwrap();
    machine.wait_held();
    assert_eq!(deployment.written(machine)["state"], "confirming");
    assert_eq!(machine.web().profile(), machine.new.path);
    (death.strike)(machine);
    ended(machine, &deployment, death, death.confirming);
    if death.confirming.0 == "confirmed" {
        machine.is_new();
        assert_eq!(machine.activations(), ["new test", "new boot", "new boot"]);
    } else {
        machine.is_old();
        assert_eq!(machine.activations(), ["new test", "new boot", "old boot"]);
        let first = "system-1-link".to_owned();
        assert_eq!(machine.generations(), (vec![first.clone()], first));
    }
}

/// Power is lost once the new system is the boot default.
fn power_lost_late(machine: &mut Machine) {
    machine.hook_new("boot-after", HOLD);
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    std::fs::write(machine.web().inside(&format!("{}/confirm", deployment.folder)), "").unwrap();
    machine.wait_held();
    machine.web().reboot();
    assert_eq!(deployment.gives(machine, 0, &["state"])["state"], "confirmed");
    machine.is_new();

    // The same for the action `boot`.
    machine.swap();
    machine.unhook();
    machine.hook_new("boot-after", HOLD);
    let deployment = machine.deployment(&[("action", "boot")]);
    deployment.begin(machine);
    machine.wait_held();
    machine.web().reboot();
    assert_eq!(deployment.gives(machine, 0, &["state"])["state"], "staged");
    machine.is_new();
}

/// Deployments with other actions whose worker dies.
fn other_actions(machine: &mut Machine) {
    let old = machine.old.path.clone();
    machine.hook_new("dry-activate", HOLD);
    let deployment = machine.deployment(&[("action", "dry-activate")]);
    deployment.begin(machine);
    machine.wait_held();
    machine.kill(&["worker"]);
    assert_eq!(deployment.wait_for(machine, "refused")["reason"], "supervisor_died");
    machine.is_old();
    assert_eq!(machine.activations(), ["new dry-activate"]);

    machine.unhook();
    machine.hook_new("boot", HOLD);
    let deployment = machine.deployment(&[("action", "boot")]);
    deployment.begin(machine);
    machine.wait_held();
    machine.kill(&["worker"]);
    assert_eq!(deployment.wait_for(machine, "rolled_back")["reason"], "supervisor_died");
    machine.is_old();
    assert_eq!(machine.activations(), ["new boot", "old boot"]);
    assert_eq!(machine.web().current_system(), old);

    // If every attempt is killed, the rollback is tried again at growing intervals.
    machine.unhook();
    machine.hook_old("test", "if [ ! -e /var/lib/hooks/mended ]; then kill -s KILL $(cut -d' ' -f1 /run/pantheros/lock/worker); sleep 1000; fi");
    let deployment = machine.deployment(&[("confirm_seconds", "1")]);
    deployment.begin(machine);
    let attempts = machine.web().inside("/run/pantheros/lock/attempt");
    wait_until("it is tried again", || {
        std::fs::read_to_string(&attempts).is_ok_and(|tried| tried.trim() == "4")
    });
    assert_eq!(deployment.written(machine)["state"], "rolling_back");
    std::fs::write(machine.web().path("/var/lib/hooks/mended"), "").unwrap();
    deployment.wait_for(machine, "rolled_back");
    machine.is_old();
}

/// The command `begin` is killed before the supervisor has started.
fn at_the_beginning(machine: &mut Machine) {
    // The list of approvers is a FIFO without a writer, so reading it blocks.
    machine.sh("mkfifo /var/lib/signers");
    let fifo = ("allowed_signers", "/var/lib/signers");
    for reboots in [false, true] {
        let deployment = machine.deployment(&[fifo]);
        machine.sh(&format!(
            "cd {} && echo >plan && ssh-keygen -q -t ed25519 -N '' -f key && \
             ssh-keygen -q -Y sign -f key -n pantheros-deploy plan && mv plan.sig signature",
            deployment.folder
        ));
        machine.sh(&format!("sh {0}/supervisor begin {0} </dev/null >/dev/null 2>&1 &", deployment.folder));
        let lock = machine.web().inside("/run/pantheros/lock/starter");
        wait_until("it is accepted", || lock.exists());
        wait_until("it reads", || {
            machine.web().processes_left().iter().any(|line| line.contains("find-principals"))
        });
        assert_eq!(deployment.written(machine)["state"], "accepted");
        if reboots {
            machine.web().reboot();
        } else {
            machine.sh("kill -s KILL $(grep -alE 'plan-|find-principals' /proc/[2-9]*/cmdline | grep -v self | cut -d/ -f3 | grep -v $$) 2>/dev/null || :");
        }
        let ended = deployment.gives(machine, 0, &["state"]);
        assert_eq!(ended["state"], "refused", "{ended:#}");
        assert_eq!(ended["reason"], if reboots { "rebooted" } else { "supervisor_died" });
        machine.is_old();
        assert!(machine.activations().is_empty());
    }
}

/// Changes that a person made after the supervisor died are not undone.
fn superseded(machine: &mut Machine) {
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    machine.kill(&["worker", "guardian"]);
    // A third system: a copy of the first one at another path.
    let old = machine.old.path.clone();
    let third = machine.sh(&format!(
        "cp -r {old} /var/lib/third && third=$(nix-store --add /var/lib/third) && \
         nix-env -p /nix/var/nix/profiles/system --set $third && ln -sfn $third /run/current-system && \
         echo $third >/var/lib/bootloader/default && echo $third"
    ));
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rollback_failed".into(), &"system_changed".into()));
    machine.settled(&third, &third);
    assert_eq!(machine.activations(), ["new test"]);

    // The same after a start of the machine that left a deployment unfinished.
    let deployment = machine.deployment(&[("previous", &third)]);
    machine.hook_new("boot", HOLD);
    deployment.begin_and_wait(machine);
    std::fs::write(machine.web().inside(&format!("{}/confirm", deployment.folder)), "").unwrap();
    machine.wait_held();
    machine.web().reboot();
    machine.sh(&format!(
        "nix-env -p /nix/var/nix/profiles/system --set {old} && ln -sfn {old} /run/current-system && \
         echo {old} >/var/lib/bootloader/default"
    ));
    let ended = deployment.gives(machine, 0, &["state"]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rollback_failed".into(), &"system_changed".into()));
    machine.settled(&old, &old);
}

#[test]
fn a_death_at_each_step_ends_on_the_new_system_or_the_old() {
    side_by_side::<fn(&mut Machine)>(&[
        ("the worker is killed", |machine| at_each_step(machine, &worker_killed())),
        ("guardian and worker are killed in turn", |machine| at_each_step(machine, &guardian_killed())),
        ("guardian and worker are killed", |machine| at_each_step(machine, &all_killed())),
        ("power is lost", |machine| at_each_step(machine, &power_lost())),
        ("power is lost late", power_lost_late),
        ("other actions", other_actions),
        ("at the beginning", at_the_beginning),
        ("a person was faster", superseded),
    ]);
}

/// The death of a guardian alone changes nothing.
#[test]
fn a_guardian_is_replaced() {
    side_by_side::<fn(&mut Machine)>(&[("the guardian is killed", |machine| {
        let deployment = machine.deployment(&[]);
        deployment.begin_and_wait(machine);
        let (guardian, worker) = (machine.part("guardian"), machine.part("worker"));
        machine.kill(&["guardian"]);
        wait_until("there is another guardian", || {
            machine.part("guardian").is_some_and(|pid| Some(pid) != guardian)
        });
        assert_eq!(machine.part("worker"), worker);
        deployment.gives(machine, 0, &["confirm", NONCE]);
        machine.is_new();
    })]);
}
