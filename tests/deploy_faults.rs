//! Faults during a deployment: whatever fails, the host ends on the confirmed new system, or on the old one.

use std::process::{Child, Stdio};

use crate::common::fleet::{alive, nixes, told};
use crate::common::mcp::Client;
use crate::common::site::Site;
use crate::common::terminal::Terminal;
use crate::common::wait::wait_until;
use pantheros_mcp::testing::time::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// Seconds in which a host has to be confirmed.
const CONFIRMED_WITHIN: u64 = 10;

fn site() -> Site {
    Site::start(&nixes().pop().unwrap(), &["web"], &json!({"rollbackTimeout": CONFIRMED_WITHIN}))
}

/// Starts `pantheros-mcp call deploy`.
fn deploying(site: &Site, plan: &str) -> Child {
    site.deploying(plan).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

/// Most seconds from the beginning of a deployment to its end, by its supervisor's account: the activation, the missed
/// confirmation and the rollback. Waiting twice for a confirmation would exceed it.
const OVER_WITHIN: u64 = CONFIRMED_WITHIN * 5 / 2;

/// Waits until the host runs its old system. Nothing of the deployment may be left here or there.
fn is_back(site: &mut Site, plan: &str) {
    let first = site.first("web");
    wait_until("it is back", || site.machine("web").current_system() == first);
    site.settled("web", &first, &first);
    let story = site.written("web", plan);
    let took = seconds_of(&story);
    assert!(took <= OVER_WITHIN, "over after {took} s: {story:#}");
    let config = site.targets.ssh_config();
    wait_until("no ssh of ours is left", || !alive(&format!("-M -S\0-F\0{}", config.display())));
}

/// Seconds from the beginning of a deployment to the supervisor's last write of its state.
fn seconds_of(story: &Value) -> u64 {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: u64 = uptime.split('.').next().unwrap().parse().unwrap();
    let updated: Timestamp = story["updated"].as_str().unwrap().parse().unwrap();
    let updated = uptime - Timestamp::now().since(updated).as_secs();
    // Both values are rounded to whole seconds.
    updated.saturating_sub(story["started_uptime"].as_u64().unwrap())
}

#[test]
fn the_server_is_killed_before_activation() {
    let mut site = site();
    let first = site.first("web");
    site.change(|facts| facts["bytes"] = 60_000_000.into());
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let mut server = deploying(&site, &plan);
    // The copy of this test; other tests copy at the same time.
    let copy = format!("ssh-ng://root@web:{}", site.machine("web").port);
    wait_until("it copies", || alive(&copy));
    signal(&server, Signal::KILL);
    server.wait().unwrap();
    site.settled("web", &first, &first);
    assert!(site.activations("web").is_empty());
    // The approval is spent: a person has to approve again.
    assert_eq!(site.deploy(&plan).error_code(), "approval_spent");
}

#[test]
fn the_server_is_killed_during_activation() {
    let mut site = site();
    site.hook("web", "2-test", "sleep 2");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let mut server = deploying(&site, &plan);
    site.wait_for("web", &plan, "activating");
    signal(&server, Signal::KILL);
    server.wait().unwrap();
    site.wait_for("web", &plan, "waiting");
    is_back(&mut site, &plan);
    assert_eq!(site.activations("web"), ["2 test", "1 test"]);
    assert_eq!(site.written("web", &plan)["reason"], "not_confirmed");
}

#[test]
fn the_server_is_killed_while_it_confirms() {
    let mut site = site();
    site.hook("web", "2-boot", "sleep 2");
    let second = site.toplevel("web");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let mut server = deploying(&site, &plan);
    site.wait_for("web", &plan, "confirming");
    signal(&server, Signal::KILL);
    server.wait().unwrap();
    // The confirmation had arrived, so the host completes it.
    site.wait_for("web", &plan, "confirmed");
    site.settled("web", &second, &second);
}

#[test]
fn a_person_interrupts_it() {
    let mut site = site();
    site.hook("web", "2-test", "sleep 1");
    let first = site.first("web");
    let mut terminal = Terminal::run(&site.fleet.command(&["deploy", "web"]));
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    terminal.shows("activating");
    terminal.types("\u{3}");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("web: rolled_back"), "{shown}");
    site.settled("web", &first, &first);
    // Rolled back at once, not after the confirmation timeout.
    let status = site.fleet.call("host_status", &json!({"host": "web"}));
    assert_eq!(status.json["latest_deployment"]["reason"], "cancelled", "{:#}", status.json);
    assert_eq!(site.audited().last().unwrap(), "rolled_back");
}

#[test]
fn a_person_stops_it_at_the_question() {
    let mut site = site();
    let first = site.second_generation("web");
    for arguments in [&["deploy", "web"][..], &["rollback", "web", "--generation", "1"]] {
        let mut terminal = Terminal::run(&site.fleet.command(arguments));
        terminal.shows("Type the host's name");
        let shown = terminal.interrupts();
        assert!(shown.contains("interrupted"), "{shown}");
    }
    site.settled("web", &first, &first);
    assert!(!site.audited().contains(&"approved".to_owned()), "{:?}", site.audited());
    // The same after the person began to type the name.
    let mut terminal = Terminal::run(&site.fleet.command(&["deploy", "web"]));
    terminal.shows("Type the host's name");
    terminal.types("we");
    terminal.shows("we");
    terminal.interrupts();
    site.settled("web", &first, &first);
}

#[test]
fn a_client_leaves() {
    let mut site = site();
    site.hook("web", "2-test", "sleep 1");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let mut client = Client::begun(&site.fleet, &[], "2025-11-25");
    client.ask("tools/call", json!({"name": "deploy", "arguments": {"plan_id": plan}}));
    site.wait_for("web", &plan, "activating");
    client.close();
    // Before it ends, the server makes the host roll back.
    assert!(client.ends().success(), "{}", client.said());
    is_back(&mut site, &plan);
}

#[test]
fn a_client_takes_it_back() {
    let mut site = site();
    site.hook("web", "2-test", "sleep 1");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let mut client = Client::begun(&site.fleet, &[], "2025-11-25");
    let id = client.ask("tools/call", json!({"name": "deploy", "arguments": {"plan_id": plan}}));
    site.wait_for("web", &plan, "activating");
    client.cancel(id);
    site.wait_for("web", &plan, "rolled_back");
    // Rolled back at once, not after the confirmation timeout.
    assert_eq!(site.written("web", &plan)["reason"], "cancelled");
    is_back(&mut site, &plan);
}

/// Ends every connection to the machine. New ones are accepted.
const CUT: &str = "pkill -KILL -f '^sshd: root'";

#[test]
fn connections_are_cut() {
    let mut site = site();
    let second = site.toplevel("web");
    // Once during the activation, and once as soon as the new system runs.
    site.hook("web", "2-test", &format!("{CUT}; sleep 1; activate; {CUT}; sleep 0.5"));
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let answer = site.deploy(&plan);
    assert_eq!(
        (answer.code, &answer.json["hosts"][0]["state"]),
        (0, &json!("confirmed")),
        "{:#}",
        answer.json
    );
    site.settled("web", &second, &second);
}

#[test]
fn a_connection_is_cut_while_it_copies() {
    let mut site = site();
    let first = site.first("web");
    site.change(|facts| facts["bytes"] = 60_000_000.into());
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let mut server = deploying(&site, &plan);
    let arriving = site.machine("web").path("/nix/store");
    wait_until("it copies", || {
        std::fs::read_dir(&arriving).unwrap().filter_map(Result::ok).any(|entry| {
            entry.file_name().to_string_lossy().contains("-web-2") || server.try_wait().unwrap().is_some()
        })
    });
    site.machine("web").power_off();
    let ended = server.wait().unwrap();
    assert_eq!(ended.code(), Some(1));
    site.machine("web").start();
    site.settled("web", &first, &first);
    assert!(site.activations("web").is_empty());
}

/// A deployment of which only a part was sent would fail the unit that finishes deployments at the next boot.
#[test]
fn a_connection_is_cut_while_it_sends_the_deployment() {
    let mut site = site();
    let first = site.first("web");
    // `cat` reads what arrives before the connection breaks.
    site.machine("web").says(&[
        "sh",
        "-c",
        "cp /usr/bin/cat /var/lib/cat && \
         printf '#!/bin/sh\\n[ $# -eq 0 ] || exec /var/lib/cat \"$@\"\\nexec head -c 1000\\n' >/var/lib/fake-cat && \
         chmod +x /var/lib/fake-cat && mount --bind /var/lib/fake-cat /usr/bin/cat",
    ]);
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let answer = site.deploy(&plan);
    let host = &answer.json["hosts"][0];
    assert_eq!((answer.code, &host["state"]), (1, &json!("refused")), "{:#}", answer.json);
    let said = "the file supervisor of the deployment did not arrive completely";
    assert_eq!(host["error"]["said"], said, "{host:#}");
    assert_eq!(site.machine("web").says(&["ls", "-A", "/var/lib/pantheros/deployments"]), "");
    site.machine("web").says(&["umount", "/usr/bin/cat"]);
    site.settled("web", &first, &first);
}

#[test]
fn the_machine_is_rebooted_while_it_waits() {
    let mut site = site();
    let first = site.first("web");
    // No login succeeds, so nobody can confirm.
    let keys = site.machine("web").authorized_keys().display().to_string();
    site.hook("web", "2-test", &format!("mv {keys} {keys}.kept"));
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let mut server = deploying(&site, &plan);
    site.wait_for("web", &plan, "waiting");
    site.machine("web").power_off();
    std::fs::rename(format!("{keys}.kept"), &keys).unwrap();
    site.machine("web").start();
    let ended = server.wait().unwrap();
    assert_eq!(ended.code(), Some(1));
    let written = site.written("web", &plan);
    assert_eq!(written["reason"], "rebooted");
    assert_eq!(written["message"], "The machine was rebooted before the new system was confirmed.");
    site.settled("web", &first, &first);
}

#[test]
fn nobody_can_log_in_any_more() {
    let mut site = site();
    let keys = site.machine("web").authorized_keys().display().to_string();
    for line_holds in [true, false] {
        let cut = if line_holds { "" } else { CUT };
        site.hook("web", "2-test", &format!("mv {keys} {keys}.kept; activate; {cut}"));
        site.hook("web", "1-test", &format!("mv {keys}.kept {keys}"));
        let plan = site.approved(&json!({"hosts": ["web"]}));
        let refused = site.machine("web").refused_logins();
        let answer = site.deploy(&plan);
        assert_eq!((answer.code, answer.error_code()), (1, "rolled_back"), "{:#}", answer.json);
        // An older connection tells the host at once to roll back. Without one, it rolls back after the confirmation
        // timeout.
        let message = told(&answer.json["error"]);
        let said = if line_holds { "the host accepts a new connection" } else { "was not confirmed within" };
        assert!(message.contains(said), "{message}");
        is_back(&mut site, &plan);
        // Few enough refused logins that no sshd blocks this server.
        let refused = site.machine("web").refused_logins() - refused;
        assert!((1..=4).contains(&refused), "{refused} logins were refused");
    }
}

#[test]
fn the_network_is_gone() {
    let mut site = site();
    // Like a firewall that drops packets: no connection succeeds, and none is refused.
    site.hook("web", "2-test", "pkill -STOP -f '^sshd: '");
    // Continues all processes: one that was stopped may have another name by now.
    site.hook("web", "1-test", "pkill -CONT .");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let answer = site.deploy(&plan);
    assert_eq!((answer.code, answer.error_code()), (1, "rolled_back"), "{:#}", answer.json);
    is_back(&mut site, &plan);
}

#[test]
fn an_activation_cuts_the_network_and_hangs() {
    let mut site = site();
    site.hook("web", "2-test", "pkill -STOP -f '^sshd: '; sleep 1000");
    site.hook("web", "1-test", "pkill -CONT .");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let answer = site.deploy(&plan);
    assert_eq!((answer.code, answer.error_code()), (1, "rolled_back"), "{:#}", answer.json);
    // Long before the activation timeout.
    is_back(&mut site, &plan);
}

#[test]
fn a_question_is_never_answered() {
    let mut site = site();
    site.hook("web", "2-test", "sleep 1; pkill -STOP -f '[ ]watch /run/pantheros/'; activate");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let answer = site.deploy(&plan);
    site.machine("web").says(&["pkill", "-KILL", "-f", "[ ]watch /run/pantheros/"]);
    assert_eq!((answer.code, answer.error_code()), (1, "rolled_back"), "{:#}", answer.json);
    let first = site.first("web");
    site.settled("web", &first, &first);
}

#[test]
fn the_disk_is_full() {
    let mut site = site();
    let first = site.first("web");
    site.change(|facts| facts["bytes"] = 5_000_000.into());
    // 4 MB for the supervisor's folder and the store, which is less than the system needs. This is noticed before or
    // during the copy.
    let plan = site.approved(&json!({"hosts": ["web"]}));
    site.machine("web").says(&[
        "sh",
        "-c",
        "mkdir -p /run/small && mount -t tmpfs -o size=4m tmpfs /run/small && mkdir /run/small/upper /run/small/work && \
         mount -t overlay overlay -o lowerdir=/nix/store,upperdir=/run/small/upper,workdir=/run/small/work /nix/store",
    ]);
    let answer = site.deploy(&plan);
    assert_eq!((answer.code, &answer.json["hosts"][0]["state"]), (1, &json!("refused")), "{:#}", answer.json);
    assert_eq!(answer.error_code(), "out_of_disk", "{:#}", answer.json);
    site.machine("web").says(&["umount", "/nix/store"]);
    site.settled("web", &first, &first);

    // No room for the files of the supervisor.
    let plan = site.approved(&json!({"hosts": ["web"]}));
    site.machine("web").says(&[
        "sh",
        "-c",
        "mkdir -p /var/lib/pantheros && mount -t tmpfs -o size=16k tmpfs /var/lib/pantheros",
    ]);
    let answer = site.deploy(&plan);
    assert_eq!((answer.code, &answer.json["hosts"][0]["state"]), (1, &json!("refused")), "{:#}", answer.json);
    assert!(told(&answer.json["error"]).contains("space"), "{:#}", answer.json);
    site.machine("web").says(&["umount", "/var/lib/pantheros"]);
    site.settled("web", &first, &first);
    assert!(site.activations("web").is_empty());
}

#[test]
fn two_deploy_at_once() {
    let mut site = site();
    let second = site.toplevel("web");
    site.hook("web", "2-test", "sleep 2");
    let (one, two) = (site.approved(&json!({"hosts": ["web"]})), site.approved(&json!({"hosts": ["web"]})));
    let mut first = deploying(&site, &one);
    site.wait_for("web", &one, "activating");
    let answer = site.deploy(&two);
    assert_eq!((answer.code, &answer.json["hosts"][0]["state"]), (1, &json!("refused")), "{:#}", answer.json);
    assert_eq!(answer.error_code(), "busy", "{:#}", answer.json);
    assert!(told(&answer.json["error"]).contains(&one), "it says who: {:#}", answer.json);
    assert!(first.wait().unwrap().success());
    site.settled("web", &second, &second);
    assert_eq!(site.activations("web"), ["2 test", "2 boot"]);
}
