//! The progress of a call in one line.

use super::LogState;
use super::activities::{Activity, Counts};
use super::kinds::{ActivityKind, Level};
use crate::names::StorePath;
use crate::progress::Update;
use crate::text::{self, bounded};

/// Longest part of the line that Nix or a builder wrote, in characters.
pub(super) const PART_LIMIT: usize = 160;

impl LogState {
    /// The progress of the call, in a line such as
    /// `building nixos-system-web (3/12 built, 40 MiB of 120 MiB fetched): compiling foo.c`.
    #[must_use]
    pub fn update(&self) -> Update {
        let builds = self.counts(ActivityKind::Builds);
        let paths = self.counts(ActivityKind::CopyPaths);
        let total = builds.expected.saturating_add(paths.expected);
        let mut message = String::new();
        let mut detail = String::new();
        if let Some(activity) = self.headline_activity() {
            message = headline(activity);
            let parts = [activity.phase.as_str(), activity.last_line.as_str()];
            detail = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        }
        let counts = self.counted(builds, paths);
        if message.is_empty() {
            message = counts;
        } else if !counts.is_empty() {
            message = format!("{message} ({counts})");
        }
        if !detail.is_empty() {
            // The fence marks where text of a builder begins.
            message = format!("{message} {}{detail}", text::FENCE);
        }
        Update {
            message: message.replace(['\n', '\t'], " "),
            done: builds.done.saturating_add(paths.done),
            total: (total > 0).then_some(total),
        }
    }

    /// The activity to show: the newest build, or the newest activity that is not part of another one.
    fn headline_activity(&self) -> Option<&Activity> {
        let activities = &self.activities;
        activities.newest(|activity| activity.kind == ActivityKind::Build).or_else(|| {
            activities.newest(|activity| {
                !headline(activity).is_empty()
                    && !(activity.kind == ActivityKind::FileTransfer
                        && (activities.is_within(activity, ActivityKind::CopyPath)
                            || activities.is_within(activity, ActivityKind::QueryPathInfo)))
                    && !(activity.kind == ActivityKind::CopyPath
                        && activities.is_within(activity, ActivityKind::Substitute))
            })
        })
    }

    fn counted(&self, builds: Counts, paths: Counts) -> String {
        let mut parts = Vec::new();
        if builds.expected > 0 {
            parts.push(format!("{}/{} built", builds.done, builds.expected));
        }
        if builds.failed > 0 {
            parts.push(format!("{} failed", builds.failed));
        }
        if paths.expected > 0 {
            let bytes = self.counts(ActivityKind::CopyPath);
            let download = self.counts(ActivityKind::FileTransfer);
            // Downloads are compressed, so they are counted as transferred. A copy from a disk downloads nothing,
            // although Nix counts it as an expected download.
            let copied = download.expected == 0 || download.done == 0 && bytes.done > 0;
            let bytes = if copied { bytes } else { download };
            if bytes.expected > 0 {
                parts.push(format!("{} of {} fetched", text::bytes(bytes.done), text::bytes(bytes.expected)));
            } else {
                parts.push(format!("{}/{} fetched", paths.done, paths.expected));
            }
        }
        parts.join(", ")
    }
}

/// A name from the log, safe to show and cut to [`PART_LIMIT`].
fn word(name: &str) -> String {
    bounded(text::word(name), PART_LIMIT)
}

/// A few words for an activity; empty for activities that only sum up others.
fn headline(activity: &Activity) -> String {
    let name = || {
        let path = activity.field(0);
        let name = path.parse::<StorePath>().map_or_else(|_| path.to_owned(), |path| path.name().to_owned());
        word(name.strip_suffix(".drv").unwrap_or(&name))
    };
    match activity.kind {
        ActivityKind::Build => match activity.field(1) {
            "" => format!("building {}", name()),
            machine => format!("building {} on {}", name(), word(machine)),
        },
        ActivityKind::PostBuildHook => format!("running the post-build hook of {}", name()),
        ActivityKind::BuildWaiting => format!("waiting to build {}", name()),
        ActivityKind::Substitute => format!("fetching {}", name()),
        ActivityKind::CopyPath => format!("copying {}", name()),
        ActivityKind::QueryPathInfo => format!("asking for {}", name()),
        ActivityKind::FileTransfer => format!("downloading {}", word(activity.field(0))),
        // Above this level are messages such as "querying info about missing paths", which change too fast to read.
        _ if activity.level <= Level::CHATTY && !activity.text.is_empty() => {
            format!("{}{}", text::FENCE, bounded(&activity.text, PART_LIMIT))
        }
        _ => String::new(),
    }
}
