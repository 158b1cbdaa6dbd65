//! Where an error is, and how the evaluation came there, the user's own files first.

use super::source::Source;
use crate::diagnostic::{Diagnostic, Frame, TRACE_LIMIT};
use crate::nix::log::{LogError, Position};
use crate::text::bounded;

/// Most frames that are not the user's, so that they do not crowd out what the user can change.
const FOREIGN_LIMIT: usize = 4;
/// Longest message of a frame, in characters.
const FRAME_LENGTH: usize = 200;
/// Longest name of a file, in characters.
const FILE_LENGTH: usize = 500;

/// Gives the diagnostic its place and trace, unless a recogniser knew the place better.
pub(super) fn locate(diagnostic: &mut Diagnostic, error: &LogError, source: &Source<'_>) {
    let cause = error.position.iter().map(|position| (diagnostic.message.as_str(), position));
    let steps = error.trace.iter().filter_map(|frame| {
        let position = frame.position.as_ref()?;
        Some((frame.message.as_str(), position))
    });
    let mut own: Vec<(Frame, u32)> = Vec::new();
    let mut foreign: Vec<(Frame, u32)> = Vec::new();
    for (message, position) in cause.chain(steps) {
        let (file, list) = match source.own(&position.file) {
            Some(file) => (file, &mut own),
            None => (position.file.clone(), &mut foreign),
        };
        if list.len() < TRACE_LIMIT + 1 {
            push(list, message, file, position);
        }
    }
    if diagnostic.file.is_none()
        && let Some((frame, column)) = own.first().or(foreign.first())
    {
        diagnostic.file.clone_from(&frame.file);
        diagnostic.line = frame.line;
        diagnostic.column = (*column > 0).then_some(*column);
        // The place of the error itself is no step on the way there.
        if error.position.is_some() && frame.message == shortened(&diagnostic.message) {
            let list = if own.is_empty() { &mut foreign } else { &mut own };
            list.remove(0);
        }
    }
    foreign.truncate(FOREIGN_LIMIT);
    own.truncate(TRACE_LIMIT - foreign.len());
    diagnostic.trace = own.into_iter().chain(foreign).map(|(frame, _)| frame).collect();
}

/// Adds a step, unless the same line is there already: a step and what it calls often share one.
fn push(list: &mut Vec<(Frame, u32)>, message: &str, file: String, position: &Position) {
    let file = Some(bounded(&file, FILE_LENGTH));
    let line = Some(position.line);
    if list.iter().all(|(frame, _)| frame.file != file || frame.line != line) {
        list.push((Frame { message: shortened(message), file, line }, position.column));
    }
}

/// The first line that says something.
fn shortened(message: &str) -> String {
    bounded(message.trim().lines().next().unwrap_or_default(), FRAME_LENGTH)
}
