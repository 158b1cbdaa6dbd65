//! Deployments to many hosts: canaries, waves, stopping at the first failure, and taking back confirmed hosts.

use std::time::{Duration, Instant};

use crate::common::fleet::{Answer, nixes, told};
use crate::common::site::Site;
use serde_json::{Value, json};

fn site(names: &[&str]) -> Site {
    Site::start(&nixes().pop().unwrap(), names, &json!({}))
}

/// Each host's name, state and error code, which may be that of an error it shares.
fn ends(answer: &Answer) -> Vec<(&str, &str, &str)> {
    let text =
        |value: &'_ Value| -> &'static str { String::leak(value.as_str().unwrap_or_default().to_owned()) };
    let hosts = answer.json["hosts"].as_array().unwrap();
    let error = |host: &'_ Value| {
        let first = hosts.iter().find(|of| of["host"] == host["same_as"]).unwrap_or(host);
        text(&first["error"]["code"])
    };
    hosts.iter().map(|host| (text(&host["host"]), text(&host["state"]), error(host))).collect()
}

fn deploy(site: &Site, arguments: &Value) -> Answer {
    let plan = site.approved(arguments);
    site.deploy(&plan)
}

#[test]
fn all_with_a_tag_by_waves() {
    let names = ["a", "b", "c", "d"];
    let mut site = site(&names);
    // The beginning of each activation, in hundredths of a second since the test machine started.
    for name in names {
        site.hook(
            name,
            "2-test",
            "cut -d. -f1 /proc/uptime >/dev/null; date +%s%N >/var/lib/began; sleep 0.5",
        );
    }
    let systems = names.map(|name| site.toplevel(name));
    let answer = deploy(&site, &json!({"tag": "all", "canary": 1, "wave": 2}));
    assert_eq!(answer.code, 0, "{:#}", answer.json);
    assert_eq!(ends(&answer), names.map(|name| (name, "confirmed", "")));
    let began = names.map(|name| {
        let text = std::fs::read_to_string(site.machine(name).path("/var/lib/began")).unwrap();
        Duration::from_nanos(text.trim().parse().unwrap())
    });
    let half = Duration::from_millis(500);
    assert!(began[1] > began[0] + half && began[2] > began[0] + half, "the canary goes first: {began:?}");
    assert!(began[3] > began[1].max(began[2]) + half, "a wave of two, then the rest: {began:?}");
    for (name, system) in names.iter().zip(&systems) {
        site.settled(name, system, system);
    }
}

#[test]
fn a_canary_that_fails_stops_the_rest() {
    let names = ["a", "b", "c"];
    let mut site = site(&names);
    site.hook("a", "2-test", "exit 1");
    let answer = deploy(&site, &json!({"hosts": names}));
    assert_eq!(answer.code, 1);
    assert_eq!(
        ends(&answer),
        [
            ("a", "rolled_back", "rolled_back"),
            ("b", "refused", "rollout_stopped"),
            ("c", "refused", "rollout_stopped")
        ]
    );
    // A cause that several hosts share is reported once.
    let hosts = &answer.json["hosts"];
    assert_eq!(hosts[1]["breaks"], json!(["b", "c"]), "{hosts:#}");
    assert_eq!((&hosts[2]["same_as"], hosts[2].get("error")), (&json!("b"), None), "{hosts:#}");
    for name in names {
        let first = site.first(name);
        site.settled(name, &first, &first);
    }
    assert!(site.activations("b").is_empty() && site.activations("c").is_empty());
}

#[test]
fn those_confirmed_stay_and_are_named() {
    let names = ["a", "b", "c"];
    let mut site = site(&names);
    site.hook("b", "2-test", "exit 1");
    let second = site.toplevel("a");
    let answer = deploy(&site, &json!({"hosts": names, "wave": 1}));
    assert_eq!(
        ends(&answer),
        [("a", "confirmed", ""), ("b", "rolled_back", "rolled_back"), ("c", "refused", "rollout_stopped")]
    );
    site.settled("a", &second, &second);
}

#[test]
fn those_confirmed_go_back_where_that_was_planned() {
    let names = ["a", "b", "c"];
    for action in ["switch", "test", "boot"] {
        let mut site = site(&names);
        site.hook("b", "2-test", "exit 1");
        site.hook("b", "2-boot", "exit 1");
        let answer =
            deploy(&site, &json!({"hosts": names, "wave": 1, "revert_confirmed": true, "action": action}));
        assert_eq!(
            ends(&answer),
            [
                ("a", "rolled_back", "rolled_back"),
                ("b", "rolled_back", "rolled_back"),
                ("c", "refused", "rollout_stopped")
            ],
            "{action}: {:#}",
            answer.json
        );
        let message = answer.json["hosts"][0]["error"]["message"].as_str().unwrap();
        assert!(message.contains("because b failed"), "{message}");
        for name in names {
            let first = site.first(name);
            site.settled(name, &first, &first);
        }
        assert_eq!(site.audited().iter().filter(|event| *event == "rolled_back").count(), 2);
    }
}

#[test]
fn signed_deployments_go_back_too() {
    let names = ["a", "b"];
    let mut site = site(&names);
    let signers = format!(
        "tester {}",
        std::fs::read_to_string(site.fleet.folder().with_file_name("signer.pub")).unwrap()
    );
    for name in names {
        let path = site.machine(name).path("/etc/pantheros/allowed_signers");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &signers).unwrap();
    }
    site.hook("b", "2-test", "exit 1");
    let answer = deploy(&site, &json!({"hosts": names, "revert_confirmed": true}));
    assert_eq!(ends(&answer), names.map(|name| (name, "rolled_back", "rolled_back")), "{:#}", answer.json);
    for name in names {
        let first = site.first(name);
        site.settled(name, &first, &first);
    }
    // The hosts themselves refuse an unsigned plan.
    let path = site.machine("a").path("/etc/pantheros/allowed_signers");
    std::fs::write(path, "").unwrap();
    let answer = deploy(&site, &json!({"hosts": ["a"]}));
    assert_eq!(answer.json["hosts"][0]["state"], "refused", "{:#}", answer.json);
    let message = told(&answer.json["error"]);
    assert!(message.contains("signature"), "{message}");
    let first = site.first("a");
    site.settled("a", &first, &first);
}

#[test]
fn a_slow_host_holds_up_nobody_of_its_wave() {
    let names = ["a", "b", "c"];
    let mut site = site(&names);
    site.hook("b", "2-test", "sleep 4");
    let second = site.toplevel("c");
    let plan = site.approved(&json!({"hosts": names, "canary": 0}));
    let start = Instant::now();
    let mut deploying = site.deploying(&plan).stdout(std::process::Stdio::null()).spawn().unwrap();
    site.wait_for("c", &plan, "confirmed");
    assert!(deploying.try_wait().unwrap().is_none(), "the slow host is not done");
    site.settled("c", &second, &second);
    assert!(deploying.wait().unwrap().success());
    assert!(start.elapsed() >= Duration::from_secs(4));
}

#[test]
fn a_host_that_went_away_stops_it_before_it_begins() {
    let names = ["a", "b"];
    let mut site = site(&names);
    let plan = site.approved(&json!({"hosts": names}));
    // While the canary activates, the next host proves to be unreachable.
    site.hook("a", "2-test", "sleep 2");
    site.machine("b").power_off();
    let answer = site.deploy(&plan);
    assert_eq!(answer.code, 1);
    let ends = ends(&answer);
    assert_eq!(ends[1], ("b", "unreachable", "host_unreachable"), "{:#}", answer.json);
    assert!(["confirmed", "refused"].contains(&ends[0].1), "{:#}", answer.json);
    let system = if ends[0].1 == "confirmed" { site.toplevel("a") } else { site.first("a") };
    site.settled("a", &system, &system);
}
