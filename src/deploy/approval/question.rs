//! The question to the person behind a call; [`Approver`] hides how the person is reached.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::canonical::Digest;
use crate::names::PlanId;
use crate::progress::Call;

/// A request to a person to approve a plan.
#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// The plan's id.
    pub plan_id: PlanId,
    /// The digest of the plan's canonical form, which binds the answer to its contents.
    pub plan_digest: Digest,
    /// The plan as text for the person.
    pub text: String,
    /// The phrase that the person has to type: the host's name, or the end of the plan's id.
    pub phrase: String,
    /// The codes of blocking risks that the person has to type as well.
    pub risks: Vec<String>,
    /// How long an answer is accepted.
    pub patience: Duration,
}

/// The result of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalAnswer {
    /// The person sent the form.
    Given {
        /// What they typed for the phrase.
        phrase: String,
        /// What they typed for the risks.
        risks: String,
        /// Who answered, as the client names its user; nobody verifies it.
        by: String,
    },
    /// The person declined.
    Declined,
    /// The person closed the form, or did not answer in time.
    Unanswered,
    /// The person is being asked; the answer comes with the client's next request.
    Asked,
    /// The reply does not belong to the question.
    Stray,
    /// The settings about who may approve were changed before the answer came.
    Overtaken,
    /// This call has no way to ask a person.
    Unavailable,
}

/// A way to put a question to the person behind a call.
pub trait Approver: Send + Sync {
    /// Asks, and waits for the answer if it can arrive during this call; otherwise returns [`ApprovalAnswer::Asked`].
    fn ask<'a>(
        &'a self,
        question: &'a ApprovalRequest,
        call: &'a Call,
    ) -> Pin<Box<dyn Future<Output = ApprovalAnswer> + Send + 'a>>;

    /// Whether [`Approver::ask`] shows the person a form now. It does not if the client has no forms, or if the call
    /// already carries the answer.
    fn shows_form(&self) -> bool;

    /// The plan of an earlier question whose answer this call carries; `None` if it carries no answer.
    fn answers(&self) -> Option<PlanId> {
        None
    }
}

/// Asks nobody: at the command line a person approves with a separate command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Approver for Nobody {
    fn ask<'a>(
        &'a self,
        _: &'a ApprovalRequest,
        _: &'a Call,
    ) -> Pin<Box<dyn Future<Output = ApprovalAnswer> + Send + 'a>> {
        Box::pin(std::future::ready(ApprovalAnswer::Unavailable))
    }

    fn shows_form(&self) -> bool {
        false
    }
}
