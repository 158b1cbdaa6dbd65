//! Accumulates the events of a log within limits: progress while a call runs, errors and results at its end.

use std::collections::VecDeque;

use super::activities::{Activities, Counts};
use super::dry_run::DryRun;
use super::event::{ErrorDetail, Event, Field, Position, TraceFrame};
use super::kinds::{ActivityKind, Level, ResultKind};
use super::lines::BuildLogTails;
use super::progress_line::PART_LIMIT;
use crate::names::{DrvPath, StorePath};
use crate::text::bounded;

/// Most errors kept: the first ones, since later errors often follow from them.
pub const ERROR_LIMIT: usize = 32;
/// Most warnings kept.
pub const WARNING_LIMIT: usize = 64;
/// Most paths kept of each list; the totals count all of them.
pub const LIST_LIMIT: usize = 2_000;
/// Most lines kept that are neither errors nor warnings; the last ones.
const REMARK_LIMIT: usize = 20;
/// Most copies that stopped and are not counted yet; Nix runs at most a few dozen at once.
const COPIED_LIMIT: usize = 256;
/// Longest warning or remark kept, in characters.
const REMARK_LENGTH: usize = 2_000;

/// An error Nix reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError {
    /// The innermost cause, without `error:`, trace and code.
    pub cause: String,
    /// The message as Nix prints it, or its end if it is long. Only this has Nix's suggestions.
    pub text: String,
    /// Position in a Nix file; `None` if Nix gives none.
    pub position: Option<Position>,
    /// Steps of the evaluation, the innermost first.
    pub trace: Vec<TraceFrame>,
}

/// What was read from a log so far. Its size is bounded for any log.
#[derive(Clone, Debug, Default)]
pub struct LogState {
    pub(super) activities: Activities,
    logs: BuildLogTails,
    /// Builds that Nix counted as done and whose activity has not stopped yet.
    done_builds: u64,
    /// Total of builds that Nix counted as done.
    counted_builds: u64,
    /// Builds that stopped before Nix counted them as done: they failed or were aborted.
    stopped: VecDeque<DrvPath>,
    built: Vec<DrvPath>,
    built_total: u64,
    /// Paths whose copy stopped and that Nix has not counted as done yet.
    copied: VecDeque<StorePath>,
    /// Total of copies that Nix counted as done.
    counted_copies: u64,
    fetched: Vec<StorePath>,
    fetched_total: u64,
    errors: Vec<LogError>,
    errors_total: u64,
    warnings: Vec<String>,
    remarks: VecDeque<String>,
    dry_run: DryRun,
    has_fetched: bool,
    /// Whether the command has no network, because the server runs offline.
    pub offline: bool,
    /// Whether the last plain line began or continued an error.
    in_plain_error: bool,
}

impl LogState {
    /// Applies the next event of the log.
    pub fn apply(&mut self, event: Event) {
        let continues = std::mem::take(&mut self.in_plain_error);
        match event {
            Event::Start { id, parent, level, kind, text, fields } => {
                if kind == ActivityKind::Build
                    && let Some(drv) = drv(&fields)
                {
                    self.logs.open(&drv);
                }
                self.has_fetched |= kind.fetches_or_builds() || text.starts_with("fetching ");
                self.activities.start(id, parent, kind, (level, text, fields));
            }
            Event::Stop { id } => self.stop(id),
            Event::Result { id, kind, fields } => self.result(id, kind, &fields),
            Event::Message { level, text, detail } => self.message(level, text, detail),
            Event::Plain(line) => self.plain(&line, continues),
        }
    }

    fn stop(&mut self, id: u64) {
        let Some(activity) = self.activities.stop(id) else { return };
        match activity.kind {
            ActivityKind::Build => {
                let Some(drv) = drv(&activity.fields) else { return };
                // Nix counts a successful build before it stops, and does not count one that failed or was
                // aborted because another failed.
                if self.done_builds > 0 {
                    self.done_builds -= 1;
                    self.logs.drop(&drv);
                    self.built_total += 1;
                    push(&mut self.built, drv, LIST_LIMIT);
                } else {
                    self.logs.keep(&drv);
                    push_back(&mut self.stopped, drv, REMARK_LIMIT);
                }
            }
            // Nix counts a successful copy after it stopped.
            ActivityKind::CopyPath if activity.is_nearly_complete() => {
                if let Ok(path) = activity.field(0).parse() {
                    push_back(&mut self.copied, path, COPIED_LIMIT);
                }
            }
            _ => {}
        }
    }

    fn result(&mut self, id: u64, kind: ResultKind, fields: &[Field]) {
        let text = || fields.first().and_then(Field::text).unwrap_or_default();
        match kind {
            ResultKind::Progress => {
                self.activities.set_progress(id, Counts::from_fields(fields));
                match self.activities.get(id).map(|activity| activity.kind) {
                    Some(ActivityKind::Builds) => self.count_builds(),
                    Some(ActivityKind::CopyPaths) => self.count_copies(),
                    _ => {}
                }
            }
            ResultKind::SetExpected => {
                let number = |index: usize| fields.get(index).and_then(Field::number).unwrap_or_default();
                self.activities.set_expected(id, number(0).into(), number(1));
            }
            ResultKind::BuildLogLine | ResultKind::PostBuildLogLine => {
                let Some(activity) = self.activities.touch(id) else { return };
                // Progress bars of builders redraw one line: keep its last state.
                let line = text().trim_end();
                let headline_activity = line.lines().last().unwrap_or_default();
                if !headline_activity.trim().is_empty() {
                    activity.last_line = bounded(headline_activity.trim(), PART_LIMIT);
                }
                if let Some(drv) = drv(&activity.fields) {
                    self.logs.push(&drv, line);
                }
            }
            ResultKind::SetPhase => {
                if let Some(activity) = self.activities.touch(id) {
                    activity.phase = bounded(text(), PART_LIMIT);
                    activity.last_line.clear();
                }
            }
            ResultKind::FetchStatus => {
                if let Some(activity) = self.activities.touch(id) {
                    activity.last_line = bounded(text().trim(), PART_LIMIT);
                }
            }
            _ => {}
        }
    }

    fn count_builds(&mut self) {
        let done = self.activities.counts(ActivityKind::Builds).done;
        self.done_builds = self.done_builds.saturating_add(done.saturating_sub(self.counted_builds));
        self.counted_builds = done;
    }

    fn count_copies(&mut self) {
        let done = self.activities.counts(ActivityKind::CopyPaths).done;
        for _ in self.counted_copies..done {
            let Some(path) = self.copied.pop_front() else { break };
            self.fetched_total += 1;
            push(&mut self.fetched, path, LIST_LIMIT);
        }
        self.counted_copies = done;
    }

    fn message(&mut self, level: Level, text: String, detail: Option<Box<ErrorDetail>>) {
        if level == Level::WARNING {
            self.warn(&text);
        } else if level == Level::ERROR {
            if let Some(said) = text.strip_prefix("trace: ") {
                // lib.warn prints its warnings by `trace` if there is no builtins.warn.
                if said.starts_with("warning: ") || said.starts_with("evaluation warning: ") {
                    self.warn(said);
                }
            } else if let Some(detail) = detail {
                let ErrorDetail { cause, position, trace } = *detail;
                self.error(LogError { cause, text, position, trace });
            } else if text.starts_with("error:") || text.starts_with('…') {
                self.error(LogError { cause: cause(&text), text, position: None, trace: Vec::new() });
            } else if !self.dry_run.apply(&text) {
                self.remark(&text);
            }
        } else if level == Level::INFO {
            self.dry_run.apply(&text);
        }
    }

    fn plain(&mut self, line: &str, continues: bool) {
        if line.starts_with("error:") {
            let error = LogError {
                cause: line.trim_start_matches("error:").trim().to_owned(),
                text: line.to_owned(),
                position: None,
                trace: Vec::new(),
            };
            self.error(error);
            self.in_plain_error = true;
        } else if continues
            && line.starts_with(' ')
            && let Some(error) = self.errors.last_mut()
            && error.text.len() < REMARK_LENGTH
        {
            error.text = format!("{}\n{line}", error.text);
            error.cause = cause(&error.text);
            self.in_plain_error = true;
        } else {
            self.remark(line);
        }
    }

    fn error(&mut self, error: LogError) {
        self.errors_total += 1;
        if let Some(drv) = quoted_drv(&error.cause) {
            self.logs.keep(&drv);
        }
        if !self.errors.contains(&error) {
            push(&mut self.errors, error, ERROR_LIMIT);
        }
    }

    fn warn(&mut self, text: &str) {
        let text = text.strip_prefix("evaluation ").unwrap_or(text);
        let text = text.strip_prefix("warning:").unwrap_or(text).trim();
        let warning = bounded(text, REMARK_LENGTH);
        if !self.warnings.contains(&warning) {
            push(&mut self.warnings, warning, WARNING_LIMIT);
        }
    }

    fn remark(&mut self, text: &str) {
        if !text.trim().is_empty() {
            push_back(&mut self.remarks, bounded(text, REMARK_LENGTH), REMARK_LIMIT);
        }
    }

    /// The first errors in the order of the log, without duplicates; at most [`ERROR_LIMIT`].
    #[must_use]
    pub fn errors(&self) -> &[LogError] {
        &self.errors
    }

    /// Number of errors in the log.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors_total
    }

    /// The warnings without `warning:` and duplicates; at most [`WARNING_LIMIT`].
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The last lines that are neither errors nor warnings, to report a failure that has no error.
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        self.remarks.iter().map(String::as_str)
    }

    /// The first derivations that were built, at most [`LIST_LIMIT`].
    #[must_use]
    pub fn built(&self) -> &[DrvPath] {
        &self.built
    }

    /// Number of derivations that were built.
    #[must_use]
    pub fn built_total(&self) -> u64 {
        self.built_total
    }

    /// The build that failed or was aborted last. Nix 2.34 does not name a build that timed out.
    #[must_use]
    pub fn last_stopped(&self) -> Option<&DrvPath> {
        self.stopped.back()
    }

    /// The first store paths that were fetched or copied, at most [`LIST_LIMIT`].
    #[must_use]
    pub fn fetched(&self) -> &[StorePath] {
        &self.fetched
    }

    /// Number of store paths that were fetched or copied.
    #[must_use]
    pub fn fetched_total(&self) -> u64 {
        self.fetched_total
    }

    /// Whether the run tried to fetch, copy or build. Its result then depends on the network and on this machine, not
    /// only on the source.
    #[must_use]
    pub fn has_fetched(&self) -> bool {
        self.has_fetched
    }

    /// What Nix announced that it will build and fetch.
    #[must_use]
    pub fn dry_run(&self) -> &DryRun {
        &self.dry_run
    }

    /// At most `lines` last lines of the log of a build that is running or failed; empty for other builds.
    #[must_use]
    pub fn log_tail(&self, drv: &DrvPath, lines: usize) -> Vec<String> {
        self.logs.tail(drv, lines)
    }

    /// Whether the store builds or copies, or waits to do so: this can take long without a line in the log.
    #[must_use]
    pub fn store_is_at_work(&self) -> bool {
        self.activities.has_live(|kind| {
            matches!(
                kind,
                ActivityKind::Build
                    | ActivityKind::BuildWaiting
                    | ActivityKind::PostBuildHook
                    | ActivityKind::Substitute
                    | ActivityKind::CopyPath
            )
        })
    }

    #[cfg(test)]
    pub(super) fn log_bytes(&self) -> usize {
        self.logs.bytes()
    }

    /// Progress of all activities of a kind, as in Nix's own progress bar.
    #[must_use]
    pub fn counts(&self, kind: ActivityKind) -> Counts {
        self.activities.counts(kind)
    }
}

fn drv(fields: &[Field]) -> Option<DrvPath> {
    fields.first().and_then(Field::text)?.parse().ok()
}

/// The first derivation that a message names, without its outputs (`x.drv^out`).
pub(in crate::nix) fn quoted_drv(message: &str) -> Option<DrvPath> {
    message.split(['\'', '"', '^']).find_map(|part| part.parse().ok())
}

/// The text after the last `error:` of a printed message (`showErrorInfo`).
fn cause(text: &str) -> String {
    let starts_line = |at: usize| {
        text.get(..at).is_some_and(|before| before.is_empty() || before.trim_end_matches(' ').ends_with('\n'))
    };
    let last = text.rmatch_indices("error:").find(|(at, _)| starts_line(*at));
    let Some((last, prefix)) = last else { return text.to_owned() };
    let cause = text.get(last + prefix.len()..).unwrap_or_default();
    cause.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn push<T>(list: &mut Vec<T>, item: T, limit: usize) {
    if list.len() < limit {
        list.push(item);
    }
}

fn push_back<T>(list: &mut VecDeque<T>, item: T, limit: usize) {
    if list.len() >= limit {
        list.pop_front();
    }
    list.push_back(item);
}
