//! Copies the supervisor to a host, starts it, and sends it commands over SSH. `script/` is the program on the host.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::script::SUPERVISOR_SCRIPT;
use super::state::{DeploymentStep, SupervisorReport};
use crate::advice::Remedy;
use crate::config::Action;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{PlanId, StorePath};
use crate::progress::Call;
use crate::ssh::{RemoteLimits, SshError, SshSession};
use crate::text;

/// Folder of the deployments on a host.
pub(super) const FOLDER: &str = "/var/lib/pantheros/deployments";
/// Waits at most about 3 s until the step of a deployment is no longer `$3`, and prints the new state; prints nothing if
/// there was no change. Reads only files, which costs the host far less than running the supervisor repeatedly.
const WATCH: &str = r#"
rounds=0
while [ "$rounds" -lt 20 ]; do
  json=
  { IFS= read -r json <"$1"; } 2>/dev/null || { IFS= read -r json <"$2"; } 2>/dev/null
  case $json in '' | *"\"state\":\"$3\""*) ;; *) printf '%s\n' "$json"; exit ;; esac
  rounds=$((rounds + 1))
  if [ "$rounds" -lt 5 ]; then sleep 0.05; else sleep 0.2; fi
done
"#;
/// Folder of the supervisor's state while the disk cannot be written.
pub(super) const MEMORY: &str = "/run/pantheros";
/// Supported version of the supervisor's state file.
const STATE_VERSION: u64 = 1;
/// Exit code if there is no such deployment (sysexits.h, `EX_USAGE`).
const NOT_BEGUN: i32 = 64;
/// Exit code if another deployment holds the host (`EX_TEMPFAIL`).
const TAKEN: i32 = 75;
/// Time limit for writing files on the host.
const SHORT: Duration = Duration::from_secs(30);
/// Time limit of a query for the state. After it the query is repeated over a new connection; a recovery that the query
/// has started on the host continues meanwhile.
const LOOK: Duration = Duration::from_secs(20);
/// Makes the folder `$1` of a deployment, for root only. The other arguments name its files as `NAME:BYTES`, and standard
/// input has their contents, one after another. The folder appears with all files or not at all: a connection that
/// breaks ends the input early, and a power cut leaves a folder `.new-ID`, which `sweep` removes.
const SEND: &str = r#"
umask 077
folder=$1
base=${folder%/*}
new=$base/.new-${folder##*/}
shift
fail() { printf '%s\n' "$1" >&2; rm -rf "$new"; exit 74; }
mkdir -p "$base" && rm -rf "$new" && mkdir "$new" && cat >"$new/all" || fail "$new could not be written"
from=1
for file; do
  name=${file%:*} bytes=${file#*:}
  tail -c "+$from" "$new/all" | head -c "$bytes" >"$new/$name"
  [ "$(wc -c <"$new/$name")" -eq "$bytes" ] || fail "the file $name of the deployment did not arrive completely"
  from=$((from + bytes))
done
[ ! -e "$folder" ] && rm "$new/all" && sync "$new"/* && mv "$new" "$folder" || fail "$folder could not be made"
"#;

/// A signed plan, for hosts that verify the signature themselves.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The plan's canonical form.
    pub plan: &'a str,
    /// The armored signature over it.
    pub signature: &'a str,
}

/// The deployment that a host is to carry out.
#[derive(Clone, Debug)]
pub struct DeploymentSpec<'a> {
    /// Id of the deployment.
    pub id: &'a PlanId,
    /// The action for the new system.
    pub action: Action,
    /// The new system.
    pub toplevel: &'a StorePath,
    /// The system that must be running now, and is restored on failure.
    pub previous: &'a StorePath,
    /// Time limit of the confirmation, in seconds.
    pub confirm_seconds: u32,
    /// Time limit of an activation, in seconds.
    pub activation_seconds: u32,
    /// Whether the host reboots if its previous system cannot be restored otherwise.
    pub reboot_on_failure: bool,
    /// Whether the host reboots into the new system and is confirmed after that.
    pub reboot: bool,
    /// Whether the boot loader boots the new system only once.
    pub boot_once: bool,
    /// The host's own port of the SSH connection; `None` if it is not known.
    pub ssh_port: Option<u16>,
    /// The existing generation to activate; `None` creates a new one.
    pub generation: Option<u64>,
    /// The deployment that this one reverts; `None` if it reverts none.
    pub reverts: Option<&'a PlanId>,
    /// The secret that confirms the deployment.
    pub nonce: &'a str,
    /// The plan and its signature; `None` if it was approved in another way.
    pub signed: Option<Signed<'a>>,
}

/// Why a command of the supervisor failed.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The SSH connection failed.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// Another deployment holds the host.
    #[error("another deployment is in progress on the host")]
    Taken(String),
    /// The supervisor refused; nothing was changed.
    #[error("the host refused the deployment")]
    Refused(String),
    /// The state cannot be read without root's rights, which the user did not get.
    #[error("only root can read the state of deployments on the host, and the user could not become root")]
    Unreadable(String),
    /// The deployment was never started on the host.
    #[error("the deployment was not started on the host")]
    NotBegun,
    /// Another version of this program wrote the state.
    #[error("the state on the host has format version {0}; this program reads version {STATE_VERSION}")]
    OtherVersion(u64),
    /// The output of the supervisor is not a valid state.
    #[error("the output of the supervisor is not a valid state")]
    NotUnderstood(String),
}

impl From<&SuperviseError> for Diagnostic {
    fn from(error: &SuperviseError) -> Self {
        match error {
            SuperviseError::Ssh(error) => error.into(),
            SuperviseError::Taken(said) => Self::new(Code::Busy, error.to_string())
                .with_said(said)
                .with_hint(Remedy::ShowStatus.after("wait until it is confirmed or rolled back; ")),
            SuperviseError::Refused(said) => Self::new(Code::RemoteFailed, error.to_string())
                .with_said(said)
                .with_hint(Remedy::PlanAnew.after("nothing was changed there; ")),
            SuperviseError::Unreadable(said) => Self::new(Code::AccessDenied, error.to_string())
                .with_said(said)
                .with_hint("log in as root, or allow the user to run `sudo` without a password"),
            SuperviseError::NotBegun => Self::new(Code::RemoteFailed, error.to_string())
                .with_hint(Remedy::PlanAnew.after("nothing was changed there; ")),
            SuperviseError::OtherVersion(_) => {
                Self::new(Code::RemoteFailed, error.to_string()).with_hint(Remedy::UseNewerProgram)
            }
            SuperviseError::NotUnderstood(said) => Self::new(Code::RemoteFailed, error.to_string())
                .with_said(said)
                .with_hint("look at /var/lib/pantheros/deployments on the host"),
        }
    }
}

impl DeploymentSpec<'_> {
    /// The spec file: one `key=value` per line, as `script/spec.sh` parses it. The types of the values exclude line
    /// breaks.
    fn to_file(&self) -> String {
        let Self { id, action, toplevel, previous, confirm_seconds, activation_seconds, nonce, .. } = self;
        let generation = self.generation.map(|number| format!("generation={number}\n")).unwrap_or_default();
        let ssh_port = self.ssh_port.map(|port| format!("ssh_port={port}\n")).unwrap_or_default();
        let reverts = self.reverts.map(|id| format!("reverts={id}\n")).unwrap_or_default();
        format!(
            "version=1\nid={id}\naction={action}\ntoplevel={toplevel}\nprevious={previous}\n\
             confirm_seconds={confirm_seconds}\nactivation_seconds={activation_seconds}\n\
             reboot_on_failure={}\nreboot={}\nboot_once={}\nnonce={nonce}\n{generation}{reverts}{ssh_port}",
            u8::from(self.reboot_on_failure),
            u8::from(self.reboot),
            u8::from(self.reboot && self.boot_once),
        )
    }
}

fn folder(id: &PlanId) -> String {
    format!("{FOLDER}/{id}")
}

pub(super) async fn as_root(
    session: &SshSession,
    argv: &[&str],
    input: &[u8],
    limits: RemoteLimits,
    call: &Call,
) -> Result<crate::ssh::RemoteOutput, SshError> {
    session.run_with(&session.as_root(argv), input, limits, call).await
}

/// Copies the supervisor and its spec to the host and starts it; returns once the deployment has started.
///
/// # Errors
/// See [`SuperviseError`]. After [`SuperviseError::Taken`] and [`SuperviseError::Refused`] nothing was changed; after any
/// other error the deployment may have started.
pub async fn begin(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    let folder = folder(spec.id);
    let mut files = vec![("supervisor", SUPERVISOR_SCRIPT.to_owned()), ("spec", spec.to_file())];
    if let Some(signed) = spec.signed {
        files.extend([("plan", signed.plan.to_owned()), ("signature", signed.signature.to_owned())]);
    }
    let names: Vec<String> = files.iter().map(|(name, text)| format!("{name}:{}", text.len())).collect();
    let contents: String = files.into_iter().map(|(_, text)| text).collect();
    let mut argv = vec!["sh", "-c", SEND, "send", &folder];
    argv.extend(names.iter().map(String::as_str));
    let sent = as_root(session, &argv, contents.as_bytes(), RemoteLimits::with_time(SHORT), call).await?;
    if !sent.success() {
        return Err(SuperviseError::Refused(error_output(&sent)));
    }
    let program = format!("{folder}/supervisor");
    let argv = ["sh", program.as_str(), "begin", &folder];
    // The supervisor may first have to finish an interrupted deployment.
    let limits = RemoteLimits::with_time(SHORT + ending_time(spec.activation_seconds));
    let begun = as_root(session, &argv, &[], limits, call).await?;
    match begun.code {
        0 => parse(&begun.text()),
        TAKEN => Err(SuperviseError::Taken(error_output(&begun))),
        _ => Err(SuperviseError::Refused(error_output(&begun))),
    }
}

/// Upper limit of the time from `confirm` or `cancel` to the end of a deployment: the running activation, the profile,
/// and the activation of the previous system.
#[must_use]
pub fn ending_time(activation_seconds: u32) -> Duration {
    Duration::from_secs(3 * u64::from(activation_seconds) + 60)
}

/// Prevents a deployment that has not started from starting later. Returns its state if it has started, else `None`.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn withdraw(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    call: &Call,
) -> Result<Option<SupervisorReport>, SuperviseError> {
    let folder = folder(spec.id);
    let program = format!("{folder}/supervisor");
    let argv = ["sh", program.as_str(), "withdraw", &folder];
    let output = as_root(session, &argv, &[], RemoteLimits::with_time(LOOK), call).await?;
    match output.code {
        0 => Ok(None),
        2 | 127 if output.errors().contains(&program) => Ok(None),
        _ if output.stdout.is_empty() => Err(SuperviseError::Refused(error_output(&output))),
        _ => parse(&output.text()).map(Some),
    }
}

/// Reports that a new connection reached the host during the activation.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn alive(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    run_command(session, spec, "alive", None, LOOK, call).await
}

/// The current state, after a deployment that a crash or reboot interrupted was finished.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn state(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    run_command(session, spec, "state", None, LOOK, call).await
}

/// The state once its step is no longer `known`, or after some seconds that of [`state`].
///
/// # Errors
/// See [`SuperviseError`].
pub async fn wait_for_change(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    known: DeploymentStep,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    let (file, memory) = (format!("{}/state.json", folder(spec.id)), format!("{MEMORY}/{}.json", spec.id));
    let argv = ["sh", "-c", WATCH, "watch", &memory, &file, known.as_str()];
    let output = as_root(session, &argv, &[], RemoteLimits::with_time(LOOK), call).await?;
    if output.success() && !output.stdout.is_empty() {
        return parse(&output.text());
    }
    state(session, spec, call).await
}

/// Confirms the deployment; returns its final state.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn confirm(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    run_command(session, spec, "confirm", Some(spec.nonce), ending_time(spec.activation_seconds), call).await
}

/// Reports that a new connection reached the host after its rollback.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn seen(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    run_command(session, spec, "seen", None, LOOK, call).await
}

/// Makes the host go back at once; returns the final state of the deployment.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn cancel(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    run_command(session, spec, "cancel", None, ending_time(spec.activation_seconds), call).await
}

/// Sends one command to the supervisor. `secret` goes to standard input, since every user of the host can read
/// arguments.
async fn run_command(
    session: &SshSession,
    spec: &DeploymentSpec<'_>,
    command: &str,
    secret: Option<&str>,
    limit: Duration,
    call: &Call,
) -> Result<SupervisorReport, SuperviseError> {
    let folder = folder(spec.id);
    let program = format!("{folder}/supervisor");
    let mut argv = vec!["sh", program.as_str(), command, &folder];
    argv.extend(secret.map(|_| "-"));
    let input = secret.map(|secret| format!("{secret}\n")).unwrap_or_default();
    let output = as_root(session, &argv, input.as_bytes(), RemoteLimits::with_time(limit), call).await?;
    match parse(&output.text()) {
        Ok(report) => Ok(report),
        Err(_) if output.code == NOT_BEGUN => Err(SuperviseError::NotBegun),
        // If the folder does not exist, the shell exits with 2 or 127 and names the program. A missing `sudo` gives the
        // same codes without that name, and means nothing for the deployment.
        Err(_) if matches!(output.code, 2 | 127) && output.errors().contains(&program) => {
            Err(SuperviseError::NotBegun)
        }
        Err(_) if !output.success() => Err(SuperviseError::Refused(error_output(&output))),
        Err(error) => Err(error),
    }
}

/// Parses the output of a supervisor. Checks the version first, since a host may have a supervisor of another version.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, SuperviseError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let not_understood = |_| SuperviseError::NotUnderstood(text::bounded(text, 300));
    let Versioned { version } = serde_json::from_str(text).map_err(not_understood)?;
    if version != STATE_VERSION {
        return Err(SuperviseError::OtherVersion(version));
    }
    serde_json::from_str(text).map_err(not_understood)
}

pub(super) fn error_output(output: &crate::ssh::RemoteOutput) -> String {
    let errors = output.errors();
    text::bounded(if errors.is_empty() { "no error output" } else { &errors }, 400)
}
