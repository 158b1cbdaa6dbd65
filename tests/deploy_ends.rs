//! Every outcome of a deployment on a host, and the state it leaves.

use std::net::TcpListener;

use crate::common::fleet::{Answer, nixes, told};
use crate::common::site::Site;
use serde_json::{Value, json};

fn site(deploy: &Value) -> Site {
    Site::start(&nixes().pop().unwrap(), &["web"], deploy)
}

/// Plans, approves and deploys. The deployment has to end in `state`.
fn ends(site: &Site, arguments: &Value, state: &str) -> Answer {
    let plan = site.approved(arguments);
    let answer = site.deploy(&plan);
    assert_eq!(answer.json["hosts"][0]["state"], state, "{:#}", answer.json);
    let success = ["confirmed", "staged", "checked"].contains(&state);
    assert_eq!(answer.code, i32::from(!success), "{:#}", answer.json);
    assert_eq!(answer.json.get("error").is_none(), success, "{:#}", answer.json);
    answer
}

fn only(action: &str) -> Value {
    json!({"hosts": ["web"], "action": action})
}

#[test]
fn each_action_ends_as_it_says() {
    let mut site = site(&json!({}));
    let (first, second) = (site.first("web"), site.toplevel("web"));
    let checked = ends(&site, &only("dry-activate"), "checked");
    assert!(checked.json["hosts"][0].get("generation").is_none(), "{:#}", checked.json);
    site.settled("web", &first, &first);
    assert_eq!(site.activations("web"), ["2 dry-activate"]);

    ends(&site, &only("test"), "confirmed");
    site.settled("web", &second, &first);
    site.machine("web").reboot();
    site.settled("web", &first, &first);

    let staged = ends(&site, &only("boot"), "staged");
    assert_eq!(staged.json["hosts"][0]["generation"], 2);
    site.settled("web", &first, &second);
    site.machine("web").reboot();
    site.settled("web", &second, &second);

    // A system that already runs is confirmed, too.
    ends(&site, &only("switch"), "confirmed");
    site.settled("web", &second, &second);
}

#[test]
fn activations_that_fail_are_undone() {
    let mut site = site(&json!({}));
    let first = site.first("web");
    // Only scripts that never end get a short time: on a busy machine the others may need longer.
    for (script, seconds, said) in [
        ("exit 1", 60, "ended with 1"),
        ("activate; exit 2", 60, "ended with 2"),
        ("exit 100", 60, "reboot"),
        ("exit 0", 60, "another system runs"),
        ("head -c 10000000 /dev/zero; printf '\\033]0;owned\\007'; exit 1", 60, "ended with 1"),
        ("sleep 60", 2, "longer than 2 s"),
        ("trap '' TERM INT HUP; while :; do sleep 1; done", 2, "longer than 2 s"),
    ] {
        site.change(|facts| facts["hosts"]["web"]["activationTimeout"] = seconds.into());
        site.hook("web", "2-test", script);
        let answer = ends(&site, &only("switch"), "rolled_back");
        assert_eq!(answer.error_code(), "rolled_back", "{script}");
        let message = told(&answer.json["error"]);
        assert!(message.contains(said), "{script}: {message}");
        assert!(!answer.json.to_string().contains('\u{1b}'), "{script}");
        site.settled("web", &first, &first);
    }
    assert!(site.audited().contains(&"rolled_back".to_owned()));
}

#[test]
fn units_that_fail_are_told_and_no_reason_to_go_back() {
    let mut site = site(&json!({}));
    let second = site.toplevel("web");
    site.hook("web", "2-test", "activate; exit 4");
    let answer = ends(&site, &only("switch"), "confirmed");
    assert_eq!(answer.json["hosts"][0]["units_failed"], true, "{:#}", answer.json);
    site.settled("web", &second, &second);
}

#[test]
fn a_host_that_is_not_well_goes_back() {
    // A port that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for (check, said) in [
        (json!({"command": ["sh", "-c", "echo no such page >&2; exit 3"]}), "no such page"),
        (json!({"tcp": port}), "refused"),
        (json!({"http": format!("http://127.0.0.1:{port}/")}), "127.0.0.1"),
        (json!({"http": "file:///etc/passwd"}), "file"),
    ] {
        let mut site = site(&json!({"healthChecks": [{"command": ["true"]}, check], "rollbackTimeout": 3}));
        let first = site.first("web");
        let answer = ends(&site, &only("switch"), "rolled_back");
        let health = answer.json["hosts"][0]["health"].as_array().unwrap();
        let unwell: Vec<&Value> = health.iter().filter(|health| health["ok"] == false).collect();
        assert_eq!(unwell.len(), 1, "{:#}", answer.json);
        assert!(unwell[0]["evidence"].as_str().unwrap().contains(said), "{:#}", answer.json);
        assert!(told(&answer.json["error"]).contains("its health checks failed"), "{:#}", answer.json);
        site.settled("web", &first, &first);
    }
}

#[test]
fn a_host_that_gets_well_in_time_is_kept() {
    let mut site = site(&json!({"healthChecks": [{"command": ["test", "-e", "/var/lib/ready"]}]}));
    let second = site.toplevel("web");
    site.hook("web", "2-test", "(sleep 2; touch /var/lib/ready) >/dev/null 2>&1 &");
    ends(&site, &only("switch"), "confirmed");
    site.settled("web", &second, &second);
}

#[test]
fn no_way_back_is_told() {
    let mut site = site(&json!({}));
    let first = site.first("web");
    site.hook("web", "2-test", "activate; exit 1");
    site.hook("web", "1-test", "exit 3");
    let answer = ends(&site, &only("switch"), "rollback_failed");
    assert_eq!(answer.error_code(), "rollback_failed", "{:#}", answer.json);
    let status = site.fleet.call("host_status", &json!({"host": "web"}));
    assert_eq!(status.json["latest_deployment"]["state"], "rollback_failed", "{:#}", status.json);
    assert!(status.json["warnings"].to_string().contains("ended as rollback_failed"), "{:#}", status.json);
    let second = site.toplevel("web");
    site.settled("web", &second, &first);
    // Only a restart of the machine brings the old system back.
    site.machine("web").reboot();
    site.settled("web", &first, &first);
}

#[test]
fn sshd_that_ends_is_brought_back() {
    let mut site = site(&json!({}));
    let first = site.first("web");
    let root = site.machine("web").authorized_keys().parent().unwrap().display().to_string();
    site.hook("web", "2-test", "activate; pkill -KILL -f '^sshd: '");
    site.hook("web", "1-test", &format!("/usr/sbin/sshd -f {root}/sshd_config"));
    let answer = ends(&site, &only("switch"), "rolled_back");
    assert_eq!(answer.error_code(), "rolled_back");
    site.settled("web", &first, &first);
}

#[test]
fn a_host_that_never_comes_back_is_told() {
    let mut site = site(&json!({"activationTimeout": 1, "rollbackTimeout": 1}));
    let first = site.first("web");
    site.machine("web").power_off();
    let plan = site.fleet.call("plan_deploy", &only("switch"));
    assert_eq!(plan.error_code(), "host_unreachable", "{:#}", plan.json);
    site.machine("web").start();
    // The host is unreachable before anything begins, and then after the activation began.
    let plan = site.approved(&only("switch"));
    site.machine("web").power_off();
    let answer = site.deploy(&plan);
    assert_eq!(
        (answer.code, &answer.json["hosts"][0]["state"]),
        (1, &json!("unreachable")),
        "{:#}",
        answer.json
    );
    site.machine("web").start();
    site.hook("web", "2-test", "activate; sleep 0.5");
    let plan = site.approved(&only("switch"));
    let deploying = site.deploying(&plan).stdout(std::process::Stdio::piped()).spawn().unwrap();
    site.wait_for("web", &plan, "activating");
    site.machine("web").power_off();
    let ended = deploying.wait_with_output().unwrap();
    let json: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        (ended.status.code(), &json["hosts"][0]["state"]),
        (Some(1), &json!("unreachable")),
        "{json:#}"
    );
    let hint = json["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("by itself"), "{hint}");
    site.machine("web").start();
    // The next deployment finishes this one.
    let answer = site.fleet.call("host_status", &json!({"host": "web"}));
    let latest = &answer.json["latest_deployment"];
    assert_eq!((answer.code, &latest["state"]), (0, &json!("activating")), "{:#}", answer.json);
    assert_eq!((&latest["plan_id"], &answer.json["deploying"]), (&json!(plan), &json!(plan)));
    ends(&site, &only("dry-activate"), "checked");
    site.settled("web", &first, &first);
    assert_eq!(site.written("web", &plan)["state"], "rolled_back");
}
