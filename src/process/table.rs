//! The system's table of processes.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::platform::{self, ProcessRow};

/// A process. It is identified by its id and its start time, because ids are reused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    /// Its id in this process's namespace.
    pub(super) id: i32,
    pub(super) session: i32,
    /// Its id in the table, which may be of an outer namespace.
    listed: i32,
    parent: i32,
    started: u64,
    ended: bool,
}

impl Process {
    /// `None` if there is no such process.
    pub(super) fn read(listed: i32) -> Option<Self> {
        let ProcessRow { parent, session, started, has_ended } = platform::row(listed)?;
        Some(Self { id: listed, session, listed, parent, started, ended: has_ended })
    }

    /// Whether it has ended and its parent has not waited for it yet.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Kills it, unless it has ended and another process has its id.
    pub(super) fn kill(&self) {
        if Self::read(self.listed).is_some_and(|now| now.started == self.started)
            && let Some(id) = Pid::from_raw(self.id)
        {
            // It may end by itself between the check and the signal.
            let _gone = rustix::process::kill_process(id, Signal::KILL);
        }
    }

    /// Waits for it without blocking: a child of this process that has ended stays in the table until then.
    pub(super) fn reap(&self) {
        if let Some(id) = Pid::from_raw(self.id) {
            let _gone = rustix::process::waitpid(Some(id), WaitOptions::NOHANG);
        }
    }

    /// The user it runs as.
    pub(super) fn user(&self) -> Option<u32> {
        platform::user(self.listed)
    }

    /// The file it runs.
    pub(super) fn program(&self) -> Option<Metadata> {
        platform::program(self.listed)
    }

    /// Whether it sees the same files as this process.
    pub(super) fn shares_mounts(&self) -> bool {
        platform::shares_mounts(self.listed)
    }

    /// Its arguments, each ended by a zero byte.
    pub(super) fn command_line(&self) -> Vec<u8> {
        platform::command_line(self.listed)
    }

    /// The environment it was started with, each entry ended by a zero byte.
    pub(super) fn environment(&self) -> Vec<u8> {
        platform::environment(self.listed)
    }
}

/// The namespace whose ids the table has (pid_namespaces(7): a `/proc` shows the namespace it was mounted in).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProcessNumbering {
    /// This process's namespace.
    Ours,
    /// An outer namespace, in which this process has the id `own`. Its id in its own namespace is at index `depth` in the
    /// line `NSpid` of `/proc/pid/status`.
    Outer { own: i32, depth: usize },
    /// There is no table, or this process is not in it.
    None,
}

impl ProcessNumbering {
    fn of_this_process() -> Self {
        let here = rustix::process::getpid().as_raw_nonzero().get();
        match platform::own_pid_in_table() {
            Some(own) if own == here => Self::Ours,
            Some(own) => {
                let depth = platform::numbers(own).into_iter().rposition(|number| number == here);
                depth.map_or(Self::None, |depth| Self::Outer { own, depth })
            }
            None => Self::None,
        }
    }
}

/// All processes at one moment. If the table is of an outer namespace: this process and its descendants. Empty if there is
/// no table.
pub(super) struct ProcessTable(Vec<Process>);

impl ProcessTable {
    pub(super) fn read() -> Self {
        match ProcessNumbering::of_this_process() {
            ProcessNumbering::Ours => Self::listed(),
            ProcessNumbering::Outer { own, depth } => Self::listed().below(own, depth),
            ProcessNumbering::None => Self(Vec::new()),
        }
    }

    /// Whether the system has a table with this process in it; without one, no orphans are found.
    pub(super) fn is_available() -> bool {
        ProcessNumbering::of_this_process() != ProcessNumbering::None
    }

    fn listed() -> Self {
        Self(platform::pids().into_iter().filter_map(Process::read).collect())
    }

    /// The process `own` and its descendants, with the ids of our namespace. Other processes may not be in our namespace.
    fn below(mut self, own: i32, depth: usize) -> Self {
        let mut known: HashMap<i32, i32> = HashMap::new();
        let below: HashSet<i32> = self.descendants(own).iter().map(|process| process.listed).collect();
        self.0.retain(|process| process.listed == own || below.contains(&process.listed));
        for process in &self.0 {
            known.extend(platform::numbers(process.listed).get(depth).map(|id| (process.listed, *id)));
        }
        let here = self.0.into_iter().filter_map(|process| {
            let id = *known.get(&process.listed)?;
            // The parent of this process is in the outer namespace.
            let parent = known.get(&process.parent).copied().unwrap_or_default();
            Some(Process { id, parent, ..process })
        });
        Self(here.collect())
    }

    /// The children of a process, adopted orphans included.
    pub(super) fn children(&self, of: Pid) -> impl Iterator<Item = &Process> {
        let of = of.as_raw_nonzero().get();
        self.0.iter().filter(move |process| process.parent == of)
    }

    /// The session of a process; 0 if the session's leader is outside of our namespace.
    pub(super) fn session(&self, of: Pid) -> Option<i32> {
        let of = of.as_raw_nonzero().get();
        self.0.iter().find(|process| process.id == of).map(|process| process.session)
    }

    /// Every descendant of `root`.
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

/// The resident memory of a process, in bytes; `None` if it is gone, or the system does not tell.
#[must_use]
pub fn resident_bytes(id: u32) -> Option<u64> {
    let id = i32::try_from(id).ok()?;
    let listed = match ProcessNumbering::of_this_process() {
        ProcessNumbering::Ours => id,
        ProcessNumbering::Outer { .. } => {
            ProcessTable::read().0.iter().find(|process| process.id == id)?.listed
        }
        ProcessNumbering::None => return None,
    };
    platform::resident_bytes(listed)
}
