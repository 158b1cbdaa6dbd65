//! What commands do at the right time and at the wrong one.

use serde_json::Value;

use crate::common::wait::wait_until;
use crate::supervisor::machine::{DEPLOYMENTS, Deployment, HOLD, Machine, NONCE, side_by_side};

fn confirm(machine: &mut Machine) {
    machine.hook_new("test", HOLD);
    let deployment = machine.deployment(&[]);
    assert!(deployment.refuses(machine, 64, &["confirm", NONCE]).contains("was not started"));
    deployment.begin(machine);
    machine.wait_held();
    let why = deployment.refuses(machine, 75, &["confirm", NONCE]);
    assert!(why.contains("once it waits"), "{why}");
    machine.release();
    deployment.wait_for(machine, "waiting");
    for nonce in ["", "0123456789abcdefABCDEX", "*", "-"] {
        assert!(deployment.refuses(machine, 77, &["confirm", nonce]).contains("nonce"), "{nonce}");
    }
    deployment.refuses(machine, 64, &["confirm"]);
    assert_eq!(deployment.written(machine)["state"], "waiting");
    let confirmed = deployment.run_with(machine, &["confirm", "-"], NONCE);
    assert!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&confirmed.stdout).unwrap()["state"], "confirmed");
    machine.is_new();
    assert_eq!(machine.activations(), ["new test", "new boot"]);

    // A finished deployment does not change.
    assert_eq!(deployment.gives(machine, 0, &["confirm", NONCE])["state"], "confirmed");
    assert_eq!(deployment.gives(machine, 1, &["cancel"])["state"], "confirmed");
    assert_eq!(deployment.gives(machine, 1, &["begin"])["state"], "confirmed");
    machine.is_new();
    assert!(machine.activations().is_empty());
}

fn cancel(machine: &mut Machine) {
    let deployment = machine.deployment(&[]);
    assert!(deployment.refuses(machine, 64, &["cancel"]).contains("was not started"));
    deployment.begin_and_wait(machine);
    let ended = deployment.gives(machine, 0, &["cancel"]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"cancelled".into()));
    machine.is_old();
    assert_eq!(deployment.gives(machine, 1, &["confirm", NONCE])["state"], "rolled_back");
    assert_eq!(deployment.gives(machine, 0, &["cancel"])["state"], "rolled_back");
    assert_eq!(deployment.gives(machine, 1, &["begin"])["state"], "rolled_back");
    assert_eq!(machine.activations(), ["new test", "old test"]);

    machine.hook_new("test", HOLD);
    let deployment = machine.deployment(&[]);
    deployment.begin(machine);
    machine.wait_held();
    let ended = deployment.gives(machine, 0, &["cancel"]);
    assert_eq!((&ended["activation_exit"], &ended["reason"]), (&125.into(), &"cancelled".into()));
    machine.is_old();
    assert_eq!(machine.activations(), ["new test", "old test"]);

    // Too late: a confirmed deployment is final.
    machine.unhook();
    machine.hook_new("boot", HOLD);
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    std::fs::write(machine.web().inside(&format!("{}/confirm", deployment.folder)), "").unwrap();
    machine.wait_held();
    std::fs::write(machine.web().inside(&format!("{}/cancel", deployment.folder)), "").unwrap();
    machine.release();
    assert_eq!(deployment.gives(machine, 1, &["cancel"])["state"], "confirmed");
    machine.is_new();
}

/// When it is confirmed, another system runs.
fn confirmed_too_late(machine: &mut Machine) {
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    machine.sh("ln -sfn /var/lib /run/current-system");
    let ended = deployment.gives(machine, 1, &["confirm", NONCE]);
    assert_eq!((&ended["state"], &ended["reason"]), (&"rolled_back".into(), &"wrong_system".into()));
    machine.is_old();
}

fn two_at_once(machine: &mut Machine) {
    let one = machine.deployment(&[]);
    let two = machine.deployment(&[]);
    one.begin_and_wait(machine);
    let worker = machine.part("worker");
    assert_eq!(one.gives(machine, 0, &["begin"])["state"], "waiting", "begun once");
    let why = two.refuses(machine, 75, &["begin"]);
    assert!(why.contains(&one.id), "it says who: {why}");
    assert!(!machine.web().inside(&format!("{}/state.json", two.folder)).exists());
    assert_eq!(machine.part("worker"), worker);
    assert_eq!(machine.activations(), ["new test"]);
    // The lock of a running deployment holds even if its folder is gone.
    let hidden = format!("{DEPLOYMENTS}/hidden");
    machine.sh(&format!("mv {} {hidden}", one.folder));
    two.refuses(machine, 75, &["begin"]);
    machine.sh(&format!("mv {hidden} {}", one.folder));

    // No process of the first is left: it is finished before the second begins.
    machine.kill(&["worker", "guardian"]);
    // Other processes have the recorded numbers by now, here the machine's first process, which must survive.
    machine.sh("cd /run/pantheros/lock && for part in starter worker guardian program logger; do echo 1 1 >$part; done");
    two.begin_and_wait(machine);
    assert_eq!(one.written(machine)["state"], "rolled_back");
    assert_eq!(machine.activations(), ["old test", "new test"]);
    two.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

/// Of many deployments that begin at the same moment, exactly one is accepted.
fn a_crowd(machine: &mut Machine) {
    let crowd: Vec<Deployment> = (0..6).map(|_| machine.deployment(&[])).collect();
    let begin: Vec<String> = crowd
        .iter()
        .map(|one| format!("sh {0}/supervisor begin {0} >/dev/null 2>&1 & ", one.folder))
        .collect();
    machine.sh(&format!("{} wait", begin.concat()));
    let begun: Vec<&Deployment> = crowd
        .iter()
        .filter(|one| machine.web().inside(&format!("{}/state.json", one.folder)).exists())
        .collect();
    assert_eq!(begun.len(), 1);
    begun[0].wait_for(machine, "waiting");
    assert_eq!(machine.activations(), ["new test"]);
    begun[0].gives(machine, 0, &["cancel"]);
    machine.is_old();
}

fn list_and_sweep(machine: &mut Machine) {
    let nothing = machine.deployment(&[]);
    assert!(nothing.run(machine, &["list"]).stdout.is_empty());
    let dry = [("action", "dry-activate")];
    let mut past: Vec<Deployment> = Vec::new();
    for _ in 0..7 {
        let one = machine.deployment(&dry);
        one.begin(machine);
        one.wait_for(machine, "checked");
        wait_until("it is over", || machine.part("worker").is_none());
        past.push(one);
    }
    let list = |machine: &mut Machine| -> Vec<String> {
        let listed = past[6].run(machine, &["list"]);
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        String::from_utf8(listed.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let ids: Vec<String> = past.iter().map(|one| one.id.clone()).collect();
    assert_eq!(list(machine), ids);

    // First none is old, then all are. The newest five stay, and so do the one that is not over and a foreign folder.
    assert!(nothing.run(machine, &["sweep"]).status.success());
    assert_eq!(list(machine), ids);
    // A deployment that was never begun is not listed.
    assert!(!list(machine).contains(&nothing.id));
    // One that was sent completely or in part is removed after an hour.
    let part = format!("{DEPLOYMENTS}/.new-{}", machine.next_id());
    machine.sh(&format!("mkdir {part}"));
    for (age, left) in [("59 minutes", true), ("61 minutes", false)] {
        machine.sh(&format!("touch -d '{age} ago' {part} {}", nothing.folder));
        assert!(past[6].run(machine, &["sweep"]).status.success());
        for folder in [&part, &nothing.folder] {
            assert_eq!(machine.web().inside(folder).exists(), left, "{folder}, {age}");
        }
    }
    let foreign = format!("{DEPLOYMENTS}/plan-of-somebody-else");
    machine.sh(&format!("mkdir {foreign}; cp {0}/state.json {foreign}", past[0].folder));
    machine.sh(&format!("sed -i 's/\"checked\"/\"waiting\"/' {}/state.json", past[0].folder));
    machine.sh("mkdir -p /nix/var/nix/gcroots/pantheros");
    for (age, one) in past.iter().rev().enumerate() {
        machine.sh(&format!(
            "ln -sfn / /nix/var/nix/gcroots/pantheros/{}; touch -d '{} days ago' {}",
            one.id,
            31 + age,
            one.folder
        ));
    }
    machine.sh(&format!("touch -d '99 days ago' {foreign}"));
    assert!(past[6].run(machine, &["sweep"]).status.success());
    assert_eq!(list(machine), [&ids[..1], &ids[2..]].concat());
    assert!(machine.web().inside(&foreign).exists());
    assert!(!machine.web().inside(&past[1].folder).exists());
    let roots = machine.sh("ls /nix/var/nix/gcroots/pantheros");
    assert!(!roots.contains(&ids[1]) && roots.contains(&ids[2]), "{roots}");
    // 29 days are not old. The next `begin` finishes the deployment that was not over, which also makes it new.
    machine.sh(&format!("touch -d '29 days ago' {}", past[2].folder));
    let newer = machine.deployment(&dry);
    newer.begin(machine);
    newer.wait_for(machine, "checked");
    assert!(newer.run(machine, &["sweep"]).status.success());
    assert_eq!(list(machine), [&ids[..1], &ids[2..3], &ids[5..], &[newer.id]].concat());
}

/// With systemd the supervisor is a unit. Here a stand-in for `systemd-run` starts it.
fn under_systemd(machine: &mut Machine) {
    machine.sh("mkdir -p /run/systemd/system");
    // Replaces systemd, which does not run here: writes its arguments to a file, and runs the program.
    let fake = "#!/bin/sh\nprintf '%s\\n' \"$@\" >/var/lib/unit\nuntil [ \"${1##*/}\" = sh ]; do shift; done\n\
                setsid \"$@\" </dev/null >/dev/null 2>&1 &\n";
    for (name, text) in [("systemd-run", fake), ("systemctl", "#!/bin/sh\n")] {
        let path = machine.web().path(&format!("/var/lib/programs/{name}"));
        std::fs::write(&path, text).unwrap();
        machine.sh(&format!("chmod +x /var/lib/programs/{name}"));
    }
    let deployment = machine.deployment(&[]);
    deployment.begin_and_wait(machine);
    let unit = std::fs::read_to_string(machine.web().path("/var/lib/unit")).unwrap();
    let name = format!("--unit=pantheros-deploy-{}", deployment.id);
    for word in [&name, "--collect", "--property=KillMode=process", "--property=Restart=on-failure"] {
        assert!(unit.lines().any(|line| line == word), "{word}: {unit}");
    }
    // systemd starts another guardian although the worker has already done so: the second one exits.
    let (guardian, folder) = (machine.part("guardian"), &deployment.folder);
    machine.sh(&format!("sh {folder}/supervisor supervise {folder}"));
    assert_eq!(machine.part("guardian"), guardian);
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

#[test]
fn commands_at_the_right_time_and_the_wrong_one() {
    side_by_side::<fn(&mut Machine)>(&[
        ("confirm", confirm),
        ("cancel", cancel),
        ("confirmed too late", confirmed_too_late),
        ("two at once", two_at_once),
        ("a crowd", a_crowd),
        ("list and sweep", list_and_sweep),
        ("under systemd", under_systemd),
    ]);
}
