//! Running activities, and counts by kind computed as in Nix's own progress bar.

use std::collections::{BTreeMap, HashMap};

use super::event::Field;
use super::kinds::{ActivityKind, Level};
use crate::text::bounded;

/// Most running activities tracked; `nix` has at most a few hundred. More are ignored.
pub(super) const LIVE_LIMIT: usize = 1_024;
/// Longest text or field kept of an activity, in characters: a path or a URL.
const FIELD_LIMIT: usize = 512;
/// Most fields kept.
const FIELDS: usize = 4;
/// Largest chunk of a copy, in bytes.
const LAST_CHUNK: u64 = 256 * 1024;
/// Most kinds that an activity sets expected totals for, and most kinds counted.
const KINDS: usize = 32;

/// A running activity.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    pub kind: ActivityKind,
    pub level: Level,
    pub text: String,
    pub fields: Vec<Field>,
    pub phase: String,
    pub last_line: String,
    /// Value of the event counter when it last changed.
    pub touched: u64,
    parent: u64,
    progress: Counts,
    expected: BTreeMap<ActivityKind, u64>,
}

impl Activity {
    /// Whether all but the last chunk is done: Nix 2.26 does not report the last chunk of a copy.
    pub(super) fn is_nearly_complete(&self) -> bool {
        self.progress.done.saturating_add(LAST_CHUNK) >= self.progress.expected
    }

    /// The text of the field at `index`; empty if there is none.
    pub(super) fn field(&self, index: usize) -> &str {
        self.fields.get(index).and_then(Field::text).unwrap_or_default()
    }
}

/// Progress counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Finished.
    pub done: u64,
    /// Total known to be needed, finished ones included.
    pub expected: u64,
    /// Running.
    pub running: u64,
    /// Failed.
    pub failed: u64,
}

impl Counts {
    pub(super) fn from_fields(fields: &[Field]) -> Self {
        let field = |index: usize| fields.get(index).and_then(Field::number).unwrap_or_default();
        Self { done: field(0), expected: field(1), running: field(2), failed: field(3) }
    }

    fn add(&mut self, other: Self) {
        self.done = self.done.saturating_add(other.done);
        self.expected = self.expected.saturating_add(other.expected);
        self.running = self.running.saturating_add(other.running);
        self.failed = self.failed.saturating_add(other.failed);
    }
}

/// All running activities, and the counts of ended ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Activities {
    live: HashMap<u64, Activity>,
    /// Counts of ended activities.
    ended: BTreeMap<ActivityKind, Counts>,
    /// Expected total of each kind, summed over running activities (`resSetExpected`).
    expected: BTreeMap<ActivityKind, u64>,
    clock: u64,
}

impl Activities {
    pub(super) fn start(
        &mut self,
        id: u64,
        parent: u64,
        kind: ActivityKind,
        (level, text, fields): (Level, String, Vec<Field>),
    ) {
        if self.live.len() >= LIVE_LIMIT && !self.live.contains_key(&id) {
            return;
        }
        self.stop(id);
        self.clock += 1;
        let field = |field| match field {
            Field::Text(text) => Field::Text(bounded(&text, FIELD_LIMIT)),
            number => number,
        };
        let activity = Activity {
            kind,
            level,
            text: bounded(&text, FIELD_LIMIT),
            fields: fields.into_iter().take(FIELDS).map(field).collect(),
            phase: String::new(),
            last_line: String::new(),
            touched: self.clock,
            parent,
            progress: Counts::default(),
            expected: BTreeMap::new(),
        };
        self.live.insert(id, activity);
    }

    pub(super) fn stop(&mut self, id: u64) -> Option<Activity> {
        let activity = self.live.remove(&id)?;
        if let Some(ended) = entry(&mut self.ended, activity.kind) {
            ended.done = ended.done.saturating_add(activity.progress.done);
            ended.failed = ended.failed.saturating_add(activity.progress.failed);
        }
        for (kind, count) in &activity.expected {
            if let Some(expected) = self.expected.get_mut(kind) {
                *expected = expected.saturating_sub(*count);
            }
        }
        Some(activity)
    }

    pub(super) fn get(&self, id: u64) -> Option<&Activity> {
        self.live.get(&id)
    }

    /// The activity, marked as the last one that changed.
    pub(super) fn touch(&mut self, id: u64) -> Option<&mut Activity> {
        self.clock += 1;
        let activity = self.live.get_mut(&id)?;
        activity.touched = self.clock;
        Some(activity)
    }

    pub(super) fn set_progress(&mut self, id: u64, progress: Counts) {
        // This does not mark it as changed: the activity that sums up all builds reports after each step of any build.
        if let Some(activity) = self.live.get_mut(&id) {
            activity.progress = progress;
        }
    }

    pub(super) fn set_expected(&mut self, id: u64, kind: ActivityKind, count: u64) {
        let Some(activity) = self.live.get_mut(&id) else { return };
        let Some(own) = entry(&mut activity.expected, kind) else { return };
        let before = std::mem::replace(own, count);
        if let Some(expected) = entry(&mut self.expected, kind) {
            *expected = expected.saturating_sub(before).saturating_add(count);
        }
    }

    /// Counts of all activities of a kind (`ProgressBar::getStatus`).
    pub(super) fn counts(&self, kind: ActivityKind) -> Counts {
        let mut counts = self.ended.get(&kind).copied().unwrap_or_default();
        counts.expected = counts.done;
        for activity in self.live.values().filter(|activity| activity.kind == kind) {
            counts.add(activity.progress);
        }
        counts.expected = counts.expected.max(self.expected.get(&kind).copied().unwrap_or_default());
        counts
    }

    /// The matching activity that changed last.
    pub(super) fn newest(&self, wanted: impl Fn(&Activity) -> bool) -> Option<&Activity> {
        self.live.values().filter(|activity| wanted(activity)).max_by_key(|activity| activity.touched)
    }

    /// Whether an activity has an ancestor of that kind.
    pub(super) fn is_within(&self, activity: &Activity, kind: ActivityKind) -> bool {
        let mut parent = activity.parent;
        // A hostile log may make a cycle of parents.
        for _ in 0..16 {
            match self.live.get(&parent) {
                Some(found) if found.kind == kind => return true,
                Some(found) => parent = found.parent,
                None => return false,
            }
        }
        false
    }

    /// Whether an activity of a matching kind is running.
    pub(super) fn has_live(&self, kind: impl Fn(ActivityKind) -> bool) -> bool {
        self.live.values().any(|activity| kind(activity.kind))
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }
}

/// The value of a key, added if it is missing; `None` if the map is full.
fn entry<V: Default>(map: &mut BTreeMap<ActivityKind, V>, kind: ActivityKind) -> Option<&mut V> {
    if map.len() >= KINDS && !map.contains_key(&kind) {
        return None;
    }
    Some(map.entry(kind).or_default())
}
