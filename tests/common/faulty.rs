//! A `nix` that fails at some of its calls.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fleet::Fleet;

/// A variable with which the real `nix` finds no daemon, so that it fails with its own error.
pub const NO_DAEMON: &str = "NIX_REMOTE=unix:///nonexistent/socket";

/// A stand-in for a `nix` whose daemon goes away between two calls. It runs the real one, with `variable` set if
/// `words` are among its arguments.
pub fn fake_faulty_nix(fleet: &Fleet, nix: &Path, words: &str, variable: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *\" {words} \"*) exec env '{variable}' {nix:?} \"$@\" ;; esac\nexec {nix:?} \"$@\"\n"
    );
    let fake = fleet.write_outside("fake-faulty-nix", &script);
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fake
}
