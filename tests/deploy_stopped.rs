//! A rollout that is stopped halfway: if the approved plan takes confirmed hosts back, they are taken back, whoever
//! stops it.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use crate::common::fleet::nixes;
use crate::common::mcp::Client;
use crate::common::site::Site;
use crate::common::wait::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Three hosts, one after the other. The activation of the second takes 2 s longer.
fn site() -> Site {
    let mut site = Site::start(&nixes().pop().unwrap(), &NAMES, &json!({"rollbackTimeout": 60}));
    site.hook("b", "2-test", "activate; sleep 2");
    site
}

fn planned(site: &Site) -> String {
    site.approved(&json!({"hosts": NAMES, "wave": 1, "revert_confirmed": true}))
}

/// Waits until the first host is confirmed and the second wave activates.
fn second_wave(site: &mut Site, plan: &str) {
    site.wait_for("a", plan, "confirmed");
    site.wait_for("b", plan, "activating");
}

fn signal(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), signal).unwrap();
}

fn deploying(site: &Site, plan: &str) -> Child {
    site.deploying(plan).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The id of the deployment on this host that takes `plan` back, if there is one.
fn takes_back(site: &mut Site, host: &str, plan: &str) -> Option<String> {
    let folder = site.machine(host).path("/var/lib/pantheros/deployments");
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.find(|name| name.starts_with("plan-") && name != plan)
}

fn all_are_back(site: &mut Site) {
    for name in NAMES {
        let first = site.first(name);
        wait_until(name, || site.machine(name).current_system() == first);
        site.settled(name, &first, &first);
    }
    assert!(site.activations("c").is_empty());
}

fn hints(json: &Value) -> Vec<&str> {
    let hosts = json["hosts"].as_array().unwrap().iter();
    hosts.map(|host| host["error"]["hint"].as_str().unwrap_or_default()).collect()
}

#[test]
fn who_interrupts_it_takes_back_what_was_confirmed() {
    let mut site = site();
    let plan = planned(&site);
    let deploying = deploying(&site, &plan);
    second_wave(&mut site, &plan);
    signal(deploying.id(), Signal::INT);
    let ended = deploying.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("stopping the deployment"), "{said}");
    let json: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let told: Vec<_> = json["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| (host["state"].as_str().unwrap(), host["error"]["code"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [("rolled_back", "rolled_back"), ("rolled_back", "rolled_back"), ("refused", "cancelled")],
        "{json:#}"
    );
    let messages: Vec<&str> =
        (0..3).map(|host| json["hosts"][host]["error"]["message"].as_str().unwrap()).collect();
    assert_eq!(messages[0], "a was rolled back, because the rollout was stopped");
    assert!(messages[1].contains("the rollout was stopped before the host was confirmed"), "{messages:?}");
    assert!(messages[2].contains("this host was not deployed to"), "{messages:?}");
    // The approval is used up.
    assert_eq!(site.deploy(&plan).error_code(), "approval_spent");
    for hint in hints(&json) {
        assert!(hint.contains("make a new plan") && !hint.contains("call again"), "{hint}");
    }
    all_are_back(&mut site);
    assert_eq!(site.audited().iter().filter(|event| *event == "rolled_back").count(), 2);
}

#[test]
fn who_interrupts_it_twice_leaves_hosts_to_themselves() {
    let mut site = site();
    // The rollback takes longer than the person waits.
    site.hook("a", "1-test", "sleep 20");
    let plan = planned(&site);
    let mut deploying = deploying(&site, &plan);
    second_wave(&mut site, &plan);
    signal(deploying.id(), Signal::INT);
    wait_until("it goes back", || takes_back(&mut site, "a", &plan).is_some());
    let back = takes_back(&mut site, "a", &plan).unwrap();
    site.wait_for("a", &back, "activating");
    signal(deploying.id(), Signal::INT);
    wait_until("it ends", || deploying.try_wait().unwrap().is_some());
    let ended = deploying.wait_with_output().unwrap();
    let json: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let host = &json["hosts"][0];
    assert_eq!(host["state"], "unreachable", "{json:#}");
    assert!(host["error"]["message"].as_str().unwrap().contains("its rollback was not observed"), "{json:#}");
    assert!(host["error"]["hint"].as_str().unwrap().contains("host_status"), "{json:#}");
    assert!(site.machine("a").says(&["true"]).is_empty(), "it can be reached");
}

#[test]
fn a_server_that_is_to_end_takes_back_what_was_confirmed() {
    for ends in ["SIGTERM", "its client leaves"] {
        let mut site = site();
        let plan = planned(&site);
        let mut client = Client::begun(&site.fleet, &[], "2025-11-25");
        client.ask("tools/call", json!({"name": "deploy", "arguments": {"plan_id": plan}}));
        second_wave(&mut site, &plan);
        if ends == "SIGTERM" {
            client.signal(Signal::TERM);
        } else {
            client.close();
        }
        assert!(client.ends().success(), "{ends}: {}", client.said());
        assert!(client.said().contains("stopping the deployment"), "{ends}: {}", client.said());
        all_are_back(&mut site);
        assert_eq!(site.audited().iter().filter(|event| *event == "rolled_back").count(), 2, "{ends}");
    }
}

#[test]
fn confirmed_hosts_go_back_side_by_side_if_the_call_is_cancelled() {
    let mut site = Site::start(&nixes().pop().unwrap(), &NAMES, &json!({"rollbackTimeout": 60}));
    site.hook("c", "2-test", "activate; sleep 2");
    // Each host waits until the other one goes back, too.
    let met = site.fleet.folder().with_file_name("met");
    std::fs::create_dir(&met).unwrap();
    let met = met.display();
    for (host, other) in [("a", "b"), ("b", "a")] {
        let script = format!(
            "touch {met}/{host}; n=0; while [ ! -e {met}/{other} ]; do n=$((n + 1)); [ $n -lt 150 ] || exit 1; \
             sleep 0.1; done"
        );
        site.hook(host, "1-test", &script);
    }
    let plan = planned(&site);
    let mut client = Client::begun(&site.fleet, &[], "2025-11-25");
    let id = client.ask("tools/call", json!({"name": "deploy", "arguments": {"plan_id": plan}}));
    site.wait_for("a", &plan, "confirmed");
    site.wait_for("b", &plan, "confirmed");
    site.wait_for("c", &plan, "activating");
    client.cancel(id);
    for name in NAMES {
        let first = site.first(name);
        wait_until(name, || site.machine(name).current_system() == first);
        site.settled(name, &first, &first);
    }
    client.close();
    assert!(client.ends().success(), "{}", client.said());
    assert_eq!(site.audited().iter().filter(|event| *event == "rolled_back").count(), 3);
}

#[test]
fn who_interrupts_a_rollback_leaves_no_plan() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let second = site.toplevel("web");
    site.machine("web").install(&nix, &second);
    // After the host was reached, Git hangs when the program asks about the flake.
    let beside = |name: &str| site.fleet.folder().with_file_name(name);
    let (reached, asked, programs) = (beside("reached"), beside("asked"), beside("programs"));
    site.ssh_after(&format!(": >{reached:?}"));
    let path = std::env::var("PATH").unwrap();
    let git = format!(
        "#!/bin/sh\nif [ -e {reached:?} ]; then : >{asked:?}; exec sleep 600; fi\nPATH={path:?}; exec git \"$@\"\n"
    );
    std::fs::create_dir(&programs).unwrap();
    std::fs::write(programs.join("git"), git).unwrap();
    std::fs::set_permissions(programs.join("git"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = site.fleet.command(&["call", "--quiet", "rollback_host", "host=web"]);
    command.env("PATH", format!("{}:{path}", programs.display()));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("Git is asked", || asked.exists());
    signal(child.id(), Signal::INT);
    let ended = child.wait_with_output().unwrap();
    let json: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(json["error"]["code"], "cancelled", "{json:#}");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!said.contains("has no revision of the flake"), "{said}");
    let plans = site.fleet.command(&["plans"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&plans.stdout).contains("plan-"), "{plans:?}");
}
