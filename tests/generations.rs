//! `list_generations` on real machines: the versions of a package, and what changes between two generations.

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
