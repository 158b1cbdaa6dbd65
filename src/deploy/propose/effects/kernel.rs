//! Parameters of the kernel, from `kernel-params` of a toplevel.

use super::listing::{Content, SystemFiles};
use super::{Gaps, bound, shown};
use crate::deploy::plan::{EffectPart, ParamChanges};

/// The parameters in their order. A container has no kernel, so its toplevel has no such file.
fn params(files: &SystemFiles) -> Result<Vec<&str>, &'static str> {
    match files.content("kernel_params") {
        Content::Absent => Ok(Vec::new()),
        Content::Unread(why) => Err(why),
        Content::Text(text) => Ok(text.split_ascii_whitespace().collect()),
    }
}

pub(super) fn compare(before: &SystemFiles, after: &SystemFiles, gaps: &mut Gaps) -> Option<ParamChanges> {
    let (before, after) = gaps.both(EffectPart::KernelParams, params(before), params(after))?;
    let mut changes = ParamChanges {
        added: beyond(&after, &before),
        removed: beyond(&before, &after),
        ..Default::default()
    };
    changes.reordered = changes.added.is_empty() && changes.removed.is_empty() && before != after;
    changes.more = bound(&mut changes.added) + bound(&mut changes.removed);
    (changes != ParamChanges::default()).then_some(changes)
}

/// The words of `these` that `others` lacks. A word can be there several times, such as `console=…`.
fn beyond(these: &[&str], others: &[&str]) -> Vec<String> {
    let mut others = others.to_vec();
    let mut found = Vec::new();
    for word in these {
        match others.iter().position(|other| other == word) {
            Some(at) => {
                others.swap_remove(at);
            }
            None => found.push(shown(word)),
        }
    }
    found
}
