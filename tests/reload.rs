//! A running server uses the settings and the flake as they are at each call, not as they were at its start.

use std::io::{PipeReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::fleet::{Fleet, errors, nixes};
use crate::common::mcp::{Client, STATELESS, WITH_HANDSHAKE, alone};
use crate::common::plan;
use crate::common::site::Site;
use crate::common::terminal::Terminal;
use serde_json::{Value, json};

const FILE: &str = "pantheros.toml";

/// Two hosts whose configurations have no target address.
fn flake(version: &str) -> String {
    let host = |name: &str| {
        format!(
            "nixosConfigurations.{name}.config.system = {{ stateVersion = \"{version}\"; build.toplevel = derivation {{ \
             name = \"{name}\"; system = \"{}-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"echo >$out\" ]; }}; }};",
            std::env::consts::ARCH
        )
    };
    format!("{{ outputs = _: {{ {} {} }}; }}", host("one"), host("two"))
}

fn committed(nix: &Path, settings: &str) -> Fleet {
    Fleet::committed(nix, &[("flake.nix", &flake("25.05")), (FILE, settings)])
}

fn begun(fleet: &Fleet) -> Client {
    Client::begun(fleet, &[], WITH_HANDSHAKE[2])
}

/// This program with these settings and this fleet's home, without a named flake.
fn configured(fleet: &Fleet, settings: &Path) -> Command {
    let named = fleet.command(&[]);
    let mut command = Command::new(named.get_program());
    command.arg("--config").arg(settings).env_remove("PANTHEROS_FLAKE");
    command.envs(named.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// The same with this fleet's settings.
fn without_flake(fleet: &Fleet) -> Command {
    configured(fleet, &fleet.folder().with_file_name(FILE))
}

/// This program on this fleet, with settings from a pipe.
fn piped(fleet: &Fleet, settings: &str) -> (Command, PipeReader) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(settings.as_bytes()).unwrap();
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty()).unwrap();
    let mut command = configured(fleet, &PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd())));
    command.arg("--flake").arg(fleet.folder());
    (command, reader)
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
}

/// Starts a server with this command, and does the handshake.
fn greeted(mut command: Command) -> Client {
    command.arg("serve");
    let mut client = Client::of(command);
    client.initialize(WITH_HANDSHAKE[2]);
    client.notify("notifications/initialized", json!({}));
    client
}

/// The structured content of a tool's answer, also of a failed call.
fn told(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let answer = client.call(tool, arguments);
    let content = answer["result"]["structuredContent"].clone();
    assert!(content.is_object(), "{answer}");
    content
}

/// The hosts of a plan, each with its error.
fn planned(client: &mut Client, arguments: Value) -> Vec<(String, String)> {
    let answer = told(client, "plan_deploy", arguments);
    let hosts = answer["hosts"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    hosts.iter().map(|host| (host["host"].as_str().unwrap().to_owned(), host["error"].to_string())).collect()
}

fn code(client: &mut Client, tool: &str, arguments: Value) -> String {
    let answer = told(client, tool, arguments);
    answer["error"]["code"].as_str().unwrap_or_else(|| panic!("{answer:#}")).to_owned()
}

#[test]
fn hosts_are_where_the_settings_say_now() {
    let before = "[hosts.one]\ntarget_host = \"127.0.0.1\"\nport = 1\n\
                  [hosts.two]\ntags = [\"prod\"]\ntarget_host = \"127.0.0.9\"\nport = 1\n";
    let after = "[hosts.one]\ntags = [\"prod\"]\ntarget_host = \"127.0.0.2\"\nport = 1\n\
                 [hosts.two]\ntags = [\"prod\"]\ntarget_host = \"127.0.0.3\"\nport = 1\n";
    for nix in nixes() {
        let fleet = committed(&nix, before);
        let mut client = begun(&fleet);
        let hosts = told(&mut client, "list_hosts", json!({"wait": true}))["hosts"].clone();
        assert_eq!((&hosts[0]["tags"], &hosts[1]["tags"]), (&json!([]), &json!(["prod"])), "{hosts:#}");
        let plan = planned(&mut client, json!({"tag": "prod"}));
        assert!(plan.len() == 1 && plan[0].1.contains("127.0.0.9"), "{plan:?}");

        fleet.write(FILE, after);
        let hosts = told(&mut client, "list_hosts", json!({"wait": true}))["hosts"].clone();
        assert_eq!(
            (&hosts[0]["tags"], &hosts[0]["target"]),
            (&json!(["prod"]), &json!("127.0.0.2")),
            "{hosts:#}"
        );
        let is_moved = |plan: Vec<(String, String)>| {
            assert_eq!(plan.len(), 2, "{plan:?}");
            assert!(plan[0].1.contains("127.0.0.2") && plan[1].1.contains("127.0.0.3"), "{plan:?}");
        };
        is_moved(planned(&mut client, json!({"tag": "prod"})));
        let status = told(&mut client, "host_status", json!({"host": "one"}));
        assert!(status.to_string().contains("127.0.0.2"), "{status:#}");

        // A plan of a revision needs settings that are committed.
        assert_eq!(
            code(&mut client, "plan_deploy", json!({"tag": "prod", "rev": "HEAD"})),
            "invalid_settings"
        );
        fleet.git(&["branch", "before"]);
        fleet.git(&["commit", "-qam", "move"]);
        is_moved(planned(&mut client, json!({"tag": "prod", "rev": "HEAD"})));
        assert_eq!(
            code(&mut client, "plan_deploy", json!({"tag": "prod", "rev": "before"})),
            "invalid_settings",
            "the commit says that they are elsewhere"
        );

        std::fs::remove_file(fleet.folder().join(FILE)).unwrap();
        assert_eq!(told(&mut client, "host_status", json!({"host": "one"}))["error"]["code"], "no_target");
    }
}

#[test]
fn what_is_narrowed_meanwhile_is_narrow() {
    let fleet = committed(&nixes().remove(0), "");
    let mut client = begun(&fleet);
    assert!(client.tools().contains(&"build_host".to_owned()));
    fleet.write(FILE, "[deploy]\nclean = true\n");
    assert_eq!(code(&mut client, "plan_deploy", json!({"hosts": ["one"]})), "dirty_flake");

    fleet.write(FILE, "[tools]\nread_only = true\n");
    let refused = client.call("build_host", json!({"host": "one"}))["error"]["message"].to_string();
    assert!(refused.contains("--read-only"), "{refused}");
    assert!(!client.tools().contains(&"build_host".to_owned()));
    fleet.write(FILE, "[tools]\nexclude = [\"list_hosts\"]\n");
    assert!(client.call("list_hosts", json!({}))["error"].is_object());

    // If a file that narrows cannot be read, every call fails.
    fleet.write(FILE, "[tools]\nread_only = true\nexclude =\n");
    for (tool, arguments) in [
        ("build_host", json!({"host": "one"})),
        ("list_hosts", json!({})),
        ("plan_deploy", json!({"hosts": ["one"]})),
        ("host_status", json!({"host": "one"})),
        ("rollback_host", json!({"host": "one"})),
        ("deploy", json!({"plan_id": "plan-1"})),
    ] {
        let answer = told(&mut client, tool, arguments);
        assert_eq!(answer["error"]["code"], "invalid_settings", "{tool}: {answer:#}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(FILE) && message.contains("line 3"), "{message}");
    }
    let log = json!({"uri": "pantheros://log/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-web.drv"});
    let error = client.request("resources/read", log.clone())["error"]["message"].to_string();
    assert!(error.contains(FILE) && error.contains("line 3"), "{error}");
    fleet.write(FILE, "");
    let error = client.request("resources/read", log)["error"]["message"].to_string();
    assert!(error.contains("has no log"), "{error}");
    let dry = told(&mut client, "build_host", json!({"host": "one", "dry_run": true}));
    assert!(dry["drv_path"].is_string(), "{dry:#}");
}

#[test]
fn the_users_settings_are_read_again_as_well() {
    for version in [WITH_HANDSHAKE[2], STATELESS] {
        let fleet = committed(&nixes().remove(0), "");
        let users = fleet.folder().with_file_name(FILE);
        let text = std::fs::read_to_string(&users).unwrap();
        let write = |more: &str| std::fs::write(&users, format!("{text}{more}")).unwrap();
        let mut client = Client::begun(&fleet, &[], version);
        let target = |client: &mut Client| {
            let answer = told(client, "list_hosts", json!({"host": "one"}));
            answer["hosts"][0]["target"].as_str().map(str::to_owned)
        };
        assert_eq!(target(&mut client), None);
        write("[hosts.one]\ntarget_host = \"192.0.2.1\"\n");
        assert_eq!(target(&mut client).as_deref(), Some("192.0.2.1"));
        // Other settings apply to the next call as well: an unknown key, Nix, the cache, ssh, limits.
        write("program_ = 1\n");
        assert_eq!(code(&mut client, "list_hosts", json!({})), "invalid_settings");
        std::fs::write(&users, "[nix]\nprogram = \"/nonexistent/nix\"\n[cache]\nenabled = false\n").unwrap();
        assert_eq!(code(&mut client, "list_hosts", json!({"host": "one"})), "nix_not_found");
        write("[ssh]\nconfig = \"/nonexistent/ssh_config\"\n[hosts.one]\ntarget_host = \"192.0.2.1\"\n");
        let unreached = told(&mut client, "list_generations", json!({"host": "one"}));
        assert!(unreached["error"].to_string().contains("/nonexistent/ssh_config"), "{unreached:#}");
        write("[limits]\nconcurrent_calls = 1\nwaiting_calls = 0\nmessage_kib = 512\n");
        assert_eq!(target(&mut client), None);
        let said = client.said();
        assert!(said.contains("`limits.message_kib` was changed: restart the server"), "{said}");
        std::fs::remove_file(&users).unwrap();
        assert_eq!(code(&mut client, "list_hosts", json!({})), "invalid_settings");
    }
}

/// Settings that allow only tools without effects, and give the address of a host.
fn narrow(nix: &Path) -> String {
    format!("[nix]\nprogram = {nix:?}\n[tools]\nread_only = true\n[hosts.one]\ntarget_host = \"192.0.2.1\"\n")
}

/// A server with the settings of [`narrow`] keeps them until it ends.
fn stays_narrow(client: &mut Client) {
    for _ in 0..2 {
        let tools = client.tools();
        assert!(
            tools.contains(&"list_hosts".to_owned()) && !tools.contains(&"build_host".to_owned()),
            "{tools:?}"
        );
        let refused = client.call("build_host", json!({"host": "one"}))["error"]["message"].to_string();
        assert!(refused.contains("--read-only"), "{refused}");
        let host = told(client, "list_hosts", json!({"host": "one"}))["hosts"][0].clone();
        assert_eq!(host["target"], "192.0.2.1", "{host:#}");
    }
}

#[test]
fn what_came_through_a_pipe_counts_to_the_servers_end() {
    let nix = nixes().remove(0);
    let fleet = committed(&nix, "");
    let (command, reader) = piped(&fleet, &narrow(&nix));
    let mut client = greeted(command);
    drop(reader);
    stays_narrow(&mut client);
    // The file beside the flake is still read again.
    fleet.write(FILE, "[tools]\nexclude = [\"list_hosts\"]\n");
    assert!(client.call("list_hosts", json!({}))["error"].is_object());

    // A named pipe that is written late, in parts, and only once.
    let fleet = committed(&nix, "");
    let fifo = fleet.folder().with_file_name("fifo");
    make_fifo(&fifo);
    let mut command = configured(&fleet, &fifo);
    command.arg("--flake").arg(fleet.folder()).arg("serve");
    let mut client = Client::of(command);
    let mut writer = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    for line in narrow(&nix).split_inclusive('\n') {
        writer.write_all(line.as_bytes()).unwrap();
    }
    drop(writer);
    client.initialize(WITH_HANDSHAKE[2]);
    client.notify("notifications/initialized", json!({}));
    stays_narrow(&mut client);
}

#[test]
fn a_plan_is_made_under_settings_from_a_pipe() {
    let site = Site::start(&nixes().remove(0), &["web"], &json!({}));
    let users = site.fleet.folder().with_file_name(FILE);
    let mut settings = std::fs::read_to_string(&users).unwrap();
    for name in ["state", "approvers"] {
        let path = users.with_file_name(name);
        settings = settings.replace(&format!("= \"{name}\""), &format!("= {path:?}"));
    }
    let (mut command, reader) = piped(&site.fleet, &settings);
    let output = command.args(["call", "--quiet", "plan_deploy", "hosts=web"]).output().unwrap();
    drop(reader);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["plan_id"].is_string(), "{answer:#}");
}

#[test]
fn a_pipe_without_a_word_is_no_empty_file() {
    let nix = nixes().remove(0);
    let fleet = committed(&nix, "");
    let (mut command, reader) = piped(&fleet, "");
    let output = command.args(["tools", "--json"]).output().unwrap();
    drop(reader);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    assert!(errors(&output).contains("ended without content"), "{}", errors(&output));
    // A device that is always empty is accepted.
    let mut command = configured(&fleet, Path::new("/dev/null"));
    let output = command.args(["tools", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    let fleet = committed(&nixes().remove(0), "");
    let users = fleet.folder().with_file_name(FILE);
    let mut client = begun(&fleet);
    assert!(told(&mut client, "list_hosts", json!({}))["hosts"].is_array());
    std::fs::remove_file(&users).unwrap();
    make_fifo(&users);
    let refused = told(&mut client, "list_hosts", json!({}));
    assert_eq!(refused["error"]["code"], "invalid_settings", "{refused:#}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("is not a regular file"), "{refused:#}");
}

#[test]
fn a_link_to_a_flake_is_followed_anew() {
    for (nix, in_git) in nixes().into_iter().flat_map(|nix| [(nix.clone(), true), (nix, false)]) {
        let make = |version: &str| {
            let files = [("flake.nix", flake(version))];
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
            if in_git { Fleet::committed(&nix, &files) } else { Fleet::plain(&nix, &files) }
        };
        let (old, new) = (make("24.05"), make("25.11"));
        let link = old.folder().with_file_name("link");
        let resolve_link = |fleet: &Fleet| {
            let _none = std::fs::remove_file(&link);
            symlink(fleet.folder(), &link).unwrap();
        };
        resolve_link(&old);
        let mut command = without_flake(&old);
        command.arg("--flake").arg(&link);
        let mut client = greeted(command);
        let version = |client: &mut Client, arguments: Value| {
            told(client, "list_hosts", arguments)["hosts"][0]["state_version"].clone()
        };
        for arguments in [json!({"host": "one"}), json!({"wait": true})] {
            resolve_link(&old);
            assert_eq!(version(&mut client, arguments.clone()), "24.05");
            resolve_link(&new);
            assert_eq!(version(&mut client, arguments), "25.11", "in a repository: {in_git}");
        }
        // The settings beside the flake that the link now points to apply.
        new.write(FILE, "[hosts.one]\ntarget_host = \"192.0.2.1\"\n");
        let host = told(&mut client, "list_hosts", json!({"host": "one"}))["hosts"][0].clone();
        assert_eq!(host["target"], "192.0.2.1", "{host:#}");
        std::fs::remove_file(&link).unwrap();
        assert_eq!(code(&mut client, "list_hosts", json!({})), "flake_not_found");
    }
}

#[test]
fn a_flake_further_up_does_not_step_in() {
    let fleet = Fleet::plain(
        &nixes().remove(0),
        &[("flake.nix", &flake("24.05")), ("inner/flake.nix", &flake("25.11"))],
    );
    let mut command = without_flake(&fleet);
    command.current_dir(fleet.folder().join("inner"));
    let mut client = greeted(command);
    let host = json!({"host": "one"});
    assert_eq!(told(&mut client, "list_hosts", host.clone())["hosts"][0]["state_version"], "25.11");
    std::fs::rename(fleet.folder().join("inner/flake.nix"), fleet.folder().join("away")).unwrap();
    assert_eq!(code(&mut client, "list_hosts", host.clone()), "flake_not_found");
    std::fs::rename(fleet.folder().join("away"), fleet.folder().join("inner/flake.nix")).unwrap();
    assert_eq!(told(&mut client, "list_hosts", host)["hosts"][0]["state_version"], "25.11");
}

/// Changes the settings while a person answers a form. Returns the error of the call, and whether the answer was
/// recorded.
fn answered(version: &str, action: &str, change: impl FnOnce(&Fleet)) -> (Value, bool) {
    let fleet = plan::fleet("approve_by = [\"elicitation\"]");
    let stored = plan::stored(&fleet, &["one"], &[], std::time::Duration::from_secs(1_800));
    let mut client = Client::able(&fleet, &[], version, json!({"elicitation": {}}));
    let mut params = json!({"name": "deploy", "arguments": {"plan_id": stored.plan().id.as_str()}});
    let mut id = client.ask("tools/call", params.clone());
    let result = |form: &Value| {
        assert_eq!(form["method"], "elicitation/create", "{form}");
        let fields = form["params"]["requestedSchema"]["properties"].as_object().unwrap();
        let content: serde_json::Map<String, Value> =
            fields.keys().map(|field| (field.clone(), json!(stored.plan().phrase()))).collect();
        json!({"action": action, "content": content})
    };
    if version == STATELESS {
        let asked = client.answer(id).json["result"].clone();
        let (name, form) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
        params["inputResponses"] = json!({ name: result(form) });
        params["requestState"] = asked["requestState"].clone();
        change(&fleet);
        id = client.ask("tools/call", params);
    } else {
        let form = client.next();
        change(&fleet);
        let answer = json!({"jsonrpc": "2.0", "id": form["id"], "result": result(&form)});
        client.send_line(&answer.to_string());
    }
    let answer = client.answer(id).json["result"]["structuredContent"].clone();
    (answer["error"].clone(), plan::approvals(&fleet).decision(&stored.plan().id).unwrap().is_some())
}

#[test]
fn an_answer_under_other_settings_does_not_count() {
    for version in [WITH_HANDSHAKE[2], STATELESS] {
        let (error, is_spent) = answered(version, "accept", |_| {});
        assert!(is_spent, "{version}: the answer is one that counts: {error:#}");
        let less = |fleet: &Fleet| plan::set(fleet, "approve_by = [\"elicitation\"]\nplan_minutes = 20");
        let (error, is_spent) = answered(version, "accept", less);
        assert_eq!(error["code"], "invalid_approval", "{version}: {error:#}");
        assert!(error.to_string().contains("settings") && !is_spent, "{version}: {error:#}");
        // A decline counts under any settings.
        let (error, is_spent) = answered(version, "decline", less);
        assert!(error["code"] == "approval_declined" && is_spent, "{version}: {error:#}");
    }
    // By now another way of approving may be required.
    let (error, is_spent) =
        answered(WITH_HANDSHAKE[2], "accept", |fleet| plan::set(fleet, "approve_by = [\"terminal\"]"));
    assert!(error["code"] == "invalid_approval" && error.to_string().contains("settings"), "{error:#}");
    assert!(!is_spent);
}

#[test]
fn a_rollback_is_planned_under_settings_that_hold() {
    let nix = nixes().remove(0);
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let second = site.toplevel("web");
    site.machine("web").install(&nix, &second);
    // The settings change the first time that a host is reached.
    let (users, mark) =
        (site.fleet.folder().with_file_name(FILE), site.fleet.folder().with_file_name("changed"));
    site.ssh_after(&format!(
        "[ -e {mark:?} ] || {{ : >{mark:?}; printf '[cache]\\nsize_mib = 65\\n' >>{users:?}; }}"
    ));
    let plans = || site.fleet.command(&["plans"]).output().unwrap();
    let back = |code: &str| {
        let answer = site.fleet.call("rollback_host", &json!({"host": "web"}));
        assert_eq!(answer.error_code(), code, "{:#}", answer.json);
    };
    back("plan_outdated");
    assert!(!String::from_utf8_lossy(&plans().stdout).contains("plan-"), "{:?}", plans());
    back("approval_required");
    assert!(String::from_utf8_lossy(&plans().stdout).contains("plan-"), "{:?}", plans());
}

#[test]
fn what_a_person_trusts_counts_from_the_next_call_on() {
    let fleet = committed(&nixes().remove(0), "[ssh]\nconfig = \"/nonexistent/ssh_config\"\n");
    let users = fleet.folder().with_file_name(FILE);
    let text = std::fs::read_to_string(&users).unwrap();
    std::fs::write(&users, format!("{text}[hosts.one]\ntarget_host = \"127.0.0.1\"\nport = 1\n")).unwrap();
    let mut client = begun(&fleet);
    let unreached =
        |client: &mut Client| told(client, "list_generations", json!({"host": "one"}))["error"].to_string();
    let before = unreached(&mut client);
    assert!(!before.contains("/nonexistent/ssh_config"), "{before}");
    let mut trust = fleet.command(&["trust"]);
    alone(&mut trust);
    let mut terminal = Terminal::run(&trust);
    terminal.shows("Type `trust` to trust it");
    terminal.types("trust\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("a running server applies it from its next call on"), "{shown}");
    let after = unreached(&mut client);
    assert!(after.contains("/nonexistent/ssh_config"), "{after} {}", client.said());
}

#[test]
fn a_page_is_of_the_state_that_the_one_before_was_of() {
    for (nix, in_git) in nixes().into_iter().flat_map(|nix| [(nix.clone(), true), (nix, false)]) {
        let text = flake("24.05");
        let files = [("flake.nix", text.as_str())];
        let fleet = if in_git { Fleet::committed(&nix, &files) } else { Fleet::plain(&nix, &files) };
        let mut client = begun(&fleet);
        // Facts that become known between two pages do not change the list.
        let first = told(&mut client, "list_hosts", json!({"limit": 1}));
        let after = |page: &Value| json!({"limit": 1, "wait": true, "cursor": page["next_cursor"]});
        assert_eq!(first["hosts"][0]["name"], "one", "{first:#}");
        let second = told(&mut client, "list_hosts", after(&first));
        assert_eq!(
            (&second["hosts"][0]["name"], &second["pending"]),
            (&json!("two"), &json!(0)),
            "{second:#}"
        );

        let first = told(&mut client, "list_hosts", json!({"limit": 1, "wait": true}));
        fleet.write("flake.nix", &flake("25.11"));
        let refused = told(&mut client, "list_hosts", after(&first));
        assert_eq!(refused["error"]["attr"], "cursor", "{refused:#}");
        assert!(
            refused["error"]["message"].as_str().unwrap().contains("the list has changed"),
            "{refused:#}"
        );

        let first = told(&mut client, "list_hosts", json!({"limit": 1, "wait": true}));
        assert_eq!(first["hosts"][0]["state_version"], "25.11", "{first:#}");
        // Git does not track this file, but its settings are part of the list.
        std::fs::write(
            fleet.folder().with_file_name(FILE),
            format!("[nix]\nprogram = {nix:?}\n[hosts.two]\ntags = [\"new\"]\n"),
        )
        .unwrap();
        let refused = told(&mut client, "list_hosts", after(&first));
        assert_eq!(refused["error"]["attr"], "cursor", "{refused:#}");
    }
}
