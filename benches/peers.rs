//! Durations of this server's operations, each measured in turn with the same operation by hand or by a peer, in one
//! run.
//!
//! `tools/bench` runs this. Set `PANTHEROS_BENCH_NIXPKGS` to the path of a nixpkgs to check twenty NixOS hosts of real
//! size. Without it the hosts are made up and evaluate only the work in `made_up`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark stops where it cannot measure, and prints what it measured"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pantheros-mcp");

/// A server under measurement; the benchmark talks to it over pipes.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next_id: u64,
}

impl Server {
    /// Starts a server. Returns it and the time until its answer to `initialize`.
    fn start(command: &mut Command) -> (Self, Duration) {
        let started = Instant::now();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, input, output, next_id: 0 };
        server.ask(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "bench", "version": "0"},
            }),
        );
        let took = started.elapsed();
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        writeln!(server.input, "{ready}").unwrap();
        (server, took)
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params});
        writeln!(self.input, "{request}").unwrap();
        self.input.flush().unwrap();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server left");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == self.next_id {
                assert!(answer.get("error").is_none(), "{answer}");
                return answer["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Duration {
        let started = Instant::now();
        let result = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        let took = started.elapsed();
        assert!(result.get("structuredContent").is_some(), "{result}");
        took
    }

    /// Resident memory in KiB (proc(5), `VmRSS`).
    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }

    fn stop(mut self) {
        drop(self.input);
        if self.child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(50));
            self.child.kill().unwrap();
        }
        self.child.wait().unwrap();
    }
}

/// A flake in a folder of its own, committed.
struct Fleet {
    folder: tempfile::TempDir,
}

impl Fleet {
    fn demo() -> Self {
        let fleet = Self { folder: tempfile::tempdir().unwrap() };
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo");
        let copied = Command::new("cp").arg("-r").arg(demo.join(".")).arg(fleet.flake()).status().unwrap();
        assert!(copied.success());
        fleet.commit()
    }

    fn of(flake: &str) -> Self {
        let fleet = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(fleet.flake()).unwrap();
        std::fs::write(fleet.flake().join("flake.nix"), flake).unwrap();
        fleet
    }

    fn commit(self) -> Self {
        for arguments in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "bench"]] {
            let done = Command::new("git")
                .args(["-c", "user.name=b", "-c", "user.email=b@example.org"])
                .args(arguments)
                .current_dir(self.flake())
                .status()
                .unwrap();
            assert!(done.success());
        }
        self
    }

    fn flake(&self) -> PathBuf {
        self.folder.path().join("fleet")
    }

    fn server(&self, cached: bool) -> Command {
        let config = self.folder.path().join("pantheros.toml");
        std::fs::write(&config, format!("[cache]\nenabled = {cached}\n")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--flake"]).arg(self.flake()).arg("--config").arg(config);
        command.env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        command
    }

    fn nix(&self, arguments: &[&str]) -> (Duration, bool) {
        let started = Instant::now();
        let status = Command::new("nix")
            .args(["--extra-experimental-features", "nix-command flakes"])
            .args(arguments)
            .current_dir(self.flake())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        (started.elapsed(), status.success())
    }
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn row(what: &str, ours: Duration, peer: &str, theirs: Duration, wanted: &str) {
    println!(
        "{what:<44} {:>10}   {peer:<34} {:>10}   ratio {:.3}   wanted: {wanted}",
        milliseconds(ours),
        milliseconds(theirs),
        ours.as_secs_f64() / theirs.as_secs_f64(),
    );
}

fn start(fleet: &Fleet) {
    let peer = std::env::var_os("PANTHEROS_BENCH_PEER");
    let (mut ours, mut theirs, mut memory, mut peer_memory) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..21 {
        let (server, took) = Server::start(&mut fleet.server(true));
        ours.push(took);
        memory.push(server.resident_kib());
        server.stop();
        // The peer takes seconds to start, so it gets only a few rounds.
        if let Some(peer) = peer.as_ref().filter(|_| round % 4 == 0) {
            let (server, took) = Server::start(&mut Command::new(peer));
            theirs.push(took);
            peer_memory.push(server.resident_kib());
            server.stop();
        }
    }
    memory.sort_unstable();
    let ours = median(ours);
    if theirs.is_empty() {
        println!("from spawn to `initialize`: {} (wanted: 15 ms; no peer installed)", milliseconds(ours));
    } else {
        peer_memory.sort_unstable();
        row("from spawn to `initialize`", ours, "mcp-nixos", median(theirs), "15 ms or less");
        println!("  its memory: {:.1} MiB", peer_memory[peer_memory.len() / 2] as f64 / 1024.0);
    }
    println!("  our memory: {:.1} MiB (wanted: 15 MiB or less)", memory[memory.len() / 2] as f64 / 1024.0);
}

fn overhead(fleet: &Fleet) {
    let (mut server, _) = Server::start(&mut fleet.server(false));
    let web = ".#nixosConfigurations.web.config.system.build.toplevel";
    let cases: [(&str, Value, Vec<&str>); 3] = [
        (
            "build_host",
            json!({"host": "web", "dry_run": true}),
            vec!["build", "--dry-run", "--json", "--no-link", "--no-update-lock-file", web],
        ),
        ("nix_search", json!({"query": "panther"}), vec!["search", "--json", ".", "panther"]),
        (
            "flake_check",
            json!({"host": "web"}),
            vec!["eval", "--json", "--read-only", ".#", "--apply", EVALUATE_WEB],
        ),
    ];
    for (tool, arguments, by_hand) in cases {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..16 {
            let called = server.call(tool, arguments.clone());
            let (ran, worked) = fleet.nix(&by_hand);
            assert!(worked || tool == "flake_check", "nix {by_hand:?} failed");
            // The first round only warms the disk cache.
            if round > 0 {
                ours.push(called);
                theirs.push(ran);
            }
        }
        let (ours, theirs) = (median(ours), median(theirs));
        row(tool, ours, "the same nix by hand", theirs, "10 ms more or less");
    }
    server.stop();
    let (mut server, _) = Server::start(&mut fleet.server(true));
    server.call("flake_check", json!({}));
    let remembered = median((0..50).map(|_| server.call("flake_check", json!({}))).collect());
    let (by_hand, _) = fleet.nix(&["flake", "check", "--no-build"]);
    row("flake_check, nothing changed", remembered, "nix flake check --no-build", by_hand, "5 ms or less");
    server.stop();
}

/// Evaluates the same as `flake_check host=web`.
const EVALUATE_WEB: &str = "outputs: outputs.nixosConfigurations.web.config.system.build.toplevel.drvPath";

fn twenty_hosts() {
    let nixpkgs = std::env::var_os("PANTHEROS_BENCH_NIXPKGS").map(PathBuf::from);
    let (fleet, kind) = match &nixpkgs {
        Some(nixpkgs) => (of_real_size(nixpkgs), "real NixOS"),
        None => (made_up(), "made up"),
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (mut server, _) = Server::start(&mut fleet.server(false));
        ours.push(server.call("flake_check", json!({})));
        server.stop();
        let (took, worked) = fleet.nix(&["flake", "check", "--no-build"]);
        assert!(worked, "nix flake check failed on the fleet of the benchmark");
        theirs.push(took);
    }
    let what = format!("flake_check, 20 hosts ({kind})");
    row(&what, median(ours), "nix flake check --no-build", median(theirs), "no longer");
    println!("  (ours evaluates each host down to its derivation, theirs down to its assertions)");
}

/// Hosts with their work distributed as in NixOS: two thirds before it is known that the toplevel is a derivation,
/// which is where `nix flake check` stops, and one third in the derivation itself.
fn made_up() -> Fleet {
    Fleet::of(
        r#"{ outputs = _: { nixosConfigurations = builtins.listToAttrs (builtins.genList (n: {
            name = "host${toString n}";
            value.config.system.build.toplevel = let
              work = seed: builtins.foldl' (sum: k: sum + builtins.stringLength (toString (k * n))) seed (builtins.genList (k: k) 200000);
            in builtins.seq (work 1) (builtins.seq (work 2)
              (derivation { name = "host"; system = "x86_64-linux"; builder = "/bin/sh"; work = work 3; } // { type = "derivation"; }));
          }) 20); }; }"#,
    )
    .commit()
}

fn of_real_size(nixpkgs: &Path) -> Fleet {
    let flake = format!(
        r#"{{ inputs.nixpkgs.url = "{}"; outputs = {{ nixpkgs, ... }}: {{
          nixosConfigurations = builtins.listToAttrs (builtins.genList (n: {{
            name = "host${{toString n}}";
            value = nixpkgs.lib.nixosSystem {{
              system = "x86_64-linux";
              modules = [ {{
                networking.hostName = "host${{toString n}}";
                system.stateVersion = "25.05";
                boot.loader.grub.devices = [ "/dev/vda" ];
                fileSystems."/" = {{ device = "/dev/vda1"; fsType = "ext4"; }};
                services.openssh.enable = true;
              }} ];
            }};
          }}) 20);
        }}; }}"#,
        // Nix copies the tree of a repository once, but a plain folder again in every process.
        if nixpkgs.join(".git").exists() {
            format!("git+file://{}", nixpkgs.display())
        } else {
            format!("path:{}", nixpkgs.display())
        }
    );
    let fleet = Fleet::of(&flake);
    let (_, locked) = fleet.nix(&["flake", "lock"]);
    assert!(locked, "the fleet of the benchmark could not be locked");
    fleet.commit()
}

/// The time to find that nothing changed, by the number of files that Git tracks: a call whose answer is remembered.
fn unchanged() {
    for files in [1_000, 50_000] {
        let fleet =
            Fleet::of(r#"{ outputs = _: { nixosConfigurations.web.config.networking.hostName = "web"; }; }"#);
        for number in 0..files {
            let folder = fleet.flake().join(format!("hosts/{}", number / 100));
            std::fs::create_dir_all(&folder).unwrap();
            // About the length of a module.
            std::fs::write(folder.join(format!("{number}.nix")), format!("# {number}\n").repeat(300))
                .unwrap();
        }
        let fleet = fleet.commit();
        // Until their times are settled, files that were just written are read again in each call.
        std::thread::sleep(Duration::from_secs(5));
        let (mut server, _) = Server::start(&mut fleet.server(true));
        server.call("list_hosts", json!({}));
        let remembered = median((0..20).map(|_| server.call("list_hosts", json!({}))).collect());
        server.stop();
        let (mut server, _) = Server::start(&mut fleet.server(true));
        let first = server.call("list_hosts", json!({}));
        server.stop();
        println!(
            "list_hosts, remembered, {files} tracked files: {} (wanted: 5 ms or less for 1000), the first call of a \
             process {}",
            milliseconds(remembered),
            milliseconds(first),
        );
    }
}

/// Resident memory after the options of 64 hosts were read; each host has as many options as NixOS.
fn memory() {
    let fleet = Fleet::of(
        r#"{ outputs = _: { nixosConfigurations = builtins.listToAttrs (builtins.genList (n: {
            name = "host${toString n}";
            value.options = builtins.listToAttrs (builtins.genList (k: {
              name = "services-with-a-name-of-usual-length-${toString k}";
              value = {
                _type = "option";
                type.description = "null or one of \"a\", \"b\" or a submodule";
                description = "Option ${toString k} of host ${toString n}. Whether to enable what is described here in some words, and in which cases that is what somebody wants; see the manual of the service.";
                default = { enable = false; number = k; };
              };
            }) 20000);
          }) 64); }; }"#,
    )
    .commit();
    let (mut server, _) = Server::start(&mut fleet.server(true));
    let before = server.resident_kib();
    for host in 0..64 {
        server.call(
            "nix_search",
            json!({"query": "option 7", "kind": "option", "host": format!("host{host}")}),
        );
    }
    println!(
        "resident after the options of 64 hosts: {:.1} MiB, before them {:.1} MiB (wanted: 150 MiB or less)",
        server.resident_kib() as f64 / 1024.0,
        before as f64 / 1024.0,
    );
    server.stop();
}

fn main() {
    // The name of one measurement. Without it, all run.
    let wanted = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let fleet = Fleet::demo();
    let all: [(&str, &dyn Fn()); 5] = [
        ("start", &|| start(&fleet)),
        ("overhead", &|| overhead(&fleet)),
        ("unchanged", &unchanged),
        ("memory", &memory),
        ("twenty_hosts", &twenty_hosts),
    ];
    for (name, measure) in all {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            measure();
        }
    }
}
