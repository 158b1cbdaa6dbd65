//! Parts of an answer, and the order in which a probe reads them.
//!
//! A probe reads its parts in the order of their paths: names as Nix sorts attributes, indexes as numbers, and a part before
//! the parts in it. `probes.nix` compares paths as [`UnreadPart::covers`] does, and `tests/tools/order.rs` checks the order of
//! every probe.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;

/// A step of a part's path. Sibling steps are all names or all indexes, because Nix cannot compare one with the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathStep {
    /// An attribute.
    Name(String),
    /// An element of a list, from 0.
    Index(u64),
}

impl From<&str> for PathStep {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for PathStep {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<u64> for PathStep {
    fn from(index: u64) -> Self {
        Self::Index(index)
    }
}

impl From<&PathStep> for String {
    fn from(step: &PathStep) -> Self {
        step.to_string()
    }
}

impl fmt::Display for PathStep {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => to.write_str(name),
            Self::Index(index) => write!(to, "{index}"),
        }
    }
}

/// A part of an answer that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadPart {
    /// Its path in the answer.
    pub part: Vec<PathStep>,
    /// The error.
    pub error: Diagnostic,
    /// Whether the parts after it were not read either, because too many failed.
    #[serde(default)]
    pub rest: bool,
}

impl UnreadPart {
    /// A part that failed by itself.
    pub fn new<S: Into<PathStep>>(place: impl IntoIterator<Item = S>, error: Diagnostic) -> Self {
        Self { part: place.into_iter().map(Into::into).collect(), error, rest: false }
    }

    /// Whether the part with this path was not read because of this one.
    pub fn covers<S: Into<PathStep>>(&self, place: impl IntoIterator<Item = S>) -> bool {
        let order = place.into_iter().map(Into::into).cmp(self.part.iter().cloned());
        order.is_eq() || self.rest && order.is_gt()
    }

    /// The same part in an answer that has this one at `name`.
    #[must_use]
    pub fn below(mut self, name: &str) -> Self {
        self.part.insert(0, name.into());
        self
    }

    /// Its path as text.
    #[must_use]
    pub fn place(&self) -> String {
        self.part.iter().map(PathStep::to_string).collect::<Vec<_>>().join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    #[test]
    fn indexes_are_numbers_and_what_holds_a_part_comes_before_it() {
        let error = Diagnostic::new(Code::Throw, "not today");
        let mut unread = UnreadPart::new([PathStep::from("packages"), 9.into()], error);
        let at = |index: u64| [PathStep::from("packages"), index.into()];
        assert_eq!([8, 9, 10].map(|index| unread.covers(at(index))), [false, true, false]);
        unread.rest = true;
        assert_eq!([8, 9, 10].map(|index| unread.covers(at(index))), [false, true, true]);
        assert!(!unread.covers(["packages"]) && !unread.covers(["derivation"]) && unread.covers(["q"]));
        assert_eq!(unread.place(), "packages.9");
        let json = serde_json::to_string(&unread.part).unwrap();
        assert_eq!(json, r#"["packages",9]"#);
        assert_eq!(serde_json::from_str::<Vec<PathStep>>(&json).unwrap(), unread.part);
    }
}
