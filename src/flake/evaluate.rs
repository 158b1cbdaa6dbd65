//! Many questions about a flake, answered side by side, each with its own answer or error.
//!
//! One `nix eval` answers a list of questions in turn and tells each answer as it comes. When one
//! fails, the process ends with that question's error, and another process goes on with the rest:
//! a flake with nothing wrong costs one evaluation for each worker, and one with `n` failures
//! costs `n` more. A part of an answer that fails is named and left out of the next process, so that
//! it costs itself and not the answer. A process that has nearly used up its memory is stopped between
//! two answers and the rest goes on in a fresh one: hosts share next to nothing, and a fresh process is
//! cheaper than collecting the garbage of one that holds ten of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::part::{Step, UnreadPart};
use super::{Flake, FlakeError};
use crate::advice::Remedy;
use crate::diagnostic::{Code, Diagnostic};
use crate::nix::diagnostics;
use crate::nix::{NixError, literal, log};
use crate::process::{Flow, ProcessError};
use crate::progress::{Call, Update};

pub(super) const PROBES: &str = include_str!("probes.nix");
pub(super) const FACTS: &str = include_str!("facts.nix");
/// The probe that a question brings itself.
const OWN: &str = "own";
/// Most bytes of questions put to one process, so that all it is told fits in [`ARGUMENT_BYTES`].
const QUESTIONS_BYTES: usize = 48 * 1024;
/// Longest argument of a program with the zero byte at its end (execve(2), `MAX_ARG_STRLEN`).
const ARGUMENT_BYTES: usize = 128 * 1024;
/// How large Nix's heap is before its garbage collector first runs, in bytes; memory that is not
/// used is not taken (Boehm collector, docs/README.environment).
const INITIAL_HEAP: &str = "GC_INITIAL_HEAP_SIZE";
/// How many times its memory an evaluation may take before it is ended.
const RUNAWAY: u64 = 4;
/// What helps an evaluation that takes all its time.
const TIME: Remedy = Remedy::Raise(&["limits.evaluation_seconds"]);
/// Most parts of one answer that may fail each by itself; what lies behind the last is not read.
const PARTS: usize = 24;
/// Questions of a round that may take all their time before a worker gives up those it has left.
const TIMED_OUT: usize = 3;
/// Largest answer to a single question: the options of a host are the largest there are.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// One question: a probe of an attribute.
#[derive(Clone, Debug)]
pub struct Question {
    /// The attribute, from the flake's outputs down.
    pub path: Vec<String>,
    /// Which function of `probes.nix` looks at it.
    pub probe: &'static str,
    /// What that function takes besides the attribute.
    pub argument: Option<Value>,
    /// The function that looks at it, in Nix, if `probe` is [`OWN`].
    own: Option<&'static str>,
    /// Whether its parts are named only once one of them has failed: naming them costs a third of the time.
    large: bool,
}

impl Question {
    /// A question whose probe takes nothing but the attribute.
    pub fn new<S: Into<String>>(path: impl IntoIterator<Item = S>, probe: &'static str) -> Self {
        Self {
            path: path.into_iter().map(Into::into).collect(),
            probe,
            argument: None,
            own: None,
            large: false,
        }
    }

    /// A question that a Nix function from the flake's outputs answers. One process asks one such question.
    fn own(function: &'static str) -> Self {
        Self { own: Some(function), ..Self::new::<&str>([], OWN) }
    }

    /// Adds what the probe takes besides the attribute.
    #[must_use]
    pub fn with(mut self, argument: Value) -> Self {
        self.argument = Some(argument);
        self
    }

    /// Says that its answer has thousands of parts.
    #[must_use]
    pub fn large(mut self) -> Self {
        self.large = true;
        self
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut question = Map::new();
        question.insert("path".into(), json!(self.path));
        question.insert("probe".into(), json!(self.probe));
        if let Some(argument) = &self.argument {
            question.insert("argument".into(), argument.clone());
        }
        question
    }
}

/// Whether derivations are written to the store while they are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instantiate {
    /// Nothing is written and nothing built: an evaluation that reads what it would have to build fails with
    /// [`Code::NeedsBuild`].
    Never,
    /// Only their paths are wanted: quicker, and the store stays as it is, unless the evaluation reads what it builds.
    /// With `--read-only` the same as never.
    No,
    /// They are written, and nothing is built: so `nix flake check` evaluates `hydraJobs`.
    Unbuilt,
    /// They are to be built, or needed for building something the evaluation itself reads.
    Yes,
}

impl Instantiate {
    /// The same for what Hydra builds: it builds nothing while it evaluates, so Nix does not either
    /// (`enableImportFromDerivation` in `src/nix/flake.cc`).
    #[must_use]
    pub fn for_jobs(self) -> Self {
        if self == Self::Yes { Self::Unbuilt } else { self }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What the probe gave.
    pub value: Value,
    /// The parts that it could not read, in the order they were found.
    pub unread: Vec<UnreadPart>,
}

/// Whether every error of an answer is [cacheable](Diagnostic::is_cacheable).
#[must_use]
pub fn is_cacheable(answer: &Result<Answer, Diagnostic>) -> bool {
    match answer {
        Ok(answer) => answer.unread.iter().all(|part| part.error.is_cacheable()),
        Err(error) => error.is_cacheable(),
    }
}

/// What each question gave, in the order asked.
pub type Answers = Vec<Result<Answer, Diagnostic>>;

/// What came of a round of questions.
#[derive(Debug)]
pub struct Round {
    /// What each question gave, in the order asked.
    pub answers: Answers,
    /// Whether something was fetched, or tried to be: then `tryEval` may have caught a failure of the network.
    pub has_fetched: bool,
}

/// A flake that is asked in place of ours.
#[derive(Clone, Debug)]
pub struct Subject {
    /// As `nix` names it.
    pub reference: String,
    /// The flake whose inputs give `reference` its meaning, where it is an input's name.
    pub inputs_from: Option<String>,
}

/// How questions are asked.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// What they are about, in a word.
    pub what: &'a str,
    /// Whether derivations are written to the store.
    pub instantiate: Instantiate,
    /// Which flake is asked; ours where none is named.
    pub subject: Option<&'a Subject>,
    /// Who wants each answer as soon as it is there.
    pub listener: Option<Listener<'a>>,
    /// Who wants what the configuration warns of.
    pub warned: Option<Warned<'a>>,
}

impl<'a> Asking<'a> {
    /// Questions about our flake, to whose answers nobody listens.
    #[must_use]
    pub fn new(what: &'a str, instantiate: Instantiate) -> Self {
        Self { what, instantiate, subject: None, listener: None, warned: None }
    }
}

/// Who wants each answer as soon as it is there, with the question's place among those asked.
pub type Listener<'a> = &'a (dyn Fn(usize, &Result<Answer, Diagnostic>) + Send + Sync);

/// Who wants what the configuration warns of, with the place of the question it comes up at.
pub type Warned<'a> = &'a (dyn Fn(usize, String) + Send + Sync);

/// What the probes tell.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    /// That a part of an answer is read next.
    At { index: usize, at: Vec<Step> },
    /// An answer.
    Answer { index: usize, value: Value },
}

/// A question on its way to an answer.
struct Asked<'a> {
    index: usize,
    question: &'a Question,
    /// Parts that are not read any more.
    unread: Vec<UnreadPart>,
    /// Whether the parts are named before they are read.
    named: bool,
    /// When its first part failed.
    failed: Option<Instant>,
    /// Whether a process that was at it took all its time.
    timed_out: bool,
}

impl Asked<'_> {
    fn to_json(&self) -> Map<String, Value> {
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
    fn ended(&mut self, failure: Failure, patience: Duration) -> Option<Result<Answer, Diagnostic>> {
        let Failure { error, at, timed_out } = failure;
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
struct Failure {
    error: Diagnostic,
    /// The part of the answer that was being read.
    at: Option<Vec<Step>>,
    /// Whether it took all its time.
    timed_out: bool,
}

impl Failure {
    fn new(error: Diagnostic) -> Self {
        Self { error, at: None, timed_out: false }
    }
}

/// How far all workers together are.
struct Tally<'a> {
    asking: &'a Asking<'a>,
    total: usize,
    done: AtomicUsize,
    /// Whether something was fetched, or tried to be.
    has_fetched: AtomicBool,
    /// Questions that took all their time.
    timed_out: AtomicUsize,
}

impl Flake {
    /// Answers every question, `what` saying in a word what they are about.
    ///
    /// # Errors
    /// See [`FlakeError`]; a question whose evaluation fails is an answer, not an error.
    pub async fn ask(
        &self,
        what: &str,
        questions: Vec<Question>,
        instantiate: Instantiate,
        call: &Call,
    ) -> Result<Answers, FlakeError> {
        let asking = Asking::new(what, instantiate);
        Ok(self.ask_with(&asking, questions, call).await?.answers)
    }

    /// As [`Flake::ask`], with all that can be said besides.
    ///
    /// # Errors
    /// See [`Flake::ask`].
    pub async fn ask_with(
        &self,
        asking: &Asking<'_>,
        questions: Vec<Question>,
        call: &Call,
    ) -> Result<Round, FlakeError> {
        self.require()?;
        let tally = Tally {
            asking,
            total: questions.len(),
            done: AtomicUsize::new(0),
            has_fetched: AtomicBool::new(false),
            timed_out: AtomicUsize::new(0),
        };
        let workers = self.settings.evaluation_workers.clamp(1, questions.len().max(1));
        // Dealt like cards: neighbours tend to be of one kind and so of one weight.
        let mut hands: Vec<VecDeque<Asked<'_>>> = (0..workers).map(|_| VecDeque::new()).collect();
        for (index, question) in questions.iter().enumerate() {
            if let Some(hand) = hands.get_mut(index % workers) {
                let named = !question.large;
                hand.push_back(Asked {
                    index,
                    question,
                    unread: Vec::new(),
                    named,
                    failed: None,
                    timed_out: false,
                });
            }
        }
        let work = hands.into_iter().map(|hand| self.work(hand, call, &tally));
        let parts = futures::future::try_join_all(work).await?;
        let mut by_index: HashMap<usize, Result<Answer, Diagnostic>> = parts.into_iter().flatten().collect();
        let timed_out = tally.timed_out.load(Ordering::Relaxed);
        let given_up = |index| {
            let answer = Err(given_up(timed_out));
            tally.one_more(index, &answer, call);
            answer
        };
        let answers: Answers = (0..questions.len())
            .map(|index| by_index.remove(&index).unwrap_or_else(|| given_up(index)))
            .collect();
        if !answers.iter().all(is_cacheable) {
            self.may_pass();
        }
        Ok(Round { answers, has_fetched: tally.has_fetched.into_inner() })
    }

    /// Answers a single question.
    ///
    /// # Errors
    /// See [`FlakeError`]; here a failed evaluation is one as well.
    pub async fn ask_one(
        &self,
        what: &str,
        question: Question,
        instantiate: Instantiate,
        call: &Call,
    ) -> Result<Value, FlakeError> {
        let answer = self.ask(what, vec![question], instantiate, call).await?.pop();
        match answer.unwrap_or_else(|| Err(unanswered())) {
            Ok(answer) => Ok(answer.value),
            Err(diagnostic) => Err(FlakeError::Evaluation(Box::new(diagnostic))),
        }
    }

    /// What a function in Nix gives for the flake's outputs, remembered as long as the flake stays the same. `what` says in a
    /// word what it looks for. What the function reads is evaluated, and nothing is built for it but what the flake imports.
    ///
    /// # Errors
    /// See [`FlakeError`]; one failure of the function is that of the whole answer.
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
            let value = flake.ask_one(what, Question::own(function), Instantiate::No, call).await?;
            let read = serde_json::from_value(value)
                .map_err(|error| NixError::NotUnderstood { what, said: error.to_string() });
            Ok(read?)
        };
        self.remembered(&format!("{what} {function}"), call, find).await
    }

    /// One worker's share, process after process until nothing is left, or too much of it takes all its time.
    async fn work(
        &self,
        mut hand: VecDeque<Asked<'_>>,
        call: &Call,
        tally: &Tally<'_>,
    ) -> Result<Vec<(usize, Result<Answer, Diagnostic>)>, FlakeError> {
        let mut results = Vec::with_capacity(hand.len());
        let mut writing = tally.asking.instantiate;
        while !hand.is_empty() {
            let asked = hand.make_contiguous();
            let asked = asked.get(..one_argument(asked)).unwrap_or(asked);
            let (values, failure) = self.evaluate(asked, writing, call, tally).await?;
            let none = values.is_empty();
            for value in values {
                let Some(asked) = hand.pop_front() else { break };
                results.push((asked.index, Ok(Answer { value, unread: asked.unread })));
            }
            let failure = match failure {
                Some(failure) => failure,
                None if none => Failure::new(unanswered()),
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
            writing = tally.asking.instantiate;
            if let Some(mut asked) = hand.pop_front() {
                if failure.timed_out && tally.times_out(&mut asked) {
                    hand.clear();
                }
                match asked.ended(failure, self.settings.evaluation_time / 2) {
                    Some(answer) => {
                        tally.one_more(asked.index, &answer, call);
                        results.push((asked.index, answer));
                    }
                    None => hand.push_front(asked),
                }
            }
        }
        Ok(results)
    }

    /// One process: the answers it gave, and how it failed at the question after the last of them.
    async fn evaluate(
        &self,
        questions: &[Asked<'_>],
        instantiate: Instantiate,
        call: &Call,
        tally: &Tally<'_>,
    ) -> Result<(Vec<Value>, Option<Failure>), FlakeError> {
        let marker = marker();
        let asked: Vec<Value> = questions.iter().map(|asked| Value::Object(asked.to_json())).collect();
        // A single answer is the result itself and may be large; several are told one by one.
        let single = questions.len() == 1;
        let apply = format!(
            "({PROBES}) {{ marker = {}; single = {single}; questions = {}; disko = ({}); facts = ({FACTS}); {OWN} = ({}); }}",
            literal::string(&marker),
            literal::json(&Value::Array(asked)),
            crate::disko::PROBE,
            questions.iter().find_map(|asked| asked.question.own).unwrap_or("null")
        );
        if apply.len() >= ARGUMENT_BYTES {
            return Ok((Vec::new(), Some(Failure::new(too_long()))));
        }
        let memory = self.settings.evaluation_memory;
        let subject = tally.asking.subject;
        let reference = subject.map_or_else(|| self.reference(), |subject| subject.reference.clone());
        let memory_of_nix = self.memory().await?;
        let command = self.nix.command(&["eval", "--json", "--no-update-lock-file", "--show-trace"]).await?;
        let mut command = memory_of_nix
            .given_to(command)
            .arg("--apply")
            .arg(apply)
            .arg(format!("{reference}#."))
            .time_limit(self.settings.evaluation_time)
            .output_limit(ANSWER_BYTES)
            // Going on in a fresh process happens between answers; this ends a single runaway.
            .memory_limit(memory.saturating_mul(RUNAWAY));
        if let Some(inputs_from) = subject.and_then(|subject| subject.inputs_from.as_ref()) {
            command = command.args(["--inputs-from", inputs_from.as_str()]);
        }
        if matches!(instantiate, Instantiate::No | Instantiate::Never) {
            command = command.arg("--read-only");
        }
        let never = instantiate == Instantiate::Never || self.settings.policy.read_only;
        if never || instantiate == Instantiate::Unbuilt {
            // Reading only does not keep Nix from building a derivation that is in the store already.
            command = command.args(["--option", "allow-import-from-derivation", "false"]);
        }
        if std::env::var_os(INITIAL_HEAP).is_none() {
            // Nothing an evaluation made is garbage before its end, so collecting only takes time.
            command = command.env(INITIAL_HEAP, memory.to_string());
        }
        let mut answers = Vec::with_capacity(questions.len());
        let quiet = Call { progress: Arc::new(crate::progress::NoProgress), ..call.clone() };
        // The workers' own log lines would interrupt one another; the tally speaks for all of them.
        let listening = if tally.total > 1 { &quiet } else { call };
        let mut at = None;
        let run = self
            .nix
            .run_with_line_handler(command, listening, |line, process| {
                if let (Some(warned), Some(asked)) = (tally.asking.warned, questions.get(answers.len()))
                    && let Some(said) = log::warning_text(line)
                {
                    warned(asked.index, said);
                }
                let text = log::trace_text(line)?;
                let mut flow = Flow::Continue;
                match serde_json::from_str(text.strip_prefix(marker.as_str())?).ok()? {
                    Told::At { index, at: part } => at = Some((index, part)),
                    Told::Answer { index, value } if index == answers.len() => {
                        let asked = questions.get(index)?;
                        let answer = Ok(Answer { value, unread: asked.unread.clone() });
                        tally.one_more(asked.index, &answer, call);
                        answers.extend(answer.ok().map(|answer| answer.value));
                        flow = Flow::MoreTime;
                    }
                    Told::Answer { .. } => {}
                }
                // Early enough that the next answer still fits.
                let grown = crate::process::resident_bytes(process).is_some_and(|held| held > memory / 4 * 3);
                let between = at.as_ref().is_none_or(|(index, _)| *index < answers.len());
                Some(if grown && between && answers.len() < questions.len() { Flow::Stop } else { flow })
            })
            .await;
        let failed = |error: Diagnostic, timed_out: bool, answers: &[Value]| {
            let part = at.filter(|(index, _)| *index == answers.len()).map(|(_, part)| part);
            Some(Failure { error, at: part, timed_out })
        };
        let run = match run {
            Ok(run) => {
                call.imported.add(run.state.built());
                tally.has_fetched.fetch_or(run.state.has_fetched(), Ordering::Relaxed);
                run
            }
            // Of the question that was being answered; the others do with less.
            Err(NixError::Process(ProcessError::TimedOut { limit, .. })) => {
                let failure = failed(endless(limit), true, &answers);
                return Ok((answers, failure));
            }
            Err(error @ NixError::Process(ProcessError::OutOfMemory { .. })) => {
                let failure = failed(Diagnostic::from(&error), false, &answers);
                return Ok((answers, failure));
            }
            Err(error) => return Err(error.into()),
        };
        if single && run.status.success() {
            let value: Value = serde_json::from_slice(&run.stdout).map_err(|error| {
                NixError::NotUnderstood { what: "what it evaluated", said: error.to_string() }
            })?;
            if let Some(asked) = questions.first() {
                let answer = Ok(Answer { value: value.clone(), unread: asked.unread.clone() });
                tally.one_more(asked.index, &answer, call);
            }
            return Ok((vec![value], None));
        }
        if answers.len() == questions.len() || run.stopped {
            return Ok((answers, None));
        }
        let source = self.source();
        let error = diagnostics::diagnose(&run.state, &source).into_iter().next().unwrap_or_else(unanswered);
        let failure = failed(error, false, &answers);
        Ok((answers, failure))
    }
}

impl Tally<'_> {
    fn one_more(&self, index: usize, answer: &Result<Answer, Diagnostic>, call: &Call) {
        if let Some(listener) = self.asking.listener {
            listener(index, answer);
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        call.progress.report(Update {
            message: format!("evaluated {done} of {} {}", self.total, self.asking.what),
            done: done as u64,
            total: Some(self.total as u64),
        });
    }

    /// Counts a question that took all its time, once; whether there have been enough of them.
    fn times_out(&self, asked: &mut Asked<'_>) -> bool {
        let counts = usize::from(!std::mem::replace(&mut asked.timed_out, true));
        self.timed_out.fetch_add(counts, Ordering::Relaxed) + counts >= TIMED_OUT
    }
}

/// A question that takes all its time.
fn endless(limit: Duration) -> Diagnostic {
    let message = format!("its evaluation took longer than {} s", limit.as_secs());
    Diagnostic::new(Code::TimedOut, message).with_hint(TIME.after("look for what never ends in it, or "))
}

/// A question that nobody came to, because `others` before it took all their time.
fn given_up(others: usize) -> Diagnostic {
    let message = format!("not evaluated, because {others} others took longer than they may");
    Diagnostic::new(Code::TimedOut, message)
        .with_hint(Remedy::AskForOneHost.after(format!("mend those, {TIME}, or ")))
}

fn unanswered() -> Diagnostic {
    Diagnostic::new(Code::NixFailed, "the evaluation ended without an answer to this")
}

/// Only a question that is asked alone can be that long: see [`one_argument`].
fn too_long() -> Diagnostic {
    Diagnostic::new(
        Code::NixFailed,
        "the names on the way to it are too long for it to be evaluated by itself",
    )
    .with_hint("give it a shorter name: Linux takes 128 KiB in one argument of a program")
}

/// How many of the first questions fit in one argument, at least one.
fn one_argument(asked: &[Asked<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = asked.iter().take_while(|asked| {
        // Quotes are escaped twice on their way: once for JSON, once for Nix.
        bytes += Value::Object(asked.to_json()).to_string().len() * 3 / 2;
        bytes <= QUESTIONS_BYTES
    });
    fitting.count().max(1)
}

/// A word that no configuration can know beforehand.
fn marker() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds this from the system's random numbers.
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u64(COUNT.fetch_add(1, Ordering::Relaxed));
    format!("pantheros-answer-{:016x}", hasher.finish())
}
