//! `approve`: approve a plan at a terminal or with a signature.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::prompt::{PromptError, TerminalPrompt, cancel_on_signal};
use super::signals::Signals;
use super::{FAILED, OK, USAGE, clean_up, exit_with_error, runtime};
use crate::config::{ApprovalMethod, Settings};
use crate::deploy::{ApprovalError, Approvals, Consent, Decision, Plan, StoredPlan, show, signature};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::PlanId;
use crate::progress::Call;
use crate::time::Timestamp;

/// What a person types to reject a plan.
const REJECT_WORD: &str = "no";

/// Read a plan and approve it
///
/// Shows the hosts, the changes and the risks of the plan. Then it asks for the host's name (if the
/// plan has several hosts, for the last six characters of the plan's id) and for the code of each
/// blocking risk. `no` rejects the plan. Any other answer, and Ctrl-C, change nothing.
///
/// It needs a terminal: a person has to type the answer. The approval is valid for this plan as it
/// is now, and for one deployment before the plan expires.
///
/// With --sign, the approval is a signature over the plan, made by ssh-keygen(1) with this key; a
/// security key has to be touched. It is valid if `deploy.approvers` lists the key. With
/// --signature, the signature was made on another machine that has the key:
///
///   pantheros-mcp plans PLAN_ID --canonical >plan
///   ssh-keygen -Y sign -n pantheros-deploy -f KEY plan
///   pantheros-mcp approve PLAN_ID --signature plan.sig
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("unasked").args(["batch", "signature"]))]
pub struct ApproveCommand {
    /// The plan; `pantheros-mcp plans` lists them
    plan_id: PlanId,
    /// Sign with this private key, or with this public key if an agent has the private one
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Do not ask: the signature is the approval. For CI, with a key of its own
    #[arg(long, requires = "sign")]
    batch: bool,
    /// Use this signature over the plan without asking; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sign", "batch"])]
    signature: Option<PathBuf>,
    /// Accept this blocking risk; may be repeated. Without --batch or --signature, type it when asked
    #[arg(long, value_name = "CODE", requires = "unasked")]
    risk: Vec<String>,
}

/// The plan was not approved or not deployed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApproveError {
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// The person typed `no`.
    #[error("the person rejected the plan")]
    No,
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// Interrupted between the approval and the deployment.
    #[error("interrupted: nothing was deployed, and {0} stays approved")]
    NotDeployed(PlanId),
    /// The settings do not accept this way of approving.
    #[error("the settings do not accept an approval by {channel} (`deploy.approve_by`)")]
    NotHere {
        /// The way that was used.
        channel: ApprovalMethod,
        /// The accepted ways.
        instead: BTreeSet<ApprovalMethod>,
    },
    /// `--read-only` or `tools.read_only` is set.
    #[error("an approval allows a change of a host, which `--read-only` or `tools.read_only` forbids")]
    ReadOnly,
    /// The signature could not be read.
    #[error("the signature {} could not be read: {cause}", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
}

impl ApproveError {
    /// The exit code: [`USAGE`] if the settings forbid the command, else [`FAILED`].
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::NotHere { .. } | Self::ReadOnly => USAGE,
            _ => FAILED,
        }
    }
}

impl From<&ApproveError> for Diagnostic {
    fn from(refusal: &ApproveError) -> Self {
        match refusal {
            ApproveError::Approval(error) => error.into(),
            ApproveError::Prompt(error @ PromptError::NoTerminal) => Self::from(error)
                .with_hint("run it in a terminal; in CI, sign with a key of its own: --sign KEY --batch"),
            ApproveError::Prompt(error) => error.into(),
            ApproveError::NotDeployed(id) => Self::new(Code::Cancelled, refusal.to_string())
                .with_hint(format!("`pantheros-mcp reject {id}` withdraws the approval")),
            ApproveError::NotHere { instead, .. } => {
                let hint = if instead.contains(&ApprovalMethod::Terminal) {
                    "approve it in a terminal: `pantheros-mcp approve PLAN_ID`"
                } else if instead.contains(&ApprovalMethod::Signature) {
                    "sign it: `pantheros-mcp approve PLAN_ID --sign KEY`"
                } else {
                    "only the answer to a form is accepted, which the MCP client shows when it deploys"
                };
                Self::new(Code::InvalidApproval, refusal.to_string()).with_hint(hint)
            }
            ApproveError::ReadOnly => Self::new(Code::ToolDisabled, refusal.to_string())
                .with_hint("approve without --read-only and `tools.read_only`"),
            ApproveError::No => Self::new(Code::ApprovalDeclined, refusal.to_string()),
            ApproveError::Signature { .. } => Self::new(Code::InvalidApproval, refusal.to_string())
                .with_hint("name the file that `ssh-keygen -Y sign` wrote; its name ends in .sig"),
        }
    }
}

impl ApproveCommand {
    /// Shows the plan, asks, and records the answer.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
            }
        };
        // Before signals are caught: a caught signal would not interrupt the read of standard input.
        let signature = match self.signature.as_deref().map(read_signature).transpose() {
            Ok(signature) => signature,
            Err(refusal) => return exit_with_error(&Diagnostic::from(&refusal), refusal.exit_code()),
        };
        let options = ApproveOptions {
            sign: self.sign.as_deref(),
            signature: signature.as_deref(),
            batch: self.batch,
            risks: &self.risk,
        };
        let approved = runtime.block_on(async {
            let mut signals = Signals::catch();
            let approved = cancel_on_signal(&mut signals, async |cancel| {
                let stored = load(settings, &self.plan_id)?;
                approve(settings, &stored, options, cancel).await.map(|()| stored)
            })
            .await;
            clean_up().await;
            approved
        });
        match approved {
            Ok(stored) => {
                let expires = show::left(stored.plan(), Timestamp::now());
                crate::stderr::print_line(format_args!(
                    "approved for one deployment; the plan expires {expires}"
                ));
                ExitCode::from(OK)
            }
            Err(refusal) => exit_with_error(&Diagnostic::from(&refusal), refusal.exit_code()),
        }
    }
}

/// How a plan is approved.
#[derive(Clone, Copy, Debug)]
pub(super) struct ApproveOptions<'a> {
    /// The key to sign with; `None` approves by typed words or by `signature`.
    pub sign: Option<&'a Path>,
    /// A signature that was made before.
    pub signature: Option<&'a str>,
    /// Whether to sign without asking.
    pub batch: bool,
    /// The accepted blocking risks; used only if nobody is asked.
    pub risks: &'a [String],
}

/// Loads a plan that can be approved.
///
/// # Errors
/// The plan does not exist, has expired, or was deployed or rejected before.
pub(super) fn load(settings: &Settings, id: &PlanId) -> Result<StoredPlan, ApprovalError> {
    let approvals = Approvals::open(&settings.deploy)?;
    let stored = approvals.load(id)?;
    stored.require_current(Timestamp::now())?;
    approvals.require_undecided(id)?;
    Ok(stored)
}

/// Shows the plan, asks, and records the answer.
pub(super) async fn approve(
    settings: &Settings,
    stored: &StoredPlan,
    options: ApproveOptions<'_>,
    cancel: &CancellationToken,
) -> Result<(), ApproveError> {
    if settings.policy.read_only {
        return Err(ApproveError::ReadOnly);
    }
    let signed = options.sign.is_some() || options.signature.is_some();
    let channel = if signed { ApprovalMethod::Signature } else { ApprovalMethod::Terminal };
    if !settings.deploy.approve_by.contains(&channel) {
        return Err(ApproveError::NotHere { channel, instead: settings.deploy.approve_by.clone() });
    }
    let approvals = Approvals::open(&settings.deploy).map_err(ApprovalError::from)?;
    approvals.require_trust()?;
    let named_risks = if options.batch || options.signature.is_some() {
        options.risks.to_vec()
    } else {
        match ask_to_approve(stored.plan(), cancel).await {
            Err(ApproveError::No) => {
                let id = &stored.plan().id;
                let rejected = approvals.reject(id, &crate::user::current(), "terminal").await?;
                return Err(Decision::Rejected(rejected).refusal(id).into());
            }
            typed => typed?,
        }
    };
    let signature = match (options.signature, options.sign) {
        (Some(signature), _) => Some(signature.to_owned()),
        (None, Some(key)) => {
            Some(signature::sign(stored.canonical(), key, cancel).await.map_err(ApprovalError::from)?)
        }
        (None, None) => None,
    };
    let yes = match signature {
        Some(signature) => {
            let approvers = settings.deploy.approvers.as_deref();
            let by = signature::verify(stored.canonical(), &signature, approvers, cancel).await;
            Consent { channel, by: by.map_err(ApprovalError::from)?, named_risks, signature: Some(signature) }
        }
        None => Consent { channel, by: crate::user::current(), named_risks, signature: None },
    };
    let call = Call { cancel: cancel.clone(), ..Call::unattended() };
    approvals.record(stored, yes, &call).await?;
    Ok(())
}

/// A signature from a file, or from standard input.
fn read_signature(path: &Path) -> Result<String, ApproveError> {
    let unreadable = |cause| ApproveError::Signature { path: path.to_owned(), cause };
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().take(signature::LARGEST).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        file.take(signature::LARGEST).read_to_string(&mut text).map_err(unreadable)?;
    }
    Ok(text)
}

/// Shows the plan and asks for the words that approve it. Returns the blocking risks that were typed.
async fn ask_to_approve(plan: &Plan, cancel: &CancellationToken) -> Result<Vec<String>, ApproveError> {
    let mut prompt = TerminalPrompt::open()?;
    let what =
        if plan.hosts.len() == 1 { "the host's name" } else { "the last six characters of the plan's id" };
    let shown = show::whole(plan, Timestamp::now());
    let question =
        format!("{shown}\n\nType {what} to approve, `no` to reject, anything else to change nothing: ");
    let unanswered = || ApprovalError::Unanswered(plan.id.clone());
    let typed = prompt.ask(&question, cancel).await?.ok_or_else(unanswered)?;
    if typed != plan.phrase() {
        if typed.eq_ignore_ascii_case(REJECT_WORD) {
            return Err(ApproveError::No);
        }
        let expected = plan.phrase().to_owned();
        return Err(ApprovalError::WrongWords { id: plan.id.clone(), expected }.into());
    }
    let mut named = Vec::new();
    for code in plan.blocking_risks() {
        let question = format!("Type {code} to accept that risk: ");
        let typed = prompt.ask(&question, cancel).await?.ok_or_else(unanswered)?;
        if typed != code {
            let codes = vec![code.to_owned()];
            return Err(ApprovalError::RisksNotNamed { id: plan.id.clone(), codes }.into());
        }
        named.push(typed);
    }
    Ok(named)
}
