//! One `nix eval` that answers a list of questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::attempt::{PendingQuestion, ProcessFailure};
use super::question::{Answer, Instantiate, OWN_PROBE};
use super::{FACTS, IsolatedAsk, PROBES, SharedProgress, TIME, no_answer_error};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::part::PathStep;
use crate::flake::{Flake, FlakeError};
use crate::nix::{NixError, diagnostics, literal, log};
use crate::process::{Command, Flow, ProcessError};
use crate::progress::Call;

/// Longest argument of a program, with the zero byte at its end (execve(2), `MAX_ARG_STRLEN`).
const ARGUMENT_BYTES: usize = 128 * 1024;
/// The variable with the size of Nix's heap at which its garbage collector first runs, in bytes. Unused memory is not
/// allocated (Boehm collector, docs/README.environment).
const INITIAL_HEAP: &str = "GC_INITIAL_HEAP_SIZE";
/// A process is ended if it uses this many times its memory budget during one answer.
const RUNAWAY: u64 = 4;
/// Largest answer to a single question, in bytes. The largest answers are the options of a host.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A trace line that the probes print.
#[derive(Deserialize)]
#[serde(untagged)]
enum TraceLine {
    /// The part of an answer that is read next.
    At { index: usize, at: Vec<PathStep> },
    /// A whole answer.
    Answer { index: usize, value: Value },
}

impl Flake {
    /// Runs one process. Returns its answers, and its failure at the next question if it failed there.
    pub(super) async fn evaluate(
        &self,
        questions: &[PendingQuestion<'_>],
        instantiate: Instantiate,
        call: &Call,
        shared: &SharedProgress<'_>,
    ) -> Result<(Vec<Value>, Option<ProcessFailure>), FlakeError> {
        let marker = marker();
        let pending: Vec<Value> = questions.iter().map(|pending| Value::Object(pending.to_json())).collect();
        // A single answer is the result itself, because it may be large; several are printed one by one.
        let single = questions.len() == 1;
        let order = format!(
            "marker = {}; single = {single}; questions = {};",
            literal::string(&marker),
            literal::json(&Value::Array(pending)),
        );
        let memory = shared.memory;
        let nix_cache = self.nix_cache().await?;
        let command = match &shared.options.isolated {
            Some(isolated) => self.isolated_command(isolated, &order).await?,
            None => self.usual_command(questions, &order, instantiate, shared).await?,
        };
        if command.argv().iter().any(|argument| argument.len() >= ARGUMENT_BYTES) {
            return Ok((Vec::new(), Some(ProcessFailure::new(too_long_error()))));
        }
        let mut command = nix_cache
            .apply_to(command)
            .time_limit(self.settings.evaluation_time)
            .output_limit(ANSWER_BYTES)
            // A process above its budget is replaced between two answers; this limit ends a single runaway answer.
            .memory_limit(memory.saturating_mul(RUNAWAY));
        if std::env::var_os(INITIAL_HEAP).is_none() {
            // Almost nothing becomes garbage before the evaluation ends, so collecting only takes time.
            command = command.env(INITIAL_HEAP, memory.to_string());
        }
        let mut answers = Vec::with_capacity(questions.len());
        let quiet = Call { progress: Arc::new(crate::progress::NoProgress), ..call.clone() };
        // Log lines of several workers would interrupt one another; the shared progress replaces them.
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
                // Three quarters of the budget, so that the next answer still fits.
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
            // Only the current question fails: the time limit restarts at each answer.
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
                NixError::NotUnderstood { what: "the evaluation", said: error.to_string() }
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
        let isolation = shared.options.isolated.map(|isolated| isolated.isolation);
        let mut source = self.source();
        if let Some(isolation) = isolation {
            source.store_path = Some(isolation.source.as_str());
        }
        let error =
            diagnostics::diagnose(&run.state, &source).into_iter().next().unwrap_or_else(no_answer_error);
        let error = isolation.map_or(error.clone(), |isolation| isolation.explain(error));
        let error = match shared.options.other_flake {
            None => self.explain_lock(error),
            Some(_) => error,
        };
        let failure = failed(error, false, &answers);
        Ok((answers, failure))
    }

    /// The command that asks questions of the outputs as the user's Nix evaluates them.
    async fn usual_command(
        &self,
        questions: &[PendingQuestion<'_>],
        order: &str,
        instantiate: Instantiate,
        shared: &SharedProgress<'_>,
    ) -> Result<Command, NixError> {
        let own = questions.iter().find_map(|pending| pending.question.function).unwrap_or("null");
        let apply = format!(
            "({PROBES}) {{ {order} disko = ({}); disko_places = ({}); facts = ({FACTS}); {OWN_PROBE} = ({own}); }}",
            crate::disko::PROBE,
            crate::disko::PLACES,
        );
        let other_flake = shared.options.other_flake;
        let reference =
            other_flake.map_or_else(|| self.reference(), |other_flake| other_flake.reference.clone());
        let command = self.nix.command(&["eval", "--json", "--no-update-lock-file", "--show-trace"]).await?;
        let mut command = command.arg("--apply").arg(apply).arg(format!("{reference}#."));
        if other_flake.is_none() {
            command = command.args(self.override_arguments());
        }
        if let Some(inputs_from) = other_flake.and_then(|other_flake| other_flake.inputs_from.as_ref()) {
            command = command.args(["--inputs-from", inputs_from.as_str()]);
        }
        if matches!(instantiate, Instantiate::No | Instantiate::Never) {
            command = command.arg("--read-only");
        }
        let never = instantiate == Instantiate::Never || self.settings.policy.read_only;
        if never || instantiate == Instantiate::Unbuilt {
            // With `--read-only` Nix still builds a derivation that is in the store already.
            command = command.args(["--option", "allow-import-from-derivation", "false"]);
        }
        Ok(command)
    }

    /// The command that asks questions of the outputs in isolation.
    ///
    /// The caller's function is an expression of its own, so that nothing in it can change the questions. It is wrapped in a
    /// function, because Nix calls a function whose arguments all have defaults.
    async fn isolated_command(&self, isolated: &IsolatedAsk<'_>, order: &str) -> Result<Command, NixError> {
        let IsolatedAsk { isolation, own } = isolated;
        let apply = format!(
            "own: ({PROBES}) {{ {order} disko = null; disko_places = null; facts = null; {OWN_PROBE} = own null; }} ({})",
            isolation.outputs
        );
        let expression = format!("_: (\n{}\n)", own.unwrap_or("null"));
        let command = self.nix.isolated_eval().await?;
        // Relative paths begin at the working folder.
        Ok(command.folder("/").arg("--apply").arg(apply).arg("--expr").arg(expression))
    }
}

/// The error of a question that exceeded the time limit.
fn timeout_error(limit: Duration) -> Diagnostic {
    let message = format!("the evaluation took longer than {} s", limit.as_secs());
    Diagnostic::new(Code::TimedOut, message)
        .with_hint(TIME.after("look for an endless loop or a slow part in it, or "))
}

/// The error of a single question that does not fit in one argument: see [`fitting_count`](super::attempt::fitting_count).
fn too_long_error() -> Diagnostic {
    Diagnostic::new(
        Code::NixFailed,
        "the attribute path is too long for an evaluation of this attribute alone",
    )
    .with_hint("shorten the names in the path: Linux limits one argument of a program to 128 KiB")
}

/// A random marker, which no configuration can print by itself.
fn marker() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds this from the system's random numbers.
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u64(COUNT.fetch_add(1, Ordering::Relaxed));
    format!("pantheros-answer-{:016x}", hasher.finish())
}
