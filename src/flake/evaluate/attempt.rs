//! Questions on their way to an answer, and what is done about one that fails.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::question::{Answer, Question};
use crate::diagnostic::Diagnostic;
use crate::flake::part::{Step, UnreadPart};

/// Most bytes of questions put to one process, so that all it is told fits in [`ARGUMENT_BYTES`].
const QUESTIONS_BYTES: usize = 48 * 1024;
/// Most parts of one answer that may fail each by itself; what lies behind the last is not read.
const PARTS: usize = 24;

/// A question on its way to an answer.
pub(super) struct PendingQuestion<'a> {
    pub(super) index: usize,
    pub(super) question: &'a Question,
    /// Parts that are not read any more.
    pub(super) unread: Vec<UnreadPart>,
    /// Whether the parts are named before they are read.
    pub(super) named: bool,
    /// When its first part failed.
    pub(super) failed: Option<Instant>,
    /// Whether a process that was at it took all its time.
    pub(super) timed_out: bool,
}

impl PendingQuestion<'_> {
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut question = self.question.to_json();
        let bad: Vec<_> = self.unread.iter().filter(|part| !part.rest).map(|part| &part.part).collect();
        if !bad.is_empty() {
            question.insert("bad".into(), json!(bad));
        }
        if let Some(stop) = self.unread.iter().find(|part| part.rest) {
            question.insert("stop".into(), json!(stop.part));
        }
        if !self.named {
            question.insert("quiet".into(), Value::Bool(true));
        }
        question
    }

    /// What to do about a process that ended at this question: its answer where that is the failure itself, `None`
    /// where it is asked again without the part that failed.
    pub(super) fn retry_or_fail(
        &mut self,
        failure: ProcessFailure,
        patience: Duration,
    ) -> Option<Result<Answer, Diagnostic>> {
        let ProcessFailure { error, at, timed_out } = failure;
        if !self.named {
            // Which part it was at is not known, and naming them takes longer still.
            if timed_out {
                return Some(Err(error));
            }
            self.named = true;
            return None;
        }
        let part = match at {
            Some(part) if !part.is_empty() && !self.unread.iter().any(|known| known.part == part) => part,
            _ => return Some(Err(error)),
        };
        if self.unread.iter().any(|part| part.rest) {
            return Some(Err(error));
        }
        let since = *self.failed.get_or_insert_with(Instant::now);
        let rest = self.unread.len() + 1 >= PARTS || since.elapsed() >= patience;
        self.unread.push(UnreadPart { part, error, rest });
        None
    }
}

/// How a process ended before its time.
pub(super) struct ProcessFailure {
    pub(super) error: Diagnostic,
    /// The part of the answer that was being read.
    pub(super) at: Option<Vec<Step>>,
    /// Whether it took all its time.
    pub(super) timed_out: bool,
}

impl ProcessFailure {
    pub(super) fn new(error: Diagnostic) -> Self {
        Self { error, at: None, timed_out: false }
    }
}

/// How many of the first questions fit in one argument, at least one.
pub(super) fn fitting_count(pending: &[PendingQuestion<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = pending.iter().take_while(|pending| {
        // Quotes are escaped twice on their way: once for JSON, once for Nix.
        bytes += Value::Object(pending.to_json()).to_string().len() * 3 / 2;
        bytes <= QUESTIONS_BYTES
    });
    fitting.count().max(1)
}
