//! Collects warnings about outputs: each text once, in bounded memory.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text;

/// Most warnings reported.
const LISTED: usize = 50;
/// Most warnings kept. This is more than are reported, so that the selection does not depend on the order of evaluation.
const KEPT: usize = 1_000;
/// Most bytes of the warnings kept.
const KEPT_BYTES: usize = 256 * 1024;
/// Most warnings that are counted and not kept.
const COUNTED: usize = 10_000;
/// Most attributes reported for one warning.
const NAMED: usize = 10;
/// Longest text of a warning, in characters.
const TEXT: usize = 600;

/// The index of a warning that was printed while outputs were listed: greater than that of any output.
const LISTING: usize = usize::MAX;

/// A warning about outputs, which is not a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// The attribute paths of the outputs, at most a few.
    pub attrs: Vec<String>,
    /// The text of this program or of Nix; `None` if the configuration printed the warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The text that the configuration printed, which is not trusted; `None` if it printed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// The text of a warning and its source. Warnings with the same text and source are one warning.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum WarningText {
    Ours(String),
    Others(String),
}

impl WarningText {
    fn bytes(&self) -> usize {
        let (Self::Ours(text) | Self::Others(text)) = self;
        text.len()
    }
}

/// The index of an output and its attribute path.
type WarnedOutput = (usize, String);

/// Collects warnings from parallel evaluations.
#[derive(Debug, Default)]
pub(super) struct WarningCollector(Mutex<CollectedWarnings>);

#[derive(Debug, Default)]
struct CollectedWarnings {
    /// The first outputs of each warning, in order.
    warnings: HashMap<WarningText, Vec<WarnedOutput>>,
    bytes: usize,
    /// Hashes of the warnings that are not kept.
    others: HashSet<u64>,
    hashes: RandomState,
}

impl WarningCollector {
    /// Adds a warning of Nix about an output.
    pub(super) fn add_remark(&self, place: usize, attr: &str, message: &str) {
        self.add((place, attr.to_owned()), WarningText::Ours(message.to_owned()));
    }

    /// Adds a warning that the configuration printed while an output was evaluated.
    pub(super) fn add_warning(&self, place: usize, attr: &str, said: &str) {
        self.add(
            (place, attr.to_owned()),
            WarningText::Others(text::bounded(&outdented(&text::plain(said)), TEXT)),
        );
    }

    /// Adds a warning that the configuration printed while the outputs below an attribute were listed. The attribute is dropped
    /// if an output has the same warning.
    pub(super) fn add_listing_warning(&self, attr: &str, said: &str) {
        self.add_warning(LISTING, attr, said);
    }

    fn add(&self, output: WarnedOutput, text: WarningText) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(output, text);
    }

    /// The warnings to report, in the order of the outputs, and the number of different others.
    pub(super) fn into_warnings(self) -> (Vec<Warning>, usize) {
        let CollectedWarnings { warnings, others, .. } =
            self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut warnings: Vec<(WarningText, Vec<WarnedOutput>)> = warnings.into_iter().collect();
        for (_, outputs) in &mut warnings {
            if outputs.iter().any(|(place, _)| *place != LISTING) {
                outputs.retain(|(place, _)| *place != LISTING);
            }
        }
        let place = |outputs: &[WarnedOutput]| outputs.first().map(|(place, _)| *place);
        warnings.sort_unstable_by(|(one, at), (other, at_other)| {
            place(at).cmp(&place(at_other)).then_with(|| one.cmp(other))
        });
        let more = warnings.len().saturating_sub(LISTED) + others.len();
        let listed = warnings.into_iter().take(LISTED).map(|(text, outputs)| {
            let attrs = outputs.into_iter().map(|(_, attr)| attr).collect();
            match text {
                WarningText::Ours(message) => Warning { attrs, message: Some(message), said: None },
                WarningText::Others(said) => Warning { attrs, message: None, said: Some(said) },
            }
        });
        (listed.collect(), more)
    }
}

impl CollectedWarnings {
    fn add(&mut self, output: WarnedOutput, text: WarningText) {
        if let Some(outputs) = self.warnings.get_mut(&text) {
            insert(outputs, output);
        } else if self.warnings.len() < KEPT && self.bytes + text.bytes() <= KEPT_BYTES {
            self.bytes += text.bytes();
            self.warnings.insert(text, vec![output]);
        } else if self.others.len() < COUNTED {
            self.others.insert(self.hashes.hash_one(&text));
        }
    }
}

/// Inserts an output, and keeps the first [`NAMED`], each name once.
fn insert(outputs: &mut Vec<WarnedOutput>, output: WarnedOutput) {
    match outputs.iter_mut().find(|(_, attr)| *attr == output.1) {
        Some((place, _)) => *place = output.0.min(*place),
        None => outputs.push(output),
    }
    outputs.sort_unstable();
    outputs.truncate(NAMED);
}

/// A text without the indent that the lines after its first have in common: Nix strings keep that of their source.
fn outdented(said: &str) -> String {
    let rest = || said.lines().skip(1).filter(|line| !line.trim().is_empty());
    let indent = rest().map(|line| line.len() - line.trim_start_matches(' ').len()).min().unwrap_or_default();
    let lines = said.lines().enumerate().map(|(number, line)| match number {
        0 => line,
        _ => line.get(indent..).unwrap_or_default(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indent_of_the_source_is_left_out() {
        let said = "it is old.\n\n      Write:\n        a = 1;\n   \n";
        assert_eq!(outdented(said), "it is old.\n\nWrite:\n  a = 1;\n");
        assert_eq!(outdented("  one"), "  one");
    }

    #[test]
    fn one_text_is_one_warning_wherever_it_comes_up() {
        let collector = WarningCollector::default();
        for place in (0..100).rev() {
            collector.add_warning(place, &format!("host-{place}"), "old option");
            collector.add_warning(place, &format!("host-{place}"), "old option");
        }
        collector.add_remark(7, "host-7", "old option");
        let (listed, more) = collector.into_warnings();
        assert_eq!((listed.len(), more), (2, 0), "whose words they are counts");
        let first: Vec<String> = (0..NAMED).map(|place| format!("host-{place}")).collect();
        assert_eq!((&listed[0].attrs, listed[0].said.as_deref()), (&first, Some("old option")));
        assert_eq!((listed[1].message.as_deref(), listed[1].attrs.len()), (Some("old option"), 1));
    }

    #[test]
    fn what_comes_up_at_an_output_is_not_told_of_the_list_it_is_in() {
        let collector = WarningCollector::default();
        collector.add_listing_warning("packages", "both");
        collector.add_listing_warning("checks", "only listed");
        collector.add_warning(3, "packages.x", "both");
        let (listed, _) = collector.into_warnings();
        let listed: Vec<_> =
            listed.iter().map(|warning| (warning.attrs.clone(), warning.said.as_deref())).collect();
        assert_eq!(
            listed,
            [(vec!["packages.x".to_owned()], Some("both")), (vec!["checks".to_owned()], Some("only listed"))]
        );
    }

    #[test]
    fn those_that_are_not_told_are_counted_by_their_texts() {
        for count in [LISTED, LISTED + 1, KEPT + 500] {
            let collector = WarningCollector::default();
            for _ in 0..3 {
                for number in 0..count {
                    collector.add_warning(number, "host", &format!("warning {number}"));
                }
            }
            let (listed, more) = collector.into_warnings();
            assert_eq!((listed.len(), more), (LISTED, count - LISTED));
            assert_eq!(listed[3].said.as_deref(), Some("warning 3"));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let collector = WarningCollector::default();
        for number in 0..COUNTED + 2 * KEPT {
            collector.add_warning(number, "host", &format!("{number} {}", "ä".repeat(16 * 1024)));
        }
        let kept = collector.0.lock().unwrap();
        let bytes: usize = kept.warnings.keys().map(WarningText::bytes).sum();
        assert!(bytes == kept.bytes && bytes <= KEPT_BYTES, "{bytes}");
        assert_eq!(kept.others.len(), COUNTED);
    }
}
