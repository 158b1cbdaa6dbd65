//! The process group of a running program, which is ended together with the program.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::network;
use super::orphans::{self, WaitedChild};
use super::pipes::{read_chunks, read_lines};
use super::table::{Process, ProcessTable};
use super::{Command, Flow, GRACE, ProcessError};

/// Running programs, and groups that are being ended: this process waits for both before it exits.
static RUNNING: std::sync::LazyLock<TaskTracker> = std::sync::LazyLock::new(TaskTracker::new);
/// Cancelled when this process stops: every program is ended, and no new one starts.
pub(super) static STOPPING: std::sync::LazyLock<CancellationToken> =
    std::sync::LazyLock::new(CancellationToken::new);

/// Ends every running program and every process that programs left behind, and waits until they are gone.
///
/// Call it once, at the end of `main`. Groups are ended at the same time, so this takes little more than [`GRACE`].
pub async fn end_all() {
    STOPPING.cancel();
    RUNNING.close();
    if tokio::time::timeout(GRACE * 2, RUNNING.wait()).await.is_err() {
        tracing::warn!("not every program has ended in time");
    }
    orphans::end_orphans().await;
}

/// A running program and the process group that it leads.
pub(super) struct ProcessGroup {
    pub(super) child: Option<Child>,
    pub(super) leader: Option<Pid>,
    waited: Option<WaitedChild>,
    _running: TaskTrackerToken,
}

impl ProcessGroup {
    pub(super) fn start(command: &Command) -> Result<Self, ProcessError> {
        let input = match &command.input {
            Some(path) => crate::reading::open(path)
                .map(Stdio::from)
                .map_err(|cause| ProcessError::Io { program: command.program.clone(), cause })?,
            None => Stdio::null(),
        };
        Self::start_with(command, input, Stdio::piped())
    }

    pub(super) fn start_with(command: &Command, input: Stdio, errors: Stdio) -> Result<Self, ProcessError> {
        let mut builder = command.builder();
        builder.process_group(0).stdin(input).stdout(Stdio::piped()).stderr(errors);
        let started = match orphans::spawn(&mut builder) {
            Err(cause) if network::must_stay(&cause) => orphans::spawn(&mut builder),
            started => started,
        };
        let (child, waited) = started.map_err(|cause| command.not_started(cause))?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child: Some(child), leader, waited: Some(waited), _running: RUNNING.token() })
    }

    /// Reads both pipes until they close, then waits for the program's end. `None` if a reader returned [`Flow::Stop`].
    pub(super) async fn read_until_exit(
        &mut self,
        command: &Command,
        on_output: &mut impl FnMut(&[u8]) -> Flow,
        on_error_line: &mut impl FnMut(&[u8], u32) -> Flow,
    ) -> Result<Option<ExitStatus>, ProcessError> {
        let io_error = |cause| ProcessError::Io { program: command.program.clone(), cause };
        let Some(child) = self.child.as_mut() else {
            return Err(io_error(io::Error::other("the program was already waited for")));
        };
        let id = child.id().unwrap_or_default();
        let (Some(mut output), Some(mut errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io_error(io::Error::other("the pipes are taken")));
        };
        let reading = read_chunks(&mut output, on_output);
        let listening = read_lines(&mut errors, |line| on_error_line(line, id));
        tokio::pin!(reading, listening);
        let (mut reading_on, mut listening_on) = (true, true);
        while reading_on || listening_on {
            let (flow, open) = tokio::select! {
                read = &mut reading, if reading_on => (read, &mut reading_on),
                heard = &mut listening, if listening_on => (heard, &mut listening_on),
            };
            match flow.map_err(io_error)? {
                Flow::Continue | Flow::MoreTime => *open = false,
                Flow::Stop => return Ok(None),
            }
        }
        Ok(Some(child.wait().await.map_err(io_error)?))
    }

    /// Terminates the processes that the leader, which has ended by itself, left in its group.
    pub(super) fn finished(&mut self) {
        self.child = None;
        if let Some(leader) = self.leader.take() {
            signal(leader, Signal::TERM);
        }
        self.waited = None;
        orphans::end_orphans_soon();
    }

    /// Ends the group and waits until it is gone. Returns the leader's exit status.
    pub(super) async fn end(&mut self) -> ExitStatus {
        match (self.child.take(), self.leader.take()) {
            (Some(child), Some(leader)) => RUNNING
                .spawn(end(child, leader, self.waited.take()))
                .await
                .unwrap_or_else(|_| ExitStatus::from_raw(Signal::KILL.as_raw())),
            _ => ExitStatus::from_raw(0),
        }
    }
}

impl Drop for ProcessGroup {
    /// Ends the group if the call's future is dropped, because its client disconnected or the server stops.
    fn drop(&mut self) {
        if let (Some(child), Some(leader)) = (self.child.take(), self.leader.take()) {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => {
                    RUNNING.spawn_on(end(child, leader, self.waited.take()), &runtime);
                }
                Err(_) => signal(leader, Signal::KILL),
            }
        }
    }
}

/// Terminates the group, waits up to [`GRACE`], and kills the group, the leader's other descendants and orphans.
async fn end(mut child: Child, leader: Pid, waited: Option<WaitedChild>) -> ExitStatus {
    let descendants: Vec<Process> =
        ProcessTable::read().descendants(leader.as_raw_nonzero().get()).into_iter().cloned().collect();
    signal(leader, Signal::TERM);
    let status = match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(Ok(status)) => status,
        Ok(Err(_)) | Err(_) => {
            signal(leader, Signal::KILL);
            child.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(Signal::KILL.as_raw()))
        }
    };
    signal(leader, Signal::KILL);
    // Builders lead sessions of their own, so the group's signal does not reach them.
    for process in descendants.iter().filter(|process| !orphans::is_shared_connection(process)) {
        process.kill();
    }
    drop(waited);
    orphans::end_orphans().await;
    status
}

/// Signals a whole group. That the group is already gone is not an error.
fn signal(leader: Pid, signal: Signal) {
    if let Err(error) = rustix::process::kill_process_group(leader, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, leader = leader.as_raw_nonzero().get(), "could not signal a process group");
    }
}
