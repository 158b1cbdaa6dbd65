//! A `nix` that fails at some of what it is asked.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fleet::Fleet;

/// A variable that has the real `nix` find no daemon, and fail by itself and in its own words.
pub const NO_DAEMON: &str = "NIX_REMOTE=unix:///nonexistent/socket";

/// Stands in for a `nix` whose daemon goes away between two questions: the real one, but with this variable where
/// `words` are among its arguments.
pub fn fake_faulty_nix(fleet: &Fleet, nix: &Path, words: &str, variable: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *\" {words} \"*) exec env '{variable}' {nix:?} \"$@\" ;; esac\nexec {nix:?} \"$@\"\n"
    );
    let fake = fleet.write_outside("fake-faulty-nix", &script);
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    fake
}
