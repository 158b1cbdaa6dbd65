//! What is said to whoever started this program, beside the protocol and beside answers.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard error.
pub fn say(line: impl Display) {
    show(format_args!("{line}\n"));
}

/// Writes to standard error. What nobody reads, or there is no room for, is lost and ends nothing: this program serves
/// and deploys.
pub fn show(text: impl Display) {
    drop(write!(std::io::stderr(), "{text}"));
}
