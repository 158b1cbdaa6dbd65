//! Starts programs; nothing else in this crate does.
//!
//! Arguments are vectors, never shell lines, and standard input is empty or a file. Each program leads its own process
//! group. The group is ended if the call is cancelled, runs out of time, or its future is dropped: first SIGTERM, then,
//! after [`GRACE`], SIGKILL. A killed `nix` would leave its builders running; a terminated one stops them. Processes that a
//! builder left in the background are ended too (see `orphans`).

mod command;
mod deadline;
mod error;
mod executable;
mod group;
mod network;
mod orphans;
mod piped;
mod pipes;
mod run;
mod signals;
mod table;
mod terminal;

use std::time::Duration;

pub use command::{Command, absolute_folders};
pub use error::ProcessError;
pub use executable::Executable;
pub use group::end_all;
pub use orphans::adopt_orphans;
pub use run::{FinishedProcess, Flow};
pub use signals::reset_signals;
pub use table::resident_bytes;

/// Time between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_millis(1_500);
/// Longest line of standard error that is passed on, in bytes; the rest of the line is dropped.
pub const LINE_LIMIT: usize = 2 * 1024 * 1024;
/// Time between two measurements of the memory of a program with a memory limit.
pub const MEMORY_INTERVAL: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
