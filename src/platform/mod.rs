//! What one operating system can do and another cannot: the only module that asks which one this is.
//!
//! `linux` and `other` (macOS) have the same functions. For each one that does nothing in `other`, docs/macos.md says
//! what is missing there.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::fs::Metadata;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::Result;
use rustix::process::Pid;

/// Whether [`adopt_orphans`] can succeed.
pub const CAN_ADOPT_ORPHANS: bool = system::CAN_ADOPT_ORPHANS;

/// Most bytes in the path of a socket: the room for it without the zero byte at its end.
pub const SOCKET_PATH: usize = system::SOCKET_PATH;

/// A row of the system's table of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// The process that started it, or that it came to.
    pub parent: i32,
    /// The number of its session.
    pub session: i32,
    /// When it started, in a unit of the system's.
    pub started: u64,
    /// Whether it has ended and its parent has not waited for it.
    pub has_ended: bool,
}

/// Has memory that a large value took go back to the system when the value is dropped. Call it at the start of `main`.
pub fn return_large_allocations() {
    system::return_large_allocations();
}

/// Makes this process the parent of what its descendants leave behind.
///
/// # Errors
/// The system refuses it.
pub fn adopt_orphans() -> Result<()> {
    system::adopt_orphans()
}

/// Between fork and exec: has the system terminate this process when `parent`, which forked it, ends, and makes it the
/// parent of what its own descendants leave behind. Async-signal-safe.
///
/// # Errors
/// The parent is gone, or the system refuses it.
pub fn bind_to_parent(parent: Pid) -> Result<()> {
    system::bind_to_parent(parent)
}

/// Closes a connection when data sent on it was not acknowledged for `limit`.
///
/// # Errors
/// The system refuses it.
pub fn limit_unacknowledged(stream: impl AsFd, limit: Duration) -> Result<()> {
    system::limit_unacknowledged(stream, limit)
}

/// The user who logged in, whatever `sudo` made of them since: `u32::MAX` if nobody did, `None` if the system does not
/// record it.
#[must_use]
pub fn login_user() -> Option<u32> {
    system::login_user()
}

/// The memory that programs can still have, in bytes; `None` if the system does not tell.
#[must_use]
pub fn free_memory() -> Option<u64> {
    system::free_memory()
}

/// The number of this process in the table; `None` if there is no table, or one that this process is not in.
#[must_use]
pub fn own_number() -> Option<i32> {
    system::own_number()
}

/// The numbers in the table; none without a table.
#[must_use]
pub fn rows() -> Vec<i32> {
    system::rows()
}

/// A row of the table; `None` if the process is gone.
#[must_use]
pub fn row(listed: i32) -> Option<ProcessRow> {
    system::row(listed)
}

/// The numbers of a process, from the namespace of the table inwards.
#[must_use]
pub fn numbers(listed: i32) -> Vec<i32> {
    system::numbers(listed)
}

/// What a process was started with, each argument ended by a zero byte; empty if the process is gone.
#[must_use]
pub fn command_line(listed: i32) -> Vec<u8> {
    system::command_line(listed)
}

/// The environment a process was started with, each entry ended by a zero byte; empty if the process is gone.
#[must_use]
pub fn environment(listed: i32) -> Vec<u8> {
    system::environment(listed)
}

/// The file that a process runs; `None` if the process is gone, or not ours to ask about.
#[must_use]
pub fn program(listed: i32) -> Option<Metadata> {
    system::program(listed)
}

/// The user that a process runs as; `None` if the process is gone.
#[must_use]
pub fn user(listed: i32) -> Option<u32> {
    system::user(listed)
}

/// Whether a process sees the same files as this one.
#[must_use]
pub fn shares_mounts(listed: i32) -> bool {
    system::shares_mounts(listed)
}

/// Resident memory of a process in bytes; `None` if the process is gone, or the system does not tell.
#[must_use]
pub fn resident_bytes(listed: i32) -> Option<u64> {
    system::resident_bytes(listed)
}

/// Makes a named pipe. rustix does it on Linux only.
#[cfg(test)]
pub(crate) fn make_pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
