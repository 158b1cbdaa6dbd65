//! What a remote program may take, and what it left.

use std::time::Duration;

use crate::text;

/// Most a remote program may take.
#[derive(Clone, Copy, Debug)]
pub struct RemoteLimits {
    /// How long it may run.
    pub time: Duration,
    /// Most bytes of standard output, which beyond that is an error.
    pub output: usize,
    /// Most bytes of standard error; the last ones are kept.
    pub errors: usize,
}

impl Default for RemoteLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), output: 256 * 1024, errors: 16 * 1024 }
    }
}

impl RemoteLimits {
    /// The usual ones, but this much time.
    #[must_use]
    pub fn with_time(time: Duration) -> Self {
        Self { time, ..Self::default() }
    }
}

/// How a remote program ended.
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
    /// Whether it ended with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text that is safe to show, without the space around it.
    #[must_use]
    pub fn text(&self) -> String {
        text::plain(&String::from_utf8_lossy(&self.stdout)).trim().to_owned()
    }

    /// Standard error as text that is safe to show, without the space around it.
    #[must_use]
    pub fn errors(&self) -> String {
        text::plain(&String::from_utf8_lossy(&self.stderr)).trim().to_owned()
    }
}
