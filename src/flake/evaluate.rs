//! Many questions about a flake, answered side by side, each with its own answer or error.
//!
//! One `nix eval` answers a list of questions in turn and tells each answer as it comes. When one
//! fails, the process ends with that question's error, and another process goes on with the rest:
//! a flake with nothing wrong costs one evaluation for each worker, and one with `n` failures
//! costs `n` more. A process that has nearly used up its memory is stopped between two answers and
//! the rest goes on in a fresh one: hosts share next to nothing, and a fresh process is cheaper
//! than collecting the garbage of one that holds ten of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Flake, FlakeError};
use crate::diagnostic::{Code, Diagnostic};
use crate::nix::diagnostics;
use crate::nix::{NixError, literal, log};
use crate::process::Flow;
use crate::progress::{Call, Update};

pub(super) const PROBES: &str = include_str!("probes.nix");
pub(super) const FACTS: &str = include_str!("facts.nix");
/// Most bytes of questions put to one process: Linux takes 128 KiB in one argument (execve(2)).
const QUESTIONS_BYTES: usize = 48 * 1024;
/// How large Nix's heap is before its garbage collector first runs, in bytes; memory that is not
/// used is not taken (Boehm collector, docs/README.environment).
const INITIAL_HEAP: &str = "GC_INITIAL_HEAP_SIZE";
/// How many times its memory an evaluation may take before it is ended.
const RUNAWAY: u64 = 4;
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
}

impl Question {
    /// A question whose probe takes nothing but the attribute.
    pub fn new<S: Into<String>>(path: impl IntoIterator<Item = S>, probe: &'static str) -> Self {
        Self { path: path.into_iter().map(Into::into).collect(), probe, argument: None }
    }

    /// Adds what the probe takes besides the attribute.
    #[must_use]
    pub fn with(mut self, argument: Value) -> Self {
        self.argument = Some(argument);
        self
    }

    fn to_json(&self) -> Value {
        let mut question = Map::new();
        question.insert("path".into(), json!(self.path));
        question.insert("probe".into(), json!(self.probe));
        if let Some(argument) = &self.argument {
            question.insert("argument".into(), argument.clone());
        }
        Value::Object(question)
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

/// What each question gave, in the order asked.
pub type Answers = Vec<Result<Value, Diagnostic>>;

/// An answer as the probes tell it.
#[derive(Deserialize)]
struct Told {
    index: usize,
    value: Value,
}

/// How far all workers together are.
struct Tally<'a> {
    what: &'a str,
    total: usize,
    done: AtomicUsize,
    /// What was warned of, and on the way to the answer of which question.
    heard: Mutex<Vec<(usize, String)>>,
}

/// Most warnings heard in one round of questions.
const HEARD: usize = 1_000;

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
        Ok(self.ask_hearing(what, questions, instantiate, call).await?.0)
    }

    /// As [`Flake::ask`], with what the configuration warned of, each with the question it came up at.
    ///
    /// # Errors
    /// As there.
    pub async fn ask_hearing(
        &self,
        what: &str,
        questions: Vec<Question>,
        instantiate: Instantiate,
        call: &Call,
    ) -> Result<(Answers, Vec<(usize, String)>), FlakeError> {
        self.require()?;
        let tally =
            Tally { what, total: questions.len(), done: AtomicUsize::new(0), heard: Mutex::new(Vec::new()) };
        let workers = self.settings.evaluation_workers.clamp(1, questions.len().max(1));
        // Dealt like cards: neighbours tend to be of one kind and so of one weight.
        let mut hands: Vec<Vec<(usize, &Question)>> = vec![Vec::new(); workers];
        for (index, question) in questions.iter().enumerate() {
            if let Some(hand) = hands.get_mut(index % workers) {
                hand.push((index, question));
            }
        }
        let work = hands.into_iter().map(|hand| self.work(hand, instantiate, call, &tally));
        let parts = futures::future::try_join_all(work).await?;
        let mut by_index: HashMap<usize, Result<Value, Diagnostic>> = parts.into_iter().flatten().collect();
        let missing =
            || Err(Diagnostic::new(Code::NixFailed, "the evaluation ended without an answer to this"));
        let answers =
            (0..questions.len()).map(|index| by_index.remove(&index).unwrap_or_else(missing)).collect();
        let mut heard = tally.heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Workers hear side by side; the same question twice is answered the same.
        heard.sort();
        Ok((answers, heard))
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
        answer.unwrap_or(Ok(Value::Null)).map_err(|diagnostic| FlakeError::Evaluation(Box::new(diagnostic)))
    }

    /// One worker's share, process after process until nothing is left.
    async fn work(
        &self,
        hand: Vec<(usize, &Question)>,
        instantiate: Instantiate,
        call: &Call,
        tally: &Tally<'_>,
    ) -> Result<Vec<(usize, Result<Value, Diagnostic>)>, FlakeError> {
        let mut results = Vec::with_capacity(hand.len());
        let mut rest = hand.as_slice();
        let mut writing = instantiate;
        while let Some((first, _)) = rest.first() {
            let asked = rest.get(..one_argument(rest)).unwrap_or(rest);
            let (answers, failure) = self.evaluate(asked, writing, call, tally).await?;
            let count = answers.len();
            results.extend(rest.iter().map(|(index, _)| *index).zip(answers.into_iter().map(Ok)));
            match failure {
                None if count == 0 => {
                    results.push((
                        *first,
                        Err(Diagnostic::new(
                            Code::NixFailed,
                            "the evaluation ended without an answer to this",
                        )),
                    ));
                    rest = rest.get(1..).unwrap_or_default();
                }
                None => rest = rest.get(count..).unwrap_or_default(),
                // An evaluation that reads what it builds needs its derivations in the store.
                Some(diagnostic)
                    if writing == Instantiate::No
                        && !self.settings.policy.read_only
                        && matches!(diagnostic.code, Code::MissingPath | Code::NeedsBuild) =>
                {
                    writing = Instantiate::Yes;
                    rest = rest.get(count..).unwrap_or_default();
                }
                Some(diagnostic) => {
                    if let Some((index, _)) = rest.get(count) {
                        results.push((*index, Err(diagnostic)));
                        tally.one_more(call);
                    }
                    rest = rest.get(count + 1..).unwrap_or_default();
                    writing = instantiate;
                }
            }
        }
        Ok(results)
    }

    /// One process: the answers it gave, and the error of the question after the last of them.
    async fn evaluate(
        &self,
        questions: &[(usize, &Question)],
        instantiate: Instantiate,
        call: &Call,
        tally: &Tally<'_>,
    ) -> Result<(Vec<Value>, Option<Diagnostic>), FlakeError> {
        let marker = marker();
        let asked: Vec<Value> = questions.iter().map(|(_, question)| question.to_json()).collect();
        // A single answer is the result itself and may be large; several are told one by one.
        let single = questions.len() == 1;
        let apply = format!(
            "({PROBES}) {{ marker = {}; single = {single}; questions = {}; disko = ({}); facts = ({FACTS}); }}",
            literal::string(&marker),
            literal::json(&Value::Array(asked)),
            crate::disko::PROBE
        );
        let memory = self.settings.evaluation_memory;
        let mut command = self
            .nix
            .command(&["eval", "--json", "--no-update-lock-file", "--show-trace"])
            .await?
            .arg("--apply")
            .arg(apply)
            .arg(format!("{}#.", self.reference()))
            .time_limit(self.settings.evaluation_time)
            .output_limit(ANSWER_BYTES)
            // Going on in a fresh process happens between answers; this ends a single runaway.
            .memory_limit(memory.saturating_mul(RUNAWAY));
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
        let quiet = Call { progress: Arc::new(crate::progress::Silent), cancel: call.cancel.clone() };
        // The workers' own log lines would interrupt one another; the tally speaks for all of them.
        let listening = if tally.total > 1 { &quiet } else { call };
        let run = self
            .nix
            .run_listening(command, listening, |line, process| {
                if let Some(said) = log::warned(line) {
                    tally.hears(questions.get(answers.len()).map(|(index, _)| *index), said);
                }
                let text = log::traced(line)?;
                let told: Told = serde_json::from_str(text.strip_prefix(marker.as_str())?).ok()?;
                if told.index == answers.len() {
                    answers.push(told.value);
                    tally.one_more(call);
                }
                // Early enough that the next answer still fits.
                let grown = crate::process::resident_bytes(process).is_some_and(|held| held > memory / 4 * 3);
                Some(if grown && answers.len() < questions.len() { Flow::Stop } else { Flow::Continue })
            })
            .await?;
        if single && run.status.success() {
            let answer = serde_json::from_slice(&run.stdout).map_err(|error| NixError::NotUnderstood {
                what: "what it evaluated",
                said: error.to_string(),
            })?;
            tally.one_more(call);
            return Ok((vec![answer], None));
        }
        if answers.len() == questions.len() || run.stopped {
            return Ok((answers, None));
        }
        let source = self.source();
        Ok((answers, diagnostics::diagnose(&run.state, &source).into_iter().next()))
    }
}

impl Tally<'_> {
    fn hears(&self, index: Option<usize>, said: String) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = index
            && heard.len() < HEARD
            && heard.iter().all(|known| *known != (index, said.clone()))
        {
            heard.push((index, said));
        }
    }

    fn one_more(&self, call: &Call) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        call.progress.report(Update {
            message: format!("evaluated {done} of {} {}", self.total, self.what),
            done: done as u64,
            total: Some(self.total as u64),
        });
    }
}

/// How many of the first questions fit in one argument, at least one.
fn one_argument(questions: &[(usize, &Question)]) -> usize {
    let mut bytes = 0;
    let fitting = questions.iter().take_while(|(_, question)| {
        // Quotes are escaped twice on their way: once for JSON, once for Nix.
        bytes += question.to_json().to_string().len() * 3 / 2;
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
