//! Calls that are cancelled leave no process behind.

use std::process::{Child, Stdio};

use crate::common::fleet::{Fleet, alive, nixes};
use crate::common::wait::wait_until;

/// A flake whose host takes an hour to build, in a process that `marker` identifies.
fn slow(nix: &std::path::Path, marker: &str) -> Fleet {
    Fleet::committed(
        nix,
        &[(
            "flake.nix",
            &format!(
                r#"{{ outputs = _: {{ nixosConfigurations.a.config.system.build.toplevel = derivation {{
                    name = "slow"; system = "{}-linux"; builder = "/bin/sh"; salt = "{:?}";
                    args = [ "-c" "echo started; PATH=/bin:/usr/bin; sleep {marker} & wait" ];
                  }}; }}; }}"#,
                std::env::consts::ARCH,
                std::time::SystemTime::now()
            ),
        )],
    )
}

fn started(fleet: &Fleet, marker: &str) -> Child {
    let mut child = fleet
        .command(&["call", "-q", "build_host", "host=a"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the build to start", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        alive(&format!("sleep\0{marker}"))
    });
    child
}

fn nothing_left(fleet: &Fleet, marker: &str) {
    wait_until("the builder to end", || !alive(&format!("sleep\0{marker}")));
    let folder = fleet.folder().display().to_string();
    wait_until("nix to end", || !alive(&folder));
}

#[test]
fn an_interrupted_call_ends_its_builders() {
    for (index, nix) in nixes().iter().enumerate() {
        let marker = format!("86401.{index}{}", std::process::id());
        let fleet = slow(nix, &marker);
        let mut child = started(&fleet, &marker);
        signal(&child, "INT");
        nothing_left(&fleet, &marker);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(1), "it says that it was cancelled");
    }
}

#[test]
fn a_killed_program_takes_its_builders_along() {
    for (index, nix) in nixes().iter().enumerate() {
        let marker = format!("86402.{index}{}", std::process::id());
        let fleet = slow(nix, &marker);
        let mut child = started(&fleet, &marker);
        child.kill().unwrap();
        child.wait().unwrap();
        nothing_left(&fleet, &marker);
    }
}

#[test]
fn a_time_limit_ends_its_builders() {
    for (index, nix) in nixes().iter().enumerate() {
        let marker = format!("86403.{index}{}", std::process::id());
        let fleet = slow(nix, &marker);
        let config = format!("[nix]\nprogram = {nix:?}\n[limits]\nbuild_seconds = 2\n");
        fleet.write_outside("pantheros.toml", &config);
        let answer = fleet.call("build_host", &serde_json::json!({"host": "a"}));
        assert_eq!(answer.error_code(), "timed_out", "{answer:?}");
        nothing_left(&fleet, &marker);
    }
}

fn signal(child: &Child, name: &str) {
    let status =
        std::process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}
