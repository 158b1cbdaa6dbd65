//! Questions without an answer yet, and how one is asked again after a part of its answer failed.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::question::{Answer, Question};
use crate::diagnostic::Diagnostic;
use crate::flake::part::{PathStep, UnreadPart};

/// Most bytes of the questions for one process, so that its argument is shorter than 128 KiB (execve(2), `MAX_ARG_STRLEN`).
const QUESTIONS_BYTES: usize = 48 * 1024;

/// A question without an answer yet.
pub(super) struct PendingQuestion<'a> {
    pub(super) index: usize,
    pub(super) question: &'a Question,
    /// Parts of the answer that failed and are left out.
    pub(super) unread: Vec<UnreadPart>,
    /// Whether the probe names each part before it reads it.
    pub(super) named: bool,
    /// The time at which its first part failed.
    pub(super) failed: Option<Instant>,
    /// Whether a process exceeded the time limit at this question.
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

    /// Handles the failure of a process at this question. Returns the error if it is the answer, and `None` if the question must
    /// be asked again: without the part that failed, or with its parts named. After `patience` the rest is not read either.
    pub(super) fn retry_or_fail(
        &mut self,
        failure: ProcessFailure,
        patience: Duration,
    ) -> Option<Result<Answer, Diagnostic>> {
        let ProcessFailure { error, at, timed_out } = failure;
        if !self.named {
            // The part is not known, and a process that names the parts takes even longer.
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
        let rest = self.unread.len() + 1 >= self.question.most_failures || since.elapsed() >= patience;
        self.unread.push(UnreadPart { part, error, rest });
        None
    }
}

/// The failure of a process at one question.
pub(super) struct ProcessFailure {
    pub(super) error: Diagnostic,
    /// The part of the answer that was being read; `None` if it is not known.
    pub(super) at: Option<Vec<PathStep>>,
    /// Whether the process exceeded the time limit.
    pub(super) timed_out: bool,
}

impl ProcessFailure {
    pub(super) fn new(error: Diagnostic) -> Self {
        Self { error, at: None, timed_out: false }
    }
}

/// The number of questions, from the first on, that fit in one argument; at least one.
pub(super) fn fitting_count(pending: &[PendingQuestion<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = pending.iter().take_while(|pending| {
        // Quotes are escaped twice on their way: once for JSON, once for Nix.
        bytes += Value::Object(pending.to_json()).to_string().len() * 3 / 2;
        bytes <= QUESTIONS_BYTES
    });
    fitting.count().max(1)
}
