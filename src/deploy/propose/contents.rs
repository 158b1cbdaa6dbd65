//! What a system in the store of a machine consists of, and what it counts on.

use std::collections::BTreeSet;
use std::time::Duration;

use super::closure::Closure;
use super::facts::{self, Facts};
use super::units::{self, Units};
use crate::deploy::host::store::of_file;
use crate::names::StorePath;
use crate::progress::Call;
use crate::ssh::{RemoteLimits, SshError, SshSession};

/// How long a question about a closure may take.
pub const CLOSURE_TIME: Duration = Duration::from_secs(120);
/// Most that `nix path-info` may say: a hundred thousand paths.
pub const CLOSURE_BYTES: usize = 32 * 1024 * 1024;
/// Prints each of its arguments that is no file.
const MISSING: &str = "for file; do [ -e \"$file\" ] || printf '%s\\n' \"$file\"; done";

/// What a system there is made of.
///
/// # Errors
/// See [`SshError`].
pub async fn closure(session: &SshSession, path: &StorePath, call: &Call) -> Result<Closure, SshError> {
    let argv = [
        "nix",
        "--extra-experimental-features",
        "nix-command",
        "path-info",
        "--recursive",
        "--size",
        path.as_str(),
    ];
    let limits = RemoteLimits { time: CLOSURE_TIME, output: CLOSURE_BYTES, ..RemoteLimits::default() };
    Ok(Closure::parse(&session.text(&argv, limits, call).await?))
}

/// The units of a system there, and what they say.
///
/// # Errors
/// See [`SshError`].
pub async fn units(session: &SshSession, system: &str, call: &Call) -> Result<Units, SshError> {
    let limits = RemoteLimits { time: CLOSURE_TIME, output: 4 * 1024 * 1024, ..RemoteLimits::default() };
    let output = session.run_checked(&["sh", "-c", units::LIST, "list", system], limits, call).await?;
    Ok(Units::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// What a system there says of itself, where it was made to (`pantheros.deploy`).
///
/// # Errors
/// See [`SshError`].
pub async fn facts(session: &SshSession, system: &StorePath, call: &Call) -> Result<Option<Facts>, SshError> {
    let path = format!("{system}/{}", facts::FILE);
    let limits = RemoteLimits { output: 1024 * 1024, ..RemoteLimits::default() };
    let output = of_file(session, &["cat"], &path, limits, call).await?;
    Ok(output.and_then(|output| Facts::parse(&String::from_utf8_lossy(&output.stdout))))
}

/// What the new configuration counts on and the machine does not have.
///
/// # Errors
/// See [`SshError`].
pub async fn missing(session: &SshSession, facts: &Facts, call: &Call) -> Result<Vec<String>, SshError> {
    // Subvolumes share a device.
    let wanted: BTreeSet<&str> = facts
        .boot_devices
        .iter()
        .chain(&facts.file_systems)
        .filter(|path| path.starts_with("/dev/"))
        .chain(facts.token_file.iter().filter(|path| path.starts_with('/')))
        .map(String::as_str)
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut argv = vec!["sh", "-c", MISSING, "missing"];
    argv.extend(&wanted);
    let output = session.run_checked(&argv, RemoteLimits::default(), call).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(wanted.into_iter().filter(|path| said.lines().any(|line| line == *path)).map(str::to_owned).collect())
}
