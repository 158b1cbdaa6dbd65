//! Programs that ask the person at the terminal of this process.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio_util::sync::CancellationToken;

use super::{Command, GRACE, ProcessError, orphans};

impl Command {
    /// Runs the program with this process's standard streams, so that it can ask a person for a passphrase or the touch of a
    /// key. There is no time limit.
    ///
    /// It stays in this process's group, because only the foreground group may read from a terminal (setpgid(2)).
    ///
    /// # Errors
    /// [`ProcessError::NotFound`], [`ProcessError::Spawn`], [`ProcessError::Io`], and [`ProcessError::Cancelled`] if the call
    /// was cancelled or the person pressed Ctrl-C.
    pub async fn run_on_terminal(&self, cancel: &CancellationToken) -> Result<ExitStatus, ProcessError> {
        if cancel.is_cancelled() {
            return Err(ProcessError::Cancelled);
        }
        let _as_it_was = TerminalModes::now();
        let mut builder = self.builder();
        builder.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let (mut child, _waited) = orphans::spawn(&mut builder).map_err(|cause| self.not_started(cause))?;
        let lost = |cause| ProcessError::Io { program: self.program.clone(), cause };
        let status = tokio::select! {
            status = child.wait() => status.map_err(lost)?,
            () = cancel.cancelled() => {
                if let Some(id) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    let _ends_already = rustix::process::kill_process(id, Signal::TERM);
                }
                if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                    child.kill().await.map_err(lost)?;
                }
                return Err(ProcessError::Cancelled);
            }
        };
        // Ctrl-C signals the whole foreground group: the program may end of it before this process reads the signal.
        let interrupted = status.signal() == Some(Signal::INT.as_raw());
        if interrupted { Err(ProcessError::Cancelled) } else { Ok(status) }
    }
}

/// The modes of the terminal, restored when this is dropped; `None` if this process has no terminal.
///
/// A program that asks for a passphrase turns the echo off. If it is killed, or interrupted just before it reads, it does
/// not turn the echo on again.
struct TerminalModes(Option<(File, Termios)>);

impl TerminalModes {
    fn now() -> Self {
        let terminal = File::open("/dev/tty").ok();
        Self(terminal.and_then(|terminal| tcgetattr(&terminal).ok().map(|modes| (terminal, modes))))
    }
}

impl Drop for TerminalModes {
    fn drop(&mut self) {
        let Some((terminal, before)) = &self.0 else { return };
        if tcgetattr(terminal).is_ok_and(|now| now.local_modes != before.local_modes)
            && let Err(error) = tcsetattr(terminal, OptionalActions::Flush, before)
        {
            tracing::warn!(%error, "the modes of the terminal could not be restored");
        }
    }
}
