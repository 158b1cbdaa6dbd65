//! While another process holds the audit log, only calls that write to it wait.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::fleet::{Fleet, nixes};
use crate::common::http::{Connection, Request, Server, Setup};
use crate::common::plan::{approvals, fleet, settings, stored};
use crate::common::site::Site;
use crate::common::wait::wait_until;
use serde_json::json;

const LIFE: Duration = Duration::from_secs(1_800);
/// More than the runtime has threads.
const CALLS: usize = 4;

fn log(fleet: &Fleet) -> PathBuf {
    settings(fleet).state_folder.unwrap().join("audit.jsonl")
}

/// Holds the log until it is dropped.
fn hold(fleet: &Fleet) -> File {
    // Creates the state folder.
    drop(approvals(fleet));
    let file = OpenOptions::new().create(true).append(true).open(log(fleet)).unwrap();
    std::fs::set_permissions(log(fleet), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    file
}

/// Sends calls that are refused, each over a connection of its own. The refusals are recorded in the log.
fn refused(server: &Server, fleet: &Fleet) -> Vec<Connection> {
    let call = |_| {
        let plan = stored(fleet, &["web"], &[], LIFE);
        let params = json!({"name": "deploy", "arguments": {"plan_id": plan.plan().id}});
        let mut connection = server.connect();
        connection.write(&Request::modern("tools/call", params).bytes(server.address));
        connection
    };
    (0..CALLS).map(call).collect()
}

#[test]
fn a_held_log_holds_up_those_alone_who_wait_for_it() {
    let fleet = fleet("");
    let server = Setup::of(fleet.command(&["serve", "--http", "127.0.0.1:0"])).start();
    let held = hold(&fleet);
    let begun = Instant::now();
    let mut calls = refused(&server, &fleet);
    let in_flight = || server.metric("pantheros_tool_calls_in_flight");
    wait_until("the calls to run", || in_flight() == CALLS as u64);
    for _ in 0..20 {
        assert_eq!(server.ask(&Request::get("/healthz").bare()).head.status, 200);
        assert_eq!(server.ask(&Request::modern("tools/list", json!({}))).head.status, 200);
    }
    assert_eq!(in_flight(), CALLS as u64, "they wait until it is written");
    // Later the calls could have given up waiting, and the checks would prove nothing.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    drop(held);
    for call in &mut calls {
        assert_eq!(call.head().status, 200);
        let answer = String::from_utf8(call.rest()).unwrap();
        assert!(answer.contains("\"approval_required\""), "{answer}");
    }
    let report = approvals(&fleet).audit().verify(None).unwrap();
    assert_eq!((report.entries, report.broken), (CALLS as u64, None));
}

/// The host rolls back if it is not confirmed in time, so the confirmation must not wait for the log.
#[test]
fn a_held_log_holds_up_no_confirmation() {
    let mut site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({"rollbackTimeout": 60}));
    site.hook("web", "2-test", "while [ ! -e /var/lib/go ]; do sleep 0.1; done");
    let second = site.toplevel("web");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let deploying = site.deploying(&plan).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    site.wait_for("web", &plan, "activating");
    let log = File::open(site.fleet.folder().with_file_name("state").join("audit.jsonl")).unwrap();
    rustix::fs::flock(&log, rustix::fs::FlockOperation::LockExclusive).unwrap();
    std::fs::write(site.machine("web").path("/var/lib/go"), "").unwrap();
    site.wait_for("web", &plan, "confirmed");
    drop(log);
    let ended = deploying.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    site.settled("web", &second, &second);
    assert_eq!(site.audited().last().unwrap(), "host_finished");
}

/// Before it ends, the server writes all queued changes, or reports how many it could not write.
#[test]
fn nothing_that_is_to_be_recorded_is_lost_in_silence() {
    let fleet = fleet("");
    let mut server = Setup::of(fleet.command(&["serve", "--http", "127.0.0.1:0"])).start();
    let held = hold(&fleet);
    let calls = refused(&server, &fleet);
    wait_until("the calls to run", || server.metric("pantheros_tool_calls_in_flight") == CALLS as u64);
    server.stop();
    wait_until("it to say so", || server.said().contains("4 changes to the state folder"));
    drop((calls, held));
}
