//! Limits and output of a program on another machine.

use std::time::Duration;

use crate::text;

/// Limits of a program on another machine.
#[derive(Clone, Copy, Debug)]
pub struct RemoteLimits {
    /// Time limit.
    pub time: Duration,
    /// Most bytes of standard output; more is an error.
    pub output: usize,
    /// Bytes of standard error that are kept: the last ones.
    pub errors: usize,
}

impl Default for RemoteLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), output: 256 * 1024, errors: 16 * 1024 }
    }
}

impl RemoteLimits {
    /// The default limits with another time limit.
    #[must_use]
    pub fn with_time(time: Duration) -> Self {
        Self { time, ..Self::default() }
    }
}

/// Result of a program on another machine that ran to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteOutput {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: Vec<u8>,
}

impl RemoteOutput {
    /// Whether its exit code is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text that is safe to show, trimmed.
    #[must_use]
    pub fn text(&self) -> String {
        text::plain(&String::from_utf8_lossy(&self.stdout)).trim().to_owned()
    }

    /// Standard error as text that is safe to show, trimmed.
    #[must_use]
    pub fn errors(&self) -> String {
        text::plain(&String::from_utf8_lossy(&self.stderr)).trim().to_owned()
    }
}
