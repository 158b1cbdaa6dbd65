//! What an answer does not cover, because it could not be read.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{answer_limit, page};
use crate::causes::{self, Failing};
use crate::diagnostic::Diagnostic;
use crate::flake::UnreadPart;
use crate::text;

/// Bytes of JSON that gaps may take of an answer.
const MAX_BYTES: usize = page::PAGE_BYTES / 3;

/// A part of what was asked about that could not be read.
#[derive(Serialize, Deserialize, JsonSchema)]
// What is in it says so itself; a model need not read of it before there is one.
#[schemars(with = "serde_json::Map<String, serde_json::Value>")]
pub struct Gap {
    /// Its place.
    attr: String,
    /// Why.
    error: Option<Diagnostic>,
    /// All places that could not be read for this cause, where that is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    breaks: Vec<String>,
    /// Whether nothing behind it was read either, because too many parts before it failed.
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
    /// One for each cause, as many as have room; first the one that says where reading ended.
    pub shown: Vec<Gap>,
    /// How many parts could not be read, also those without room.
    pub total: usize,
    /// Bytes of JSON in `shown`.
    pub bytes: usize,
}

impl Gaps {
    /// Of these parts.
    pub fn from_parts(parts: Vec<UnreadPart>) -> Self {
        let mut gaps = Self { total: parts.len(), ..Self::default() };
        let (rest, single): (Vec<Gap>, Vec<Gap>) = parts.into_iter().map(Gap::from).partition(|gap| gap.rest);
        let by_cause = rest.into_iter().map(|gap| vec![gap]).chain(causes::group_entries(single));
        for group in by_cause {
            let breaks: Vec<String> = group.iter().map(|gap| gap.attr.clone()).collect();
            let Some(mut first) = group.into_iter().next() else { continue };
            if breaks.len() > 1 {
                first.breaks = breaks;
            }
            let (gap, bytes) = answer_limit::fit_entry(first, MAX_BYTES);
            if gaps.bytes + bytes > MAX_BYTES && !gaps.shown.is_empty() {
                break;
            }
            gaps.bytes += bytes;
            gaps.shown.push(gap);
        }
        gaps
    }

    /// For a person; `total` parts could not be read, of which some may have no room.
    pub fn render(shown: &[Gap], total: usize) -> Vec<String> {
        let head = (total > shown.len()).then(|| format!("{total} parts could not be read:"));
        head.into_iter().chain(shown.iter().map(ToString::to_string)).collect()
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.rest { " and all that comes after it" } else { "" };
        let error = self.error.as_ref().map(ToString::to_string).unwrap_or_default();
        write!(to, "✗ {}{rest}: {error}", causes::named(&self.attr, &self.breaks, 0))
    }
}
