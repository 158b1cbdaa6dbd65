//! Reads `nix --log-format internal-json`: a pure reader, a pure fold, nothing that runs.
//!
//! The format is Nix's own and undocumented; facts here come from `src/libutil/logging.cc`,
//! `src/libmain/progress-bar.cc` and `src/libmain/shared.cc` of Nix 2.26 and 2.34, and from the
//! recorded logs in `tests/fixtures/logs`. Whatever a newer Nix adds is kept as a number or left out.

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

/// The text of a line that `builtins.trace` made, whole.
///
/// [`Event::parse`] cuts texts to [`TEXT_LIMIT`]; an answer that was asked for by `trace` must not be.
#[must_use]
pub fn trace_text(line: &[u8]) -> Option<String> {
    message(line)?.strip_prefix("trace: ").map(str::to_owned)
}

/// What the configuration warns of in a line: by `builtins.warn`, or by `trace` as `lib.warn` of nixpkgs does where
/// that is missing (`lib/trivial.nix`) and as NixOS did (`lib.showWarnings`).
#[must_use]
pub fn warning_text(line: &[u8]) -> Option<String> {
    // Reading each line twice would cost more than there are warnings.
    line.windows(8).any(|bytes| bytes == b"warning:").then_some(())?;
    let message = message(line)?;
    let trace_text = message.strip_prefix("trace: ");
    let text = crate::text::plain(trace_text.unwrap_or(&message));
    let said = match (text.strip_prefix("evaluation warning:"), trace_text) {
        (Some(said), _) => said,
        // Nix's own warnings begin so where no `trace` does.
        (None, Some(_)) => text.strip_prefix("warning:")?,
        (None, None) => return None,
    };
    Some(crate::text::bounded(said.trim(), TEXT_LIMIT))
}

/// The text of a line, whole.
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
