//! From what Nix said to what a person needs: a code, a place, a cause and a next step.
//!
//! Each family of errors has its file; `RECOGNISERS` asks them in order, the ones that know more
//! first. What they look for are Nix's and nixpkgs' own sentences: those of 2.26 and 2.34 are
//! recorded in `tests/fixtures`, and `tests/diagnostics` provokes them anew from the real `nix`.

mod build;
mod evaluation;
mod flakes;
mod location;
mod modules;
mod packages;
mod phrase;
mod source;
mod system;
#[cfg(test)]
mod tests;

pub use build::{BuildFailure, build_failures};
use source::FlakeFiles;
pub use source::{CommittedFlake, SourceTree};

use crate::diagnostic::{Code, Diagnostic};
use crate::nix::log::{LogError, LogState};

/// How many of the last lines stand in for an error Nix did not report.
const LAST_LINES: usize = 5;

/// An error to be understood.
struct NixProblem<'a> {
    error: &'a LogError,
    /// The innermost cause.
    message: &'a str,
    files: &'a FlakeFiles<'a>,
    state: &'a LogState,
}

/// Says what a message means, or that it is not for this family.
type Recogniser = fn(&NixProblem<'_>) -> Option<Diagnostic>;

/// The families, in the order they are asked. A full disk is a full disk whatever was being done;
/// what the module system and nixpkgs throw would otherwise be any `throw`.
const RECOGNISERS: &[Recogniser] = &[
    system::recognise,
    build::recognise,
    flakes::recognise,
    packages::recognise,
    modules::recognise,
    evaluation::recognise,
];

/// What went wrong, the first cause first; never empty, so only to be asked after a failure.
#[must_use]
pub fn diagnose(state: &LogState, source: &SourceTree<'_>) -> Vec<Diagnostic> {
    let files = FlakeFiles::new(source);
    let causes = build::root_causes(state.errors());
    let mut found: Vec<Diagnostic> = Vec::new();
    for error in causes {
        let mut diagnostic = explain(error, &files, state);
        diagnostic.transient = state.has_fetched() || depends_on_the_moment(error);
        if !found.contains(&diagnostic) {
            found.push(diagnostic);
        }
    }
    if found.is_empty() {
        found.push(unexplained(state));
    }
    found
}

fn explain(error: &LogError, files: &FlakeFiles<'_>, state: &LogState) -> Diagnostic {
    let problem = NixProblem { error, message: error.cause.trim(), files, state };
    let mut diagnostic = RECOGNISERS
        .iter()
        .find_map(|recognise| recognise(&problem))
        .unwrap_or_else(|| Diagnostic::of_others(unknown_code(error), problem.message));
    if diagnostic.suggestions.is_empty() {
        diagnostic = diagnostic.with_suggestions(phrase::suggestions(&error.text));
    }
    if diagnostic.attr.is_none() {
        diagnostic.attr = modules::option(&problem).map(str::to_owned);
    }
    location::set_location(&mut diagnostic, error, files);
    diagnostic
}

/// Whether an error was met while something was fetched, or is about how much this process may take.
fn depends_on_the_moment(error: &LogError) -> bool {
    let fetching = |message: &str| {
        ["while fetching ", "while updating ", "while calling the 'fetch", "while calling the 'getFlake'"]
            .iter()
            .any(|start| message.trim_start_matches("… ").starts_with(start))
    };
    error.trace.iter().any(|frame| fetching(&frame.message)) || error.cause.starts_with("stack overflow (")
}

/// Only evaluation knows places.
fn unknown_code(error: &LogError) -> Code {
    let evaluated = error.position.is_some() || error.trace.iter().any(|frame| frame.position.is_some());
    if evaluated { Code::EvaluationFailed } else { Code::NixFailed }
}

fn unexplained(state: &LogState) -> Diagnostic {
    let lines: Vec<&str> = state.remarks().collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n");
    let message = if last.is_empty() {
        "nix failed without saying why"
    } else {
        "nix failed without an error; these are its last lines"
    };
    Diagnostic::new(Code::NixFailed, message)
        .with_said(&last)
        .with_hint("Run the same nix command in a terminal to see more.")
}
