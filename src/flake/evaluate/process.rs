//! One `nix eval` that answers a list of questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::attempt::{PendingQuestion, ProcessFailure};
use super::question::{Answer, Instantiate, OWN_PROBE};
use super::{FACTS, PROBES, SharedProgress, TIME, no_answer_error};
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
enum TraceLine {
    /// That a part of an answer is read next.
    At { index: usize, at: Vec<Step> },
    /// An answer.
    Answer { index: usize, value: Value },
}

impl Flake {
    /// One process: the answers it gave, and how it failed at the question after the last of them.
    pub(super) async fn evaluate(
        &self,
        questions: &[PendingQuestion<'_>],
        instantiate: Instantiate,
        call: &Call,
        shared: &SharedProgress<'_>,
    ) -> Result<(Vec<Value>, Option<ProcessFailure>), FlakeError> {
        let marker = marker();
        let pending: Vec<Value> = questions.iter().map(|pending| Value::Object(pending.to_json())).collect();
        // A single answer is the result itself and may be large; several are told one by one.
        let single = questions.len() == 1;
        let apply = format!(
            "({PROBES}) {{ marker = {}; single = {single}; questions = {}; disko = ({}); facts = ({FACTS}); {OWN_PROBE} = ({}); }}",
            literal::string(&marker),
            literal::json(&Value::Array(pending)),
            crate::disko::PROBE,
            questions.iter().find_map(|pending| pending.question.function).unwrap_or("null")
        );
        if apply.len() >= ARGUMENT_BYTES {
            return Ok((Vec::new(), Some(ProcessFailure::new(too_long_error()))));
        }
        let memory = self.settings.evaluation_memory;
        let other_flake = shared.options.other_flake;
        let reference =
            other_flake.map_or_else(|| self.reference(), |other_flake| other_flake.reference.clone());
        let nix_cache = self.nix_cache().await?;
        let command = self.nix.command(&["eval", "--json", "--no-update-lock-file", "--show-trace"]).await?;
        let mut command = nix_cache
            .apply_to(command)
            .arg("--apply")
            .arg(apply)
            .arg(format!("{reference}#."))
            .time_limit(self.settings.evaluation_time)
            .output_limit(ANSWER_BYTES)
            // Going on in a fresh process happens between answers; this ends a single runaway.
            .memory_limit(memory.saturating_mul(RUNAWAY));
        if let Some(inputs_from) = other_flake.and_then(|other_flake| other_flake.inputs_from.as_ref()) {
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
        let listening = if shared.total > 1 { &quiet } else { call };
        let mut at = None;
        let run = self
            .nix
            .run_with_line_handler(command, listening, |line, process| {
                if let (Some(on_warning), Some(pending)) =
                    (shared.options.on_warning, questions.get(answers.len()))
                    && let Some(said) = log::warning_text(line)
                {
                    on_warning(pending.index, said);
                }
                let text = log::trace_text(line)?;
                let mut flow = Flow::Continue;
                match serde_json::from_str(text.strip_prefix(marker.as_str())?).ok()? {
                    TraceLine::At { index, at: part } => at = Some((index, part)),
                    TraceLine::Answer { index, value } if index == answers.len() => {
                        let pending = questions.get(index)?;
                        let answer = Ok(Answer { value, unread: pending.unread.clone() });
                        shared.report_answer(pending.index, &answer, call);
                        answers.extend(answer.ok().map(|answer| answer.value));
                        flow = Flow::MoreTime;
                    }
                    TraceLine::Answer { .. } => {}
                }
                // Early enough that the next answer still fits.
                let grown = crate::process::resident_bytes(process).is_some_and(|held| held > memory / 4 * 3);
                let between = at.as_ref().is_none_or(|(index, _)| *index < answers.len());
                Some(if grown && between && answers.len() < questions.len() { Flow::Stop } else { flow })
            })
            .await;
        let failed = |error: Diagnostic, timed_out: bool, answers: &[Value]| {
            let part = at.filter(|(index, _)| *index == answers.len()).map(|(_, part)| part);
            Some(ProcessFailure { error, at: part, timed_out })
        };
        let run = match run {
            Ok(run) => {
                call.imported.add(run.state.built());
                shared.has_fetched.fetch_or(run.state.has_fetched(), Ordering::Relaxed);
                run
            }
            // Of the question that was being answered; the others do with less.
            Err(NixError::Process(ProcessError::TimedOut { limit, .. })) => {
                let failure = failed(timeout_error(limit), true, &answers);
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
            if let Some(pending) = questions.first() {
                let answer = Ok(Answer { value: value.clone(), unread: pending.unread.clone() });
                shared.report_answer(pending.index, &answer, call);
            }
            return Ok((vec![value], None));
        }
        if answers.len() == questions.len() || run.stopped {
            return Ok((answers, None));
        }
        let source = self.source();
        let error =
            diagnostics::diagnose(&run.state, &source).into_iter().next().unwrap_or_else(no_answer_error);
        let failure = failed(error, false, &answers);
        Ok((answers, failure))
    }
}

/// A question that takes all its time.
fn timeout_error(limit: Duration) -> Diagnostic {
    let message = format!("its evaluation took longer than {} s", limit.as_secs());
    Diagnostic::new(Code::TimedOut, message).with_hint(TIME.after("look for what never ends in it, or "))
}

/// Only a question that is asked alone can be that long: see [`fitting_count`].
fn too_long_error() -> Diagnostic {
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
