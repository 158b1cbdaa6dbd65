//! Approvals as signatures over a plan, made and verified by the system's `ssh-keygen -Y`.
//!
//! The message is the plan's canonical form. It has a namespace of its own, so that a signature that was made for
//! another purpose, such as a commit, is not accepted (PROTOCOL.sshsig).

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

/// The namespace of approvals; `namespaces=` in the file of allowed signers can restrict a key to it.
pub const NAMESPACE: &str = "pantheros-deploy";
/// Maximum size of a signature, in bytes.
pub const LARGEST: u64 = 16 * 1024;

/// Time limit of each `ssh-keygen` process that verifies a signature.
const TIME: Duration = Duration::from_secs(20);
/// Maximum number of principals that are tried for one key.
const NAMES: usize = 16;

/// Why a signature was not made, or is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// `ssh-keygen` could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No folder can be made for the files that `ssh-keygen` reads.
    #[error(transparent)]
    NoFolder(#[from] ScratchError),
    /// A file could not be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        path: PathBuf,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The settings name no file of allowed signers.
    #[error("`deploy.approvers` is not set, so no signature is accepted")]
    NoApprovers,
    /// Other users can change the file of allowed signers.
    #[error("{} can be changed by other users, who could add themselves to the approvers", path.display())]
    OpenApprovers {
        /// The file of allowed signers.
        path: PathBuf,
    },
    /// No signature was made.
    #[error("ssh-keygen made no signature with {}", key.display())]
    NotSigned { key: PathBuf },
    /// The file of allowed signers does not have the key, or its principal is a pattern.
    #[error("the signature was not made by an approver in {}", path.display())]
    UnknownSigner {
        /// The file of allowed signers.
        path: PathBuf,
        /// The error output of `ssh-keygen`.
        said: String,
    },
    /// An approver made the signature, but not over this plan in this namespace.
    #[error("the signature by {who} is not over this plan")]
    Wrong {
        /// Whose key it is.
        who: String,
        /// The error output of `ssh-keygen`.
        said: String,
    },
    /// The approver's scope does not cover the plan.
    #[error("{who} may not approve {what}")]
    OutOfScope {
        /// The approver.
        who: String,
        /// The host or action outside the scope.
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
                .with_hint("make root or yourself the owner of the file, and run `chmod go-w` on it"),
            SignatureError::NotSigned { .. } => {
                diagnostic(Code::InvalidApproval).with_hint(Remedy::NameSigningKey)
            }
            SignatureError::UnknownSigner { .. } => diagnostic(Code::InvalidApproval).with_hint(
                "the file needs a line `name key` for each approver; a pattern is not accepted as a name",
            ),
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

/// Signs `message` with `key`. Gives `ssh-keygen` the terminal, because a key may need a passphrase or a touch.
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
        .run_on_terminal(cancel)
        .await?;
    let signature = scratch.path().join("plan.sig");
    if !status.success() {
        return Err(SignatureError::NotSigned { key: key.to_owned() });
    }
    reading::text(&signature, LARGEST).map_err(at(&signature))
}

/// Verifies the signature over `message` and returns the signer's name in the file `approvers`.
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
    // `ssh-keygen` reads it in two runs, and a pipe can be read only once.
    if !data.is_file() {
        return Err(at(approvers)(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )));
    }
    let scratch = ScratchFolder::make(&scratch::candidate_folders(), usize::MAX)?;
    let (file, signed) = (scratch.path().join("plan"), scratch.path().join("plan.sig"));
    std::fs::write(&file, message).map_err(at(&file))?;
    std::fs::write(&signed, signature).map_err(at(&signed))?;

    // An absolute path cannot be taken for an option.
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
    Err(refused.unwrap_or_else(|| unknown("its principal in the file is a pattern, not a name".to_owned())))
}

fn absolute(path: &Path) -> Result<PathBuf, SignatureError> {
    std::path::absolute(path).map_err(at(path))
}

/// Whether a principal is a name, and neither a pattern (ssh_config(5), PATTERNS) nor an option.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && !name.starts_with('-')
        && name.chars().all(|c| !c.is_control() && !matches!(c, '*' | '?' | '!' | ',' | ' ' | '"'))
}

/// The command's output if it succeeds, otherwise its error output.
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

/// Requires that the scope of `who` covers this plan. Without a scope, `who` may approve any plan.
///
/// # Errors
/// [`SignatureError::OutOfScope`] with the action, or else the first host, outside the scope.
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
