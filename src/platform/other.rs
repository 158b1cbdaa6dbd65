//! macOS: without a table of processes, and without what only Linux has.

use std::fs::Metadata;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::ProcessRow;

pub(super) const CAN_ADOPT_ORPHANS: bool = false;
/// `sys/un.h`.
pub(super) const SOCKET_PATH: usize = 103;

/// Nothing is set: the system's allocator decides when memory goes back to the system.
pub(super) fn return_large_allocations() {}

pub(super) const CAN_LEAVE_NETWORK: bool = false;
pub(super) const NETWORK_NOT_LEFT: Errno = Errno::NOSYS;

#[derive(Clone, Debug)]
pub(super) struct NetworkExit;

impl NetworkExit {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn leave(&self) -> Result<()> {
        Err(Errno::NOSYS)
    }
}

pub(super) fn adopt_orphans() -> Result<()> {
    Err(Errno::NOSYS)
}

pub(super) fn bind_to_parent(_: Pid) -> Result<()> {
    Ok(())
}

/// Nothing is set: the system closes the connection by itself after minutes.
pub(super) fn limit_unacknowledged(_: impl AsFd, _: Duration) -> Result<()> {
    Ok(())
}

pub(super) fn login_user() -> Option<u32> {
    None
}

pub(super) fn free_memory() -> Option<u64> {
    None
}

pub(super) fn own_pid_in_table() -> Option<i32> {
    None
}

pub(super) fn pids() -> Vec<i32> {
    Vec::new()
}

pub(super) fn row(_: i32) -> Option<ProcessRow> {
    None
}

pub(super) fn numbers(_: i32) -> Vec<i32> {
    Vec::new()
}

pub(super) fn command_line(_: i32) -> Vec<u8> {
    Vec::new()
}

pub(super) fn environment(_: i32) -> Vec<u8> {
    Vec::new()
}

pub(super) fn program(_: i32) -> Option<Metadata> {
    None
}

pub(super) fn user(_: i32) -> Option<u32> {
    None
}

pub(super) fn shares_mounts(_: i32) -> bool {
    false
}

pub(super) fn resident_bytes(_: i32) -> Option<u64> {
    None
}
