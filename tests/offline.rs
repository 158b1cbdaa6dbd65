//! `--offline`: no connection is made, and what is missing is named.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::daemon::Daemon;
use crate::common::fleet::{Fleet, errors, nixes};

const FLAKE: &str = r#"{ outputs = _: let
  hash = "sha256-n33Jee+ZNHHad1H0E4udOgKzLH9IVtxC92FyTFq3BjY=";
  local = name: text: derivation {
    name = "${name}-UNIQUE"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo ${text} >$out" ];
  };
  fetched = derivation {
    name = "fetched-UNIQUE"; system = "builtin"; builder = "builtin:fetchurl"; url = "http://ADDRESS/a";
    outputHash = hash; outputHashMode = "flat"; unpack = false; executable = false; preferLocalBuild = true;
  };
  host = toplevel: { config = {
    networking.hostName = "a"; system.build = { inherit toplevel; };
    pantheros.deploy = { targetHost = "127.0.0.1"; port = PORT; };
  }; };
in {
  nixosConfigurations.local = host (local "local" "made");
  nixosConfigurations.fetching = host (local "fetching" "${fetched}");
  nixosConfigurations.evil.config = builtins.fetchTarball { url = "http://ADDRESS/evil.tar.gz"; sha256 = hash; };
  nixosConfigurations.flake.config = (builtins.getFlake "git+http://ADDRESS/x?rev=9657736ce8d6af07035ec11eb83922442ca88649").x;
}; }"#;

struct Listener {
    address: String,
    port: u16,
    reached: Arc<AtomicBool>,
}

impl Listener {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let reached = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&reached);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                seen.store(true, Ordering::SeqCst);
                let _ = connection.unwrap().write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self { address: address.to_string(), port: address.port(), reached }
    }
}

fn fleet(nix: &Path, listener: &Listener) -> Fleet {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let flake = FLAKE
        .replace("UNIQUE", &now.to_string())
        .replace("ADDRESS", &listener.address)
        .replace("PORT", &listener.port.to_string());
    let fleet = Fleet::committed(nix, &[("flake.nix", &flake)]);
    // A binary cache that would be asked.
    std::fs::create_dir_all(fleet.home().join(".config/nix")).unwrap();
    let settings =
        format!("substituters = http://{}\nconnect-timeout = 2\ndownload-attempts = 1\n", listener.address);
    std::fs::write(fleet.home().join(".config/nix/nix.conf"), settings).unwrap();
    fleet
}

fn call(fleet: &Fleet, store: &str, flags: &[&str], tool: &str, arguments: &Value) -> (Value, Output) {
    let arguments = arguments.to_string();
    let output = fleet
        .command(&[flags, &["call", "-q", tool, &arguments]].concat())
        .env("NIX_REMOTE", store)
        .output()
        .unwrap();
    let answer =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{tool}: {}", errors(&output)));
    (answer, output)
}

#[test]
fn no_tool_makes_a_connection() {
    for nix in nixes() {
        let daemon = Daemon::start(&nix);
        for store in ["local".to_owned(), daemon.address()] {
            let listener = Listener::start();
            let fleet = fleet(&nix, &listener);
            let host = |host: &str| json!({"host": host});
            for (tool, arguments) in [
                ("list_hosts", json!({"wait": true})),
                ("flake_check", json!({})),
                ("flake_check", json!({"build": true})),
                ("build_host", host("fetching")),
                ("build_host", host("evil")),
                ("inspect_disko", host("flake")),
                ("evaluate", json!({"attr": "networking", "host": "evil"})),
                ("host_status", host("local")),
                ("list_generations", host("local")),
                ("plan_deploy", json!({"hosts": ["local"]})),
                ("rollback_host", host("local")),
            ] {
                let (answer, _) = call(&fleet, &store, &["--offline"], tool, &arguments);
                let reached = listener.reached.load(Ordering::SeqCst);
                assert!(!reached, "{} {store} {tool} {arguments}: {answer:#}", nix.display());
                assert!(
                    answer.to_string().contains("\"needs_network\""),
                    "{store} {tool} {arguments}: {answer:#}"
                );
            }
            let (built, _) = call(&fleet, &store, &["--offline"], "build_host", &host("local"));
            assert!(Path::new(built["out_path"].as_str().unwrap()).exists(), "{built:#}");
            assert!(!listener.reached.load(Ordering::SeqCst));
            // Without the switch, they arrive.
            call(&fleet, &store, &[], "build_host", &host("fetching"));
            assert!(listener.reached.load(Ordering::SeqCst), "{store}");
        }
    }
}

#[test]
fn the_missing_is_named() {
    for nix in nixes() {
        let listener = Listener::start();
        let fleet = fleet(&nix, &listener);
        let (built, _) = call(&fleet, "local", &["--offline"], "build_host", &json!({"host": "fetching"}));
        assert!(built.to_string().contains("fetched-"), "{built:#}");
        let (evil, output) = call(&fleet, "local", &["--offline"], "build_host", &json!({"host": "evil"}));
        assert!(evil.to_string().contains("evil.tar.gz"), "{evil:#}");
        assert_eq!(output.status.code(), Some(1));
        let hint = evil["error"]["hint"].as_str().unwrap_or_default();
        assert!(evil["error"].is_null() || hint.contains("--offline"), "{evil:#}");
    }
}

#[test]
fn a_setting_does_the_same() {
    let nix = nixes().pop().unwrap();
    let listener = Listener::start();
    let fleet = fleet(&nix, &listener);
    let settings = format!("[nix]\nprogram = {nix:?}\n[tools]\noffline = true\n");
    fleet.write_outside("pantheros.toml", &settings);
    let (answer, _) = call(&fleet, "local", &[], "host_status", &json!({"host": "local"}));
    assert!(answer.to_string().contains("\"needs_network\""), "{answer:#}");
    assert!(!listener.reached.load(Ordering::SeqCst));
    // A file beside the flake can narrow what is allowed.
    fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {nix:?}\n"));
    fleet.write("pantheros.toml", "[tools]\noffline = true\n");
    fleet.git(&["add", "."]);
    let (answer, _) = call(&fleet, "local", &[], "host_status", &json!({"host": "local"}));
    assert!(answer.to_string().contains("\"needs_network\""), "{answer:#}");
}
