//! Reads the closure, units and facts of a system in the store of a host, over SSH.

use std::collections::BTreeSet;
use std::time::Duration;

use super::closure;
use super::effects;
use super::facts::{self, Facts};
use super::units::{self, Units};
use crate::deploy::host::store::of_file;
use crate::deploy::plan::Diff;
use crate::names::StorePath;
use crate::nix::closure::Closure;
use crate::nix::store::CLOSURE_BYTES;
use crate::progress::Call;
use crate::ssh::{RemoteLimits, SshError, SshSession};

/// Time limit of a query about a closure.
pub const CLOSURE_TIME: Duration = Duration::from_secs(120);
/// Prints each argument that does not exist as a file.
const MISSING: &str = "for file; do [ -e \"$file\" ] || printf '%s\\n' \"$file\"; done";

/// The closure of a system in the store of the host.
///
/// # Errors
/// See [`SshError`].
pub async fn closure_of(session: &SshSession, path: &StorePath, call: &Call) -> Result<Closure, SshError> {
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

/// What changes from the system `before` to the system `after`, which are both in the store of the host.
///
/// # Errors
/// See [`SshError`].
pub async fn difference(
    session: &SshSession,
    before: &StorePath,
    after: &StorePath,
    call: &Call,
) -> Result<Diff, SshError> {
    Ok(watched_difference(session, before, after, call).await?.0)
}

/// As [`difference`], with the seconds that the changed units have to be watched; `None` if no unit changes.
pub(super) async fn watched_difference(
    session: &SshSession,
    before: &StorePath,
    after: &StorePath,
    call: &Call,
) -> Result<(Diff, Option<u32>), SshError> {
    let (old, new) = (closure_of(session, before, call).await?, closure_of(session, after, call).await?);
    let old_units = units(session, before.as_str(), call).await?;
    let new_units = units(session, after.as_str(), call).await?;
    let changes = old_units.changes(&new_units);
    let [old_files, new_files] = effects::read(session, [before, after], call).await?;
    let effects = effects::compare(&old_files, &new_files);
    let diff = Diff { units: Some(changes), effects: Some(effects), ..closure::diff(&old, &new) };
    Ok((diff, old_units.settling_seconds(&new_units)))
}

/// The systemd units of a system in the store of the host.
///
/// # Errors
/// See [`SshError`].
pub async fn units(session: &SshSession, system: &str, call: &Call) -> Result<Units, SshError> {
    let limits = RemoteLimits { time: CLOSURE_TIME, output: 4 * 1024 * 1024, ..RemoteLimits::default() };
    let output = session.run_checked(&["sh", "-c", units::LIST, "list", system], limits, call).await?;
    Ok(Units::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// The facts that a system in the store of the host contains. `None` if it was built without `pantheros.deploy`, or
/// if the facts have an unknown version.
///
/// # Errors
/// See [`SshError`].
pub async fn facts(session: &SshSession, system: &StorePath, call: &Call) -> Result<Option<Facts>, SshError> {
    let path = format!("{system}/{}", facts::FILE);
    let limits = RemoteLimits { output: 1024 * 1024, ..RemoteLimits::default() };
    let output = of_file(session, &["cat"], &path, limits, call).await?;
    Ok(output.and_then(|output| Facts::parse(&String::from_utf8_lossy(&output.stdout))))
}

/// Devices and files that the new configuration needs and the machine lacks.
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
