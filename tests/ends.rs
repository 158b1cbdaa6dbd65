//! After a server or a call has ended, no process and no file of it is left.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::fleet::{Fleet, alive, below, errors, nixes};
use crate::common::http::{Request, Setup};
use crate::common::mcp::{Client, STATELESS, alone, handshake};
use crate::common::slow::Slow;
use crate::common::target::Targets;
use crate::common::wait::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The requests of a client that builds `host`, one per line.
fn asking_for(host: &str) -> String {
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": handshake("2025-11-25")}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
               "params": {"name": "build_host", "arguments": {"host": host}}}),
    ];
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn ends(server: &mut Child) {
    wait_until("the server to end", || server.try_wait().unwrap().is_some());
}

#[test]
fn a_closed_output_ends_the_session_though_nothing_is_written() {
    for nix in nixes() {
        let slow = Slow::new(&nix);
        let mut command = slow.fleet.command(&["serve"]);
        alone(&mut command);
        let mut server =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = server.stdin.take().unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        input.write_all(asking_for("slow").as_bytes()).unwrap();
        // Reads the greeting, so that the pipe is empty. Nothing else will be written.
        output.read_line(&mut String::new()).unwrap();
        slow.has_begun();
        drop(output);
        ends(&mut server);
        slow.nothing_left(server.id());
        drop(input);
    }
}

#[test]
fn a_socket_for_an_output_ends_the_session_too() {
    let slow = Slow::new(&nixes()[0]);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = slow.fleet.command(&["serve"]);
    alone(&mut command);
    let mut server = command
        .stdin(Stdio::piped())
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The command still holds its end of the socket.
    drop(command);
    let mut input = server.stdin.take().unwrap();
    input.write_all(asking_for("slow").as_bytes()).unwrap();
    BufReader::new(ours.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
    slow.has_begun();
    drop(ours);
    ends(&mut server);
    slow.nothing_left(server.id());
}

#[test]
fn an_output_that_is_a_file_is_none_that_was_closed() {
    let fleet = Fleet::demo(&nixes()[0]);
    let answers = fleet.write_outside("answers", "");
    let mut command = fleet.command(&["serve"]);
    alone(&mut command);
    let output = std::fs::File::options().append(true).open(&answers).unwrap();
    let mut server = command.stdin(Stdio::piped()).stdout(output).stderr(Stdio::null()).spawn().unwrap();
    let mut input = server.stdin.take().unwrap();
    for line in asking_for("web").lines() {
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    wait_until("the answers", || std::fs::read_to_string(&answers).unwrap().lines().count() >= 2);
    drop(input);
    ends(&mut server);
}

/// A process that is left in the background, in a session of its own and with another parent.
struct Left {
    /// The seconds that it sleeps, which identify it by its command line.
    marker: String,
}

impl Left {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self { marker: format!("86401.{}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    /// A script that starts the process and continues once the process runs. With the environment `env -i` the process
    /// has no variables.
    fn script(&self, environment: &str) -> String {
        format!(
            r#"setsid /bin/sh -c '{environment} setsid /bin/sh -c ": >ready; exec /bin/sleep {}" </dev/null >/dev/null 2>&1 &'
               while [ ! -e ready ]; do sleep 0.02; done"#,
            self.marker
        )
    }

    fn is_there(&self) -> bool {
        alive(&format!("sleep\0{}", self.marker))
    }

    fn has_begun(&self) {
        wait_until("the process in the background", || self.is_there());
    }

    fn is_gone(&self) {
        wait_until("the process in the background to end", || !self.is_there());
    }
}

impl Drop for Left {
    /// If a test fails, the process must not run for a day.
    fn drop(&mut self) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let id = entry.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
            if [format!("/bin/sleep\0{}", self.marker), format!("ssh: {} [mux]", self.marker)]
                .iter()
                .any(|known| line.starts_with(known.as_bytes()))
                && let Some(id) = id
            {
                let _gone = kill_process(id, Signal::KILL);
            }
        }
    }
}

/// Hosts whose builders leave a process in the background. The builder of `a` goes on for a day; that of `b` ends at
/// once.
fn leaving(nix: &Path, a: &Left, b: &Left, environment: &str) -> Fleet {
    let salt = format!("{:?}", std::time::SystemTime::now());
    let host = |name: &str, left: &Left, then: &str| {
        format!(
            r#"nixosConfigurations.{name}.config.system.build.toplevel = derivation {{
                name = "{name}"; system = "{}-linux"; builder = "/bin/sh"; salt = "{salt}";
                args = [ "-c" ''PATH=/bin:/usr/bin; {}
                  {then}'' ];
              }};"#,
            std::env::consts::ARCH,
            left.script(environment)
        )
    };
    let (a, b) = (host("a", a, "sleep 86400 & wait"), host("b", b, "echo >$out"));
    Fleet::committed(nix, &[("flake.nix", &format!("{{ outputs = _: {{ {a} {b} }}; }}"))])
}

/// Prefixes that give the background process its builder's environment, or none.
const ENVIRONMENTS: [&str; 2] = ["", "env -i"];

/// A regular way to end a server: its name, and a function that does it.
type Way = (&'static str, fn(&mut Client));

fn build(host: &str) -> Value {
    json!({"name": "build_host", "arguments": {"host": host}})
}

#[test]
fn what_a_builder_left_in_the_background_ends_with_the_server() {
    for nix in nixes() {
        let ways: [Way; 4] = [
            ("its input is closed", Client::close),
            ("SIGTERM", |server| server.signal(Signal::TERM)),
            ("SIGINT", |server| server.signal(Signal::INT)),
            ("SIGHUP", |server| server.signal(Signal::HUP)),
        ];
        for (number, (way, end)) in ways.into_iter().enumerate() {
            let (left, other) = (Left::new(), Left::new());
            let fleet = leaving(&nix, &left, &other, ENVIRONMENTS[number % 2]);
            let mut client = Client::begun(&fleet, &[], STATELESS);
            client.ask("tools/call", build("a"));
            left.has_begun();
            end(&mut client);
            client.ends();
            assert!(!left.is_there(), "{way}: it is there when the server has ended");
        }
    }
}

#[test]
fn what_a_builder_left_in_the_background_ends_with_an_http_server() {
    let (left, other) = (Left::new(), Left::new());
    let fleet = leaving(&nixes()[0], &left, &other, "");
    let mut server = Setup::of(fleet.command(&["serve", "--http", "127.0.0.1:0"])).start();
    let mut connection = server.connect();
    connection.write(&Request::modern("tools/call", build("a")).bytes(server.address));
    left.has_begun();
    server.stop();
    assert!(!left.is_there(), "it is there when the server has ended");
}

#[test]
fn what_a_builder_left_in_the_background_ends_with_its_call_and_no_other() {
    for nix in nixes() {
        for environment in ENVIRONMENTS {
            let (running, ended) = (Left::new(), Left::new());
            let fleet = leaving(&nix, &running, &ended, environment);
            let mut client = Client::begun(&fleet, &[], "2025-11-25");
            let id = client.ask("tools/call", build("a"));
            running.has_begun();
            let built = client.request("tools/call", build("b"));
            assert_eq!(built["result"]["isError"], false, "{built}");
            ended.is_gone();
            assert!(running.is_there(), "what belongs to a build that goes on was ended");
            client.cancel(id);
            running.is_gone();
            assert!(!client.tools().is_empty(), "the server goes on");
        }
    }
}

#[test]
fn what_a_builder_left_in_the_background_ends_before_a_command_does() {
    for nix in nixes() {
        let (left, other) = (Left::new(), Left::new());
        let fleet = leaving(&nix, &other, &left, "");
        assert_eq!(fleet.call("build_host", &json!({"host": "b"})).code, 0);
        assert!(!left.is_there(), "it is there when `call` has ended");
    }
}

#[test]
fn what_a_users_own_program_keeps_for_later_is_left_alone() {
    let nix = &nixes()[0];
    let (fleet, kept) = (Fleet::demo(nix), Left::new());
    // Stands in for a `nix` that starts a `git` which is configured to keep a file system monitor running.
    let script = format!(
        "#!/bin/sh\n(cd {:?} && {})\nexec {nix:?} \"$@\"\n",
        fleet.folder().parent().unwrap(),
        kept.script("")
    );
    let fake = fleet.write_outside("fake-nix-that-keeps-a-monitor", &script);
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
    assert_eq!(fleet.call("list_hosts", &json!({})).code, 0);
    assert!(kept.is_there(), "what a user's program keeps was ended");
}

/// Runs a command as in a container, where the session leader is a process outside of it, and then lists the remaining
/// processes.
const IN_A_CONTAINER: [&str; 8] = [
    "unshare",
    "--pid",
    "--fork",
    "--mount-proc",
    "/bin/sh",
    "-c",
    r#""$@" || exit; cat /proc/[0-9]*/cmdline | tr '\0' ' '"#,
    "sh",
];

#[test]
fn what_a_builder_left_is_found_in_a_container_too() {
    for nix in nixes() {
        let (left, other) = (Left::new(), Left::new());
        let fleet = leaving(&nix, &other, &left, "");
        let command = fleet.command(&["call", "--quiet", "build_host", "host=b"]);
        let output = below(&IN_A_CONTAINER, &command).output().unwrap();
        let there = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{there} {}", errors(&output));
        assert!(there.contains("/proc/"), "nothing was listed: {there}");
        assert!(!there.contains(&left.marker), "{there}");
    }
}

#[test]
fn who_only_calls_itself_a_shared_connection_of_ssh_ends_too() {
    for nix in nixes() {
        let (fleet, left) = (Fleet::plain(&nix, &[]), Left::new());
        // A connection that `ssh` shares has only this title as its command line. `cat` on a pipe that is open at both
        // ends waits forever.
        let title = format!("ssh: {} [mux]", left.marker);
        let script = format!(
            r#"mkfifo pipe
               setsid /bin/bash -c '(exec -a "{title}" cat <>pipe >/dev/null 2>&1 & : >ready)' </dev/null >/dev/null 2>&1
               while [ ! -e ready ]; do sleep 0.02; done; sleep 86400 & wait"#
        );
        fleet.write(
            "flake.nix",
            &format!(
                r#"{{ outputs = _: {{ nixosConfigurations.a.config.system.build.toplevel = derivation {{
                    name = "a"; system = "{}-linux"; builder = "/bin/sh"; salt = "{:?}";
                    args = [ "-c" ''PATH=/bin:/usr/bin; {script}'' ];
                  }}; }}; }}"#,
                std::env::consts::ARCH,
                std::time::SystemTime::now()
            ),
        );
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "."]);
        // The comparison excludes the shell that has the title in its arguments.
        let there = || {
            let lines = std::fs::read_dir("/proc").unwrap().flatten();
            lines
                .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
                .any(|line| line.starts_with(title.as_bytes()))
        };
        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let id = client.ask("tools/call", build("a"));
        wait_until("the process in the background", there);
        client.cancel(id);
        wait_until("it to end", || !there());
    }
}

#[test]
fn a_connection_that_the_users_ssh_shares_is_left_alone() {
    let nix = &nixes()[0];
    let (fleet, targets) = (Fleet::demo(nix), Targets::start(nix, &["web"]));
    let socket = fleet.folder().with_file_name("shared");
    let config = targets.ssh_config();
    let ssh = |arguments: &str| format!("ssh -F {config:?} -o ControlPath={socket:?} {arguments} web");
    // Stands in for a `git` or a `nix` whose `ssh` is configured to share its connections.
    let script = format!(
        "#!/bin/sh\n[ -e {socket:?} ] || {} true >&2 || exit\nexec {nix:?} \"$@\"\n",
        ssh("-o ControlMaster=yes -o ControlPersist=1d")
    );
    let fake = fleet.write_outside("fake-nix-that-shares-a-connection", &script);
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
    let said = |what: &str| {
        std::process::Command::new("sh").args(["-c", &ssh(&format!("-O {what}"))]).output().unwrap()
    };
    assert_eq!(fleet.call("list_hosts", &json!({})).code, 0);
    let there = said("check");
    said("exit");
    assert!(there.status.success(), "it was ended: {}", errors(&there));
}

/// The upgrade replaces the file of the `ssh` that holds the connection.
#[test]
fn a_connection_of_an_ssh_that_was_upgraded_meanwhile_is_left_alone() {
    let nix = &nixes()[0];
    let (fleet, targets) = (Fleet::demo(nix), Targets::start(nix, &["web"]));
    let folder = fleet.folder().with_file_name("bin");
    std::fs::create_dir(&folder).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let ssh = std::env::split_paths(&path).map(|folder| folder.join("ssh")).find(|ssh| ssh.exists()).unwrap();
    let install = || {
        std::fs::copy(&ssh, folder.join("new")).unwrap();
        std::fs::rename(folder.join("new"), folder.join("ssh")).unwrap();
    };
    install();
    let socket = fleet.folder().with_file_name("shared");
    let ssh = |arguments: &str| {
        format!("ssh -F {:?} -o ControlPath={socket:?} {arguments} web", targets.ssh_config())
    };
    let script = format!(
        "#!/bin/sh\n[ -e {socket:?} ] || {} true >&2 || exit\nexec {nix:?} \"$@\"\n",
        ssh("-o ControlMaster=yes -o ControlPersist=1d")
    );
    let fake = fleet.write_outside("fake-nix-that-shares-a-connection", &script);
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
    let said = |what: &str| {
        std::process::Command::new("sh").args(["-c", &ssh(&format!("-O {what}"))]).output().unwrap()
    };

    let mut command = fleet.command(&["serve"]);
    let folders = std::iter::once(folder.clone()).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
    let mut client = Client::of(command);
    client.initialize("2025-11-25");
    client.notify("notifications/initialized", json!({}));
    assert_ne!(client.call("list_hosts", json!({"wait": true}))["result"]["isError"], true);
    assert!(said("check").status.success(), "no connection was shared");
    install();
    client.call("flake_check", json!({}));
    // The server ends leftovers before it ends itself.
    client.close();
    client.ends();
    let there = said("check");
    said("exit");
    assert!(there.status.success(), "it was ended: {}", errors(&there));
}

/// The same if `/proc` is that of the outer namespace, in which processes have other numbers.
#[test]
fn what_a_builder_left_is_found_where_proc_is_of_the_namespace_around() {
    for (number, nix) in nixes().iter().enumerate() {
        let outer: [&[&str]; 2] = [
            &["unshare", "--pid", "--fork"],
            &["unshare", "--pid", "--fork", "/bin/sh", "-c", r#""$@"; exit"#, "sh"],
        ];
        let (running, ended) = (Left::new(), Left::new());
        let fleet = leaving(nix, &running, &ended, ENVIRONMENTS[number % 2]);
        let mut client = Client::of(below(outer[number % 2], &fleet.command(&["serve"])));
        client.initialize("2025-11-25");
        client.notify("notifications/initialized", json!({}));
        let id = client.ask("tools/call", build("a"));
        running.has_begun();
        client.cancel(id);
        running.is_gone();
        assert!(!client.tools().is_empty(), "the server goes on");
        if number % 2 == 1 {
            let built = client.request("tools/call", build("b"));
            assert_eq!(built["result"]["isError"], false, "{built}");
            ended.is_gone();
        }
        client.close();
        client.ends();
    }
}

#[test]
fn a_missing_table_of_processes_is_said() {
    let fleet = Fleet::demo(&nixes()[0]);
    let command = fleet.command(&["tools"]);
    let hidden = ["unshare", "--mount", "/bin/sh", "-c", r#"mount -t tmpfs none /proc && exec "$@""#, "sh"];
    let output = below(&hidden, &command).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(errors(&output).matches("in the background are not found").count(), 1, "{}", errors(&output));
    assert!(!errors(&fleet.command(&["tools"]).output().unwrap()).contains("in the background"));
}

/// A child inherits ignored signals (SIGCHLD, too) and blocked signals from its parent (signal(7)).
#[test]
fn what_a_parent_does_with_signals_is_no_matter() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let usual = fleet.command(&["call", "--quiet", "flake_check"]).output().unwrap();
        for inherited in ["--ignore-signal=CHLD", "--ignore-signal", "--block-signal"] {
            let command = fleet.command(&["call", "--quiet", "flake_check"]);
            let output = below(&["env", inherited], &command).output().unwrap();
            assert_eq!(output.status.code(), usual.status.code(), "{inherited}: {}", errors(&output));
            assert_eq!(output.stdout, usual.stdout, "{inherited}: {}", errors(&output));
        }

        let slow = Slow::new(&nix);
        let command = slow.fleet.command(&["serve"]);
        let mut client = Client::of(below(&["env", "--ignore-signal=TERM", "--block-signal"], &command));
        client.initialize("2025-11-25");
        client.notify("notifications/initialized", json!({}));
        let id = client.ask("tools/call", build("slow"));
        slow.has_begun();
        client.cancel(id);
        slow.nothing_left(client.id());
        client.signal(Signal::TERM);
        client.ends();
    }
}
