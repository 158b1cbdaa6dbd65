//! Differences between operating systems: the only module that distinguishes them.
//!
//! `linux` and `other` (macOS) have the same functions. For each one that does nothing in `other`, docs/macos.md
//! describes the consequence.

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

use rustix::io::{Errno, Result};
use rustix::process::Pid;

/// Whether [`adopt_orphans`] can succeed.
pub const CAN_ADOPT_ORPHANS: bool = system::CAN_ADOPT_ORPHANS;

/// Whether [`NetworkExit::leave`] can succeed.
pub const CAN_LEAVE_NETWORK: bool = system::CAN_LEAVE_NETWORK;

/// The error of [`NetworkExit::leave`], which no other step of the start of a program gives.
pub const NETWORK_NOT_LEFT: Errno = system::NETWORK_NOT_LEFT;

/// Maximum length of the path of a socket, in bytes, without the terminating zero byte.
pub const SOCKET_PATH: usize = system::SOCKET_PATH;

/// A row of the system's table of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// Its parent: the process that started it, or the one that adopted it.
    pub parent: i32,
    /// The id of its session.
    pub session: i32,
    /// When it started, in a unit that depends on the system; only for comparisons.
    pub started: u64,
    /// Whether it has ended and its parent has not waited for it.
    pub has_ended: bool,
}

/// Makes the memory of large values go back to the system when they are dropped. Call it at the start of `main`.
pub fn return_large_allocations() {
    system::return_large_allocations();
}

/// Makes this process the parent of orphans among its descendants.
///
/// # Errors
/// The system refuses it.
pub fn adopt_orphans() -> Result<()> {
    system::adopt_orphans()
}

/// Makes the system terminate this process when `parent`, which forked it, ends, and makes this process the parent of
/// orphans among its descendants. Async-signal-safe: it is called between fork and exec.
///
/// # Errors
/// The parent is gone, or the system refuses it.
pub fn bind_to_parent(parent: Pid) -> Result<()> {
    system::bind_to_parent(parent)
}

/// What a process needs to leave the network. It is made before a fork, because memory cannot be allocated after it.
#[derive(Clone, Debug)]
pub struct NetworkExit(system::NetworkExit);

impl NetworkExit {
    /// For processes of this user.
    #[must_use]
    pub fn new() -> Self {
        Self(system::NetworkExit::new())
    }

    /// Moves this process into a network without interfaces. Sockets of the file system stay reachable. Async-signal-safe: it
    /// is called between fork and exec.
    ///
    /// # Errors
    /// [`NETWORK_NOT_LEFT`] if the system refuses it.
    pub fn leave(&self) -> Result<()> {
        self.0.leave().map_err(|_| NETWORK_NOT_LEFT)
    }
}

/// Closes a connection when data sent on it was not acknowledged for `limit`.
///
/// # Errors
/// The system refuses it.
pub fn limit_unacknowledged(stream: impl AsFd, limit: Duration) -> Result<()> {
    system::limit_unacknowledged(stream, limit)
}

/// The id of the user who logged in, which `sudo` does not change; `u32::MAX` if nobody logged in, `None` if the system
/// does not record it.
#[must_use]
pub fn login_user() -> Option<u32> {
    system::login_user()
}

/// The memory that programs can still allocate, in bytes; `None` if the system does not report it.
#[must_use]
pub fn free_memory() -> Option<u64> {
    system::free_memory()
}

/// The id of this process in the table; `None` if there is no table, or if this process is not in it.
#[must_use]
pub fn own_pid_in_table() -> Option<i32> {
    system::own_pid_in_table()
}

/// The ids in the table; empty if there is no table.
#[must_use]
pub fn pids() -> Vec<i32> {
    system::pids()
}

/// A row of the table; `None` if the process is gone.
#[must_use]
pub fn row(listed: i32) -> Option<ProcessRow> {
    system::row(listed)
}

/// The ids of a process in nested PID namespaces, from the namespace of the table inwards.
#[must_use]
pub fn numbers(listed: i32) -> Vec<i32> {
    system::numbers(listed)
}

/// The arguments that a process was started with, each terminated by a zero byte; empty if the process is gone.
#[must_use]
pub fn command_line(listed: i32) -> Vec<u8> {
    system::command_line(listed)
}

/// The environment that a process was started with, each entry terminated by a zero byte; empty if the process is gone.
#[must_use]
pub fn environment(listed: i32) -> Vec<u8> {
    system::environment(listed)
}

/// The executable file of a process; `None` if the process is gone, or if this process may not read it.
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

/// Resident memory of a process in bytes; `None` if the process is gone, or the system does not report it.
#[must_use]
pub fn resident_bytes(listed: i32) -> Option<u64> {
    system::resident_bytes(listed)
}

/// Makes a named pipe. rustix does it on Linux only.
#[cfg(test)]
pub(crate) fn make_pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
