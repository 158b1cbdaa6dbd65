//! Copies the closure of a system to its host, over the existing SSH connection.

use std::time::Duration;

use crate::deploy::plan::{BuildOn, HostPlan, SystemSource};
use crate::deploy::propose::bracketed;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::nix::NixError;
use crate::nix::build::shell_quoted;
use crate::nix::diagnostics;
use crate::progress::Call;
use crate::ssh::SshSession;

/// Time limit of a copy.
const TIME: Duration = Duration::from_secs(4 * 3_600);

/// Copies the store paths that the host lacks. Does nothing if the system was built on the host, is a generation of it,
/// or runs there.
///
/// # Errors
/// If `nix copy` fails; the hint has the remedy.
pub async fn copy(
    flake: &Flake,
    session: &SshSession,
    host_plan: &HostPlan,
    call: &Call,
) -> Result<(), Diagnostic> {
    if host_plan.build_on == BuildOn::Target
        || host_plan.source != SystemSource::New
        || host_plan.toplevel == host_plan.current
    {
        return Ok(());
    }
    call.report_message(format!("{}: copying the system", host_plan.host));
    let target = session.target();
    let store = format!("ssh-ng://{}@{}:{}", target.user, bracketed(target.address.as_str()), target.port);
    let options = session.copy_options().iter().map(|word| shell_quoted(word)).collect::<Vec<_>>().join(" ");
    let nix = |error: NixError| Diagnostic::from(&error);
    // The Nix daemon of the host accepts unsigned paths only from trusted users, so this flag bypasses no check there.
    let mut command =
        flake.nix().command(&["copy"]).await.map_err(nix)?.arg("--no-check-sigs").arg("--to").arg(store);
    if host_plan.substitute_on_target {
        command = command.arg("--substitute-on-destination");
    }
    let command = command.arg(host_plan.toplevel.as_str()).env("NIX_SSHOPTS", options).time_limit(TIME);
    let run = flake.nix().run(command, call).await.map_err(nix)?;
    if run.status.success() {
        return Ok(());
    }
    let source = flake.source();
    let error = diagnostics::diagnose(&run.state, &source).into_iter().next();
    let error =
        error.unwrap_or_else(|| Diagnostic::new(Code::NixFailed, "nix copy failed without an error message"));
    let said = error.said.clone().unwrap_or_default();
    Err(if said.contains("lacks a") && said.contains("signature") {
        let user = &target.user;
        Diagnostic { code: Code::UntrustedPath, ..error }.with_hint(format!(
            "the host accepts unsigned paths only from trusted users, and `{user}` is not one: add `{user}` to \
             nix.settings.trusted-users there, or sign builds here (nix.settings.secret-key-files) with a key in its \
             trusted-public-keys"
        ))
    } else if error.code == Code::DaemonUnreachable {
        // If the daemon of the host does not answer, the error of Nix names the local one.
        let message = format!("Nix on {} does not answer", host_plan.host);
        Diagnostic::new(Code::RemoteFailed, message).with_said(&said).with_hint(format!(
            "nothing was changed there; check `nix-daemon` on {target}, and whether a login there prints text before a \
             command runs"
        ))
    } else {
        error
    })
}
