//! Errors of builds: a builder failed, this machine cannot build it, or a dependency failed.

use super::NixProblem;
use super::phrase::{self, Phrase};
use crate::advice::Remedy;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{DrvPath, STORE_FOLDER, StorePath};
use crate::nix::log::{LogError, LogState, quoted_drv};
use crate::text::{self, bounded};

/// Most lines of a failed build's log that are reported.
const TAIL: usize = 25;
/// Number of innermost frames that are searched for what Nix was doing.
const INNERMOST: usize = 3;

const LOG: &str = "Read the end of the build's log; `nix log {0}` shows all of it.";
const ELSEWHERE: &str = "Build it on a machine of that system: add one to `builders` in nix.conf, or for \
                         {0} set `boot.binfmt.emulatedSystems` on this NixOS machine.";

/// 2.26: `derivation-goal.cc`, `local-derivation-goal.cc`; 2.34: `derivation-building-goal.cc`,
/// `derivation-check.cc`, `worker.cc`.
const PHRASES: &[Phrase] = &[
    Phrase {
        template: "builder for '{}' failed with exit code {}",
        code: Code::BuilderFailed,
        attr_gap: Some(0),
        hint: LOG,
    },
    Phrase {
        template: "builder for '{}' failed due to signal {}",
        code: Code::BuilderFailed,
        attr_gap: Some(0),
        hint: "Something killed the build, often for lack of memory; `nix log {0}` shows its log.",
    },
    Phrase {
        template: "builder for '{}' failed to produce output path",
        code: Code::BuilderFailed,
        attr_gap: Some(0),
        hint: "The builder succeeded but made no `$out`; `nix log {0}` shows its log.",
    },
    Phrase { template: "builder for '{}' failed", code: Code::BuilderFailed, attr_gap: Some(0), hint: LOG },
    Phrase {
        template: "Cannot build '{}'.\nReason: builder failed due to signal {}.",
        code: Code::BuilderFailed,
        attr_gap: Some(0),
        hint: "Something killed the build, often for lack of memory; `nix log {0}` shows its log.",
    },
    Phrase {
        template: "Cannot build '{}'.\nReason: platform mismatch\nRequired system: '{}'",
        code: Code::UnsupportedSystem,
        attr_gap: Some(0),
        hint: "Build it on a machine of that system: add one to `builders` in nix.conf, or for {1} set `boot.binfmt.emulatedSystems` on this NixOS machine.",
    },
    Phrase {
        template: "Cannot build '{}'.\nReason: missing system features\nRequired features: {}\n",
        code: Code::UnsupportedSystem,
        attr_gap: Some(0),
        hint: "Add the missing ones of {1} to `system-features` in nix.conf if this machine has them, or use a builder that does.",
    },
    Phrase {
        template: "Cannot build '{}'.\nReason: local builds are disabled",
        code: Code::UnsupportedSystem,
        attr_gap: Some(0),
        hint: "Set `max-jobs` in nix.conf above 0, or configure `builders`.",
    },
    Phrase {
        template: "Cannot build '{}'.\nReason: required system or feature not available",
        code: Code::UnsupportedSystem,
        attr_gap: Some(0),
        hint: "Use a builder that has the system and the features that the derivation requires.",
    },
    Phrase {
        template: "Cannot build '{}'.\nReason: {}.",
        code: Code::BuilderFailed,
        attr_gap: Some(0),
        hint: LOG,
    },
    Phrase {
        template: "Unable to start any build;",
        code: Code::UnsupportedSystem,
        attr_gap: None,
        hint: "Set `max-jobs` in nix.conf above 0, or configure `builders` that have the systems and features needed.",
    },
    Phrase {
        template: "building of '{}'{}timed out after {}",
        code: Code::TimedOut,
        attr_gap: Some(0),
        hint: "Raise `timeout` in nix.conf, or find out why the build hangs with `nix log`.",
    },
    Phrase {
        template: "timed out after {}",
        code: Code::TimedOut,
        attr_gap: None,
        hint: "Raise `timeout` in nix.conf, or find out why the build hangs with `nix log`.",
    },
    Phrase {
        template: "building of '{}'{}was silent for {}",
        code: Code::TimedOut,
        attr_gap: Some(0),
        hint: "Raise `max-silent-time` in nix.conf, or find out why the build hangs with `nix log`.",
    },
    Phrase {
        template: "path '{}' is required, but there is no substituter that can build it",
        code: Code::MissingPath,
        attr_gap: Some(0),
        hint: "The path is neither in the store nor in a binary cache: check `substituters`, or build the derivation that makes it.",
    },
    Phrase {
        template: "some substitutes for the outputs of derivation '{}' failed",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: "A binary cache did not deliver: try again, or build with `--fallback`.",
    },
    Phrase {
        template: "path '{}' does not exist and cannot be created",
        code: Code::MissingPath,
        attr_gap: Some(0),
        hint: "The path is neither in the store nor in a binary cache: build the derivation that makes it.",
    },
    Phrase {
        template: "path '{}' is not valid",
        code: Code::MissingPath,
        attr_gap: Some(0),
        hint: "The path is not in this store: build it, or copy it here with `nix copy`.",
    },
    Phrase {
        template: "path '{}' is not in the Nix store",
        code: Code::MissingPath,
        attr_gap: Some(0),
        hint: "Name a path below /nix/store.",
    },
    Phrase {
        template: "cannot add path '{}' because it lacks a signature by a trusted key",
        code: Code::MissingPath,
        attr_gap: Some(0),
        hint: "Sign the path, or add the key that signed it to `trusted-public-keys` of the receiving machine.",
    },
    Phrase {
        template: "derivation '{}' may not be deterministic",
        code: Code::BuilderFailed,
        attr_gap: Some(0),
        hint: "Building it twice gave different results.",
    },
];

pub(super) fn recognise(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    unbuilt(problem)
        .or_else(|| hash_mismatch(problem.message))
        .or_else(|| unsupported(problem.message))
        .or_else(|| dependencies(problem.message))
        .or_else(|| phrase::first(PHRASES, problem.message).map(|diagnostic| with_log(diagnostic, problem)))
}

/// Adds the end of the log of a failed build, and takes the code from the log if the machine caused the failure.
fn with_log(mut diagnostic: Diagnostic, problem: &NixProblem<'_>) -> Diagnostic {
    let Some(drv) = failed_derivation(problem.message, problem.state) else { return diagnostic };
    if matches!(diagnostic.code, Code::BuilderFailed | Code::TimedOut) {
        diagnostic = diagnostic.with_attr(drv.as_str());
    }
    if diagnostic.code != Code::BuilderFailed {
        return diagnostic;
    }
    let tail = problem.state.log_tail(&drv, TAIL);
    diagnostic.message = format!("the build of {} failed", drv.name());
    let mut said = reason(problem.message);
    if let Some(last) = tail.iter().rev().find(|line| !line.trim().is_empty()) {
        said = format!("{said}; its log ends with:\n{}", bounded(last.trim(), 300));
    }
    if let Some((line, cause)) =
        tail.iter().rev().find_map(|line| Some((line, super::system::recognise_build_log_line(line)?)))
    {
        diagnostic.code = cause.code;
        diagnostic.hint = cause.hint;
        said = format!("{}; its log says:\n{}", reason(problem.message), bounded(line.trim(), 300));
    }
    diagnostic.with_said(&said)
}

/// The evaluation reads a path that it would have to build or write first, which is not allowed
/// (`EvalState::realiseContext` in `src/libexpr/primops.cc`).
fn unbuilt(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    let disabled =
        "cannot build '{}' during evaluation because the option 'allow-import-from-derivation' is disabled";
    let built = phrase::gaps(disabled, problem.message);
    let read = || {
        let reading = |message: &str| message.starts_with("while realising the context of path");
        let innermost = problem.error.trace.iter().take(INNERMOST).any(|frame| reading(&frame.message));
        phrase::gaps("path '{}' is not valid", problem.message).filter(|_| innermost)
    };
    // If the derivation is in the store already, a read-only evaluation fails earlier, with this error.
    let unwritten =
        phrase::gaps("cannot substitute path '{}' - no write access to the Nix store", problem.message);
    let is_output = unwritten.is_some();
    let path = *built.or(unwritten).or_else(read)?.first()?;
    // 2.34 leaves out the folder.
    let path = path.strip_prefix(STORE_FOLDER).unwrap_or(path).split('^').next().unwrap_or(path);
    // Anything else is text of the flake.
    let path = format!("{STORE_FOLDER}{path}").parse::<StorePath>().ok()?;
    let (how, hint) = if is_output || path.as_str().ends_with(".drv") {
        (
            "the evaluation reads the output of a derivation, and building is not allowed",
            "Take the file from the flake or an input instead of a derivation, or ",
        )
    } else {
        (
            "the evaluation reads a path that it would have to write to the store first, and writing is not allowed",
            "Read the file in place, `path + \"/file\"` instead of `\"${path}/file\"`, or ",
        )
    };
    Some(
        Diagnostic::new(Code::NeedsBuild, format!("{how}: {path}"))
            .with_attr(path.as_str())
            .with_hint(Remedy::AllowBuild.after(hint)),
    )
}

/// `hash mismatch in fixed-output derivation 'x.drv':` with `specified:` and `got:`.
fn hash_mismatch(message: &str) -> Option<Diagnostic> {
    let drv = *phrase::gaps("…hash mismatch in fixed-output derivation '{}'", message)?.first()?;
    let hash = |label: &str| message.split_once(label)?.1.split_whitespace().next();
    let (specified, got) = (hash("specified:")?, hash("got:")?);
    Some(Diagnostic::quoting(Code::HashMismatch, message).with_attr(drv).with_hint(format!(
        "If the source was meant to change, replace `{1}` by `{0}`; otherwise find out who changed it.",
        text::word(got),
        text::word(specified)
    )))
}

/// `a 'aarch64-linux' with features {} is required to build '…'` of 2.26.
fn unsupported(message: &str) -> Option<Diagnostic> {
    let [system, features, drv] =
        phrase::gaps("a '{}' with features {} is required to build '{}'", message)?.try_into().ok()?;
    let same_system = message.contains(&format!("but I am a '{system}'"));
    let hint = if same_system {
        format!(
            "Add the missing ones of {} to `system-features` in nix.conf if this machine has them, or use a builder that does.",
            text::word(features)
        )
    } else {
        ELSEWHERE.replace("{0}", text::word(system))
    };
    Some(Diagnostic::quoting(Code::UnsupportedSystem, message).with_attr(drv).with_hint(hint))
}

/// A dependency of the derivation failed.
fn dependencies(message: &str) -> Option<Diagnostic> {
    is_consequence(message).then(|| {
        let diagnostic = Diagnostic::quoting(Code::BuilderFailed, message).with_hint(
            "The derivation itself did not fail; build it again to see the error of its dependency.",
        );
        match quoted_drv(message) {
            Some(drv) => diagnostic.with_attr(drv.as_str()),
            None => diagnostic,
        }
    })
}

/// Whether an error only reports that another derivation failed, which has an error of its own.
fn is_consequence(message: &str) -> bool {
    let message = message.trim();
    let depends = phrase::gaps("Cannot build '{}'.\nReason: {} failed.", message);
    depends.is_some_and(|gaps| gaps.get(1).is_some_and(|reason| reason.contains("dependenc")))
        || phrase::gaps("{} dependencies of derivation '{}' failed to build", message).is_some()
        || message.starts_with("build of '") && message.ends_with("failed")
}

/// The errors without those that only follow from others; all of them if nothing else is left.
pub(super) fn root_causes(errors: &[LogError]) -> Vec<&LogError> {
    let causes: Vec<&LogError> = errors.iter().filter(|error| !is_consequence(&error.cause)).collect();
    if causes.is_empty() { errors.iter().collect() } else { causes }
}

/// A derivation that could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFailure {
    /// The derivation.
    pub drv: DrvPath,
    /// Why it failed, in one line.
    pub reason: String,
    /// The last lines of its log; empty if its builder did not run.
    pub log_tail: Vec<String>,
}

/// The derivations that failed themselves, without those that only depend on one that failed.
#[must_use]
pub fn build_failures(state: &LogState) -> Vec<BuildFailure> {
    let mut failures: Vec<BuildFailure> = Vec::new();
    for error in root_causes(state.errors()) {
        let problem = error.cause.trim();
        let Some(drv) = failed_derivation(problem, state) else { continue };
        if failures.iter().all(|known| known.drv != drv) {
            let log_tail = state.log_tail(&drv, TAIL);
            failures.push(BuildFailure { drv, reason: reason(problem), log_tail });
        }
    }
    failures
}

/// The derivation that an error is about. Nix 2.34 does not name a build that timed out: it is the last one that
/// stopped.
fn failed_derivation(message: &str, state: &LogState) -> Option<DrvPath> {
    let anonymous = message.starts_with("timed out after");
    quoted_drv(message).or_else(|| state.last_stopped().filter(|_| anonymous).cloned())
}

/// The reason in one form for all versions of Nix: `builder failed with exit code 2`.
fn reason(message: &str) -> String {
    let reason = if let Some((_, rest)) = message.split_once("\nReason: ") {
        rest.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
    } else if let Some([_, how]) =
        phrase::gaps("builder for '{}' failed {}", message).and_then(|gaps| <[&str; 2]>::try_from(gaps).ok())
    {
        format!("builder failed {how}")
    } else {
        message.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
    };
    bounded(&reason, 300)
}
