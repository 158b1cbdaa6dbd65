//! Machines that require a signature, made by the real `ssh-keygen`.

use pantheros_mcp::testing::deploy::Plan;
use serde_json::{Value, json};

use crate::supervisor::machine::{Deployment, Machine, NONCE, side_by_side};

const SIGNERS: &str = "/etc/pantheros/allowed_signers";

/// The plan of a deployment of the new system on this machine.
fn plan(machine: &mut Machine, id: &str) -> Value {
    let machine_id = machine.sh("cat /etc/machine-id");
    let host = |name: &str, machine_id: &str, toplevel: &str| {
        json!({
            "host": name,
            "target": {"address": "web.example.org", "user": "deploy"},
            "host_keys": ["ssh-ed25519 AAAAC3Nza"],
            "machine_id": machine_id,
            "boot_id": "2",
            "system": "x86_64-linux",
            "toplevel": toplevel,
            "current": machine.old.path,
            "profile_generation": 1,
            "profile_path": machine.old.path,
            "source": "new",
            "build_on": "local",
            // These equal the defaults of the spec.
            "rollback_timeout": 20,
            "activation_timeout": 10,
            "reboot_on_failure": false,
            "health_checks": [{"command": ["sh", "-c", "echo '{}', \"[]\""]}],
            // Text that imitates the structure of a plan, against a check that only searches the text.
            "risks": [{"code": "note", "severity": "note", "evidence": "{\"id\":\"x\",\"action\":\"boot\"},{", "mend": "none"}],
            "diff": {"packages": [], "closure_bytes": 10, "closure_delta_bytes": -1},
            "needs_reboot": false,
        })
    };
    let other = format!("/nix/store/{}-other", "0".repeat(32));
    json!({
        "version": 2,
        "id": id,
        "created": "2026-01-01T00:00:00Z",
        "expires": "2099-01-01T00:00:00Z",
        "action": "switch",
        "flake": {"folder": "/fleet", "dirty": false},
        "requested_by": {"client": "a client 1", "user": "alice"},
        "hosts": [host("db", &"0".repeat(32), &other), host("web", &machine_id, &machine.new.path)],
        "canary": 1,
        "wave": 4,
        "revert_confirmed": false,
    })
}

/// Writes the plan in its canonical form and signs it.
fn sign(machine: &mut Machine, deployment: &Deployment, plan: Value, key: &str, namespace: &str) {
    let plan: Plan = serde_json::from_value(plan).unwrap();
    let folder = &deployment.folder;
    std::fs::write(machine.web().inside(&format!("{folder}/plan")), plan.canonical().unwrap()).unwrap();
    machine.sh(&format!(
        "cd {folder} && ssh-keygen -q -Y sign -f /var/lib/{key} -n {namespace} plan && mv plan.sig signature"
    ));
}

fn refused(machine: &mut Machine, deployment: &Deployment, why: &str) {
    let refused = deployment.gives(machine, 77, &["begin"]);
    assert_eq!((&refused["state"], &refused["reason"]), (&"refused".into(), &"signature".into()), "{why}");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(why), "{message}, and not {why}");
    assert!(machine.activations().is_empty());
    machine.is_old();
}

const UNSIGNED: &str = "is not signed";
const UNKNOWN: &str = "is not one of those";
const ANOTHER: &str = "is another one";
const EXPIRED: &str = "has expired";

fn signatures(machine: &mut Machine) {
    machine.sh(
        "cd /var/lib && for key in alice mallory; do ssh-keygen -q -t ed25519 -N '' -C $key -f $key; done; \
         mkdir -p /etc/pantheros; \
         { echo '# who may deploy'; echo \"bob@example.org $(ssh-keygen -q -t ed25519 -N '' -f bob; cat bob.pub)\"; \
           echo \"alice@example.org,alice namespaces=\\\"pantheros-deploy\\\" $(cat alice.pub)\"; } >/etc/pantheros/allowed_signers",
    );
    let own = "pantheros-deploy";
    let unsigned = machine.deployment(&[]);
    refused(machine, &unsigned, UNSIGNED);
    // The signers of the spec do not count.
    machine.sh("sed 's/^/mallory /' /var/lib/mallory.pub >/var/lib/signers");
    let signers = ("allowed_signers", "/var/lib/signers");
    let deployment = machine.deployment(&[signers]);
    let good = plan(machine, &deployment.id);
    sign(machine, &deployment, good, "mallory", own);
    refused(machine, &deployment, UNKNOWN);
    for (key, namespace) in [("mallory", own), ("alice", "file"), ("alice", "pantheros"), ("bob", "git")] {
        let deployment = machine.deployment(&[]);
        let good = plan(machine, &deployment.id);
        sign(machine, &deployment, good, key, namespace);
        refused(machine, &deployment, UNKNOWN);
    }

    // Altered after it was signed, by a byte or completely.
    for alteration in ["s/\"wave\":4/\"wave\":5/", "s/$/ /", "s/.*//"] {
        let deployment = machine.deployment(&[]);
        let good = plan(machine, &deployment.id);
        sign(machine, &deployment, good, "alice", own);
        machine.sh(&format!("sed -i '{alteration}' {}/plan", deployment.folder));
        refused(machine, &deployment, UNKNOWN);
    }
    for signature in ["", "junk", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"] {
        let deployment = machine.deployment(&[]);
        let good = plan(machine, &deployment.id);
        sign(machine, &deployment, good, "alice", own);
        std::fs::write(machine.web().inside(&format!("{}/signature", deployment.folder)), signature).unwrap();
        refused(machine, &deployment, UNKNOWN);
    }

    // Signed by the right person, but for something else.
    let other_id = machine.next_id();
    let new = machine.new.path.clone();
    let alterations: [(&str, &str, Value, &str); 13] = [
        ("another machine", "/hosts/1/machine_id", "1".repeat(32).into(), ANOTHER),
        ("no machine", "/hosts/1/machine_id", "".into(), ANOTHER),
        ("another system", "/hosts/1/toplevel", format!("{new}x").into(), ANOTHER),
        ("another action", "/action", "test".into(), ANOTHER),
        ("another plan", "/id", other_id.into(), ANOTHER),
        ("expired", "/expires", "2026-01-01T00:00:01Z".into(), EXPIRED),
        ("the other host's system", "/hosts/0/toplevel", new.clone().into(), ANOTHER),
        ("another previous system", "/hosts/1/current", format!("{new}x").into(), ANOTHER),
        ("more time to confirm", "/hosts/1/rollback_timeout", 21.into(), ANOTHER),
        ("more time to activate", "/hosts/1/activation_timeout", 11.into(), ANOTHER),
        ("a reboot where it cannot go back", "/hosts/1/reboot_on_failure", true.into(), ANOTHER),
        ("an older generation", "/hosts/1/source", json!({"generation": 1}), ANOTHER),
        ("a system that nothing names", "/hosts/1/source", "present".into(), ANOTHER),
    ];
    for (what, pointer, value, why) in alterations {
        let deployment = machine.deployment(&[]);
        let mut altered = plan(machine, &deployment.id);
        *altered.pointer_mut(pointer).unwrap() = value;
        if what == "the other host's system" {
            altered["hosts"][1]["toplevel"] = format!("{new}x").into();
        }
        sign(machine, &deployment, altered, "alice", own);
        refused(machine, &deployment, why);
    }
    // The deployment differs from what was signed.
    let old = machine.old.path.clone();
    let boots = ("action", "boot");
    for spec in [
        &[boots][..],
        &[("action", "test")],
        &[("previous", &new)],
        &[("toplevel", &old)],
        &[("profile", "/nix/var/nix/profiles/system-profiles/other")],
        &[("confirm_seconds", "19")],
        &[("activation_seconds", "86400")],
        &[("reboot_on_failure", "1")],
        &[("generation", "1")],
        &[("boot_once", "1")],
    ] {
        let deployment = machine.deployment(spec);
        let good = plan(machine, &deployment.id);
        sign(machine, &deployment, good, "alice", own);
        refused(machine, &deployment, ANOTHER);
    }
    // The same for the reboot, and for starting the system once.
    for (spec, reboot, boot_once) in [
        (&[boots, ("reboot", "1")][..], false, false),
        (&[boots], true, false),
        (&[boots, ("reboot", "1"), ("boot_once", "1")], true, false),
        (&[boots, ("reboot", "1")], true, true),
    ] {
        let deployment = machine.deployment(spec);
        let mut altered = plan(machine, &deployment.id);
        altered["action"] = "boot".into();
        altered["reboot"] = reboot.into();
        altered["hosts"][1]["boot_once"] = boot_once.into();
        sign(machine, &deployment, altered, "alice", own);
        refused(machine, &deployment, ANOTHER);
    }

    // A dangling link to the approvers, or an empty list, approves nobody.
    machine.sh(&format!("mv {SIGNERS} {SIGNERS}.kept; ln -s /nowhere {SIGNERS}"));
    for line in [":", "rm /etc/pantheros/allowed_signers; touch /etc/pantheros/allowed_signers"] {
        machine.sh(line);
        let deployment = machine.deployment(&[signers]);
        let good = plan(machine, &deployment.id);
        sign(machine, &deployment, good, "mallory", own);
        refused(machine, &deployment, UNKNOWN);
    }
    machine.sh(&format!("mv {SIGNERS}.kept {SIGNERS}"));

    let deployment = machine.deployment(&[]);
    let good = plan(machine, &deployment.id);
    sign(machine, &deployment, good, "alice", own);
    deployment.begin_and_wait(machine);
    deployment.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

/// If a plan is to be taken back when another host fails, its signature approves taking it back, too, and nothing else.
fn taking_it_back(machine: &mut Machine) {
    machine
        .sh("cd /var/lib && ssh-keygen -q -t ed25519 -N '' -C alice -f alice && mkdir -p /etc/pantheros && \
         sed 's/^/alice /' alice.pub >/etc/pantheros/allowed_signers");
    let forward = |machine: &mut Machine, revert: bool| {
        let deployment = machine.deployment(&[]);
        let mut plan = plan(machine, &deployment.id);
        plan["revert_confirmed"] = revert.into();
        sign(machine, &deployment, plan.clone(), "alice", "pantheros-deploy");
        (deployment, plan)
    };
    let back = |machine: &mut Machine, of: &Deployment, plan: &Value, toplevel: &str| {
        let previous = machine.new.path.clone();
        let deployment = machine.deployment(&[
            ("reverts", &of.id),
            ("toplevel", toplevel),
            ("previous", &previous),
            ("generation", "1"),
        ]);
        sign(machine, &deployment, plan.clone(), "alice", "pantheros-deploy");
        deployment
    };
    let (old, new) = (machine.old.path.clone(), machine.new.path.clone());
    let (fickle, plan) = forward(machine, true);
    // Refused before the plan was deployed.
    let early = back(machine, &fickle, &plan, &old);
    refused(machine, &early, ANOTHER);
    fickle.begin_and_wait(machine);
    fickle.gives(machine, 0, &["confirm", NONCE]);
    machine.swap();
    machine.activations();
    let elsewhere = back(machine, &fickle, &plan, &new);
    assert_eq!(elsewhere.gives(machine, 77, &["begin"])["reason"], "signature");
    // Nor from another system, nor to another generation, or to a new one.
    for (previous, generation) in [(&old, Some("1")), (&new, Some("2")), (&new, None)] {
        let mut spec = vec![("reverts", fickle.id.as_str()), ("toplevel", &old), ("previous", previous)];
        spec.extend(generation.map(|number| ("generation", number)));
        let other = machine.deployment(&spec);
        sign(machine, &other, plan.clone(), "alice", "pantheros-deploy");
        let refused = other.gives(machine, 77, &["begin"]);
        assert_eq!(refused["reason"], "signature", "{previous} {generation:?}");
    }
    machine.swap();
    let right = back(machine, &fickle, &plan, &old);
    right.begin_and_wait(machine);
    right.gives(machine, 0, &["confirm", NONCE]);
    machine.is_old();

    // A system that is only staged never ran, so taking it back begins at the old system, too.
    let staged = machine.deployment(&[("action", "boot")]);
    let mut boots = self::plan(machine, &staged.id);
    boots["action"] = "boot".into();
    boots["revert_confirmed"] = true.into();
    boots["hosts"][1]["profile_generation"] = 1.into();
    sign(machine, &staged, boots.clone(), "alice", "pantheros-deploy");
    staged.gives(machine, 0, &["begin"]);
    staged.wait_for(machine, "staged");
    let unstaged = machine.deployment(&[
        ("action", "boot"),
        ("reverts", &staged.id),
        ("toplevel", &old),
        ("previous", &old),
        ("generation", "1"),
    ]);
    sign(machine, &unstaged, boots, "alice", "pantheros-deploy");
    unstaged.gives(machine, 0, &["begin"]);
    unstaged.wait_for(machine, "staged");
    machine.is_old();

    let (steady, plan) = forward(machine, false);
    steady.begin_and_wait(machine);
    steady.gives(machine, 0, &["confirm", NONCE]);
    let never = back(machine, &steady, &plan, &old);
    assert_eq!(never.gives(machine, 77, &["begin"])["reason"], "signature");
    machine.is_new();
}

/// Without a list on the machine, the list in the spec counts.
fn signers_of_the_spec(machine: &mut Machine) {
    machine.sh(
        "cd /var/lib && ssh-keygen -q -t ed25519 -N '' -C alice -f alice && sed 's/^/alice /' alice.pub >signers",
    );
    for signers in ["/var/lib/signers", "/var/lib/none"] {
        let unsigned = machine.deployment(&[("allowed_signers", signers)]);
        refused(machine, &unsigned, UNSIGNED);
    }
    let deployment = machine.deployment(&[("allowed_signers", "/var/lib/signers")]);
    let good = plan(machine, &deployment.id);
    sign(machine, &deployment, good, "alice", "pantheros-deploy");
    deployment.begin_and_wait(machine);
    deployment.gives(machine, 0, &["cancel"]);
    machine.is_old();
}

#[test]
fn nothing_is_deployed_that_nobody_signed() {
    side_by_side::<fn(&mut Machine)>(&[
        ("signatures", signatures),
        ("signers of the spec", signers_of_the_spec),
        ("taking it back", taking_it_back),
    ]);
}
