//! Files below `/etc`.

use super::listing::{EntryDifference, SystemFiles};
use super::{Gaps, bound, shown};
use crate::deploy::plan::{EffectPart, FileChanges};

pub(super) fn compare(before: &SystemFiles, after: &SystemFiles, gaps: &mut Gaps) -> Option<FileChanges> {
    for (files, is_after) in [(before, false), (after, true)] {
        if let Some(why) = files.etc_problem {
            gaps.add(EffectPart::Files, is_after, why);
        }
    }
    if before.etc.is_empty() || after.etc.is_empty() {
        // One of the two was not listed, or has nothing to compare.
        if before.etc_problem.is_some() || after.etc_problem.is_some() {
            return None;
        }
    }
    let mut changes = FileChanges::default();
    for (path, entry) in &after.etc {
        match before.etc.get(path).map(|old| old.difference(entry)) {
            None => changes.added.push(shown(path)),
            Some(EntryDifference::Changed) => changes.changed.push(shown(path)),
            Some(EntryDifference::Rebuilt) => changes.rebuilt += 1,
            Some(EntryDifference::Same) => {}
        }
    }
    changes.removed =
        before.etc.keys().filter(|path| !after.etc.contains_key(*path)).map(|p| shown(p)).collect();
    changes.more = bound(&mut changes.added) + bound(&mut changes.removed) + bound(&mut changes.changed);
    (changes != FileChanges::default()).then_some(changes)
}
