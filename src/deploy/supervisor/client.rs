//! The supervisor on the host: shipped, started, asked and told over SSH. `script/` is the other side.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::script::SUPERVISOR_SCRIPT;
use super::state::{Step, Story};
use crate::advice::Remedy;
use crate::config::Action;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{PlanId, StorePath};
use crate::progress::Call;
use crate::ssh::{RemoteLimits, SshError, SshSession};
use crate::text;

/// Where deployments are on a host.
const FOLDER: &str = "/var/lib/pantheros/deployments";
/// Waits until a deployment is no longer where it was, some 3 s at most, and prints its state if it is not. Costs
/// the host next to nothing, as asking the supervisor again and again would not.
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
/// Where a supervisor keeps its state while the disk takes nothing.
const MEMORY: &str = "/run/pantheros";
/// The version of the state that a supervisor writes.
const STATE_VERSION: u64 = 1;
/// What it exits with where there is nothing to tell of (sysexits.h, `EX_USAGE`).
const NOT_BEGUN: i32 = 64;
/// What it exits with where another deployment holds the host (`EX_TEMPFAIL`).
const TAKEN: i32 = 75;
/// How long bringing a file to the host may take.
const SHORT: Duration = Duration::from_secs(30);
/// How long being told where a deployment is may take; what does not answer by then is asked anew, over
/// another connection. Finishing what a crash cut short goes on meanwhile.
const LOOK: Duration = Duration::from_secs(20);
/// Writes what it reads to the file named, and makes its folder for root alone.
const WRITE: &str = "umask 077 && mkdir -p \"${1%/*}\" && cat >\"$1.new\" && mv -f \"$1.new\" \"$1\"";

/// A plan as it was signed, for hosts that check that themselves.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The plan's canonical form.
    pub plan: &'a str,
    /// The armored signature over it.
    pub signature: &'a str,
}

/// What a host is told to do.
#[derive(Clone, Debug)]
pub struct Orders<'a> {
    /// The plan.
    pub id: &'a PlanId,
    /// What is done with the new system.
    pub action: Action,
    /// The new system.
    pub toplevel: &'a StorePath,
    /// The one that has to run now.
    pub previous: &'a StorePath,
    /// Seconds to be confirmed in.
    pub confirm_seconds: u32,
    /// Seconds that activation may take.
    pub activation_seconds: u32,
    /// Whether the host is started anew where its previous system cannot be brought back otherwise.
    pub reboot_on_failure: bool,
    /// Whether the host is started with the new system, and confirmed after that.
    pub reboot: bool,
    /// Whether its boot loader starts the new system only once.
    pub boot_once: bool,
    /// The generation to go to, where it is one there is already.
    pub generation: Option<u64>,
    /// The deployment that this one takes back.
    pub reverts: Option<&'a PlanId>,
    /// What only who may confirm knows.
    pub nonce: &'a str,
    /// The plan and its signature, where that is how it was approved.
    pub signed: Option<Signed<'a>>,
}

/// Why the supervisor could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The connection.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// Another deployment holds the host.
    #[error("another deployment holds the host")]
    Taken(String),
    /// It refused, and nothing was done.
    #[error("the host refused")]
    Refused(String),
    /// It was never started there.
    #[error("the deployment was not begun on the host")]
    NotBegun,
    /// Another version of this program is, or was, at work there.
    #[error(
        "the host tells of a deployment in version {0} of its words; this program knows version {STATE_VERSION}"
    )]
    OtherVersion(u64),
    /// It said something that is no state.
    #[error("the supervisor said something that is not understood")]
    NotUnderstood(String),
}

impl From<&SuperviseError> for Diagnostic {
    fn from(error: &SuperviseError) -> Self {
        match error {
            SuperviseError::Ssh(error) => error.into(),
            SuperviseError::Taken(said) => Self::new(Code::Busy, error.to_string())
                .with_said(said)
                .with_hint(Remedy::ShowStatus.after("wait until it is confirmed or undone; ")),
            SuperviseError::Refused(said) => Self::new(Code::RemoteFailed, error.to_string())
                .with_said(said)
                .with_hint(Remedy::PlanAnew.after("nothing was changed there; ")),
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

impl Orders<'_> {
    /// One `key=value` a line, as `script/spec.sh` reads it. No value can hold a line break: each is of
    /// a type that has none.
    fn spec(&self) -> String {
        let Self { id, action, toplevel, previous, confirm_seconds, activation_seconds, nonce, .. } = self;
        let generation = self.generation.map(|number| format!("generation={number}\n")).unwrap_or_default();
        let reverts = self.reverts.map(|id| format!("reverts={id}\n")).unwrap_or_default();
        format!(
            "version=1\nid={id}\naction={action}\ntoplevel={toplevel}\nprevious={previous}\n\
             confirm_seconds={confirm_seconds}\nactivation_seconds={activation_seconds}\n\
             reboot_on_failure={}\nreboot={}\nboot_once={}\nnonce={nonce}\n{generation}{reverts}",
            u8::from(self.reboot_on_failure),
            u8::from(self.reboot),
            u8::from(self.reboot && self.boot_once),
        )
    }
}

fn folder(id: &PlanId) -> String {
    format!("{FOLDER}/{id}")
}

async fn as_root(
    session: &SshSession,
    argv: &[&str],
    input: &[u8],
    limits: RemoteLimits,
    call: &Call,
) -> Result<crate::ssh::RemoteOutput, SshError> {
    session.run_with(&session.as_root(argv), input, limits, call).await
}

/// Brings the program and its orders to the host and starts it; returns once it has begun.
///
/// # Errors
/// See [`SuperviseError`]. Nothing was done after [`SuperviseError::Taken`] and
/// [`SuperviseError::Refused`]; after any other it may have begun.
pub async fn begin(session: &SshSession, orders: &Orders<'_>, call: &Call) -> Result<Story, SuperviseError> {
    let folder = folder(orders.id);
    let mut files = vec![("supervisor", SUPERVISOR_SCRIPT.to_owned()), ("spec", orders.spec())];
    if let Some(signed) = orders.signed {
        files.extend([("plan", signed.plan.to_owned()), ("signature", signed.signature.to_owned())]);
    }
    for (name, text) in files {
        let path = format!("{folder}/{name}");
        let argv = ["sh", "-c", WRITE, "write", &path];
        let written = as_root(session, &argv, text.as_bytes(), RemoteLimits::with_time(SHORT), call).await?;
        if !written.success() {
            return Err(SuperviseError::Refused(said(&written)));
        }
    }
    let program = format!("{folder}/supervisor");
    let argv = ["sh", program.as_str(), "begin", &folder];
    // It may first have to finish what a deployment before left undone.
    let limits = RemoteLimits::with_time(SHORT + ending_time(orders.activation_seconds));
    let begun = as_root(session, &argv, &[], limits, call).await?;
    match begun.code {
        0 => parse(&begun.text()),
        TAKEN => Err(SuperviseError::Taken(said(&begun))),
        _ => Err(SuperviseError::Refused(said(&begun))),
    }
}

/// Longest time in which a deployment comes to its end once it is told to: the activation that runs,
/// the profile, the previous system.
#[must_use]
pub fn ending_time(activation_seconds: u32) -> Duration {
    Duration::from_secs(3 * u64::from(activation_seconds) + 60)
}

/// Sees to it that what has not begun never does: what still tries to then fails. Gives its state where it has.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn withdraw(
    session: &SshSession,
    orders: &Orders<'_>,
    call: &Call,
) -> Result<Option<Story>, SuperviseError> {
    let folder = folder(orders.id);
    let program = format!("{folder}/supervisor");
    let argv = ["sh", program.as_str(), "withdraw", &folder];
    let output = as_root(session, &argv, &[], RemoteLimits::with_time(LOOK), call).await?;
    match output.code {
        0 => Ok(None),
        2 | 127 if output.errors().contains(&program) => Ok(None),
        _ if output.stdout.is_empty() => Err(SuperviseError::Refused(said(&output))),
        _ => parse(&output.text()).map(Some),
    }
}

/// Says that the host was reached by a connection of its own, while the new system is activated.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn alive(session: &SshSession, orders: &Orders<'_>, call: &Call) -> Result<Story, SuperviseError> {
    run_command(session, orders, "alive", None, LOOK, call).await
}

/// Where it is now, after what a crash or a reboot cut short was finished.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn state(session: &SshSession, orders: &Orders<'_>, call: &Call) -> Result<Story, SuperviseError> {
    run_command(session, orders, "state", None, LOOK, call).await
}

/// The deployment of a host that was last at work, as it was left; nothing is finished by looking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latest {
    /// The plan.
    #[serde(rename(deserialize = "id"), alias = "plan_id")]
    pub plan_id: PlanId,
    /// Where it is, or how it ended.
    pub state: Step,
    /// Why, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for people, in the host's words.
    #[serde(
        default,
        rename(deserialize = "message"),
        alias = "said",
        skip_serializing_if = "Option::is_none"
    )]
    pub said: Option<String>,
    /// When it came there; RFC 3339, UTC.
    pub updated: String,
}

/// Prints the state of the deployment that was changed last.
const LATEST: &str = r#"
cd "$1" 2>/dev/null || exit 0
ls -1t | while IFS= read -r id; do
  for file in "$2/$id.json" "$id/state.json"; do
    if [ -r "$file" ]; then cat "$file"; exit; fi
  done
done
"#;

/// The host's latest deployment; `None` if it had none.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn latest_deployment(session: &SshSession, call: &Call) -> Result<Option<Latest>, SuperviseError> {
    let argv = ["sh", "-c", LATEST, "latest", FOLDER, MEMORY];
    let output = as_root(session, &argv, &[], RemoteLimits::default(), call).await?;
    if !output.success() {
        return Err(SuperviseError::Refused(said(&output)));
    }
    let text = output.text();
    if text.is_empty() { Ok(None) } else { parse(&text).map(Some) }
}

/// Where it is once that is no longer `known`, or after some seconds, as [`state`].
///
/// # Errors
/// See [`SuperviseError`].
pub async fn moved_on(
    session: &SshSession,
    orders: &Orders<'_>,
    known: Step,
    call: &Call,
) -> Result<Story, SuperviseError> {
    let (file, memory) =
        (format!("{}/state.json", folder(orders.id)), format!("{MEMORY}/{}.json", orders.id));
    let argv = ["sh", "-c", WATCH, "watch", &memory, &file, known.as_str()];
    let output = as_root(session, &argv, &[], RemoteLimits::with_time(LOOK), call).await?;
    if output.success() && !output.stdout.is_empty() {
        return parse(&output.text());
    }
    state(session, orders, call).await
}

/// Confirms it; returns its final state.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn confirm(
    session: &SshSession,
    orders: &Orders<'_>,
    call: &Call,
) -> Result<Story, SuperviseError> {
    run_command(session, orders, "confirm", Some(orders.nonce), ending_time(orders.activation_seconds), call)
        .await
}

/// Says that the host was reached by a connection of its own, after it went back.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn seen(session: &SshSession, orders: &Orders<'_>, call: &Call) -> Result<Story, SuperviseError> {
    run_command(session, orders, "seen", None, LOOK, call).await
}

/// Has it go back at once; returns its final state.
///
/// # Errors
/// See [`SuperviseError`].
pub async fn cancel(session: &SshSession, orders: &Orders<'_>, call: &Call) -> Result<Story, SuperviseError> {
    run_command(session, orders, "cancel", None, ending_time(orders.activation_seconds), call).await
}

/// `secret` goes over standard input: arguments can be read by everybody on the host.
async fn run_command(
    session: &SshSession,
    orders: &Orders<'_>,
    command: &str,
    secret: Option<&str>,
    limit: Duration,
    call: &Call,
) -> Result<Story, SuperviseError> {
    let folder = folder(orders.id);
    let program = format!("{folder}/supervisor");
    let mut argv = vec!["sh", program.as_str(), command, &folder];
    argv.extend(secret.map(|_| "-"));
    let input = secret.map(|secret| format!("{secret}\n")).unwrap_or_default();
    let output = as_root(session, &argv, input.as_bytes(), RemoteLimits::with_time(limit), call).await?;
    match parse(&output.text()) {
        Ok(story) => Ok(story),
        Err(_) if output.code == NOT_BEGUN => Err(SuperviseError::NotBegun),
        // Without its folder there is no program either, which the shell says with 2 or 127; so it does where
        // it is `sudo` that is not there, which says nothing of the deployment.
        Err(_) if matches!(output.code, 2 | 127) && output.errors().contains(&program) => {
            Err(SuperviseError::NotBegun)
        }
        Err(_) if !output.success() => Err(SuperviseError::Refused(said(&output))),
        Err(error) => Err(error),
    }
}

/// What a supervisor says, where it is one whose words are known: a host may have one of another version.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, SuperviseError> {
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

fn said(output: &crate::ssh::RemoteOutput) -> String {
    let errors = output.errors();
    text::bounded(if errors.is_empty() { "it did not say why" } else { &errors }, 400)
}
