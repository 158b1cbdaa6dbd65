//! Answers many questions about a flake in parallel, each with its own answer or error.
//!
//! The questions are divided among workers. Each worker runs `nix eval`, which answers its questions in turn and prints each
//! answer as soon as it is known. If a question fails, the process ends with that question's error, and the worker starts
//! another for the remaining questions: a flake without errors costs one process for each worker, and `n` failures cost `n`
//! more. If only a part of an answer fails, the question is asked again without that part. A process that has nearly used up
//! its memory is stopped between two answers: hosts share little, and a new process is cheaper than collecting the garbage
//! of one that has evaluated ten of them.

mod attempt;
mod process;
mod question;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::attempt::{PendingQuestion, ProcessFailure, fitting_count};
pub use self::question::{Answer, Answers, Instantiate, OtherFlake, Question, is_cacheable};
use super::{Flake, FlakeError, Isolation};
use crate::advice::Remedy;
use crate::diagnostic::{Code, Diagnostic};
use crate::progress::{Call, Update};

pub(crate) const PROBES: &str = include_str!("probes.nix");
pub(super) const FACTS: &str = include_str!("facts.nix");
/// Advice for an evaluation that exceeds its time limit.
const TIME: Remedy = Remedy::Raise(&["limits.evaluation_seconds"]);
/// Least memory of a process if all of them together have a limit, in bytes.
const LEAST_MEMORY: u64 = 1536 * 1024 * 1024;
/// Questions of one call that may exceed the time limit before workers skip their remaining questions.
const TIMED_OUT: usize = 3;

/// The answers to a list of questions.
#[derive(Debug)]
pub struct Evaluation {
    /// One answer or error for each question, in the order of the questions.
    pub answers: Answers,
    /// Whether Nix fetched something or tried to: `tryEval` may then have hidden a failure of the network.
    pub has_fetched: bool,
}

/// Options for asking questions.
#[derive(Clone, Copy)]
pub struct AskOptions<'a> {
    /// The subject of the questions in one word, for progress messages.
    pub what: &'a str,
    /// Whether derivations are written to the store.
    pub instantiate: Instantiate,
    /// The flake to ask; `None` means the one of the settings.
    pub other_flake: Option<&'a OtherFlake>,
    /// The most memory of all processes together, in bytes; `None` is `limits.evaluation_memory_mib` for each.
    pub memory: Option<u64>,
    /// Evaluates untrusted code, without a way out; `None` evaluates as the user's Nix does.
    pub isolated: Option<IsolatedAsk<'a>>,
    /// Called with each answer as soon as it is known.
    pub on_answer: Option<OnAnswer<'a>>,
    /// Called with each warning of the configuration.
    pub on_warning: Option<OnWarning<'a>>,
}

impl<'a> AskOptions<'a> {
    /// Options for questions about the flake of the settings, without callbacks.
    #[must_use]
    pub fn new(what: &'a str, instantiate: Instantiate) -> Self {
        Self {
            what,
            instantiate,
            other_flake: None,
            memory: None,
            isolated: None,
            on_answer: None,
            on_warning: None,
        }
    }
}

/// Questions about the flake in isolation.
#[derive(Clone, Copy)]
pub struct IsolatedAsk<'a> {
    /// The sources of the flake.
    pub isolation: &'a Isolation,
    /// The text of a Nix function of the caller's, which probes get as `own`.
    pub own: Option<&'a str>,
}

/// Receives the index of a question and its answer.
pub type OnAnswer<'a> = &'a (dyn Fn(usize, &Result<Answer, Diagnostic>) + Send + Sync);

/// Receives the index of the question at which a warning was printed, and the warning's text.
pub type OnWarning<'a> = &'a (dyn Fn(usize, String) + Send + Sync);

/// The state that all workers of one call share.
struct SharedProgress<'a> {
    options: &'a AskOptions<'a>,
    total: usize,
    /// The memory of a process, in bytes. Above it, another process goes on.
    memory: u64,
    done: AtomicUsize,
    /// See [`Evaluation::has_fetched`].
    has_fetched: AtomicBool,
    /// Number of questions that exceeded the time limit.
    timed_out: AtomicUsize,
}

impl Flake {
    /// Answers every question. `what` is their subject in one word, for progress messages.
    ///
    /// # Errors
    /// See [`FlakeError`]. A question that fails to evaluate is an error in [`Answers`] instead.
    pub async fn ask(
        &self,
        what: &str,
        questions: Vec<Question>,
        instantiate: Instantiate,
        call: &Call,
    ) -> Result<Answers, FlakeError> {
        let options = AskOptions::new(what, instantiate);
        Ok(self.ask_with(&options, questions, call).await?.answers)
    }

    /// As [`Flake::ask`], with options.
    ///
    /// # Errors
    /// See [`Flake::ask`].
    pub async fn ask_with(
        &self,
        options: &AskOptions<'_>,
        questions: Vec<Question>,
        call: &Call,
    ) -> Result<Evaluation, FlakeError> {
        self.require()?;
        let (workers, memory) = self.workers(options.memory, questions.len());
        let shared = SharedProgress {
            options,
            total: questions.len(),
            memory,
            done: AtomicUsize::new(0),
            has_fetched: AtomicBool::new(false),
            timed_out: AtomicUsize::new(0),
        };
        // Distributed in turn: neighbouring questions are often of one kind, and so equally expensive.
        let mut queues: Vec<VecDeque<PendingQuestion<'_>>> = (0..workers).map(|_| VecDeque::new()).collect();
        for (index, question) in questions.iter().enumerate() {
            if let Some(queue) = queues.get_mut(index % workers) {
                let named = !question.large;
                queue.push_back(PendingQuestion {
                    index,
                    question,
                    unread: Vec::new(),
                    named,
                    failed: None,
                    timed_out: false,
                });
            }
        }
        let work = queues.into_iter().map(|queue| self.work(queue, call, &shared));
        let parts = futures::future::try_join_all(work).await?;
        let mut by_index: HashMap<usize, Result<Answer, Diagnostic>> = parts.into_iter().flatten().collect();
        let timed_out = shared.timed_out.load(Ordering::Relaxed);
        let skipped_error = |index| {
            let answer = Err(skipped_error(timed_out));
            shared.report_answer(index, &answer, call);
            answer
        };
        let answers: Answers = (0..questions.len())
            .map(|index| by_index.remove(&index).unwrap_or_else(|| skipped_error(index)))
            .collect();
        if !answers.iter().all(is_cacheable) {
            self.mark_transient();
        }
        Ok(Evaluation { answers, has_fetched: shared.has_fetched.into_inner() })
    }

    /// The number of workers for so many questions, and the memory of a process of each in bytes. Within `total` bytes there are
    /// few workers, because each evaluates for itself what the questions have in common.
    fn workers(&self, total: Option<u64>, questions: usize) -> (usize, u64) {
        let workers = self.settings.evaluation_workers.clamp(1, questions.max(1));
        let memory = self.settings.evaluation_memory;
        let Some(total) = total else { return (workers, memory) };
        let workers = workers.min(usize::try_from(total / LEAST_MEMORY).unwrap_or(usize::MAX)).max(1);
        (workers, memory.min(total / workers as u64))
    }

    /// Answers a single question.
    ///
    /// # Errors
    /// See [`FlakeError`]; a failed evaluation is [`FlakeError::Evaluation`].
    pub async fn ask_one(
        &self,
        what: &str,
        question: Question,
        instantiate: Instantiate,
        call: &Call,
    ) -> Result<Value, FlakeError> {
        let answer = self.ask(what, vec![question], instantiate, call).await?.pop();
        match answer.unwrap_or_else(|| Err(no_answer_error())) {
            Ok(answer) => Ok(answer.value),
            Err(diagnostic) => Err(FlakeError::Evaluation(Box::new(diagnostic))),
        }
    }

    /// Applies a Nix function to the flake's outputs and returns its result, which is cached until the flake changes. `what` is
    /// the subject in one word, for progress messages. Nothing is built except what the flake imports while it is evaluated.
    ///
    /// # Errors
    /// See [`FlakeError`]. If any part of the result fails to evaluate, the whole call fails.
    pub async fn ask_function<T>(
        &self,
        what: &'static str,
        function: &'static str,
        call: &Call,
    ) -> Result<T, FlakeError>
    where
        T: Serialize + DeserializeOwned,
    {
        let find = |flake: Self| async move {
            call.report_message(format!("evaluating the {what}"));
            let value = flake.ask_one(what, Question::of_function(function), Instantiate::No, call).await?;
            serde_json::from_value(value).map_err(|error| {
                let message = format!("the {what} could not be read: a value has an unexpected type");
                let error = Diagnostic::new(Code::TypeMismatch, message).with_said(&error.to_string());
                FlakeError::Evaluation(Box::new(error))
            })
        };
        self.remembered(&format!("{what} {function}"), call, find).await
    }

    /// Answers one worker's questions with as many processes as they need. Skips the rest if too many exceed the time limit.
    async fn work(
        &self,
        mut queue: VecDeque<PendingQuestion<'_>>,
        call: &Call,
        shared: &SharedProgress<'_>,
    ) -> Result<Vec<(usize, Result<Answer, Diagnostic>)>, FlakeError> {
        let mut results = Vec::with_capacity(queue.len());
        let mut writing = shared.options.instantiate;
        while !queue.is_empty() {
            let pending = queue.make_contiguous();
            let pending = pending.get(..fitting_count(pending)).unwrap_or(pending);
            let (values, failure) = self.evaluate(pending, writing, call, shared).await?;
            let none = values.is_empty();
            for value in values {
                let Some(pending) = queue.pop_front() else { break };
                results.push((pending.index, Ok(Answer { value, unread: pending.unread })));
            }
            let failure = match failure {
                Some(failure) => failure,
                None if none => ProcessFailure::new(no_answer_error()),
                None => continue,
            };
            // An evaluation that reads what it builds needs its derivations in the store.
            if writing == Instantiate::No
                && !self.settings.policy.read_only
                && matches!(failure.error.code, Code::MissingPath | Code::NeedsBuild)
            {
                writing = Instantiate::Yes;
                continue;
            }
            writing = shared.options.instantiate;
            if let Some(mut pending) = queue.pop_front() {
                if failure.timed_out && shared.count_timeout(&mut pending) {
                    queue.clear();
                }
                match pending.retry_or_fail(failure, self.settings.evaluation_time / 2) {
                    Some(answer) => {
                        shared.report_answer(pending.index, &answer, call);
                        results.push((pending.index, answer));
                    }
                    None => queue.push_front(pending),
                }
            }
        }
        Ok(results)
    }
}

impl SharedProgress<'_> {
    fn report_answer(&self, index: usize, answer: &Result<Answer, Diagnostic>, call: &Call) {
        if let Some(on_answer) = self.options.on_answer {
            on_answer(index, answer);
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        call.progress.report(Update {
            message: format!("evaluated {done} of {} {}", self.total, self.options.what),
            done: done as u64,
            total: Some(self.total as u64),
        });
    }

    /// Counts a question that exceeded the time limit, once. Returns whether the worker must skip its remaining questions.
    fn count_timeout(&self, pending: &mut PendingQuestion<'_>) -> bool {
        let counts = usize::from(!std::mem::replace(&mut pending.timed_out, true));
        self.timed_out.fetch_add(counts, Ordering::Relaxed) + counts >= TIMED_OUT
    }
}

/// The error of a question that was skipped because `others` exceeded the time limit.
fn skipped_error(others: usize) -> Diagnostic {
    let message = format!("not evaluated, because {others} other evaluations exceeded the time limit");
    Diagnostic::new(Code::TimedOut, message)
        .with_hint(TIME.after("correct those, ").and(", or ", Remedy::AskForOneHost))
}

fn no_answer_error() -> Diagnostic {
    Diagnostic::new(Code::NixFailed, "the evaluation ended without an answer to this question")
}
