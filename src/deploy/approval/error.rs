//! Why a plan has no valid approval, and what to do about it.

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

/// Why no form is shown to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoForm {
    /// The client shows no forms, or the settings do not accept them.
    Unavailable,
    /// It was shown as often as allowed.
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
    /// The part of the hint before the command that a person runs instead.
    fn hint_start(&self) -> String {
        match self {
            Self::Unavailable => String::new(),
            Self::Shown => "the form was shown twice and is not shown again: ".to_owned(),
            Self::DeclinedBefore { plan_id, until } => {
                format!(
                    "the same change was declined as {plan_id}, and no form is shown for it until {until}: "
                )
            }
        }
    }
}

/// Why a plan has no valid approval, or could not be rejected.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The plan cannot be loaded or stored.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The audit log cannot be written, so the step was not done.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The signature could not be verified, or is not accepted.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The approval has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The settings beside the flake guard deployments, and no person has trusted their current content.
    #[error(
        "{} decides who may deploy ({}), and no person has trusted its current content",
        settings.path.display(),
        settings.keys.join(", ")
    )]
    Untrusted {
        /// The settings file and its keys that need trust.
        settings: UntrustedGuards,
        /// The command a person runs.
        command: String,
    },
    /// Nobody has approved it yet.
    #[error("{id} waits for a person's approval")]
    Required {
        /// The plan.
        id: PlanId,
        /// The command that a person runs; `None` if only a form counts.
        command: Option<String>,
        /// Why no form is shown.
        no_form: NoForm,
    },
    /// The person is being asked; the answer comes with the client's next request.
    #[error("a person is being asked to approve {0}")]
    Asked(PlanId),
    /// A person rejected it, in this call or before.
    #[error("{id} was rejected by {by} at {at}")]
    Rejected {
        /// The plan.
        id: PlanId,
        /// Who rejected it.
        by: String,
        /// When it was rejected.
        at: Timestamp,
    },
    /// A person rejected it. The rejection is in force, but the audit log has no entry of it yet.
    #[error(
        "{id} was rejected by {by} and cannot be deployed, but the audit log has no entry of this: {cause}"
    )]
    Unlogged {
        /// The plan.
        id: PlanId,
        /// Who rejected it.
        by: String,
        /// The command line of this program, for a person to run.
        command: String,
        /// Why it could not be logged.
        cause: AuditError,
    },
    /// It cannot be rejected: its deployment began already.
    #[error("{0} cannot be rejected any more: it was approved, and is deployed or being deployed")]
    TooLate(PlanId),
    /// The person closed the form, or did not answer in time.
    #[error("the person did not answer whether {0} is approved")]
    Unanswered(PlanId),
    /// The client's answer belongs to another question, or to none.
    #[error("the client's answer does not belong to the question about {0}")]
    Stray(PlanId),
    /// The settings changed after the person was asked.
    #[error("the settings changed while a person was asked about {0}")]
    Overtaken(PlanId),
    /// The person typed another phrase than the requested one.
    #[error("the text that was typed to approve {id} is not `{expected}`")]
    WrongWords {
        /// The plan.
        id: PlanId,
        /// The phrase to type.
        expected: String,
    },
    /// The approval does not name all blocking risks.
    #[error("{id} has blocking risks that the approval does not name: {}", codes.join(", "))]
    RisksNotNamed {
        /// The plan.
        id: PlanId,
        /// The codes that it does not name.
        codes: Vec<String>,
    },
    /// The plan's approval was used before.
    #[error("{0} was deployed before; an approval is valid for one deployment")]
    Spent(PlanId),
    /// The settings do not allow the way in which it was given.
    #[error("{id} was approved by {channel}, which `deploy.approve_by` does not allow")]
    ChannelNotAllowed {
        /// The plan.
        id: PlanId,
        /// The way in which it was given.
        channel: ApprovalMethod,
    },
    /// The approval is for another plan, or for this one before it was altered.
    #[error("the approval of {0} is for another plan, or the plan was altered since")]
    OtherPlan(PlanId),
    /// The stored approval or decision is not one that this program wrote.
    #[error("the approval of {id} is invalid: {problem}")]
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
            ApprovalError::State(_) => diagnostic(Code::StateUnusable).with_hint(
                "the state folder and everything in it must belong to the user and be writable by nobody \
                    else",
            ),
            ApprovalError::Canonical(_) => diagnostic(Code::Internal),
            ApprovalError::Untrusted { command, .. } => {
                diagnostic(Code::UntrustedSettings).with_hint(Remedy::Trust { command: command.clone() })
            }
            ApprovalError::Required { id, command, no_form } => diagnostic(Code::ApprovalRequired)
                .with_attr(id.to_string())
                .with_hint(match (command, no_form) {
                    (Some(command), _) => Remedy::Approve { command: command.clone(), plan: id.to_string() }
                        .after(no_form.hint_start()),
                    (None, NoForm::Shown | NoForm::DeclinedBefore { .. }) => {
                        Remedy::WaitForForm.after(no_form.hint_start())
                    }
                    (None, NoForm::Unavailable) => Remedy::AllowAnotherApproval.into(),
                }),
            ApprovalError::Asked(_) => diagnostic(Code::ApprovalRequired),
            ApprovalError::Rejected { .. } => diagnostic(Code::ApprovalDeclined)
                .with_hint(Remedy::ChangeBeforePlanning.after("nothing was done; ")),
            ApprovalError::Unlogged { id, command, cause, .. } => {
                let cause = Diagnostic::from(cause);
                let remedy = Remedy::RecordRejection { command: command.clone(), plan: id.to_string() };
                let when = "once the audit log can be written, ";
                diagnostic(cause.code).with_hint(match cause.hint {
                    Some(first) => first.after("nothing was done; ").and(&format!("; {when}"), remedy),
                    None => remedy.after(format!("nothing was done; {when}")),
                })
            }
            ApprovalError::Unanswered(_) => diagnostic(Code::ApprovalDeclined)
                .with_hint("nothing was done; the plan can still be approved until it expires"),
            ApprovalError::WrongWords { .. } | ApprovalError::RisksNotNamed { .. } => {
                diagnostic(Code::ApprovalDeclined).with_hint(Remedy::TypeExactly.after("nothing was done; "))
            }
            ApprovalError::Spent(_) => diagnostic(Code::ApprovalSpent).with_hint(Remedy::PlanAnew),
            ApprovalError::TooLate(_) => {
                diagnostic(Code::ApprovalSpent).with_hint(Remedy::RollBack.after("nothing was undone; "))
            }
            ApprovalError::Overtaken(_) => diagnostic(Code::InvalidApproval)
                .with_hint(Remedy::AskUnderNewSettings.after("nothing was done; ")),
            ApprovalError::Stray(_) => diagnostic(Code::InvalidApproval)
                .with_hint(Remedy::AskPersonAgain.after("nothing was done; ")),
            ApprovalError::ChannelNotAllowed { .. }
            | ApprovalError::OtherPlan(_)
            | ApprovalError::Malformed { .. } => {
                diagnostic(Code::InvalidApproval).with_hint(Remedy::ApproveAgain.after("nothing was done; "))
            }
        }
    }
}
