//! What the kernel's table of processes says (proc(5)).

use std::collections::HashSet;

use rustix::process::{Pid, Signal, WaitOptions};

/// A process and when it started, so that a reused number is not mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) id: i32,
    pub(super) session: i32,
    parent: i32,
    started: u64,
    ended: bool,
}

impl Process {
    /// Reads `/proc/pid/stat`: state, parent, session and start time are its fields 3, 4, 6 and 22.
    pub(super) fn read(id: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The second field is the program's name in parentheses and may itself contain both.
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
        let ended = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(15)?.parse().ok()?;
        Some(Self { id, session, parent, started, ended })
    }

    /// Whether it has ended and waits for its parent to notice.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Kills it, unless it is gone and another has its number.
    pub(super) fn kill(&self) {
        if Self::read(self.id).is_some_and(|now| now.started == self.started)
            && let Some(id) = Pid::from_raw(self.id)
        {
            // It may end by itself between the look and the signal.
            let _gone = rustix::process::kill_process(id, Signal::KILL);
        }
    }

    /// Takes note of its end: a child of ours that nobody waits for stays in the table until then.
    pub(super) fn reap(&self) {
        if let Some(id) = Pid::from_raw(self.id) {
            let _gone = rustix::process::waitpid(Some(id), WaitOptions::NOHANG);
        }
    }

    /// What it was started with, each argument ended by a zero byte.
    pub(super) fn command_line(&self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/cmdline", self.id)).unwrap_or_default()
    }

    /// The environment it was started with, each entry ended by a zero byte.
    pub(super) fn environment(&self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/environ", self.id)).unwrap_or_default()
    }
}

/// All processes at a moment; none where the system has no such table.
pub(super) struct Table(Vec<Process>);

impl Table {
    pub(super) fn read() -> Self {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Self(Vec::new()) };
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        Self(numbers.filter_map(Process::read).collect())
    }

    /// Those that a process started, and those that came to it.
    pub(super) fn children(&self, of: Pid) -> impl Iterator<Item = &Process> {
        let of = of.as_raw_nonzero().get();
        self.0.iter().filter(move |process| process.parent == of)
    }

    /// The session of a process; 0 means one whose leader is outside of our namespace of processes.
    pub(super) fn session(&self, of: Pid) -> Option<i32> {
        let of = of.as_raw_nonzero().get();
        self.0.iter().find(|process| process.id == of).map(|process| process.session)
    }

    /// Every process below `root`.
    pub(super) fn descendants(&self, root: i32) -> Vec<&Process> {
        let mut known = HashSet::from([root]);
        let mut found = Vec::new();
        loop {
            let before = found.len();
            for process in &self.0 {
                if known.contains(&process.parent) && known.insert(process.id) {
                    found.push(process);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}

/// Resident memory of a process in bytes (proc(5), `/proc/pid/statm`); `None` when it is gone.
#[must_use]
pub fn resident_bytes(id: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
