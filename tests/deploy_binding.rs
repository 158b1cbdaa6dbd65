//! What a plan is bound to: if any of it changed, or this exact plan was not approved, nothing is deployed.

use std::path::PathBuf;
use std::time::Duration;

use crate::common::fleet::nixes;
use crate::common::plan::{approvals, key};
use crate::common::site::Site;
use pantheros_mcp::testing::deploy::Plan;
use pantheros_mcp::testing::names::PlanId;
use pantheros_mcp::testing::time::Timestamp;
use serde_json::json;

fn site() -> Site {
    Site::start(&nixes().pop().unwrap(), &["web"], &json!({}))
}

fn hosts() -> serde_json::Value {
    json!({"hosts": ["web"]})
}

/// Deploying the plan fails with this error and leaves the host as it was.
fn refused(site: &mut Site, plan: &str, code: &str, why: &str) {
    let answer = site.deploy(plan);
    assert_eq!((answer.code, answer.error_code()), (1, code), "{why}: {:#}", answer.json);
    let message = answer.json["error"]["message"].as_str().unwrap();
    assert!(message.contains(why), "{message}, and not {why}");
    if let Some(hosts) = answer.json.get("hosts") {
        assert_eq!(hosts[0]["state"], "refused", "{:#}", answer.json);
    }
    assert!(
        site.activations("web").iter().all(|line| !line.starts_with("2 ")),
        "{:?}",
        site.activations("web")
    );
}

/// A file in the folder of plans.
fn file(site: &Site, name: &str) -> PathBuf {
    site.fleet.folder().with_file_name("state").join("plans").join(name)
}

/// Stores a changed copy of a plan under another id, and returns that id.
fn changed(site: &Site, plan: &str, change: impl FnOnce(&mut Plan)) -> String {
    let approvals = approvals(&site.fleet);
    let mut plan = approvals.plans().load(&plan.parse().unwrap()).unwrap().plan().clone();
    plan.id = PlanId::random().unwrap();
    change(&mut plan);
    approvals.plans().save(plan).unwrap().plan().id.to_string()
}

#[test]
fn the_flake_changed() {
    let mut site = site();
    let first = site.first("web");
    let plan = site.approved(&hosts());
    site.revise("3");
    refused(&mut site, &plan, "plan_outdated", "another commit");
    let plan = site.approved(&hosts());
    site.fleet.write(
        "fleet.json",
        &std::fs::read_to_string(site.fleet.folder().join("fleet.json")).unwrap().replace("25.05", "25.11"),
    );
    refused(&mut site, &plan, "plan_outdated", "other uncommitted changes");
    // Planned with changes that no commit holds, and changed again: told apart by what it evaluates to.
    let plan = site.plan(&hosts());
    let risks =
        approvals(&site.fleet).plans().load(&plan.parse().unwrap()).unwrap().plan().blocking_risks().len();
    assert_eq!(risks, 1, "state_version_changed");
    site.fleet.git(&["checkout", "-q", "fleet.json"]);
    site.fleet.write("README", "more");
    site.fleet.git(&["add", "README"]);
    let dirty = site.approved(&hosts());
    site.fleet.write(
        "fleet.json",
        &std::fs::read_to_string(site.fleet.folder().join("fleet.json")).unwrap().replace("\"3\"", "\"4\""),
    );
    refused(&mut site, &dirty, "plan_outdated", "in the flake is now");
    site.settled("web", &first, &first);
    assert_eq!(site.audited().iter().filter(|event| *event == "host_finished").count(), 3);
}

#[test]
fn the_machine_changed() {
    let nix = nixes().pop().unwrap();
    let mut site = site();
    let first = site.first("web");
    // Somebody on the machine made another generation.
    let plan = site.approved(&hosts());
    site.machine("web").says(&["sh", "-c", "cp -r /run/current-system/ /tmp/other && nix-env -p /nix/var/nix/profiles/system --set $(nix-store --add /tmp/other)"]);
    refused(&mut site, &plan, "plan_outdated", "another generation");
    site.machine("web").says(&["nix-env", "-p", "/nix/var/nix/profiles/system", "--rollback"]);
    // Another system runs.
    let plan = site.approved(&hosts());
    let second = site.toplevel("web");
    site.machine("web").copy(&nix, &second);
    site.machine("web").says(&["ln", "-sfn", &second, "/run/current-system"]);
    refused(&mut site, &plan, "plan_outdated", "runs another system");
    site.machine("web").says(&["ln", "-sfn", &first, "/run/current-system"]);
    // Another machine answers at the same address: it has another machine id.
    let plan = site.approved(&hosts());
    let id = site.machine("web").says(&["cat", "/etc/machine-id"]);
    site.machine("web").says(&["sh", "-c", "echo 0123456789abcdef0123456789abcdef >/etc/machine-id"]);
    refused(&mut site, &plan, "plan_outdated", "another machine answers");
    site.machine("web").says(&["sh", "-c", &format!("echo {id} >/etc/machine-id")]);
    // The machine is off.
    let plan = site.approved(&hosts());
    site.machine("web").power_off();
    let answer = site.deploy(&plan);
    assert_eq!((answer.code, answer.error_code()), (1, "host_unreachable"), "{:#}", answer.json);
    assert_eq!(answer.json["hosts"][0]["state"], "unreachable");
    site.machine("web").start();
    site.settled("web", &first, &first);
}

#[test]
fn the_host_key_changed() {
    let mut site = site();
    let first = site.first("web");
    let plan = site.approved(&hosts());
    let old = site.machine("web").renew_host_key();
    refused(&mut site, &plan, "changed_host_key", "another host key");
    // A person accepts the new key, but the plan is for the machine with the old one.
    let known = std::fs::read_to_string(site.targets.known_hosts()).unwrap();
    let new = site.machine("web").host_key();
    std::fs::write(site.targets.known_hosts(), known.replace(old.trim(), new.trim())).unwrap();
    let plan = site.approved(&hosts());
    let forged =
        changed(&site, &plan, |plan| plan.hosts[0].host_keys = vec!["ssh-ed25519 SHA256:other".into()]);
    assert!(site.approve(&forged).status.success());
    refused(&mut site, &forged, "plan_outdated", "another host key");
    site.settled("web", &first, &first);
}

#[test]
fn an_approval_is_for_one_plan_one_time_and_not_for_long() {
    let mut site = site();
    let plan = site.plan(&hosts());
    refused(&mut site, &plan, "approval_required", "waits for a person");

    let short = changed(&site, &plan, |plan| plan.expires = Timestamp::now().after(Duration::from_secs(2)));
    assert!(site.approve(&short).status.success());
    std::thread::sleep(Duration::from_secs(3));
    refused(&mut site, &short, "plan_expired", "expired");

    // The plan's file was altered after the approval.
    let altered = changed(&site, &plan, |_| {});
    assert!(site.approve(&altered).status.success());
    let path = file(&site, &format!("{altered}.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"wave\":16", "\"wave\":99")).unwrap();
    refused(&mut site, &altered, "invalid_approval", "the plan was altered since");

    // An approval that somebody forged, or took from another plan.
    let good = changed(&site, &plan, |_| {});
    assert!(site.approve(&good).status.success());
    let approval = std::fs::read_to_string(file(&site, &format!("{good}.approval.json"))).unwrap();
    let forged = changed(&site, &plan, |_| {});
    let write = |text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = file(&site, &format!("{forged}.approval.json"));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    };
    write(&approval);
    let answer = site.deploy(&forged);
    assert_eq!(answer.error_code(), "invalid_approval", "{:#}", answer.json);
    write(&approval.replace(&good, &forged));
    assert_eq!(site.deploy(&forged).error_code(), "invalid_approval");
    write(&approval.replace("\"signature\":\"", "\"signature\":\"x"));
    assert_eq!(site.deploy(&forged).error_code(), "invalid_approval");
    write("{}");
    assert_eq!(site.deploy(&forged).error_code(), "invalid_approval");

    // The signer's key is not listed.
    let stranger = key(&site.fleet, "stranger", "");
    let signed =
        site.fleet.command(&["approve", &forged, "--batch", "--sign"]).arg(stranger).output().unwrap();
    assert_eq!(signed.status.code(), Some(1), "{signed:?}");

    let second = site.toplevel("web");
    let answer = site.deploy(&good);
    assert_eq!(answer.code, 0, "{:#}", answer.json);
    assert_eq!(site.deploy(&good).error_code(), "approval_spent");
    site.settled("web", &second, &second);
}

#[test]
fn no_argument_is_an_approval() {
    let mut site = site();
    let first = site.first("web");
    let plan = site.plan(&hosts());
    for consent in ["confirm", "approved", "approve", "force", "yes", "user_approved", "confirmation"] {
        for value in [json!(true), json!("yes"), json!("web"), json!(plan)] {
            for (tool, mut arguments) in [
                ("deploy", json!({"plan_id": plan})),
                ("rollback_host", json!({"host": "web"})),
                ("plan_deploy", hosts()),
            ] {
                arguments[consent] = value.clone();
                let answer = site.fleet.call(tool, &arguments);
                assert_eq!((answer.code, answer.error_code()), (2, "invalid_input"), "{tool} {arguments}");
                let hint = answer.json["error"]["hint"].as_str().unwrap();
                assert!(
                    tool == "plan_deploy" || hint.contains("no argument can replace the approval"),
                    "{tool}: {hint}"
                );
            }
        }
    }
    refused(&mut site, &plan, "approval_required", "waits for a person");
    site.settled("web", &first, &first);
}
