//! The location of an error and the trace to it, the user's own files first.

use super::source::FlakeFiles;
use crate::diagnostic::{Diagnostic, Frame, TRACE_LIMIT};
use crate::nix::log::{LogError, Position};
use crate::text::bounded;

/// Most frames in files of inputs. They are shown only if none is in the user's files, which alone the user can change.
const FOREIGN_LIMIT: usize = 4;
/// Longest message of a frame, in characters.
const FRAME_LENGTH: usize = 200;
/// Longest name of a file, in characters.
const FILE_LENGTH: usize = 500;

/// Nix's name for an expression on the command line. Those are this program's own, so no frame shows them.
pub(super) const EXPRESSION_FILE: &str = "«string»";

/// A frame and its column; 0 if there is none.
type Step = (Frame, u32);

/// Sets the location and the trace of the diagnostic. A location and frames that a recogniser set come first.
pub(super) fn set_location(diagnostic: &mut Diagnostic, error: &LogError, files: &FlakeFiles<'_>) {
    let known = std::mem::take(&mut diagnostic.trace);
    let mut own: Vec<Step> = known.into_iter().map(|frame| (frame, 0)).collect();
    let mut foreign: Vec<Step> = Vec::new();
    if let Some(position) = &error.position {
        let list = if files.path_in_flake(&position.file).is_some() { &mut own } else { &mut foreign };
        push_step(list, diagnostic.said.as_deref().unwrap_or(&diagnostic.message), files, position);
    }
    let mut called = "";
    for frame in &error.trace {
        // "from call site" is the position of the call in the frame before it, which has that of the function.
        let message =
            if frame.message == "from call site" && !called.is_empty() { called } else { &frame.message };
        called = if frame.message.starts_with("while calling ") { &frame.message } else { "" };
        match &frame.position {
            Some(position) if files.path_in_flake(&position.file).is_some() => {
                push_step(&mut own, message, files, position)
            }
            Some(position) => push_step(&mut foreign, message, files, position),
            None => push_mentioned_file(&mut own, message, files),
        }
    }
    if diagnostic.file.is_none()
        && let Some((frame, column)) =
            own.iter().find(|(frame, _)| frame.line.is_some()).or(own.first()).or(foreign.first())
    {
        diagnostic.file.clone_from(&frame.file);
        diagnostic.line = frame.line;
        diagnostic.column = (*column > 0).then_some(*column);
    }
    foreign.truncate(if own.is_empty() { FOREIGN_LIMIT } else { 0 });
    // The location of the error itself is not part of the trace.
    let itself = |frame: &Frame| {
        frame.line.is_some()
            && frame.line == diagnostic.line
            && frame.file == diagnostic.file
            && error.position.is_some()
            && frame.message == shortened(diagnostic.said.as_deref().unwrap_or(&diagnostic.message))
    };
    own.retain(|(frame, _)| !itself(frame));
    foreign.retain(|(frame, _)| !itself(frame));
    diagnostic.trace = own.into_iter().chain(foreign).map(|(frame, _)| frame).take(TRACE_LIMIT).collect();
}

/// Adds a frame, unless the list has one at the same line: a frame and the function it calls often share a line.
fn push_step(list: &mut Vec<Step>, message: &str, files: &FlakeFiles<'_>, position: &Position) {
    if position.file == EXPRESSION_FILE {
        return;
    }
    let file = Some(bounded(&files.display_name(&position.file), FILE_LENGTH));
    let line = Some(position.line);
    if list.len() <= TRACE_LIMIT && list.iter().all(|(frame, _)| frame.file != file || frame.line != line) {
        list.push((Frame { message: shortened(message), file, line }, position.column));
    }
}

/// Adds a frame without a position that names one of the user's files, as the module system does in
/// "while evaluating definitions from `/nix/store/…-source/web.nix':".
fn push_mentioned_file(own: &mut Vec<Step>, message: &str, files: &FlakeFiles<'_>) {
    let mut parts = message.split(['`', '\'', '"']).filter(|part| part.starts_with('/'));
    let Some((path, file)) = parts.find_map(|part| Some((part, files.path_in_flake(part)?))) else { return };
    let file = bounded(&file, FILE_LENGTH);
    if own.len() <= TRACE_LIMIT && own.iter().all(|(frame, _)| frame.file.as_ref() != Some(&file)) {
        let step = message.split(path).next().unwrap_or_default().trim_end_matches(['`', '\'', '"', ' ']);
        let step = step.strip_suffix(" from").or_else(|| step.strip_suffix(" in")).unwrap_or(step);
        own.push((Frame { message: shortened(step), file: Some(file), line: None }, 0));
    }
}

/// The first line that is not blank, cut to [`FRAME_LENGTH`].
fn shortened(message: &str) -> String {
    bounded(message.trim().lines().next().unwrap_or_default(), FRAME_LENGTH)
}
