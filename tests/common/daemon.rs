//! A Nix daemon on a socket of its own, and a `nix` whose store answers late.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::fleet::Fleet;
use super::wait::wait_until;

/// A real daemon; dropping it ends it.
pub struct Daemon {
    child: Child,
    socket: PathBuf,
    _scratch: tempfile::TempDir,
}

impl Daemon {
    /// Starts the daemon of this Nix, for the store of this machine.
    pub fn start(nix: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let socket = scratch.path().join("socket");
        let child = Command::new(nix)
            .args(["daemon", "--extra-experimental-features", "nix-command"])
            .env("NIX_DAEMON_SOCKET_PATH", &socket)
            .env_remove("NIX_REMOTE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the daemon to listen", || socket.exists());
        Self { child, socket, _scratch: scratch }
    }

    /// The store's address, as a value of `NIX_REMOTE`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Stops the process. The kernel still accepts connections, but nothing answers them.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A stand-in for a `nix` on a machine so busy that its store answers late. It runs the real one, except for
/// `nix store info`.
pub struct SlowToTell {
    asked: PathBuf,
}

impl SlowToTell {
    /// Makes this fleet use it. The first `late` calls of `nix store info` get no answer.
    pub fn of(fleet: &Fleet, nix: &Path, late: usize) -> Self {
        let asked = fleet.write_outside("asked", "");
        let script = format!(
            "#!/bin/sh\nif [ \"$1 $2\" = 'store info' ]; then\n  echo asked >>{asked:?}\n  \
             [ \"$(wc -l <{asked:?})\" -gt {late} ] || exec sleep 3600\nfi\nexec {nix:?} \"$@\"\n"
        );
        let fake = fleet.write_outside("fake-slow-nix", &script);
        std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
        fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {fake:?}\n"));
        Self { asked }
    }

    /// How many times `nix store info` was called.
    pub fn times(&self) -> usize {
        std::fs::read_to_string(&self.asked).unwrap().lines().count()
    }
}
