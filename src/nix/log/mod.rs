//! Reads `nix --log-format internal-json`: [`Event`] parses a line, [`LogState`] accumulates events. Nothing here runs
//! a program.
//!
//! The format is internal to Nix and undocumented. This follows `src/libutil/logging.cc`,
//! `src/libmain/progress-bar.cc` and `src/libmain/shared.cc` of Nix 2.26 and 2.34, and the logs recorded in
//! `tests/fixtures/logs`. Additions of a newer Nix are kept as a number or ignored.

mod activities;
pub mod dry_run;
mod event;
mod kinds;
mod lines;
mod progress_line;
mod state;
#[cfg(test)]
mod tests;
mod truncated;

pub use activities::Counts;
pub use dry_run::DryRun;
pub use event::{ErrorDetail, Event, Field, Position, TraceFrame};
pub use kinds::{ActivityKind, Level, ResultKind};
pub(in crate::nix) use state::quoted_drv;
pub use state::{ERROR_LIMIT, LIST_LIMIT, LogError, LogState, WARNING_LIMIT};

/// Longest text kept of one message, in characters.
pub const TEXT_LIMIT: usize = 16 * 1024;

/// The whole text of a line that `builtins.trace` printed; `None` for other lines.
///
/// [`Event::parse`] cuts texts to [`TEXT_LIMIT`], and probes return their answers by `trace`.
#[must_use]
pub fn trace_text(line: &[u8]) -> Option<String> {
    message(line)?.strip_prefix("trace: ").map(str::to_owned)
}

/// The warning of the configuration in a line; `None` for other lines. A configuration warns by `builtins.warn`, or by
/// `trace`: `lib.warn` of nixpkgs without that builtin (`lib/trivial.nix`), and older NixOS (`lib.showWarnings`).
#[must_use]
pub fn warning_text(line: &[u8]) -> Option<String> {
    // Search before parsing: few lines are warnings.
    line.windows(8).any(|bytes| bytes == b"warning:").then_some(())?;
    let message = message(line)?;
    let trace_text = message.strip_prefix("trace: ");
    let text = crate::text::plain(trace_text.unwrap_or(&message));
    let said = match (text.strip_prefix("evaluation warning:"), trace_text) {
        (Some(said), _) => said,
        // Without `trace: ` this would be a warning of Nix itself.
        (None, Some(_)) => text.strip_prefix("warning:")?,
        (None, None) => return None,
    };
    Some(crate::text::bounded(said.trim(), TEXT_LIMIT))
}

/// The whole text of a message line.
fn message(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Line {
        msg: String,
    }
    let Line { msg } = serde_json::from_slice(line.strip_prefix(b"@nix ")?).ok()?;
    Some(msg)
}

#[cfg(test)]
mod warnings {
    use super::warning_text;

    #[test]
    fn are_told_from_what_is_none() {
        let of = |text: &str| {
            warning_text(format!("@nix {}", serde_json::json!({"action": "msg", "msg": text})).as_bytes())
        };
        assert_eq!(of("\u{1b}[35;1mevaluation warning:\u{1b}[0m old name").as_deref(), Some("old name"));
        assert_eq!(
            of("trace: \u{1b}[1;31mevaluation warning: old name\u{1b}[0m").as_deref(),
            Some("old name")
        );
        assert_eq!(of("trace: \u{1b}[1;31mwarning: old NixOS\u{1b}[0m").as_deref(), Some("old NixOS"));
        assert_eq!(of("trace: pantheros-answer {\"value\": \"warning: x\"}"), None);
        assert_eq!(of("\u{1b}[35;1mwarning:\u{1b}[0m Git tree '/x' is dirty"), None);
        assert_eq!(warning_text(b"warning: no line of Nix"), None);
    }
}
