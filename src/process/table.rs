//! What the kernel's table of processes says (proc(5)).

use std::collections::HashSet;

use rustix::process::{Pid, Signal};

/// A process and when it started, so that a reused number is not mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    id: i32,
    started: u64,
}

impl Process {
    /// Kills it, unless it is gone and another has its number.
    pub(super) fn kill(&self) {
        if read_stat(self.id).is_some_and(|(_, started)| started == self.started)
            && let Some(id) = Pid::from_raw(self.id)
        {
            // It may end by itself between the look and the signal.
            let _gone = rustix::process::kill_process(id, Signal::KILL);
        }
    }
}

/// Every process below `root`, by the parents that proc(5) names.
pub(super) fn descendants(root: Pid) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<(Process, i32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|id| read_stat(id).map(|(parent, started)| (Process { id, started }, parent)))
        .collect();
    let mut known = HashSet::from([root.as_raw_nonzero().get()]);
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for (process, parent) in &all {
            if known.contains(parent) && known.insert(process.id) {
                found.push(process.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Parent and start time of a process (proc(5), `/proc/pid/stat`, fields 4 and 22).
fn read_stat(id: i32) -> Option<(i32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in parentheses and may itself contain both.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some((parent, started))
}

/// Resident memory of a process in bytes (proc(5), `/proc/pid/statm`); `None` when it is gone.
#[must_use]
pub fn resident_bytes(id: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
