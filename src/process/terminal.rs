//! A program that talks to the person at our own terminal.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio_util::sync::CancellationToken;

use super::{Command, GRACE, ProcessError, orphans};

impl Command {
    /// Runs it on our own terminal, for a person to talk to: it may ask for a passphrase or a touch.
    ///
    /// Stays in our process group, because only the terminal's own may read from it (setpgid(2)), and
    /// ends when the person says so.
    ///
    /// # Errors
    /// [`ProcessError::NotFound`], [`ProcessError::Spawn`], [`ProcessError::Io`], and [`ProcessError::Cancelled`] also where
    /// a person interrupted it.
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
        // What is typed at a terminal to interrupt reaches it as soon as this process.
        let interrupted = status.signal() == Some(Signal::INT.as_raw());
        if interrupted { Err(ProcessError::Cancelled) } else { Ok(status) }
    }
}

/// How the terminal works, if there is one; so again once this is dropped.
///
/// Whoever asks for a passphrase turns the echo off, and leaves it so when it is killed, or interrupted just before it
/// begins to read.
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
            tracing::warn!(%error, "the terminal could not be set to what it was");
        }
    }
}
