//! What a machine's store holds: what its systems are made of, and what they count on.

use std::collections::BTreeSet;
use std::time::Duration;

use super::PARTS;
use crate::deploy::propose::{Closure, Facts, Units, facts, units};
use crate::names::StorePath;
use crate::progress::Call;
use crate::ssh::{Limits, Output, Session, SshError};

/// How long a question about a closure may take.
pub const CLOSURE_TIME: Duration = Duration::from_secs(120);
/// Most that `nix path-info` may say: a hundred thousand paths.
pub const CLOSURE_BYTES: usize = 32 * 1024 * 1024;
/// How the C library says that there is no such file (`ENOENT` and `ENOTDIR`, strerror(3)).
const ABSENCE: [&str; 2] = ["No such file or directory", "Not a directory"];
/// Prints each of its arguments that is no file.
const MISSING: &str = "for file; do [ -e \"$file\" ] || printf '%s\\n' \"$file\"; done";

/// What a system there is made of.
///
/// # Errors
/// See [`SshError`].
pub async fn closure(session: &Session, path: &StorePath, call: &Call) -> Result<Closure, SshError> {
    let argv = [
        "nix",
        "--extra-experimental-features",
        "nix-command",
        "path-info",
        "--recursive",
        "--size",
        path.as_str(),
    ];
    let limits = Limits { time: CLOSURE_TIME, output: CLOSURE_BYTES, ..Limits::default() };
    Ok(Closure::parse(&session.text(&argv, limits, call).await?))
}

/// The units of a system there, and what they say.
///
/// # Errors
/// See [`SshError`].
pub async fn units(session: &Session, system: &str, call: &Call) -> Result<Units, SshError> {
    let limits = Limits { time: CLOSURE_TIME, output: 4 * 1024 * 1024, ..Limits::default() };
    let output = session.succeed(&["sh", "-c", units::LIST, "list", system], limits, call).await?;
    Ok(Units::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Where [`PARTS`] of a system there lead.
///
/// # Errors
/// See [`SshError`].
pub async fn parts(
    session: &Session,
    system: &StorePath,
    call: &Call,
) -> Result<[Option<String>; 3], SshError> {
    let mut parts = [None, None, None];
    for (part, place) in PARTS.iter().zip(&mut parts) {
        let path = format!("{system}/{part}");
        *place = leads_to(session, &path, call).await?;
    }
    Ok(parts)
}

/// What of a system must not differ from another one for that to be switched to it.
///
/// # Errors
/// See [`SshError`].
pub async fn inhibitors(
    session: &Session,
    system: &StorePath,
    call: &Call,
) -> Result<Option<String>, SshError> {
    let path = format!("{system}/switch-inhibitors");
    let output = of_file(session, &["cat"], &path, Limits::default(), call).await?;
    Ok(output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The system that this generation of the host's is.
///
/// # Errors
/// See [`SshError`].
pub async fn generation(session: &Session, number: u64, call: &Call) -> Result<Option<StorePath>, SshError> {
    let path = format!("/nix/var/nix/profiles/system-{number}-link");
    Ok(leads_to(session, &path, call).await?.and_then(|path| path.parse().ok()))
}

/// What a system there says of itself, where it was made to (`pantheros.deploy`).
///
/// # Errors
/// See [`SshError`].
pub async fn facts(session: &Session, system: &StorePath, call: &Call) -> Result<Option<Facts>, SshError> {
    let path = format!("{system}/{}", facts::FILE);
    let limits = Limits { output: 1024 * 1024, ..Limits::default() };
    let output = of_file(session, &["cat"], &path, limits, call).await?;
    Ok(output.and_then(|output| Facts::parse(&String::from_utf8_lossy(&output.stdout))))
}

/// Where a path there leads, through all links; none where it leads nowhere.
async fn leads_to(session: &Session, path: &str, call: &Call) -> Result<Option<String>, SshError> {
    let argv = ["readlink", "--canonicalize-existing", "--verbose"];
    Ok(of_file(session, &argv, path, Limits::default(), call).await?.map(|output| output.text()))
}

/// What a program says of a file there; none where there is no such file. All else that keeps it from reading the file
/// is an error, since nobody knows then what the file says.
async fn of_file(
    session: &Session,
    argv: &[&str],
    path: &str,
    limits: Limits,
    call: &Call,
) -> Result<Option<Output>, SshError> {
    // In English, to tell why it fails.
    let argv = [&["env", "LC_ALL=C"], argv, &["--", path]].concat();
    let output = session.run(&argv, limits, call).await?;
    let is_absence =
        |line: &str| line.contains(path) && ABSENCE.iter().any(|absence| line.ends_with(absence));
    if !output.success() && output.errors().lines().any(is_absence) {
        return Ok(None);
    }
    session.succeeded(&argv, output).map(Some)
}

/// What the new configuration counts on and the machine does not have.
///
/// # Errors
/// See [`SshError`].
pub async fn missing(session: &Session, facts: &Facts, call: &Call) -> Result<Vec<String>, SshError> {
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
    let output = session.succeed(&argv, Limits::default(), call).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(wanted.into_iter().filter(|path| said.lines().any(|line| line == *path)).map(str::to_owned).collect())
}
