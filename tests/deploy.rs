//! Deploying to real machines: every end there is, and what it leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::fleet::nixes;
use common::site::Site;
use serde_json::json;

#[test]
fn a_host_is_confirmed_and_goes_back_again() {
    for nix in nixes() {
        let mut site = Site::start(&nix, &["web"], &json!({"healthChecks": [{"command": ["true"]}]}));
        let (first, second) = (site.first("web"), site.toplevel("web"));
        let plan = site.approved(&json!({"hosts": ["web"]}));
        let answer = site.deploy(&plan);
        let host = &answer.json["hosts"][0];
        assert_eq!((answer.code, &host["state"]), (0, &json!("confirmed")), "{:#}", answer.json);
        assert_eq!(host["generation"], 2, "{:#}", answer.json);
        assert!(host["health"].as_array().unwrap().iter().all(|health| health["ok"] == true));
        site.settled("web", &second, &second);
        assert_eq!(site.activations("web"), ["2 test", "2 boot"]);

        // An approval is good for once.
        let again = site.deploy(&plan);
        assert_eq!((again.code, again.error_code()), (1, "approval_spent"), "{:#}", again.json);

        let unapproved = site.fleet.call("rollback_host", &json!({"host": "web"}));
        assert_eq!(
            (unapproved.code, unapproved.error_code()),
            (1, "approval_required"),
            "{:#}",
            unapproved.json
        );
        let hint = unapproved.json["error"]["hint"].as_str().unwrap();
        let plan = hint.split(['`', ' ']).find(|word| word.starts_with("plan-")).unwrap().to_owned();
        assert!(site.approve(&plan).status.success());
        let answer = site.deploy(&plan);
        let host = &answer.json["hosts"][0];
        assert_eq!(
            (answer.code, &host["state"], &host["generation"]),
            (0, &json!("confirmed"), &json!(1)),
            "{:#}",
            answer.json
        );
        site.settled("web", &first, &first);
        let generations = site.fleet.call("list_generations", &json!({"host": "web"}));
        assert_eq!(generations.json["total"], 2, "{:#}", generations.json);
        assert_eq!(
            site.audited(),
            [
                "planned",
                "approved",
                "deploy_started",
                "host_finished",
                "refused",
                "planned",
                "refused",
                "approved",
                "deploy_started",
                "host_finished"
            ]
        );
    }
}
