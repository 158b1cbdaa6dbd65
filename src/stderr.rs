//! Messages on standard error: log lines and notices for the person who started the program.

use std::fmt::Display;
use std::io::{self, Write};

use crate::text;

/// Longest line of a log, in characters.
const LONGEST_LINE: usize = 8_000;

/// Writes log events to standard error, each as one line without control characters: libraries log what clients, hosts
/// and builds sent, unchanged.
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // tracing-subscriber writes each event with one call.
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

/// Writes to standard error and ignores failures: a closed standard error must not end a deployment.
pub fn print(text: impl Display) {
    drop(write!(io::stderr(), "{text}"));
}
