//! Files of earlier versions are read, or refused by name, and never misread: plans, approvals, rejections, audit logs,
//! and the state of a supervisor. Each folder of `tests/fixtures/forms` was written by one version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::fleet::{Fleet, errors, nixes};
use crate::common::plan::{approvals, fleet};
use crate::common::site::Site;
use pantheros_mcp::testing::deploy::Decision;
use pantheros_mcp::testing::names::PlanId;
use serde_json::{Value, json};

/// The folder of the last version that wrote plans of the first form.
const FIRST: &str = "5229908";
/// The folder of the version that introduced the second form of plans.
const SECOND: &str = "issue-10";
/// The folder of the version that records uncommitted files.
const THIRD: &str = "issue-11";
/// The folder of the version that records effects besides packages and units.
const FOURTH: &str = "issue-13";

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/forms").join(version)
}

/// A fleet whose state folder was written by that version.
fn fleet_of(version: &str) -> Fleet {
    let fleet = fleet("");
    let state = fleet.folder().with_file_name("state");
    let copied = Command::new("cp").arg("-r").arg(folder(version).join("state")).arg(&state).status();
    assert!(copied.unwrap().success());
    // Files in a checkout may be writable by the group, and the program refuses files that others can write.
    assert!(Command::new("chmod").args(["-R", "go-w"]).arg(&state).status().unwrap().success());
    fleet
}

fn run(fleet: &Fleet, arguments: &[&str]) -> Output {
    fleet.command(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The row of each plan in `plans --json`, by the plan's id.
fn states(fleet: &Fleet) -> BTreeMap<String, Value> {
    let listed = run(fleet, &["plans", "--all", "--json"]);
    assert_eq!(listed.status.code(), Some(0), "{}", errors(&listed));
    let rows: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    rows.into_iter().map(|row| (row["plan_id"].as_str().unwrap().to_owned(), row)).collect()
}

fn count(rows: &BTreeMap<String, Value>, state: &str) -> usize {
    rows.values().filter(|row| row["state"] == state).count()
}

/// The log verifies, and new entries are appended to it.
fn log_goes_on(fleet: &Fleet, plan: &str) {
    let entries = |fleet: &Fleet| {
        let log =
            std::fs::read_to_string(fleet.folder().with_file_name("state").join("audit.jsonl")).unwrap();
        log.lines().count()
    };
    let before = entries(fleet);
    assert!(before > 10);
    for _ in 0..2 {
        let verified = run(fleet, &["audit", "verify"]);
        assert_eq!(verified.status.code(), Some(0), "{}", errors(&verified));
        let rejected = run(fleet, &["reject", plan]);
        assert_eq!(rejected.status.code(), Some(0), "{}", errors(&rejected));
    }
    assert_eq!(entries(fleet), before + 1);
}

#[test]
fn plans_of_the_first_form_are_refused_by_name() {
    let fleet = fleet_of(FIRST);
    let rows = states(&fleet);
    assert_eq!((rows.len(), count(&rows, "unreadable")), (6, 6), "{rows:#?}");
    let mut spent = 0;
    for (id, row) in &rows {
        assert!(row["error"]["message"].as_str().unwrap().contains("version 1"), "{row:#}");
        assert!(row["error"]["hint"].as_str().unwrap().contains("make a new plan"), "{row:#}");
        let approved = run(&fleet, &["approve", id]);
        assert!(approved.status.code() == Some(1) && errors(&approved).contains("version 1"), "{approved:?}");
        let deployed = fleet.call("deploy", &json!({"plan_id": id}));
        assert_eq!((deployed.code, &deployed.json["error"]["code"]), (1, &"invalid_plan".into()));
        // The decision about the plan is known nevertheless.
        let id: PlanId = id.parse().unwrap();
        match approvals(&fleet).decision(&id).unwrap() {
            Some(Decision::Spent(approval)) => {
                assert_eq!((approval.by(), approval.signature().is_some()), ("tester", true));
                spent += 1;
                let late = run(&fleet, &["reject", id.as_str()]);
                assert!(
                    late.status.code() == Some(1) && errors(&late).contains("cannot be rejected any more")
                );
            }
            other => assert!(other.is_none(), "{other:?}"),
        }
    }
    assert_eq!(spent, 3);
    let typed = rows.keys().find_map(|id| approvals(&fleet).recorded(&id.parse().unwrap()).unwrap());
    assert_eq!(typed.unwrap().by(), "root (uid 0)");
    // A rejected plan is reported as rejected, although it cannot be read.
    let rejected = rows.keys().find(|id| approvals(&fleet).decision(&id.parse().unwrap()).unwrap().is_none());
    assert_eq!(run(&fleet, &["reject", rejected.unwrap()]).status.code(), Some(0));
    let approved = run(&fleet, &["approve", rejected.unwrap()]);
    assert!(errors(&approved).contains("was rejected by"), "{approved:?}");
    let waits = rows.keys().find(|id| approvals(&fleet).decision(&id.parse().unwrap()).unwrap().is_none());
    log_goes_on(&fleet, waits.unwrap());
}

/// They do not record uncommitted files, which today's program shows to a person.
#[test]
fn plans_of_the_second_form_are_refused_by_name() {
    let fleet = fleet_of(SECOND);
    let rows = states(&fleet);
    let counted = ["deployed", "waiting", "expired"].map(|state| count(&rows, state));
    assert_eq!((rows.len(), counted), (8, [0, 0, 0]), "{rows:#?}");
    let (mut spent, mut rejected, mut waits) = (0, 0, None);
    for id in rows.keys() {
        let approved = run(&fleet, &["approve", id]);
        let deployed = fleet.call("deploy", &json!({"plan_id": id}));
        assert_eq!((approved.status.code(), deployed.code), (Some(1), 1), "{approved:?}");
        // The decision about the plan is known nevertheless.
        match approvals(&fleet).decision(&id.parse().unwrap()).unwrap() {
            Some(Decision::Rejected(_)) => {
                assert!(errors(&approved).contains("was rejected by"), "{approved:?}");
                assert_eq!(deployed.json["error"]["code"], "approval_declined", "{:#}", deployed.json);
                rejected += 1;
                continue;
            }
            Some(Decision::Spent(_)) => spent += 1,
            None => waits = Some(id),
        }
        assert!(errors(&approved).contains("version 2"), "{approved:?}");
        assert_eq!(deployed.json["error"]["code"], "invalid_plan", "{:#}", deployed.json);
        assert!(deployed.json["error"]["hint"].as_str().unwrap().contains("make a new plan"));
    }
    assert_eq!((spent, rejected), (3, 2));
    log_goes_on(&fleet, waits.unwrap());
}

/// Reads every plan of this version; returns all that a person reads of them.
fn read_all(version: &str, counts: [usize; 4]) -> String {
    let fleet = fleet_of(version);
    let rows = states(&fleet);
    let counted = ["deployed", "rejected", "expired", "unreadable"].map(|state| count(&rows, state));
    assert_eq!(counted, counts, "{rows:#?}");
    let mut told = String::new();
    for id in rows.keys() {
        let shown = run(&fleet, &["plans", id]);
        assert_eq!(shown.status.code(), Some(0), "{}", errors(&shown));
        told.push_str(&String::from_utf8(shown.stdout).unwrap());
        let canonical = run(&fleet, &["plans", id, "--canonical"]).stdout;
        let kept = folder(version).join("state/plans").join(format!("{id}.json"));
        assert_eq!(canonical, std::fs::read(kept).unwrap());
        let deployed = fleet.call("deploy", &json!({"plan_id": id}));
        let code = match rows[id]["state"].as_str().unwrap() {
            "deployed" => "approval_spent",
            "rejected" => "approval_declined",
            _ => "plan_expired",
        };
        assert_eq!(deployed.json["error"]["code"], code, "{:#}", deployed.json);
    }
    let waits = rows.iter().find(|(_, row)| row["state"] == "expired").unwrap().0;
    log_goes_on(&fleet, waits);
    told
}

/// They do not record effects besides packages and units, and a person reads that.
#[test]
fn plans_of_the_third_form_are_read() {
    let told = read_all(THIRD, [2, 1, 2, 0]);
    assert_eq!(told.matches("changed pantheros.toml").count(), 3, "{told}");
    assert_eq!(told.matches("requested as").count(), 2, "{told}");
    let unknown = "  unknown ports, users, keys, mounts, kernel parameters and files below /etc\n";
    assert_eq!(told.matches(unknown).count(), 5, "{told}");
}

#[test]
fn plans_of_the_fourth_form_are_read() {
    let told = read_all(FOURTH, [1, 1, 2, 0]);
    assert_eq!(
        told.matches("  ports   opens tcp 443, tcp 8000-8010, udp 51820 on wg0; closes tcp 80\n").count(),
        1,
        "{told}"
    );
    assert_eq!(told.matches("  ports   the firewall is DISABLED").count(), 2, "{told}");
    assert_eq!(told.matches("  keys    adds ada ssh-ed25519 SHA256:").count(), 2, "{told}");
    assert!(!told.contains("unknown"), "{told}");
}

/// The state that a supervisor of each version left on a host is reported. A state of an unknown version is refused by
/// name.
#[test]
fn what_supervisors_wrote_is_told() {
    let mut site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({}));
    let mut status = |version: &str, alter: &dyn Fn(String) -> String| {
        let from = folder(version).join("host");
        let state = alter(std::fs::read_to_string(from.join("state.json")).unwrap());
        let id = std::fs::read_to_string(from.join("spec")).unwrap();
        let id = id.lines().find_map(|line| line.strip_prefix("id=")).unwrap().to_owned();
        let place = site.machine("web").path("/var/lib/pantheros/deployments").join(&id);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("state.json"), state).unwrap();
        let answer = site.fleet.call("host_status", &json!({"host": "web"}));
        std::fs::remove_dir_all(place).unwrap();
        (id, answer.json)
    };
    for version in [FIRST, SECOND, THIRD, FOURTH] {
        let (id, told) = status(version, &|text| text);
        assert_eq!(told["latest_deployment"]["plan_id"], id, "{told:#}");
        assert_eq!(told["latest_deployment"]["state"], "confirmed", "{told:#}");
        let (_, told) = status(version, &|text| text.replacen("\"version\":1", "\"version\":2", 1));
        assert!(told["latest_deployment"].is_null(), "{told:#}");
        let error = &told["latest_error"];
        assert!(error["message"].as_str().unwrap().contains("has format version 2"), "{told:#}");
    }
}
