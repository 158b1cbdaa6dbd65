//! Programs that run on while this process talks to them.

use std::io;
use std::process::Stdio;

use super::group::ProcessGroup;
use super::{Command, ProcessError};

/// A running program whose standard input and output are pipes. Dropping this ends it.
pub struct PipedChild {
    _group: ProcessGroup,
    /// The program's standard output.
    pub output: tokio::process::ChildStdout,
    /// The program's standard input.
    pub input: tokio::process::ChildStdin,
}

impl Command {
    /// Starts the program and does not wait for its end. It inherits this process's standard error.
    ///
    /// # Errors
    /// [`ProcessError::NotFound`] and [`ProcessError::Spawn`].
    pub fn spawn_with_pipes(&self) -> Result<PipedChild, ProcessError> {
        let mut group = ProcessGroup::start_with(self, Stdio::piped(), Stdio::inherit())?;
        let pipes = group.child.as_mut().and_then(|child| Some((child.stdout.take()?, child.stdin.take()?)));
        let Some((output, input)) = pipes else {
            return Err(ProcessError::Io {
                program: self.program.clone(),
                cause: io::Error::other("the pipes are missing"),
            });
        };
        Ok(PipedChild { _group: group, output, input })
    }
}
