//! What the system's table of processes says.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::platform::{self, ProcessRow};

/// A process and when it started, so that a reused number is not mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    /// Its number here.
    pub(super) id: i32,
    pub(super) session: i32,
    /// Its number in the table.
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

    /// Whether it has ended and waits for its parent to notice.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Kills it, unless it is gone and another has its number.
    pub(super) fn kill(&self) {
        if Self::read(self.listed).is_some_and(|now| now.started == self.started)
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

    /// What it was started with, each argument ended by a zero byte.
    pub(super) fn command_line(&self) -> Vec<u8> {
        platform::command_line(self.listed)
    }

    /// The environment it was started with, each entry ended by a zero byte.
    pub(super) fn environment(&self) -> Vec<u8> {
        platform::environment(self.listed)
    }
}

/// Whose numbers the processes have in the table (pid_namespaces(7): a `/proc` shows the namespace it was mounted in).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProcessNumbering {
    /// The ones they have here.
    Ours,
    /// Those of a namespace around ours, where this process has the number `own`; its number here is the one at
    /// `depth` in the line `NSpid` of `/proc/pid/status`.
    Outer { own: i32, depth: usize },
    /// There is no table, or one that this process is not in.
    None,
}

impl ProcessNumbering {
    fn of_this_process() -> Self {
        let here = rustix::process::getpid().as_raw_nonzero().get();
        match platform::own_row() {
            Some(own) if own == here => Self::Ours,
            Some(own) => {
                let depth = platform::numbers(own).into_iter().rposition(|number| number == here);
                depth.map_or(Self::None, |depth| Self::Outer { own, depth })
            }
            None => Self::None,
        }
    }
}

/// All processes at a moment, or those below this one where the table is of a namespace around ours; none where the
/// system has no such table.
pub(super) struct ProcessTable(Vec<Process>);

impl ProcessTable {
    pub(super) fn read() -> Self {
        match ProcessNumbering::of_this_process() {
            ProcessNumbering::Ours => Self::listed(),
            ProcessNumbering::Outer { own, depth } => Self::listed().below(own, depth),
            ProcessNumbering::None => Self(Vec::new()),
        }
    }

    /// Whether there is one, which what is left behind is found by.
    pub(super) fn is_there() -> bool {
        ProcessNumbering::of_this_process() != ProcessNumbering::None
    }

    fn listed() -> Self {
        Self(platform::rows().into_iter().filter_map(Process::read).collect())
    }

    /// A process and all below it, by their numbers here. What is not below it may be in no namespace of ours.
    fn below(mut self, own: i32, depth: usize) -> Self {
        let mut known: HashMap<i32, i32> = HashMap::new();
        let below: HashSet<i32> = self.descendants(own).iter().map(|process| process.listed).collect();
        self.0.retain(|process| process.listed == own || below.contains(&process.listed));
        for process in &self.0 {
            known.extend(platform::numbers(process.listed).get(depth).map(|id| (process.listed, *id)));
        }
        let here = self.0.into_iter().filter_map(|process| {
            let id = *known.get(&process.listed)?;
            // That of this process is out of sight.
            let parent = known.get(&process.parent).copied().unwrap_or_default();
            Some(Process { id, parent, ..process })
        });
        Self(here.collect())
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

/// Resident memory of a process in bytes; `None` if it is gone, or the system does not tell.
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
