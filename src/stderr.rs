//! What is said to whoever started this program, beside the protocol and beside answers.

use std::fmt::Display;
use std::io::{self, Write};

use crate::text;

/// Longest line of a log, in characters.
const LONGEST_LINE: usize = 8_000;

/// Log lines, to standard error. Libraries log what clients, hosts and builds sent, as it came: whatever is in an event,
/// it is one line and steers no terminal.
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // An event is written whole.
        let line = text::line(&String::from_utf8_lossy(event), LONGEST_LINE);
        io::stderr().write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Writes a line to standard error.
pub fn print_line(line: impl Display) {
    print(format_args!("{line}\n"));
}

/// Writes to standard error. What nobody reads, or there is no room for, is lost and ends nothing: this program serves
/// and deploys.
pub fn print(text: impl Display) {
    drop(write!(io::stderr(), "{text}"));
}
