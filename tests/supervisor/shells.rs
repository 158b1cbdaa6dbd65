//! The same script under every shell that hosts may have.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use pantheros_mcp::testing::deploy::SUPERVISOR_SCRIPT;

use crate::common::fleet::nixes;
use crate::supervisor::machine::{HOLD, Machine, NONCE};
use crate::supervisor::outcomes::confirmed_or_not;

/// The installed shells. `dash` and `bash` always are.
fn shells() -> Vec<PathBuf> {
    let there = |name: &str| {
        let path = std::env::var_os("PATH").unwrap();
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.exists())
    };
    let shells: Vec<PathBuf> = ["dash", "bash", "busybox"].into_iter().filter_map(there).collect();
    assert!(shells.len() >= 2, "only {shells:?}");
    shells
}

#[test]
fn every_shell_reads_it() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(SUPERVISOR_SCRIPT.as_bytes()).unwrap();
    for shell in shells() {
        let words: &[&str] = match shell.file_name().unwrap().to_str().unwrap() {
            "busybox" => &["ash", "-n"],
            "bash" => &["--posix", "-n"],
            _ => &["-n"],
        };
        let read = Command::new(&shell).args(words).arg(file.path()).output().unwrap();
        assert!(read.status.success(), "{shell:?}: {}", String::from_utf8_lossy(&read.stderr));
        assert!(read.stderr.is_empty(), "{shell:?}: {}", String::from_utf8_lossy(&read.stderr));
    }
}

/// Confirmation, rollback, a hanging command, a killed process, and a reboot.
fn main_story(machine: &mut Machine, shell: &Path) {
    machine.use_shell(shell);
    confirmed_or_not(machine);

    machine.swap();
    machine.hook_new("test", "trap '' TERM; echo 'an \"odd\" \\ line'; sleep 1000; sleep 1000");
    let hanging = machine.deployment(&[("activation_seconds", "1")]);
    hanging.begin(machine);
    assert_eq!(hanging.wait_for(machine, "rolled_back")["reason"], "activation_timeout");
    assert_eq!(hanging.log(machine), b"an \"odd\" \\ line\n");
    machine.is_old();

    machine.unhook();
    let killed = machine.deployment(&[]);
    killed.begin_and_wait(machine);
    let worker = machine.part("worker").unwrap();
    let runs = machine.sh(&format!("readlink /proc/{worker}/exe"));
    assert_eq!(Path::new(&runs).file_name(), shell.canonicalize().unwrap().file_name());
    machine.kill(&["worker"]);
    assert_eq!(killed.wait_for(machine, "rolled_back")["reason"], "supervisor_died");
    machine.is_old();

    machine.unhook();
    machine.hook_new("boot", HOLD);
    let rebooted = machine.deployment(&[]);
    rebooted.begin_and_wait(machine);
    assert!(rebooted.refuses(machine, 77, &["confirm", "not the nonce"]).contains("nonce"));
    std::fs::write(machine.web().inside(&format!("{}/confirm", rebooted.folder)), "").unwrap();
    machine.wait_held();
    machine.web().reboot();
    assert_eq!(rebooted.gives(machine, 0, &["state"])["reason"], "rebooted");
    machine.is_old();

    machine.unhook();
    let confirmed = machine.deployment(&[]);
    confirmed.begin_and_wait(machine);
    confirmed.gives(machine, 0, &["confirm", NONCE]);
    machine.is_new();
}

#[test]
fn every_shell_runs_it() {
    let nix = nixes().remove(0);
    std::thread::scope(|scope| {
        for shell in shells() {
            let nix = &nix;
            scope.spawn(move || main_story(&mut Machine::start(nix), &shell));
        }
    });
}
