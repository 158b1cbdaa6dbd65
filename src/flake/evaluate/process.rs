//! One `nix eval` that answers a list of questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::attempt::{Asked, Failure};
use super::question::{Answer, Instantiate, OWN};
use super::{FACTS, PROBES, TIME, Tally, unanswered};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::part::Step;
use crate::flake::{Flake, FlakeError};
use crate::nix::{NixError, diagnostics, literal, log};
use crate::process::{Flow, ProcessError};
use crate::progress::Call;

/// Longest argument of a program with the zero byte at its end (execve(2), `MAX_ARG_STRLEN`).
const ARGUMENT_BYTES: usize = 128 * 1024;
/// How large Nix's heap is before its garbage collector first runs, in bytes; memory that is not
/// used is not taken (Boehm collector, docs/README.environment).
const INITIAL_HEAP: &str = "GC_INITIAL_HEAP_SIZE";
/// How many times its memory an evaluation may take before it is ended.
const RUNAWAY: u64 = 4;
/// Largest answer to a single question: the options of a host are the largest there are.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What the probes tell.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    /// That a part of an answer is read next.
    At { index: usize, at: Vec<Step> },
    /// An answer.
    Answer { index: usize, value: Value },
}

impl Flake {
    /// One process: the answers it gave, and how it failed at the question after the last of them.
    pub(super) async fn evaluate(
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

/// A question that takes all its time.
fn endless(limit: Duration) -> Diagnostic {
    let message = format!("its evaluation took longer than {} s", limit.as_secs());
    Diagnostic::new(Code::TimedOut, message).with_hint(TIME.after("look for what never ends in it, or "))
}

/// Only a question that is asked alone can be that long: see [`one_argument`].
fn too_long() -> Diagnostic {
    Diagnostic::new(
        Code::NixFailed,
        "the names on the way to it are too long for it to be evaluated by itself",
    )
    .with_hint("give it a shorter name: Linux takes 128 KiB in one argument of a program")
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
