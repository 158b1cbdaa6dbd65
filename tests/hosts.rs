//! Calls that ask real machines about their state, over real `ssh`.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::fleet::{Answer, Fleet, alive, nixes};
use crate::common::http::{Request, Setup};
use crate::common::mcp::{Client, WITH_HANDSHAKE};
use crate::common::target::Targets;
use crate::common::wait::wait_until;
use pantheros_mcp::testing::progress::Call;
use pantheros_mcp::testing::ssh::{RemoteLimits, SshConnections, SshSettings, SshTarget};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A fleet whose hosts are these machines, and a second system for `web`.
fn fleet(nix: &Path, targets: &mut Targets, names: &[&str]) -> Fleet {
    let hosts: String = names
        .iter()
        .map(|name| format!("{name} = host \"{name}\" {} 1;\n", targets.get(name).port))
        .collect();
    let flake = format!(
        r#"{{
  outputs = _:
  let
    host = name: port: revision: {{
      config = {{
        networking.hostName = name;
        pantheros.deploy = {{ targetHost = name; user = "root"; inherit port; }};
        system.build.toplevel = derivation {{
          name = "nixos-system-${{name}}-${{toString revision}}";
          system = "x86_64-linux";
          builder = "/bin/sh";
          args = [ "-c" "/bin/mkdir -p $out && echo '25.05 (Warbler)' >$out/nixos-version && echo ${{toString revision}} >$out/kernel" ];
        }} // {{ type = "derivation"; }};
      }};
    }};
  in {{
    nixosConfigurations = {{
      {hosts}
      next = host "web" 22 2;
    }};
  }};
}}"#
    );
    let fleet = Fleet::committed(nix, &[("flake.nix", &flake)]);
    fleet.write_outside(
        "pantheros.toml",
        &format!(
            "[nix]\nprogram = {nix:?}\n[ssh]\nconfig = {:?}\nconnect_seconds = 3\n",
            targets.ssh_config()
        ),
    );
    fleet
}

/// Builds a host's system and returns its path.
fn toplevel(fleet: &Fleet, host: &str) -> String {
    let attr = format!(".#nixosConfigurations.{host}.config.system.build.toplevel");
    let built = fleet.by_hand(&["build", "--no-link", "--print-out-paths", &attr]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8(built.stdout).unwrap().trim().to_owned()
}

fn status(fleet: &Fleet, host: &str) -> Answer {
    fleet.call("host_status", &json!({ "host": host }))
}

#[test]
fn a_host_says_what_it_runs() {
    for nix in nixes() {
        let mut targets = Targets::start(&nix, &["web"]);
        let fleet = fleet(&nix, &mut targets, &["web"]);
        let (first, second) = (toplevel(&fleet, "web"), toplevel(&fleet, "next"));
        targets.get("web").install(&nix, &first);

        let answer = status(&fleet, "web");
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let json = &answer.json;
        assert_eq!(json["reachable"], true);
        assert_eq!((&json["host_name"], &json["generation"]), (&json!("web"), &json!(1)), "{json:#}");
        assert_eq!((&json["running"], &json["in_sync"]), (&json!(first), &json!(true)), "{json:#}");
        assert_eq!((&json["reboot_required"], &json["warnings"]), (&json!(false), &json!([])), "{json:#}");
        assert!(json.get("failed_units").is_none(), "systemd does not run there: {json:#}");
        assert!(json["disk"][0]["free_bytes"].as_u64().unwrap() > 0, "{json:#}");

        // Another system was made the boot default, but was not activated.
        let web = targets.get("web");
        web.install(&nix, &second);
        web.says(&["ln", "-sfn", &first, "/run/current-system"]);
        let json = status(&fleet, "web").json;
        assert_eq!((&json["generation"], &json["running"]), (&json!(1), &json!(first)), "{json:#}");
        assert_eq!((&json["boots"], &json["configured"]), (&json!(2), &json!(second)), "{json:#}");
        assert_eq!(json["in_sync"], true, "{json:#}");
        assert_eq!(json["reboot_required"], true, "another kernel was booted: {json:#}");
        assert!(json["warnings"][0].as_str().unwrap().contains("not the boot default"), "{json:#}");

        let json = fleet.call("list_generations", &json!({"host": "web"})).json;
        let told: Vec<Value> = json["generations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| json!([of["generation"], of["toplevel"], of["current"], of["running"], of["booted"]]))
            .collect();
        assert_eq!(
            told,
            [json!([2, second, true, false, true]), json!([1, first, false, true, false])],
            "{json:#}"
        );
        assert_eq!(json["generations"][0]["nixos_version"], "25.05 (Warbler)");
        assert!(json["generations"][0]["date"].as_str().unwrap().starts_with("20"), "{json:#}");
        let text = |tool: &str| {
            let told = fleet.command(&["call", tool, "host=web"]).output().unwrap();
            String::from_utf8(told.stderr).unwrap()
        };
        let said = text("host_status");
        assert!(said.contains("runs generation 1, boots generation 2 next"), "{said}");
        let said = text("list_generations");
        assert!(said.contains("boot default"), "{said}");

        // The running system is no longer in the profile.
        targets.get("web").says(&["rm", "/nix/var/nix/profiles/system-1-link"]);
        let json = status(&fleet, "web").json;
        assert_eq!((json.get("generation"), &json["boots"]), (None, &json!(2)), "{json:#}");
        assert_eq!(json["running"], json!(first), "{json:#}");
    }
}

#[test]
fn a_machine_that_is_not_the_one_meant_is_told_of() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web", "db"]);
    let fleet = fleet(&nix, &mut targets, &["web", "db"]);
    targets.get("web").says(&["hostname", "impostor"]);
    let answer = status(&fleet, "web");
    let warnings = answer.json["warnings"].to_string();
    assert!(warnings.contains("`impostor`, not `web`"), "{:#}", answer.json);
    assert!(warnings.contains("does not run NixOS"), "{:#}", answer.json);
}

/// Parts of the flake that could not be read are reported, if the machine can still be asked.
#[test]
fn what_the_flake_does_not_say_of_a_host_is_told() {
    for nix in nixes() {
        let mut targets = Targets::start(&nix, &["web"]);
        let fleet = fleet(&nix, &mut targets, &["web"]);
        let port = targets.get("web").port;
        let settings = std::fs::read_to_string(fleet.folder().with_file_name("pantheros.toml")).unwrap();
        fleet.write_outside(
            "pantheros.toml",
            &format!("{settings}[hosts.web]\ntarget_host = \"web\"\nport = {port}\nuser = \"root\"\n"),
        );
        let unread = |tool: &str, config: &str| {
            fleet.write(
                "flake.nix",
                &format!("{{ outputs = _: {{ nixosConfigurations.web.config = {config}; }}; }}"),
            );
            let answer = fleet.call(tool, &json!({"host": "web"}));
            assert_eq!(answer.code, 0, "{:#}", answer.json);
            answer.json["unread"].clone()
        };
        for tool in ["host_status", "list_generations"] {
            assert_eq!(unread(tool, "{ }"), Value::Null);
            let gaps = unread(tool, "{ networking.hostName = throw \"no name today\"; }");
            assert_eq!(
                (&gaps[0]["attr"], &gaps[0]["error"]["code"]),
                (&json!("host_name"), &json!("throw")),
                "{gaps}"
            );
            assert!(gaps[0].to_string().contains("no name today"), "{gaps}");
            let gaps = unread(tool, "{ pantheros.deploy.port = abort \"no port today\"; }");
            assert_eq!(
                (&gaps[0]["attr"], &gaps[0]["error"]["code"]),
                (&json!("port"), &json!("abort")),
                "{gaps}"
            );
            let gaps = unread(tool, "throw \"nothing today\"");
            assert_eq!((&gaps[0]["attr"], &gaps[0]["rest"]), (&json!("config"), &json!(true)), "{gaps}");
        }
    }
}

#[test]
fn an_unknown_or_changed_host_key_is_an_error_that_says_what_a_person_does() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web"]);
    let fleet = fleet(&nix, &mut targets, &["web"]);
    let known = std::fs::read_to_string(targets.known_hosts()).unwrap();

    std::fs::write(targets.known_hosts(), "").unwrap();
    let answer = status(&fleet, "web");
    assert_eq!((answer.code, answer.error_code()), (1, "unknown_host_key"), "{:#}", answer.json);
    assert_eq!(answer.json["reachable"], false);
    assert!(answer.json["error"]["message"].as_str().unwrap().contains("SHA256:"), "{:#}", answer.json);
    assert!(answer.json["error"]["hint"].as_str().unwrap().contains("ssh -p"), "{:#}", answer.json);
    assert_eq!(std::fs::read_to_string(targets.known_hosts()).unwrap(), "", "nothing was accepted");

    // Another key is known for the machine.
    let other = known.split_whitespace().next().unwrap();
    let public = std::fs::read_to_string(targets.key().with_extension("pub")).unwrap();
    std::fs::write(targets.known_hosts(), format!("{other} {public}")).unwrap();
    let answer = status(&fleet, "web");
    assert_eq!((answer.code, answer.error_code()), (1, "changed_host_key"), "{:#}", answer.json);
    assert!(answer.json["error"]["hint"].as_str().unwrap().contains("ssh-keygen -R"), "{:#}", answer.json);
}

#[test]
fn who_is_not_let_in_or_does_not_answer_is_told_apart() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web"]);
    let fleet = fleet(&nix, &mut targets, &["web"]);
    let keys = targets.get("web").authorized_keys();
    let held = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, "").unwrap();
    let answer = status(&fleet, "web");
    assert_eq!((answer.code, answer.error_code()), (1, "access_denied"), "{:#}", answer.json);
    std::fs::write(&keys, held).unwrap();
    assert_eq!(status(&fleet, "web").code, 0);

    targets.get("web").power_off();
    let answer = status(&fleet, "web");
    assert_eq!((answer.code, answer.error_code()), (1, "host_unreachable"), "{:#}", answer.json);

    // Accepts the connection and never sends anything.
    let port = targets.get("web").port;
    let _silent = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let start = Instant::now();
    let answer = status(&fleet, "web");
    assert_eq!((answer.code, answer.error_code()), (1, "host_unreachable"), "{:#}", answer.json);
    // `connect_seconds` is 3, and 15 by default.
    assert!(start.elapsed().as_secs() < 15, "it hung for {:?}", start.elapsed());
}

#[test]
fn what_a_machine_says_is_bounded_and_never_a_control_sequence() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web"]);
    let fleet = fleet(&nix, &mut targets, &["web"]);
    let web = targets.get("web");
    web.says(&["mkdir", "/run/current-system"]);
    web.says(&["sh", "-c", "printf 'a\\033[31mb' >/run/current-system/configuration-revision"]);
    let json = status(&fleet, "web").json;
    assert_eq!(json["revision"], "ab", "{json:#}");
    // A shell that prints endlessly instead of running a command.
    let loud = "printf '#!/bin/sh\nyes\n' >/var/lib/loud && chmod +x /var/lib/loud && \
                sed -i 's|^root:.*|root:x:0:0:root:/:/var/lib/loud|' /etc/passwd";
    web.says(&["sh", "-c", loud]);
    let answer = status(&fleet, "web");
    assert_eq!((answer.code, answer.error_code()), (1, "output_too_large"), "{:#}", answer.json);
}

#[test]
fn calls_share_a_connection_that_ends_with_the_server() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web"]);
    let fleet = fleet(&nix, &mut targets, &["web"]);
    let config = targets.ssh_config();
    let master = format!("-F\0{}", config.display());
    let mut client = Client::begun(&fleet, &[], WITH_HANDSHAKE[3]);
    for _ in 0..3 {
        let answer = client.call("host_status", json!({"host": "web"}));
        assert_eq!(answer["result"]["structuredContent"]["reachable"], true, "{answer}");
    }
    assert!(alive(&master));
    let web = targets.get("web");
    let logins = std::fs::read_to_string(web.path("/etc").with_file_name("sshd.log")).unwrap();
    let before = logins.matches("Accepted publickey").count();

    // A rebooted machine gets a new connection.
    web.reboot();
    let answer = client.call("host_status", json!({"host": "web"}));
    assert_eq!(answer["result"]["structuredContent"]["reachable"], true, "{answer}");
    assert!(before <= 2, "one for the harness and one for three calls: {logins}");

    client.signal(Signal::KILL);
    client.ends();
    wait_until("the connection ends with the server", || !alive(&master));
}

#[tokio::test]
async fn arguments_and_input_arrive_as_they_are() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web"]);
    let hosts = SshConnections::new(SshSettings {
        program: "ssh".into(),
        config: Some(targets.ssh_config()),
        identity: None,
        known_hosts: None,
        connect_time: Duration::from_secs(5),
    });
    let target = SshTarget {
        address: "web".parse().unwrap(),
        user: "root".parse().unwrap(),
        port: targets.get("web").port.try_into().unwrap(),
    };
    let call = Call::unattended();
    let session = hosts.session(&target, &call).await.unwrap();
    let hostile = [
        "",
        " ",
        "'",
        "\"",
        "$(touch /run/pwned)",
        "`id`",
        "a\nb",
        "-n",
        "*",
        "~",
        "\\",
        "!!",
        "é",
        "; exit 3",
        "a=b",
    ];
    let mut argv = vec!["printf", "%s\\0"];
    argv.extend(hostile);
    let output = session.run(&argv, RemoteLimits::default(), &call).await.unwrap();
    let came: Vec<String> =
        String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect();
    assert_eq!(came, hostile);
    assert!(
        !session.run(&["test", "-e", "/run/pwned"], RemoteLimits::default(), &call).await.unwrap().success()
    );

    let input: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let output = session.run_with(&["cat"], &input, RemoteLimits::default(), &call).await.unwrap();
    assert_eq!(output.stdout, input);

    // A missing program ends with the exit code 127, as does a program that itself exits with 127.
    for argv in [&["no-such-program"][..], &["sh", "-c", "exit 127"]] {
        assert_eq!(session.run(argv, RemoteLimits::default(), &call).await.unwrap().code, 127, "{argv:?}");
    }

    // A timeout ends the wait, but not the connection.
    let limits = RemoteLimits::with_time(Duration::from_millis(300));
    assert!(session.run(&["sleep", "60"], limits, &call).await.is_err());
    assert!(session.is_alive(&call).await);
    // Two connections are independent: one that breaks does not end the other.
    let fresh = hosts.connect_unshared(&target, &call).await.unwrap();
    drop(hosts.session(&target, &call).await.unwrap());
    assert!(fresh.is_alive(&call).await);
    assert_eq!(fresh.host_key(), session.host_key());
    assert!(fresh.host_key().unwrap().fingerprint.starts_with("SHA256:"));
}

/// The names of this program's folders in `folder`.
fn left_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("pantheros-")).collect()
}

#[test]
fn a_long_temporary_folder_is_no_reason_not_to_connect() {
    for nix in nixes() {
        let mut targets = Targets::start(&nix, &["web"]);
        let fleet = fleet(&nix, &mut targets, &["web"]);
        targets.get("web").install(&nix, &toplevel(&fleet, "web"));
        let scratch = tempfile::tempdir().unwrap();
        let long = scratch.path().join("x".repeat(120));
        std::fs::create_dir(&long).unwrap();
        // If the environment names no shorter folder, it is /tmp.
        for runtime in [None, Some(scratch.path())] {
            let mut command = fleet.command(&["call", "-q", "host_status", "host=web"]);
            command.env("TMPDIR", &long).env_remove("XDG_RUNTIME_DIR");
            command.envs(runtime.map(|folder| ("XDG_RUNTIME_DIR", folder)));
            let output = command.output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(answer["reachable"], true, "{answer:#}");
        }
        assert_eq!(left_in(scratch.path()), [""; 0]);
    }
}

#[test]
fn nothing_of_a_connection_stays_however_the_server_ends() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web"]);
    let fleet = fleet(&nix, &mut targets, &["web"]);
    targets.get("web").install(&nix, &toplevel(&fleet, "web"));
    let scratch = tempfile::tempdir().unwrap();
    let connected = || {
        let mut command = fleet.command(&["serve"]);
        command.env("TMPDIR", scratch.path());
        let mut client = Client::of(command);
        client.initialize("2025-11-25");
        client.notify("notifications/initialized", json!({}));
        let status = client.call("host_status", json!({"host": "web"}));
        assert_eq!(status["result"]["structuredContent"]["reachable"], true, "{status}");
        assert_eq!(left_in(scratch.path()).len(), 1, "where its socket is");
        client
    };
    let ways: [fn(&mut Client); 4] = [
        Client::close,
        |server| server.signal(Signal::TERM),
        |server| server.signal(Signal::INT),
        |server| server.signal(Signal::HUP),
    ];
    for end in ways {
        let mut client = connected();
        end(&mut client);
        client.ends();
        assert_eq!(left_in(scratch.path()), [""; 0]);
    }

    let mut command = fleet.command(&["serve", "--http", "127.0.0.1:0"]);
    command.env("TMPDIR", scratch.path()).env_remove("XDG_RUNTIME_DIR");
    let mut server = Setup::of(command).start();
    let call = json!({"name": "host_status", "arguments": {"host": "web"}});
    let status = server.ask(&Request::modern("tools/call", call)).message();
    assert_eq!(status["result"]["structuredContent"]["reachable"], true, "{status}");
    assert_eq!(left_in(scratch.path()).len(), 1, "where its socket is");
    server.stop();
    assert_eq!(left_in(scratch.path()), [""; 0]);

    // A killed server removes nothing. The next one does.
    let mut client = connected();
    let left = left_in(scratch.path());
    client.signal(Signal::KILL);
    client.ends();
    assert_eq!(left_in(scratch.path()), left);
    let mut command = fleet.command(&["serve"]);
    command.env("TMPDIR", scratch.path());
    let next = Client::of(command);
    wait_until("the folder to go", || left_in(scratch.path()).is_empty());
    drop(next);
}

#[test]
fn nothing_of_a_login_under_way_stays_either() {
    let nix = nixes().pop().unwrap();
    let mut targets = Targets::start(&nix, &["web"]);
    let fleet = fleet(&nix, &mut targets, &["web"]);
    // The login must not fail by itself while a server ends.
    let ssh = targets.ssh_config();
    fleet.write_outside(
        "pantheros.toml",
        &format!("[nix]\nprogram = {nix:?}\n[ssh]\nconfig = {ssh:?}\nconnect_seconds = 600\n"),
    );
    targets.get("web").power_off();
    // Accepts the connection and never sends anything.
    let _silent = std::net::TcpListener::bind(("127.0.0.1", targets.get("web").port)).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let connects = || wait_until("a login", || !left_in(scratch.path()).is_empty());
    let call = json!({"name": "host_status", "arguments": {"host": "web"}});
    for signal in [None, Some(Signal::TERM), Some(Signal::INT), Some(Signal::HUP)] {
        let mut command = fleet.command(&["serve"]);
        command.env("TMPDIR", scratch.path());
        let mut client = Client::of(command);
        client.initialize("2025-11-25");
        client.ask("tools/call", call.clone());
        connects();
        match signal {
            Some(signal) => client.signal(signal),
            None => client.close(),
        }
        client.ends();
        assert_eq!(left_in(scratch.path()), [""; 0], "{signal:?}");
    }
    let mut command = fleet.command(&["serve", "--http", "127.0.0.1:0"]);
    command.env("TMPDIR", scratch.path()).env_remove("XDG_RUNTIME_DIR");
    let mut server = Setup::of(command).start();
    let mut connection = server.connect();
    connection.write(&Request::modern("tools/call", call).bytes(server.address));
    connects();
    server.stop();
    assert_eq!(left_in(scratch.path()), [""; 0]);
}
