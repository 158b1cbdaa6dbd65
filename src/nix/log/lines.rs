//! Keeps the last lines of each build's log, within limits.

use std::collections::VecDeque;

use crate::names::DrvPath;
use crate::text::bounded;

/// Most builds whose lines are kept; the oldest that did not fail is dropped first.
pub(super) const BUILDS: usize = 64;
/// Most lines kept of one build.
pub(super) const LINES: usize = 500;
/// Most bytes kept of one build.
pub(super) const BYTES: usize = 64 * 1024;
/// Longest line kept, in characters.
const LINE_LIMIT: usize = 2_000;

/// The end of one build's log.
#[derive(Clone, Debug)]
struct LogTail {
    drv: DrvPath,
    lines: VecDeque<String>,
    bytes: usize,
    failed: bool,
}

/// The ends of the logs of builds that are running or failed.
#[derive(Clone, Debug, Default)]
pub(super) struct BuildLogTails {
    /// Oldest first.
    logs: VecDeque<LogTail>,
}

impl BuildLogTails {
    pub(super) fn push(&mut self, drv: &DrvPath, line: &str) {
        let Some(log) = self.find(drv) else { return };
        let line = bounded(line, LINE_LIMIT);
        log.bytes += line.len();
        log.lines.push_back(line);
        while log.lines.len() > LINES || log.bytes > BYTES {
            let Some(oldest) = log.lines.pop_front() else { break };
            log.bytes -= oldest.len();
        }
    }

    /// Starts the log of a build, and drops an older one if there are too many.
    pub(super) fn open(&mut self, drv: &DrvPath) {
        self.drop(drv);
        if self.logs.len() >= BUILDS {
            let victim = self.logs.iter().position(|log| !log.failed).unwrap_or_default();
            self.logs.remove(victim);
        }
        self.logs.push_back(LogTail { drv: drv.clone(), lines: VecDeque::new(), bytes: 0, failed: false });
    }

    /// Drops the log of a build that succeeded.
    pub(super) fn drop(&mut self, drv: &DrvPath) {
        self.logs.retain(|log| log.drv != *drv);
    }

    /// Marks the log of a failed build, which is dropped last.
    pub(super) fn keep(&mut self, drv: &DrvPath) {
        if let Some(log) = self.find(drv) {
            log.failed = true;
        }
    }

    pub(super) fn tail(&self, drv: &DrvPath, most: usize) -> Vec<String> {
        let Some(log) = self.logs.iter().find(|log| log.drv == *drv) else { return Vec::new() };
        log.lines.iter().skip(log.lines.len().saturating_sub(most)).cloned().collect()
    }

    fn find(&mut self, drv: &DrvPath) -> Option<&mut LogTail> {
        self.logs.iter_mut().rev().find(|log| log.drv == *drv)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.logs.iter().map(|log| log.lines.iter().map(String::len).sum::<usize>()).sum()
    }
}
