//! Deployments to real machines: every outcome, and the state it leaves on the host.

use crate::common::fleet::nixes;
use crate::common::site::Site;
use crate::common::terminal::Terminal;
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

        // An approval can be used once.
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

#[test]
fn a_person_deploys_in_one_go() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(
        &nix,
        &["web"],
        &json!({"refusals": [{"code": "no_monitoring", "message": "nobody looks"}]}),
    );
    let (first, second) = (site.first("web"), site.toplevel("web"));

    let shown = site.fleet.command(&["deploy", "--dry-run", "web"]).output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success() && text.contains(&second) && text.contains("no_monitoring"), "{text}");
    // Without a terminal no person can approve.
    let piped = site.fleet.command(&["deploy", "web"]).output().unwrap();
    assert_eq!(piped.status.code(), Some(1), "{piped:?}");
    assert!(String::from_utf8_lossy(&piped.stderr).contains("needs a terminal"), "{piped:?}");
    site.settled("web", &first, &first);

    let mut terminal = Terminal::run(&site.fleet.command(&["deploy", "web"]));
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    terminal.shows("Type no_monitoring");
    terminal.types("no_monitoring\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("web: confirmed, generation 2"), "{shown}");
    site.settled("web", &second, &second);

    let mut terminal = Terminal::run(&site.fleet.command(&["rollback", "web"]));
    terminal.shows("which is generation 1");
    terminal.types("no\n");
    assert_eq!(terminal.ends().0, Some(1));
    site.settled("web", &second, &second);
    let mut terminal = Terminal::run(&site.fleet.command(&["rollback", "web", "--generation", "1"]));
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    // The older system has the same blocking risk.
    terminal.shows("Type no_monitoring");
    terminal.types("no_monitoring\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    site.settled("web", &first, &first);
    let gone = site.fleet.command(&["rollback", "web", "--generation", "7"]).output().unwrap();
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert!(String::from_utf8_lossy(&gone.stdout).contains("generation 7"), "{gone:?}");
}

#[test]
fn the_settings_say_where_a_host_is() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let port = site.machine("web").port;
    site.change(|facts| facts["hosts"]["web"] = serde_json::Value::Null);
    let nowhere = site.fleet.call("plan_deploy", &json!({"hosts": ["web"]}));
    assert_eq!((nowhere.code, nowhere.error_code()), (1, "no_target"), "{:#}", nowhere.json);
    site.settings(
        &nix,
        &format!(
            "[hosts.web]\ntarget_host = \"web\"\nport = {port}\ntags = [\"all\"]\nrollback_timeout = 10\n\
             health_checks = [{{ tcp = {port} }}]\n"
        ),
    );
    let second = site.toplevel("web");
    let plan = site.approved(&json!({"tag": "all"}));
    let answer = site.deploy(&plan);
    assert_eq!(answer.code, 0, "{:#}", answer.json);
    let checked = format!("TCP port {port}");
    let health = answer.json["hosts"][0]["health"].as_array().unwrap();
    assert!(health.iter().any(|health| health["check"] == checked.as_str()), "{:#}", answer.json);
    site.settled("web", &second, &second);

    // If the settings have the host's address, a configuration that does not evaluate does not prevent a rollback.
    site.fleet.write("flake.nix", "{ outputs = _: { nixosConfigurations.web = throw \"broken\"; }; }");
    let status = site.fleet.call("list_generations", &json!({"host": "web"}));
    assert_eq!((status.code, &status.json["total"]), (0, &json!(2)), "{:#}", status.json);
    let back = site.fleet.command(&["rollback", "web", "--dry-run"]).output().unwrap();
    let said = String::from_utf8_lossy(&back.stdout);
    assert!(said.contains("which is generation 1"), "{said}");
    // The plan names what is unknown because of that.
    assert!(said.contains("`config` could not be read: the configuration called `throw`: broken"), "{said}");
    assert!(said.contains("the timeouts are those of the settings"), "{said}");
}

#[test]
fn what_a_system_says_of_itself_is_compared() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let risks = |site: &Site| {
        let answer = site.fleet.call("plan_deploy", &json!({"hosts": ["web"]}));
        let risks = answer.json["hosts"][0]["risks"].as_array().unwrap().clone();
        risks.iter().map(|risk| risk["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(!risks(&site).contains(&"state_version_changed".to_owned()));
    site.change(|facts| facts["state"] = "26.11".into());
    assert_eq!(risks(&site)[0], "state_version_changed");
    // A blocking risk has to be accepted by name.
    let plan = site.plan(&json!({"hosts": ["web"]}));
    let refused = site.approve(&plan);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("state_version_changed"), "{refused:?}");
    let first = site.first("web");
    site.settled("web", &first, &first);
}

/// The system reports which of its own facts could not be read, and the flake reports why.
#[test]
fn what_a_system_cannot_say_of_itself_is_a_risk() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    site.change(|facts| facts["broken"] = "no disk today".into());
    let answer = site.fleet.call("plan_deploy", &json!({"hosts": ["web"]}));
    let risk = answer.json["hosts"][0]["risks"][0].clone();
    assert_eq!((&risk["code"], &risk["severity"]), (&json!("facts_unknown"), &json!("blocking")), "{risk}");
    let evidence = risk["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("`file_systems.mounted./data`") && evidence.contains("no disk today"),
        "{risk}"
    );
    let plan = answer.json["plan_id"].as_str().unwrap();
    let refused = site.approve(plan);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("facts_unknown"), "{refused:?}");
    let named = ["approve", plan, "--batch", "--risk", "facts_unknown", "--sign"];
    let approved = site.fleet.command(&named).arg(site.signer()).output().unwrap();
    assert!(approved.status.success(), "{approved:?}");
    assert_eq!(site.deploy(plan).code, 0);

    // The unread facts must not prevent a later rollback to this system.
    site.change(|facts| {
        facts["revision"] = "3".into();
        facts.as_object_mut().unwrap().remove("broken");
    });
    let plan = site.approved(&json!({"hosts": ["web"]}));
    assert_eq!(site.deploy(&plan).code, 0);
    let back = site.fleet.command(&["rollback", "web", "--dry-run"]).output().unwrap();
    let said = String::from_utf8_lossy(&back.stdout);
    assert!(said.contains("which is generation 2") && said.contains("facts_unknown"), "{said}");
    assert!(said.contains("`file_systems.mounted./data` could not be read"), "{said}");
}

#[test]
fn a_kernel_is_started_once_and_kept_if_it_comes_up() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let (first, second) = (site.first("web"), site.toplevel("web"));
    let wrong = site.fleet.call("plan_deploy", &json!({"hosts": ["web"], "reboot": true}));
    assert_eq!((wrong.code, wrong.error_code()), (2, "invalid_input"), "{:#}", wrong.json);
    // Without a boot loader that can start an entry once, the risk has to be accepted by name.
    let plan = site.plan(&json!({"hosts": ["web"], "action": "boot", "reboot": true}));
    let refused = site.approve(&plan);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("boots_for_good"), "{refused:?}");

    site.machine("web").says(&[
        "sh",
        "-c",
        "mount -t tmpfs tmpfs /sys/firmware && mkdir -p /sys/firmware/efi/efivars && \
             printf '\\006\\0\\0\\0\\377\\0\\0\\0\\0\\0\\0\\0' \
               >/sys/firmware/efi/efivars/LoaderFeatures-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
    ]);
    let plan = site.approved(&json!({"hosts": ["web"], "action": "boot", "reboot": true}));
    let mut deploying = site.deploying(&plan).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let reboots = site.machine("web").path("/var/lib/reboots");
    crate::common::wait::wait_until("it is rebooted", || reboots.exists());
    assert_eq!(site.machine("web").boot_default(), first);
    site.machine("web").reboot();
    let ended = deploying.wait().unwrap();
    assert!(ended.success(), "{ended:?}");
    site.settled("web", &second, &second);
}
