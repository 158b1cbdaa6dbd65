//! Reading files and links on a host, most of them in its store.

use super::PARTS;
use crate::names::StorePath;
use crate::progress::Call;
use crate::ssh::{RemoteLimits, RemoteOutput, SshError, SshSession};

/// The C library's messages for a file that does not exist (`ENOENT` and `ENOTDIR`, strerror(3)).
const ABSENCE: [&str; 2] = ["No such file or directory", "Not a directory"];

/// The canonical path of each of [`PARTS`] of a toplevel on the host; `None` for a part that it lacks.
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
        *place = resolve_link(session, &path, call).await?;
    }
    Ok(parts)
}

/// The contents of a toplevel's `switch-inhibitors`: a switch between toplevels is refused if these differ. `None` if it has
/// no such file.
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

/// The toplevel of a generation of the host's system profile; `None` if there is no such generation.
///
/// # Errors
/// See [`SshError`].
pub async fn generation(
    session: &SshSession,
    number: u64,
    call: &Call,
) -> Result<Option<StorePath>, SshError> {
    let path = format!("/nix/var/nix/profiles/system-{number}-link");
    Ok(resolve_link(session, &path, call).await?.and_then(|path| path.parse().ok()))
}

/// Resolves all links of a path on the host; `None` if the path does not exist.
async fn resolve_link(session: &SshSession, path: &str, call: &Call) -> Result<Option<String>, SshError> {
    let argv = ["readlink", "--canonicalize-existing", "--verbose"];
    Ok(of_file(session, &argv, path, RemoteLimits::default(), call).await?.map(|output| output.text()))
}

/// Runs a program on a file on the host and returns its output; `None` if the file does not exist. Any other failure is
/// an error, because the file's contents are then unknown.
pub async fn of_file(
    session: &SshSession,
    argv: &[&str],
    path: &str,
    limits: RemoteLimits,
    call: &Call,
) -> Result<Option<RemoteOutput>, SshError> {
    // In English, because the error message is compared with `ABSENCE`.
    let argv = [&["env", "LC_ALL=C"], argv, &["--", path]].concat();
    let output = session.run(&argv, limits, call).await?;
    let is_absence =
        |line: &str| line.contains(path) && ABSENCE.iter().any(|absence| line.ends_with(absence));
    if !output.success() && output.errors().lines().any(is_absence) {
        return Ok(None);
    }
    session.check_exit_code(&argv, output).map(Some)
}
