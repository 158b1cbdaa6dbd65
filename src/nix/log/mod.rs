//! Reads `nix --log-format internal-json`: a pure reader, a pure fold, nothing that runs.
//!
//! The format is Nix's own and undocumented; facts here come from `src/libutil/logging.cc`,
//! `src/libmain/progress-bar.cc` and `src/libmain/shared.cc` of Nix 2.26 and 2.34, and from the
//! recorded logs in `tests/fixtures/logs`. Whatever a newer Nix adds is kept as a number or left out.

mod activities;
mod cut;
pub mod dry_run;
mod event;
mod kinds;
mod lines;
mod shown;
mod state;
#[cfg(test)]
mod tests;

pub use activities::Counts;
pub use dry_run::DryRun;
pub use event::{ErrorDetail, Event, Field, Position, TraceFrame};
pub use kinds::{ActivityKind, Level, ResultKind};
pub(in crate::nix) use state::quoted_drv;
pub use state::{ERROR_LIMIT, LIST_LIMIT, LogError, State, WARNING_LIMIT};

/// Longest text kept of one message, in characters.
pub const TEXT_LIMIT: usize = 16 * 1024;

/// The text of a line that `builtins.trace` made, whole.
///
/// [`Event::parse`] cuts texts to [`TEXT_LIMIT`]; an answer that was asked for by `trace` must not be.
#[must_use]
pub fn traced(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Line {
        msg: String,
    }
    let Line { msg } = serde_json::from_slice(line.strip_prefix(b"@nix ")?).ok()?;
    msg.strip_prefix("trace: ").map(str::to_owned)
}
