//! `list_generations` and `rollback_host` on real machines: the versions of a package, what changes between two generations,
//! and what a rollback says before a person approves it.

use serde_json::{Value, json};

use crate::common::fleet::nixes;
use crate::common::site::Site;

const UNIT: &str = "systemd/system/";

/// A machine with four generations: without nginx, with two versions of it, and without it again.
fn site(nix: &std::path::Path) -> Site {
    let mut site = Site::start(nix, &["web"], &json!({}));
    site.installed("web", |facts| {
        facts["packages"] = json!(["nginx-1.26.0", "old-1"]);
        facts["etc"] = json!({format!("{UNIT}nginx.service"): "one", format!("{UNIT}old.timer"): "one"});
    });
    site.installed("web", |facts| {
        facts["packages"] = json!(["nginx-1.28.0", "nginx-1.28.0-doc", "unversioned"]);
        facts["etc"] = json!({format!("{UNIT}nginx.service"): "two", format!("{UNIT}new.socket"): "one"});
    });
    site.installed("web", |facts| facts["packages"] = json!([]));
    site
}

fn versions(answer: &Value) -> Vec<(u64, Option<&str>)> {
    let entry = |of: &'_ Value| of["generation"].as_u64().unwrap();
    let all = answer["generations"].as_array().unwrap();
    all.iter().map(|of| (entry(of), of["package_version"].as_str())).collect()
}

#[test]
fn generations_differ_in_packages_and_units() {
    for nix in nixes() {
        let site = site(&nix);
        let ask = |arguments: Value| {
            let mut all = json!({"host": "web"});
            all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
            site.fleet.call("list_generations", &all)
        };

        let nginx = ask(json!({"package": "nginx"})).json;
        assert_eq!(versions(&nginx), [(4, None), (3, Some("1.28.0")), (2, Some("1.26.0")), (1, None)]);
        assert_eq!(nginx.get("suggestions"), None, "{nginx:#}");
        let other = ask(json!({"package": "unversioned"})).json;
        assert_eq!(versions(&other)[1], (3, Some("")), "{other:#}");
        // Each page has the versions of its generations.
        let page = ask(json!({"package": "nginx", "limit": 2})).json;
        assert_eq!(versions(&page), [(4, None), (3, Some("1.28.0"))]);
        let page = ask(json!({"package": "nginx", "limit": 2, "cursor": page["next_cursor"]})).json;
        assert_eq!(versions(&page), [(2, Some("1.26.0")), (1, None)]);
        let wrong = ask(json!({"package": "ngnix"})).json;
        assert_eq!(wrong["suggestions"][0], "nginx", "{wrong:#}");
        let without = ask(json!({"package": ""})).json;
        assert!(versions(&without).iter().all(|(_, version)| version.is_none()), "{without:#}");

        let changed = |from: u64, to: u64| ask(json!({"compare": [from, to]})).json["difference"].clone();
        let change = |name: &str, difference: &Value| {
            let packages = difference["packages"].as_array().unwrap();
            let found = packages.iter().find(|package| package["name"] == name).unwrap();
            json!([found["change"], found["before"], found["after"]])
        };
        let forth = changed(2, 3);
        assert_eq!(change("nginx", &forth), json!(["upgraded", ["1.26.0"], ["1.28.0"]]), "{forth:#}");
        assert_eq!(change("old", &forth), json!(["removed", ["1"], null]), "{forth:#}");
        let units = json!({
            "stop": ["old.timer"], "start": ["new.socket"], "restart": ["nginx.service"], "reload": [],
        });
        assert_eq!(forth["units"], units);
        let back = changed(3, 2);
        assert_eq!(change("nginx", &back), json!(["downgraded", ["1.28.0"], ["1.26.0"]]), "{back:#}");
        assert_eq!(back["units"]["start"], json!(["old.timer"]), "{back:#}");
        assert_eq!(changed(3, 3)["packages"], json!([]));

        let gone = ask(json!({"compare": [2, 9]}));
        let error = &gone.json["error"];
        assert_eq!((gone.code, gone.error_code()), (1, "unknown_generation"), "{error:#}");
        assert_eq!(
            (&error["attr"], &error["suggestions"]),
            (&json!("compare"), &json!(["4", "3", "2", "1"]))
        );
        for wrong in [json!({"compare": [2]}), json!({"compare": [2, 3, 4]}), json!({"package": "a b"})] {
            let answer = ask(wrong.clone());
            assert_eq!((answer.code, answer.error_code()), (2, "invalid_input"), "{wrong}: {answer:?}");
        }
    }
}

#[test]
fn a_person_reads_what_changed() {
    let site = site(&nixes().pop().unwrap());
    let said = |arguments: &[&str]| {
        let call = [&["call", "list_generations", "host=web"], arguments].concat();
        String::from_utf8(site.fleet.command(&call).output().unwrap().stderr).unwrap()
    };
    let text = said(&["package=nginx", "compare=[2,3]"]);
    for line in ["package 1.26.0", "nginx: 1.26.0 → 1.28.0", "would restart: nginx.service"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let text = said(&["package=ngnix"]);
    assert!(text.contains("similar names: nginx"), "{text}");
}

#[test]
fn a_rollback_says_what_it_changes_before_it_is_approved() {
    for nix in nixes() {
        let mut site = site(&nix);
        let running = site.machine("web").current_system();
        let answer = site.fleet.call("rollback_host", &json!({"host": "web", "generation": 3}));
        let json = &answer.json;
        assert_eq!((answer.code, answer.error_code()), (1, "approval_required"), "{json:#}");
        assert_eq!((&json["generation"], &json["error"]["attr"]), (&json!(3), &json["plan_id"]), "{json:#}");
        let planned = &json["planned"];
        assert_eq!((&planned["host"], &planned["current"]), (&json!("web"), &json!(running)), "{json:#}");
        let packages = planned["diff"]["packages"].as_array().unwrap();
        let nginx = packages.iter().find(|package| package["name"] == "nginx").unwrap();
        assert_eq!((&nginx["change"], &nginx["after"]), (&json!("added"), &json!(["1.28.0"])), "{json:#}");
        assert_eq!(planned["diff"]["units"]["restart"], json!(["new.socket", "nginx.service"]), "{json:#}");
        assert!(planned["risks"].is_array() && json.get("hosts").is_none(), "{json:#}");
        let plan = json["plan_id"].as_str().unwrap();
        assert!(site.approve(plan).status.success());
        assert_eq!(site.deploy(plan).code, 0);

        // The same generation again, by its number, and by the system that it shares with another.
        let there = site.fleet.call("rollback_host", &json!({"host": "web", "generation": 3}));
        assert_eq!((there.code, there.json), (0, json!({"generation": 3, "already_there": true})));
        let first = site.machine("web").current_system();
        site.machine("web").says(&["ln", "-s", &first, "/nix/var/nix/profiles/system-2-link.new"]);
        site.machine("web").says(&[
            "mv",
            "-T",
            "/nix/var/nix/profiles/system-2-link.new",
            "/nix/var/nix/profiles/system-2-link",
        ]);
        let there = site.fleet.call("rollback_host", &json!({"host": "web", "generation": 2}));
        assert_eq!((there.code, there.json), (0, json!({"generation": 2, "already_there": true})));
        // Another boot default: there is something to do, although the system runs.
        site.machine("web").says(&["ln", "-sfn", "system-4-link", "/nix/var/nix/profiles/system"]);
        let other = site.fleet.call("rollback_host", &json!({"host": "web", "generation": 3}));
        assert_eq!((other.code, other.error_code()), (1, "approval_required"), "{:#}", other.json);
        let plans = site.fleet.command(&["plans"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&plans.stdout).matches("plan-").count(), 1, "{plans:?}");
    }
}

#[test]
fn a_person_reads_that_there_is_nothing_to_go_back_to() {
    let site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({}));
    let back = site.fleet.command(&["rollback", "web", "--generation", "1"]).output().unwrap();
    let said = String::from_utf8_lossy(&back.stdout);
    assert!(said.contains("generation 1 runs already"), "{back:?}");
    assert_eq!(back.status.code(), Some(0), "{back:?}");
    let asked = site.fleet.command(&["call", "rollback_host", "host=web"]).output().unwrap();
    assert!(String::from_utf8_lossy(&asked.stdout).contains("unknown_generation"), "{asked:?}");
}
