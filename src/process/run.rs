//! Runs a program until it ends, is cancelled, or reaches a limit.

use std::process::ExitStatus;

use rustix::process::Pid;
use tokio_util::sync::CancellationToken;

use super::deadline::Deadline;
use super::group::{self, ProcessGroup};
use super::{Command, MEMORY_INTERVAL, ProcessError, resident_bytes};

/// The result of a program that ended.
#[derive(Debug)]
pub struct FinishedProcess {
    /// Its exit status; that of the signal if a reader stopped it.
    pub status: ExitStatus,
    /// Its whole standard output; empty if a reader stopped it, and for [`Command::stream`].
    pub stdout: Vec<u8>,
    /// Whether a reader stopped it with [`Flow::Stop`].
    pub stopped: bool,
}

/// What happens after a reader has seen a line or chunk of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// Read on, and restart the time limit: the program has finished one of its tasks.
    MoreTime,
    /// End the program: no more output is needed, or it uses too much memory.
    Stop,
}

impl Command {
    /// Runs the program to its end. Calls `on_error_line` with each line of standard error as it arrives, and with the id of
    /// the process.
    ///
    /// # Errors
    /// See [`ProcessError`]. A program that exits with an error is `Ok`: see [`FinishedProcess::status`].
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        on_error_line: impl FnMut(&[u8], u32) -> Flow,
    ) -> Result<FinishedProcess, ProcessError> {
        let mut stdout = Vec::new();
        let keep = |chunk: &[u8]| {
            stdout.extend_from_slice(chunk);
            if stdout.len() > self.output_limit { Flow::Stop } else { Flow::Continue }
        };
        let mut finished = self.stream(cancel, keep, on_error_line).await?;
        if stdout.len() > self.output_limit {
            return Err(ProcessError::OutputTooLarge {
                program: self.program.clone(),
                limit: self.output_limit,
            });
        }
        if !finished.stopped {
            finished.stdout = stdout;
        }
        Ok(finished)
    }

    /// As [`Command::run`], but calls `on_output` with standard output as it arrives, and does not keep it.
    ///
    /// # Errors
    /// See [`Command::run`].
    pub async fn stream(
        &self,
        cancel: &CancellationToken,
        mut on_output: impl FnMut(&[u8]) -> Flow,
        mut on_error_line: impl FnMut(&[u8], u32) -> Flow,
    ) -> Result<FinishedProcess, ProcessError> {
        if group::STOPPING.is_cancelled() {
            return Err(ProcessError::Cancelled);
        }
        let mut group = ProcessGroup::start(self)?;
        let deadline = Deadline::new(self.time_limit);
        let mut on_error_line = |line: &[u8], process| {
            let flow = on_error_line(line, process);
            if flow == Flow::MoreTime {
                deadline.renew();
            }
            flow
        };
        let leader = group.leader;
        let outcome = tokio::select! {
            outcome = group.read_until_exit(self, &mut on_output, &mut on_error_line) => outcome,
            () = memory_exceeded(leader, self.memory_limit) => Err(ProcessError::OutOfMemory {
                program: self.program.clone(),
                limit: self.memory_limit.unwrap_or_default(),
            }),
            () = cancel.cancelled() => Err(ProcessError::Cancelled),
            () = group::STOPPING.cancelled() => Err(ProcessError::Cancelled),
            () = deadline.reached() => {
                Err(ProcessError::TimedOut { program: self.program.clone(), limit: self.time_limit })
            }
        };
        match outcome {
            Ok(Some(status)) => {
                group.finished();
                Ok(FinishedProcess { status, stdout: Vec::new(), stopped: false })
            }
            // A reader stopped it, so its exit status is not an error.
            Ok(None) => {
                let status = group.end().await;
                Ok(FinishedProcess { status, stdout: Vec::new(), stopped: true })
            }
            Err(error) => {
                group.end().await;
                Err(error)
            }
        }
    }
}

/// Returns when the program uses more memory than its limit; never if there is no limit.
async fn memory_exceeded(leader: Option<Pid>, limit: Option<u64>) {
    if let (Some(leader), Some(limit)) = (leader, limit) {
        let mut ticks = tokio::time::interval(MEMORY_INTERVAL);
        while resident_bytes(leader.as_raw_nonzero().get().unsigned_abs()).is_none_or(|held| held <= limit) {
            ticks.tick().await;
        }
    } else {
        std::future::pending().await
    }
}
