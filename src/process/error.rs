//! Errors of programs that were run.

use std::io;
use std::time::Duration;

use super::Executable;
use crate::advice::{Hint, Remedy};
use crate::diagnostic::{Code, Diagnostic};

/// Why a program has no result.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("{}", not_found_message(program))]
    NotFound { program: Executable },
    /// The system could not start it.
    #[error("{program} could not be started: {cause}")]
    Spawn {
        program: Executable,
        /// The error of the system.
        cause: io::Error,
    },
    /// Reading its output or waiting for its end failed.
    #[error("the output or the end of {program} could not be read: {cause}")]
    Io {
        program: Executable,
        /// The error of the system.
        cause: io::Error,
    },
    /// It wrote more to standard output than [`Command::output_limit`](super::Command::output_limit).
    #[error("{program} wrote more than {limit} bytes")]
    OutputTooLarge {
        program: Executable,
        /// The limit, in bytes.
        limit: usize,
    },
    /// It ran longer than [`Command::time_limit`](super::Command::time_limit).
    #[error("{program} took longer than {} s", limit.as_secs_f32())]
    TimedOut { program: Executable, limit: Duration },
    /// It used more memory than [`Command::memory_limit`](super::Command::memory_limit).
    #[error("{program} used more than {} of memory", crate::text::bytes(*limit))]
    OutOfMemory {
        program: Executable,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The call was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// The message of [`ProcessError::NotFound`].
fn not_found_message(program: &Executable) -> String {
    if program.is_name() {
        format!("there is no `{program}` on PATH")
    } else {
        format!("there is no program {program}")
    }
}

impl From<&ProcessError> for Diagnostic {
    fn from(error: &ProcessError) -> Self {
        use ProcessError as E;
        let (code, hint): (Code, Hint) = match error {
            E::NotFound { program } => (program.missing_code(), program.install_hint()),
            E::Spawn { program, .. } => (
                Code::ProgramUnusable,
                program.install_hint().after(&format!("check that this user may run `{program}`, or ")),
            ),
            E::Io { program: Executable::Nix(_), .. } => {
                (Code::NixFailed, "run the same command in a terminal".into())
            }
            E::Io { .. } => (Code::Internal, "the log of the server has details".into()),
            E::OutputTooLarge { .. } => (Code::OutputTooLarge, "request less at once".into()),
            E::OutOfMemory { .. } => (
                Code::OutOfMemory,
                Remedy::Raise(&["limits.evaluation_memory_mib"]).after("look for runaway recursion, or "),
            ),
            E::TimedOut { program: Executable::Nix(_), .. } => {
                (Code::TimedOut, Remedy::Raise(&["limits.evaluation_seconds", "limits.build_seconds"]).into())
            }
            E::TimedOut { .. } => (Code::TimedOut, Remedy::CallAgain.into()),
            E::Cancelled => (Code::Cancelled, Remedy::CallAgain.after("if you still need the answer, ")),
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}
