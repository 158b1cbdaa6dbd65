//! Parts that an answer does not cover, because they could not be read.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{answer_limit, page};
use crate::causes::{self, Failing};
use crate::diagnostic::Diagnostic;
use crate::flake::UnreadPart;
use crate::text;

/// Maximum size of the gaps of an answer, in bytes of JSON.
const MAX_BYTES: usize = page::PAGE_BYTES / 3;

/// A part that could not be read.
#[derive(Serialize, Deserialize, JsonSchema)]
// The schema leaves out its fields to save bytes: gaps are rare, and the names of the fields explain them.
#[schemars(with = "serde_json::Map<String, serde_json::Value>")]
pub struct Gap {
    /// The attribute path.
    attr: String,
    /// The cause.
    error: Option<Diagnostic>,
    /// All attribute paths with this cause, if there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    breaks: Vec<String>,
    /// Whether reading stopped here, because too many parts before it had failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rest: bool,
}

impl From<UnreadPart> for Gap {
    fn from(part: UnreadPart) -> Self {
        let attr = text::plain(&part.place());
        Self { attr, error: Some(part.error), breaks: Vec::new(), rest: part.rest }
    }
}

impl Failing for Gap {
    fn attr(&self) -> Cow<'_, str> {
        (&self.attr).into()
    }

    fn words(&self) -> Vec<&str> {
        self.attr.split('.').collect()
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

/// The gaps of an answer.
#[derive(Default)]
pub struct Gaps {
    /// One for each cause, up to the size limit. If reading stopped early, the first one says where.
    pub shown: Vec<Gap>,
    /// Number of parts that could not be read, including those not shown.
    pub total: usize,
    /// Size of `shown`, in bytes of JSON.
    pub bytes: usize,
}

impl Gaps {
    /// Groups unread parts by cause.
    pub fn from_parts(parts: Vec<UnreadPart>) -> Self {
        Self::from_parts_within(parts, MAX_BYTES)
    }

    /// As [`Gaps::from_parts`], with at most `most` bytes of JSON, or one gap.
    pub fn from_parts_within(parts: Vec<UnreadPart>, most: usize) -> Self {
        let mut gaps = Self { total: parts.len(), ..Self::default() };
        let (rest, single): (Vec<Gap>, Vec<Gap>) = parts.into_iter().map(Gap::from).partition(|gap| gap.rest);
        let by_cause = rest.into_iter().map(|gap| vec![gap]).chain(causes::group_entries(single));
        for group in by_cause {
            let breaks: Vec<String> = group.iter().map(|gap| gap.attr.clone()).collect();
            let Some(mut first) = group.into_iter().next() else { continue };
            if breaks.len() > 1 {
                first.breaks = breaks;
            }
            let (gap, bytes) = answer_limit::fit_entry(first, most);
            if gaps.bytes + bytes > most && !gaps.shown.is_empty() {
                break;
            }
            gaps.bytes += bytes;
            gaps.shown.push(gap);
        }
        gaps
    }

    /// The lines for people; `total` includes the gaps that are not shown.
    pub fn render(shown: &[Gap], total: usize) -> Vec<String> {
        let head = (total > shown.len()).then(|| format!("{total} parts could not be read:"));
        head.into_iter().chain(shown.iter().map(ToString::to_string)).collect()
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.rest { " and everything after it" } else { "" };
        let error = self.error.as_ref().map(ToString::to_string).unwrap_or_default();
        write!(to, "✗ {}{rest}: {error}", causes::named(&self.attr, &self.breaks, 0))
    }
}
