//! Nothing that is remembered outlives what it was about: failures that pass, and whatever Nix sees of a flake.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::files::Files;
use common::fleet::{Fleet, nixes, wait_until};
use serde_json::{Value, json};

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Where a flake's input comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Archive,
    Repository,
}

/// What an input comes from, down until it is brought up.
enum Origin {
    Files(Files),
    Repositories { folder: PathBuf, port: u16, daemon: Option<Child> },
}

impl Origin {
    fn bring_up(&mut self) {
        match self {
            Self::Files(files) => files.set_up(true),
            Self::Repositories { folder, port, daemon } => {
                *daemon = Some(
                    Command::new("git")
                        .args(["daemon", "--reuseaddr", "--listen=127.0.0.1", "--export-all"])
                        .arg(format!("--port={port}"))
                        .arg(format!("--base-path={}", folder.display()))
                        .stderr(Stdio::null())
                        .spawn()
                        .unwrap(),
                );
                let port = *port;
                wait_until("git daemon", 20.0, || TcpStream::connect(("127.0.0.1", port)).is_ok());
            }
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Self::Repositories { daemon: Some(daemon), .. } = self {
            // `git daemon` is a child of `git`, which hands this on.
            let asked = Command::new("kill").arg(daemon.id().to_string()).status().unwrap();
            assert!(asked.success());
            daemon.wait().unwrap();
        }
    }
}

/// A flake whose host `web`, a shell and a package come from an input behind a server, of which nothing was ever seen
/// on this machine.
fn behind_a_server(nix: &Path, kind: Kind) -> (Fleet, Origin, tempfile::TempDir) {
    let served = tempfile::tempdir().unwrap();
    let folder = served.path();
    let source = folder.join("source");
    std::fs::create_dir(&source).unwrap();
    // The folder's name makes it another one than that of any test before.
    let flake = format!(
        "{{ outputs = _: {{ host.config.networking.hostName = \"inside\"; thing = derivation {{ name = \"thing\"; \
         system = \"x86_64-linux\"; builder = \"/bin/sh\"; }} // {{ meta.description = \"{}\"; }}; }}; }}",
        folder.display()
    );
    std::fs::write(source.join("flake.nix"), flake).unwrap();
    let nix_text = nix.to_str().unwrap();
    let hash =
        run(folder, nix_text, &["--extra-experimental-features", "nix-command", "hash", "path", "source"]);
    let (origin, url, locked, original) = match kind {
        Kind::Archive => {
            run(folder, "tar", &["czf", "a.tar.gz", "source"]);
            let files = Files::of(folder.to_owned());
            let url = files.url("a.tar.gz");
            let original = json!({"type": "tarball", "url": url});
            (
                Origin::Files(files),
                url.clone(),
                json!({"narHash": hash, "type": "tarball", "url": url}),
                original,
            )
        }
        Kind::Repository => {
            run(&source, "git", &["init", "-q", "-b", "main"]);
            run(&source, "git", &["add", "."]);
            run(
                &source,
                "git",
                &["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "one"],
            );
            let revision = run(&source, "git", &["rev-parse", "HEAD"]);
            run(folder, "git", &["clone", "-q", "--bare", "source", "g.git"]);
            let seconds: u64 = run(&source, "git", &["log", "-1", "--format=%ct"]).parse().unwrap();
            // Free now, and nobody else's by chance before the daemon takes it.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let url = format!("git://127.0.0.1:{port}/g.git");
            let locked = json!({
                "lastModified": seconds, "narHash": hash, "ref": "refs/heads/main", "rev": revision, "revCount": 1,
                "type": "git", "url": url,
            });
            let origin = Origin::Repositories { folder: folder.to_owned(), port, daemon: None };
            (origin, url.clone(), locked, json!({"type": "git", "url": url}))
        }
    };
    let flake = format!(
        "{{ inputs.i.url = \"{url}\"; outputs = {{ self, i }}: {{
             nixosConfigurations.web = i.host;
             devShells.x86_64-linux.i = i.thing;
             legacyPackages.x86_64-linux.i = i.thing;
         }}; }}"
    );
    let lock = json!({
        "nodes": {"i": {"locked": locked, "original": original}, "root": {"inputs": {"i": "i"}}},
        "root": "root",
        "version": 7,
    });
    (Fleet::committed(nix, &[("flake.nix", &flake), ("flake.lock", &lock.to_string())]), origin, served)
}

fn ask(fleet: &Fleet, tool: &str, arguments: &Value) -> Value {
    let mut command = fleet.command(&["call", "--quiet", tool, &arguments.to_string()]);
    // Nix tries again for five seconds otherwise.
    let output = command.env("NIX_CONFIG", "download-attempts = 1").output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no answer, but: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn an_input_that_was_not_reachable_is_tried_again() {
    let kinds = [Kind::Archive, Kind::Repository];
    for (nix, kind) in nixes().into_iter().flat_map(|nix| kinds.map(|kind| (nix.clone(), kind))) {
        let (fleet, mut origin, _served) = behind_a_server(&nix, kind);
        let hosts = || ask(&fleet, "list_hosts", &json!({}))["hosts"].clone();
        let outputs = || ask(&fleet, "flake_check", &json!({}))["outputs"].to_string();
        let shells = || ask(&fleet, "list_devshells", &json!({}))["shells"].clone();
        let found = || ask(&fleet, "nix_search", &json!({"query": "thing"}))["results"].clone();
        let layout = || ask(&fleet, "inspect_disko", &json!({"host": "web"}))["error"].to_string();
        let in_vain = |message: &str| message.contains("fetch");
        assert!(hosts()[0]["error"].is_object());
        assert!(in_vain(&outputs()) && in_vain(&layout()));
        assert!(shells()[0]["error"].is_object());
        let _nothing = found();
        origin.bring_up();
        let hosts = hosts();
        assert_eq!(hosts[0]["host_name"], "inside", "{kind:?}: {hosts:#}");
        let shells = shells();
        assert!(shells[0]["error"].is_null(), "{kind:?}: {shells:#}");
        let (outputs, layout) = (outputs(), layout());
        assert!(!in_vain(&outputs) && !in_vain(&layout), "{kind:?}: {outputs}\n{layout}");
        assert_eq!(found()[0]["attr"].as_str().unwrap().rsplit('.').next(), Some("i"), "{kind:?}");
    }
}
