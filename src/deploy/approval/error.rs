//! Why there is no approval that counts, and what to do about it.

use super::signature::SignatureError;
use crate::advice::Remedy;
use crate::audit::AuditError;
use crate::canonical::CanonicalError;
use crate::config::{ApprovalMethod, UntrustedGuards};
use crate::deploy::plan::PlanError;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::PlanId;
use crate::state::StateError;
use crate::time::Timestamp;

/// Why a person is not asked by a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoForm {
    /// This client shows none, or a form does not count here.
    Unavailable,
    /// It was shown as often as it may be.
    Shown,
    /// A person declined the same change a while ago.
    DeclinedBefore {
        /// The plan that they declined.
        plan_id: PlanId,
        /// Until when no form about it is shown.
        until: Timestamp,
    },
}

impl NoForm {
    /// What it says before the command that a person runs instead.
    fn told(&self) -> String {
        match self {
            Self::Unavailable => String::new(),
            Self::Shown => "the form was shown twice, and is not shown again: ".to_owned(),
            Self::DeclinedBefore { plan_id, until } => {
                format!(
                    "the same change was declined as {plan_id}, and no form is shown for it until {until}: "
                )
            }
        }
    }
}

/// Why there is no approval that counts.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The plan itself.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// What is not recorded is not done.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// An approval that has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The settings beside the flake want deployments guarded in a way that does not count yet.
    #[error(
        "{} says who may deploy ({}), and nobody trusted it as it is",
        settings.path.display(),
        settings.keys.join(", ")
    )]
    Untrusted {
        /// Which file, and what in it.
        settings: UntrustedGuards,
        /// The command a person runs.
        command: String,
    },
    /// Nobody has approved it yet.
    #[error("{id} waits for a person's approval")]
    Required {
        /// The plan.
        id: PlanId,
        /// The command a person runs; none where only a form counts.
        command: Option<String>,
        /// Why no form is shown.
        no_form: NoForm,
    },
    /// The person is being asked; the answer comes with the client's next request.
    #[error("a person is being asked to approve {0}")]
    Asked(PlanId),
    /// A person said no, now or before.
    #[error("{id} was rejected by {by} at {at}")]
    Rejected {
        /// The plan.
        id: PlanId,
        /// Who said no.
        by: String,
        /// When they did.
        at: Timestamp,
    },
    /// A person said no, which counts, and the audit log does not say so yet.
    #[error("{id} was rejected by {by} and stays so, but the audit log does not say it: {cause}")]
    Unlogged {
        /// The plan.
        id: PlanId,
        /// Who said no.
        by: String,
        /// This program, as a person runs it.
        command: String,
        /// Why it could not be logged.
        cause: AuditError,
    },
    /// It is too late to say no.
    #[error("{0} was approved and used before it was rejected: it is deployed, or being deployed")]
    TooLate(PlanId),
    /// The person closed the form, or did not answer in time.
    #[error("the person did not answer whether to approve {0}")]
    Unanswered(PlanId),
    /// An answer came that belongs to no question, or to another one.
    #[error("what came back is not a person's answer about {0}")]
    Stray(PlanId),
    /// The settings say something else than when the person was asked.
    #[error("the settings were changed while a person was asked about {0}")]
    Overtaken(PlanId),
    /// What the person typed is not what was asked for.
    #[error("what was typed to approve {id} is not `{expected}`")]
    WrongWords {
        /// The plan.
        id: PlanId,
        /// What was asked for.
        expected: String,
    },
    /// A blocking risk was not named.
    #[error("{id} has blocking risks that the approval does not name: {}", codes.join(", "))]
    RisksNotNamed {
        /// The plan.
        id: PlanId,
        /// Their codes.
        codes: Vec<String>,
    },
    /// It was used before.
    #[error("{0} was deployed before: an approval is good for once")]
    Spent(PlanId),
    /// It came in a way that the settings do not allow.
    #[error("{id} was approved by {channel}, which `deploy.approve_by` does not allow")]
    ChannelNotAllowed {
        /// The plan.
        id: PlanId,
        /// The way it came.
        channel: ApprovalMethod,
    },
    /// It is for another plan, or for this one before it was altered.
    #[error("the approval of {0} is for a plan that says something else")]
    OtherPlan(PlanId),
    /// It is none that this program wrote.
    #[error("the approval of {id} is none: {problem}")]
    Malformed {
        /// The plan.
        id: PlanId,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<&ApprovalError> for Diagnostic {
    fn from(error: &ApprovalError) -> Self {
        let diagnostic = |code| Self::new(code, error.to_string());
        match error {
            ApprovalError::Plan(error) => error.into(),
            ApprovalError::Audit(error) => error.into(),
            ApprovalError::Signature(error) => error.into(),
            ApprovalError::State(_) => diagnostic(Code::StateUnusable)
                .with_hint("the state folder and all in it have to be the user's own, mode 0700"),
            ApprovalError::Canonical(_) => diagnostic(Code::Internal),
            ApprovalError::Untrusted { command, .. } => {
                diagnostic(Code::UntrustedSettings).with_hint(Remedy::Trust { command: command.clone() })
            }
            ApprovalError::Required { id, command, no_form } => diagnostic(Code::ApprovalRequired)
                .with_attr(id.to_string())
                .with_hint(match (command, no_form) {
                    (Some(command), _) => Remedy::Approve { command: command.clone() }.after(no_form.told()),
                    (None, NoForm::Shown | NoForm::DeclinedBefore { .. }) => {
                        Remedy::WaitForForm.after(no_form.told())
                    }
                    (None, NoForm::Unavailable) => Remedy::AllowAnotherApproval.into(),
                }),
            ApprovalError::Asked(_) => diagnostic(Code::ApprovalRequired),
            ApprovalError::Rejected { .. } => diagnostic(Code::ApprovalDeclined)
                .with_hint("nothing was done; ask the person what should be different before you plan again"),
            ApprovalError::Unlogged { id, command, cause, .. } => {
                let cause = Diagnostic::from(cause);
                let first = cause.hint.map(|hint| format!("{hint}; ")).unwrap_or_default();
                let remedy = Remedy::RecordRejection { command: command.clone(), plan: id.to_string() };
                diagnostic(cause.code).with_hint(
                    remedy.after(format!("nothing was done; {first}once the audit log can be written, ")),
                )
            }
            ApprovalError::Unanswered(_) => diagnostic(Code::ApprovalDeclined)
                .with_hint("nothing was done; the plan can still be approved until it expires"),
            ApprovalError::WrongWords { .. } | ApprovalError::RisksNotNamed { .. } => {
                diagnostic(Code::ApprovalDeclined)
                    .with_hint("nothing was done; the person has to type exactly what is asked for")
            }
            ApprovalError::Spent(_) => diagnostic(Code::ApprovalSpent).with_hint(Remedy::PlanAnew),
            ApprovalError::TooLate(_) => {
                diagnostic(Code::ApprovalSpent).with_hint(Remedy::RollBack.after("nothing is undone; "))
            }
            ApprovalError::Overtaken(_) => diagnostic(Code::InvalidApproval)
                .with_hint(Remedy::AskUnderNewSettings.after("nothing was done; ")),
            ApprovalError::Stray(_) => diagnostic(Code::InvalidApproval)
                .with_hint(Remedy::AskPersonAgain.after("nothing was done; ")),
            ApprovalError::ChannelNotAllowed { .. }
            | ApprovalError::OtherPlan(_)
            | ApprovalError::Malformed { .. } => diagnostic(Code::InvalidApproval)
                .with_hint("nothing was done; a person has to look at the plan and approve it anew"),
        }
    }
}
