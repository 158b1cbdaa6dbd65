//! Files and links of a machine, most of them in its store.

use super::PARTS;
use crate::names::StorePath;
use crate::progress::Call;
use crate::ssh::{RemoteLimits, RemoteOutput, SshError, SshSession};

/// How the C library says that there is no such file (`ENOENT` and `ENOTDIR`, strerror(3)).
const ABSENCE: [&str; 2] = ["No such file or directory", "Not a directory"];

/// Where [`PARTS`] of a system there lead.
///
/// # Errors
/// See [`SshError`].
pub async fn parts(
    session: &SshSession,
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
    session: &SshSession,
    system: &StorePath,
    call: &Call,
) -> Result<Option<String>, SshError> {
    let path = format!("{system}/switch-inhibitors");
    let output = of_file(session, &["cat"], &path, RemoteLimits::default(), call).await?;
    Ok(output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The system that this generation of the host's is.
///
/// # Errors
/// See [`SshError`].
pub async fn generation(
    session: &SshSession,
    number: u64,
    call: &Call,
) -> Result<Option<StorePath>, SshError> {
    let path = format!("/nix/var/nix/profiles/system-{number}-link");
    Ok(leads_to(session, &path, call).await?.and_then(|path| path.parse().ok()))
}

/// Where a path there leads, through all links; none where it leads nowhere.
async fn leads_to(session: &SshSession, path: &str, call: &Call) -> Result<Option<String>, SshError> {
    let argv = ["readlink", "--canonicalize-existing", "--verbose"];
    Ok(of_file(session, &argv, path, RemoteLimits::default(), call).await?.map(|output| output.text()))
}

/// What a program says of a file there; none where there is no such file. All else that keeps it from reading the file
/// is an error, since nobody knows then what the file says.
pub async fn of_file(
    session: &SshSession,
    argv: &[&str],
    path: &str,
    limits: RemoteLimits,
    call: &Call,
) -> Result<Option<RemoteOutput>, SshError> {
    // In English, to tell why it fails.
    let argv = [&["env", "LC_ALL=C"], argv, &["--", path]].concat();
    let output = session.run(&argv, limits, call).await?;
    let is_absence =
        |line: &str| line.contains(path) && ABSENCE.iter().any(|absence| line.ends_with(absence));
    if !output.success() && output.errors().lines().any(is_absence) {
        return Ok(None);
    }
    session.check_exit_code(&argv, output).map(Some)
}
