//! Approvals as signatures over a plan, made and checked by the system's `ssh-keygen -Y`.
//!
//! What is signed is the plan's canonical form, in a namespace of its own, so that a signature made
//! for anything else (a commit, a login) is none here (PROTOCOL.sshsig).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::advice::Remedy;
use crate::config::{Action, SignerScope};
use crate::deploy::plan::Plan;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::HostName;
use crate::process::{Command, Executable, Flow, ProcessError};
use crate::reading;
use crate::scratch::{self, ScratchError, ScratchFolder};
use crate::text;

/// What an approval is signed as; a key may be restricted to it with `namespaces=` in the file of allowed signers.
pub const NAMESPACE: &str = "pantheros-deploy";
/// Most bytes of a signature.
pub const LARGEST: u64 = 16 * 1024;

/// Longest check of a signature.
const TIME: Duration = Duration::from_secs(20);
/// Most names one key may have.
const NAMES: usize = 16;

/// Why a signature was not made, or does not count.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// `ssh-keygen` could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// There is no folder for the files that `ssh-keygen` reads.
    #[error(transparent)]
    NoFolder(#[from] ScratchError),
    /// A file could not be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The settings name nobody who may sign.
    #[error("`deploy.approvers` names nobody who may sign")]
    NoApprovers,
    /// Others can decide who may sign.
    #[error("{} is somebody else's, or can be written by others, who could add themselves to the approvers", path.display())]
    OpenApprovers {
        /// The file of allowed signers.
        path: PathBuf,
    },
    /// No signature was made.
    #[error("ssh-keygen made no signature with {}", key.display())]
    NotSigned {
        /// The key.
        key: PathBuf,
    },
    /// The key is nobody's who may sign, or its name is a pattern.
    #[error("the signature is by none of the approvers in {}", path.display())]
    UnknownSigner {
        /// The file of allowed signers.
        path: PathBuf,
        /// What `ssh-keygen` said.
        said: String,
    },
    /// It is a signature by an approver, but not one of this plan in this namespace.
    #[error("the signature is not {who}'s over this plan")]
    Wrong {
        /// Whose key it is.
        who: String,
        /// What `ssh-keygen` said.
        said: String,
    },
    /// The approver may not sign this.
    #[error("{who} may not approve {what}")]
    OutOfScope {
        /// The approver.
        who: String,
        /// What they may not approve.
        what: String,
    },
}

impl From<&SignatureError> for Diagnostic {
    fn from(error: &SignatureError) -> Self {
        let said = match error {
            SignatureError::UnknownSigner { said, .. } | SignatureError::Wrong { said, .. } => said,
            _ => "",
        };
        let diagnostic = |code| Self::new(code, error.to_string()).with_said(said);
        match error {
            SignatureError::Process(error) => error.into(),
            SignatureError::NoFolder(error) => error.into(),
            SignatureError::Io { .. } | SignatureError::NoApprovers => {
                diagnostic(Code::InvalidSettings).with_hint(Remedy::NameApprovers)
            }
            SignatureError::OpenApprovers { .. } => diagnostic(Code::InvalidSettings)
                .with_hint("make it root's, and take it away from others with `chmod go-w`"),
            SignatureError::NotSigned { .. } => {
                diagnostic(Code::InvalidApproval).with_hint(Remedy::NameSigningKey)
            }
            SignatureError::UnknownSigner { .. } => diagnostic(Code::InvalidApproval)
                .with_hint("each approver is a line `name key` there, with a name and not a pattern"),
            SignatureError::Wrong { .. } => diagnostic(Code::InvalidApproval).with_hint(Remedy::Sign),
            SignatureError::OutOfScope { .. } => {
                diagnostic(Code::InvalidApproval).with_hint(Remedy::FindApproverInScope)
            }
        }
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> SignatureError {
    let path = path.to_owned();
    move |cause| SignatureError::Io { path, cause }
}

/// Signs `message` with `key`, on the terminal if there is one: a key may want a passphrase or a touch.
///
/// # Errors
/// See [`SignatureError`].
pub async fn sign(message: &str, key: &Path, cancel: &CancellationToken) -> Result<String, SignatureError> {
    let scratch = ScratchFolder::make(&scratch::candidate_folders(), usize::MAX)?;
    let file = scratch.path().join("plan");
    std::fs::write(&file, message).map_err(at(&file))?;
    let status = Command::new(Executable::SshKeygen)
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(key)
        .arg("--")
        .arg(&file)
        .attend(cancel)
        .await?;
    let signature = scratch.path().join("plan.sig");
    if !status.success() {
        return Err(SignatureError::NotSigned { key: key.to_owned() });
    }
    reading::text(&signature, LARGEST).map_err(at(&signature))
}

/// Whose signature over `message` this is.
///
/// # Errors
/// See [`SignatureError`].
pub async fn verify(
    message: &str,
    signature: &str,
    approvers: Option<&Path>,
    cancel: &CancellationToken,
) -> Result<String, SignatureError> {
    let approvers = approvers.ok_or(SignatureError::NoApprovers)?;
    let data = std::fs::metadata(approvers).map_err(at(approvers))?;
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&data.uid());
    if data.mode() & 0o022 != 0 || !ours {
        return Err(SignatureError::OpenApprovers { path: approvers.to_owned() });
    }
    // It is read twice, and what came through a pipe is not there a second time.
    if !data.is_file() {
        return Err(at(approvers)(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file")));
    }
    let scratch = ScratchFolder::make(&scratch::candidate_folders(), usize::MAX)?;
    let (file, signed) = (scratch.path().join("plan"), scratch.path().join("plan.sig"));
    std::fs::write(&file, message).map_err(at(&file))?;
    std::fs::write(&signed, signature).map_err(at(&signed))?;

    // Beginning with a path, so that no file's name is read as an option.
    let approvers_argument = absolute(approvers)?;
    let find = Command::new(Executable::SshKeygen)
        .args(["-Y", "find-principals", "-s"])
        .arg(&signed)
        .arg("-f")
        .arg(&approvers_argument)
        .time_limit(TIME);
    let unknown = |said| SignatureError::UnknownSigner { path: approvers.to_owned(), said };
    let names = run(&find, cancel).await?.map_err(unknown)?;
    let mut refused = None;
    for name in names.lines().take(NAMES).filter(|name| is_name(name)) {
        let check = Command::new(Executable::SshKeygen)
            .args(["-Y", "verify", "-n", NAMESPACE, "-I", name, "-s"])
            .arg(&signed)
            .arg("-f")
            .arg(&approvers_argument)
            .input_file(&file)
            .time_limit(TIME);
        match run(&check, cancel).await? {
            Ok(_) => return Ok(name.to_owned()),
            Err(said) => refused = Some(SignatureError::Wrong { who: name.to_owned(), said }),
        }
    }
    Err(refused.unwrap_or_else(|| unknown("its name there is a pattern, which names nobody".to_owned())))
}

fn absolute(path: &Path) -> Result<PathBuf, SignatureError> {
    std::path::absolute(path).map_err(at(path))
}

/// Whether an approver's name is one, and not a pattern (ssh_config(5), PATTERNS) or an option.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && !name.starts_with('-')
        && name.chars().all(|c| !c.is_control() && !matches!(c, '*' | '?' | '!' | ',' | ' ' | '"'))
}

/// What it printed, or what it complained of.
async fn run(command: &Command, cancel: &CancellationToken) -> Result<Result<String, String>, ProcessError> {
    let mut complaints = String::new();
    let finished = command
        .clone()
        .env("LC_ALL", "C")
        .output_limit(64 * 1024)
        .run(cancel, |line, _| {
            if complaints.len() < 1_000 {
                complaints.push_str(&text::plain(&String::from_utf8_lossy(line)));
                complaints.push(' ');
            }
            Flow::Continue
        })
        .await?;
    let printed = String::from_utf8_lossy(&finished.stdout).into_owned();
    if finished.status.success() {
        return Ok(Ok(printed));
    }
    let said = format!("{complaints}{}", text::plain(&printed));
    Ok(Err(text::bounded(said.trim(), 300)))
}

/// Says that `who` may approve this plan.
///
/// # Errors
/// [`SignatureError::OutOfScope`] with the first host or action that is not theirs.
pub fn require_scope(who: &str, scope: Option<&SignerScope>, plan: &Plan) -> Result<(), SignatureError> {
    let Some(scope) = scope else { return Ok(()) };
    let refused = |what: String| Err(SignatureError::OutOfScope { who: who.to_owned(), what });
    let action_allowed = |action: Action| scope.actions.as_ref().is_none_or(|set| set.contains(&action));
    let host_allowed = |host: &HostName| scope.hosts.as_ref().is_none_or(|set| set.contains(host));
    if !action_allowed(plan.action) {
        return refused(format!("the action {}", plan.action));
    }
    match plan.hosts.iter().find(|host| !host_allowed(&host.host)) {
        Some(host) => refused(format!("the host {}", host.host)),
        None => Ok(()),
    }
}
