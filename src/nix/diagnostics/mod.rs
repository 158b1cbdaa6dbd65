//! Turns the errors of a log into diagnostics: a code, a location, a cause and a next step.
//!
//! Each family of errors has a file; `RECOGNISERS` tries them in order, the more specific ones first. They match the
//! error texts of Nix and nixpkgs: those of Nix 2.26 and 2.34 are recorded in `tests/fixtures`, and
//! `tests/diagnostics` provokes them with the real `nix`.

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
pub use flakes::not_tracked;
pub use source::{CommittedFlake, FlakeFiles, SourceTree};

use crate::advice::Remedy;
use crate::diagnostic::{Code, Diagnostic};
use crate::nix::log::{LogError, LogState};

/// Number of last lines shown if Nix failed without reporting an error.
const LAST_LINES: usize = 5;

/// An error of a log, for recognisers to explain.
struct NixProblem<'a> {
    error: &'a LogError,
    /// The innermost cause.
    message: &'a str,
    files: &'a FlakeFiles<'a>,
    state: &'a LogState,
}

/// Explains an error, or returns `None` if it does not belong to this family.
type Recogniser = fn(&NixProblem<'_>) -> Option<Diagnostic>;

/// The families in the order they are tried. `system` is first, since a full disk can fail anything; `packages` and
/// `modules` come before `evaluation`, which takes their errors for any other `throw`.
const RECOGNISERS: &[Recogniser] = &[
    system::recognise,
    build::recognise,
    flakes::recognise,
    packages::recognise,
    modules::recognise,
    evaluation::recognise,
];

/// A file of a position in Nix code, relative to the flake; `None` if it does not belong to the flake.
#[must_use]
pub fn file_in_flake(file: &str, source: &SourceTree<'_>) -> Option<String> {
    FlakeFiles::new(source).path_in_flake(file)
}

/// The name to show for a file of a position in Nix code: relative to the flake if it belongs to the flake.
#[must_use]
pub fn shown_file(file: &str, source: &SourceTree<'_>) -> String {
    FlakeFiles::new(source).display_name(file)
}

/// The diagnostics of a failed run, the first cause first. Never empty, so call it only after a failure.
#[must_use]
pub fn diagnose(state: &LogState, source: &SourceTree<'_>) -> Vec<Diagnostic> {
    let files = FlakeFiles::new(source);
    let causes = build::root_causes(state.errors());
    let mut found: Vec<Diagnostic> = Vec::new();
    for error in causes {
        let mut diagnostic = offline_if(state.offline, explain(error, &files, state));
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

/// What is said of a path that only a binary cache could provide.
const ONLY_FETCHED: [&str; 2] = ["there is no substituter that can build it", "cannot be created"];

/// What Nix says if Git could not fetch, which is not told from a commit that does not exist.
const GIT_FAILED: [&str; 2] = ["Cannot find Git revision", "Failed to fetch git repository"];

/// Tells that the network is missing on purpose, if a server without one lacks something.
fn offline_if(offline: bool, error: Diagnostic) -> Diagnostic {
    if !offline {
        return error;
    }
    let said = error.said.as_deref().unwrap_or_default();
    let says = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    let lacks_network = match error.code {
        Code::NeedsBuild => return error.with_hint(Remedy::GoOnline),
        Code::NetworkUnreachable => true,
        Code::MissingPath => says(&ONLY_FETCHED),
        Code::EvaluationFailed | Code::NixFailed => says(&GIT_FAILED),
        _ => false,
    };
    if !lacks_network {
        return error;
    }
    // A failed build keeps its name.
    let is_named = error.message != error.code.sentence();
    let message = "something is not in the store, and the server makes no connection".to_owned();
    let message = if is_named { error.message } else { message };
    Diagnostic { code: Code::NeedsNetwork, message, ..error }.with_hint(Remedy::GoOnline)
}

fn explain(error: &LogError, files: &FlakeFiles<'_>, state: &LogState) -> Diagnostic {
    let problem = NixProblem { error, message: error.cause.trim(), files, state };
    let mut diagnostic = RECOGNISERS
        .iter()
        .find_map(|recognise| recognise(&problem))
        .unwrap_or_else(|| Diagnostic::quoting(unknown_code(error), problem.message));
    if diagnostic.suggestions.is_empty() {
        diagnostic = diagnostic.with_suggestions(phrase::suggestions(&error.text));
    }
    if diagnostic.attr.is_none() {
        diagnostic.attr = modules::option(&problem).map(str::to_owned);
    }
    location::set_location(&mut diagnostic, error, files);
    diagnostic
}

/// Whether an error depends on the moment: it occurred during a fetch, or is about the stack limit of this process.
fn depends_on_the_moment(error: &LogError) -> bool {
    let fetching = |message: &str| {
        ["while fetching ", "while updating ", "while calling the 'fetch", "while calling the 'getFlake'"]
            .iter()
            .any(|start| message.trim_start_matches("… ").starts_with(start))
    };
    error.trace.iter().any(|frame| fetching(&frame.message)) || error.cause.starts_with("stack overflow (")
}

/// The code of an error that no recogniser explains. An error with a position comes from the evaluation.
fn unknown_code(error: &LogError) -> Code {
    let evaluated = error.position.is_some() || error.trace.iter().any(|frame| frame.position.is_some());
    if evaluated { Code::EvaluationFailed } else { Code::NixFailed }
}

fn unexplained(state: &LogState) -> Diagnostic {
    let lines: Vec<&str> = state.remarks().collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n");
    let message = if last.is_empty() {
        "nix failed without an error message"
    } else {
        "nix failed without an error message; these are its last lines"
    };
    Diagnostic::new(Code::NixFailed, message)
        .with_said(&last)
        .with_hint("Run the same nix command in a terminal to see more.")
}
