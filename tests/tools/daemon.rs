//! A Nix daemon that is late, and one that is gone.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::common::daemon::{Daemon, SlowToTell};
use crate::common::fleet::{Fleet, error_of, errors, nixes};
use crate::common::wait::wait_until;

/// Runs the test with all Nix programs at once, because its waits take long.
fn with_each(test: impl Fn(&Path) + Sync) {
    let nixes = nixes();
    std::thread::scope(|scope| {
        for nix in &nixes {
            scope.spawn(|| test(nix));
        }
    });
}

/// A part of a name that makes the name new.
fn salt() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}-{}", std::process::id(), now.as_nanos())
}

/// A flake whose host `a` is this derivation.
fn fleet_of(nix: &Path, name: &str, script: &str) -> Fleet {
    let salt = salt();
    let flake = format!(
        r#"{{ outputs = _: {{ nixosConfigurations.a.config.system.build.toplevel = derivation {{
            name = {name}; system = "{}-linux"; builder = "/bin/sh"; salt = {salt:?};
            args = [ "-c" ''PATH=/bin:/usr/bin; {script}'' ];
          }}; }}; }}"#,
        std::env::consts::ARCH
    );
    Fleet::committed(nix, &[("flake.nix", &flake)])
}

#[test]
fn a_quiet_build_is_never_ended_for_a_store_that_is_slow_to_tell() {
    // More than twice `SILENCE` of `src/nix/daemon.rs` (5 s), since `begun` arrives in the first interval.
    let quiet = "echo begun; sleep 12; echo made >$out";
    with_each(|nix| {
        let daemon = Daemon::start(nix);
        for store in [daemon.address(), "local".to_owned()] {
            let fleet = fleet_of(nix, "\"quiet\"", quiet);
            let slow = SlowToTell::of(&fleet, nix, usize::MAX);
            let built = fleet
                .command(&["call", "-q", "build_host", "host=a"])
                .env("NIX_REMOTE", &store)
                .output()
                .unwrap();
            assert!(built.status.success(), "{store}: {}", String::from_utf8_lossy(&built.stdout));
            assert_eq!(slow.times(), 0, "{store}: whoever builds has reached the store");
        }
    });
}

/// A flake whose evaluation is silent: its host's name is read from a pipe.
struct QuietEvaluation {
    fleet: Fleet,
    pipe: PathBuf,
    _scratch: tempfile::TempDir,
}

impl QuietEvaluation {
    fn new(nix: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (pipe, name) = (scratch.path().join("pipe"), salt());
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // The store has nothing of this name, so that the pipe is read.
        let name = format!(
            "builtins.readFile (builtins.fetchurl {{ url = \"file://{}\"; name = \"name-{name}\"; \
             sha256 = builtins.hashString \"sha256\" \"quiet\"; }})",
            pipe.display(),
        );
        Self { fleet: fleet_of(nix, &name, "echo made >$out"), pipe, _scratch: scratch }
    }

    /// Builds it with this store. The evaluation continues when `due` returns.
    fn built_when(&self, store: &str, due: impl FnOnce()) -> Output {
        let mut command = self.fleet.command(&["call", "-q", "build_host", "host=a"]);
        command.env("NIX_REMOTE", store);
        std::thread::scope(|scope| {
            let calling = scope.spawn(move || command.output().unwrap());
            // Blocks until Nix reads from the pipe.
            let mut name = std::fs::OpenOptions::new().write(true).open(&self.pipe).unwrap();
            due();
            name.write_all(b"quiet").unwrap();
            drop(name);
            calling.join().unwrap()
        })
    }
}

#[test]
fn a_daemon_that_is_late_twice_is_not_gone() {
    with_each(|nix| {
        let daemon = Daemon::start(nix);
        let quiet = QuietEvaluation::new(nix);
        let slow = SlowToTell::of(&quiet.fleet, nix, 2);
        let built = quiet.built_when(&daemon.address(), || {
            wait_until("the store to be asked about", || slow.times() >= 3);
        });
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stdout));
        assert_eq!(slow.times(), 3);
    });
}

#[test]
fn a_store_without_a_daemon_is_asked_nothing() {
    with_each(|nix| {
        let quiet = QuietEvaluation::new(nix);
        let slow = SlowToTell::of(&quiet.fleet, nix, usize::MAX);
        // As long as the quiet build above.
        let built = quiet.built_when("local", || std::thread::sleep(Duration::from_secs(12)));
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stdout));
        assert_eq!(slow.times(), 0);
    });
}

#[test]
fn a_daemon_that_does_not_answer_is_named() {
    with_each(|nix| {
        let daemon = Daemon::start(nix);
        let fleet = Fleet::demo(nix);
        daemon.freeze();
        let begin = std::time::Instant::now();
        let output = fleet
            .command(&["call", "-q", "build_host", "host=web"])
            .env("NIX_REMOTE", daemon.address())
            .output()
            .unwrap();
        assert_eq!(error_of(&output)["code"], "daemon_unreachable", "{}", errors(&output));
        assert!(begin.elapsed().as_secs() < 90, "{:?}", begin.elapsed());
    });
}

#[test]
fn no_daemon_is_named_too() {
    with_each(|nix| {
        let output = Fleet::demo(nix)
            .command(&["call", "-q", "build_host", "host=web"])
            .env("NIX_REMOTE", "unix:///nonexistent/socket")
            .output()
            .unwrap();
        assert_eq!(error_of(&output)["code"], "daemon_unreachable", "{}", errors(&output));
    });
}
