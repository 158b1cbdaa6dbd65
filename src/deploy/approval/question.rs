//! Asking the person behind a call, without knowing how they are reached.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::canonical::Digest;
use crate::names::PlanId;
use crate::progress::Call;

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which plan it is about.
    pub plan_id: PlanId,
    /// What that plan says.
    pub plan_digest: Digest,
    /// The plan, for reading.
    pub text: String,
    /// What they have to type: a host's name, or the end of the plan's name.
    pub phrase: String,
    /// The codes of blocking risks they have to type as well.
    pub risks: Vec<String>,
    /// How long the answer counts.
    pub patience: Duration,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The person sent the form.
    Given {
        /// What they typed for the phrase.
        phrase: String,
        /// What they typed for the risks.
        risks: String,
        /// Who they are, as far as anybody can say.
        by: String,
    },
    /// They said no.
    Declined,
    /// They closed the form, or never answered.
    Unanswered,
    /// They are asked now, and the answer comes with the client's next request.
    Asked,
    /// What came is not the answer to what was asked.
    Stray,
    /// What decides who may approve was changed before the answer came.
    Overtaken,
    /// There is nobody who could be asked here.
    Unavailable,
}

/// Somebody who can put a question to the person behind a call. Knows nothing of what it is about.
pub trait Approver: Send + Sync {
    /// Asks, and waits for the answer where the answer comes to this very call.
    fn ask<'a>(
        &'a self,
        question: &'a Question,
        call: &'a Call,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

    /// Whether asking now shows the person a form: not where nobody can be asked, nor where the call brings an answer.
    fn shows(&self) -> bool;

    /// The plan that this call brings an answer about, where it came with one to an earlier question.
    fn answers(&self) -> Option<PlanId> {
        None
    }
}

/// Nobody can be asked: at the command line a person approves with a command of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Approver for Nobody {
    fn ask<'a>(&'a self, _: &'a Question, _: &'a Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(std::future::ready(Answer::Unavailable))
    }

    fn shows(&self) -> bool {
        false
    }
}
