//! Parts of an answer, and the order they are read in.
//!
//! A probe reads its parts in the order of their places: a name as Nix sorts attributes, an index as a number, and
//! what has parts of its own before those. `probes.nix` compares places as [`UnreadPart::covers`] does, and
//! `tests/tools/order.rs` holds every probe to that order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;

/// A step on the way to a part. What lies side by side is all names or all indexes: Nix compares no others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// Into an attribute.
    Name(String),
    /// Into a list.
    Index(u64),
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Step {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<u64> for Step {
    fn from(index: u64) -> Self {
        Self::Index(index)
    }
}

impl From<&Step> for String {
    fn from(step: &Step) -> Self {
        step.to_string()
    }
}

impl fmt::Display for Step {
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
    /// Its place in the answer.
    pub part: Vec<Step>,
    /// Why.
    pub error: Diagnostic,
    /// Whether nothing behind it was read either, because too many parts before it failed.
    #[serde(default)]
    pub rest: bool,
}

impl UnreadPart {
    /// A part that failed by itself.
    pub fn new<S: Into<Step>>(place: impl IntoIterator<Item = S>, error: Diagnostic) -> Self {
        Self { part: place.into_iter().map(Into::into).collect(), error, rest: false }
    }

    /// Whether the part at this place was not read because of it.
    pub fn covers<S: Into<Step>>(&self, place: impl IntoIterator<Item = S>) -> bool {
        let order = place.into_iter().map(Into::into).cmp(self.part.iter().cloned());
        order.is_eq() || self.rest && order.is_gt()
    }

    /// Its place as text.
    #[must_use]
    pub fn place(&self) -> String {
        self.part.iter().map(Step::to_string).collect::<Vec<_>>().join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    #[test]
    fn indexes_are_numbers_and_what_holds_a_part_comes_before_it() {
        let error = Diagnostic::new(Code::Throw, "not today");
        let mut unread = UnreadPart::new([Step::from("packages"), 9.into()], error);
        let at = |index: u64| [Step::from("packages"), index.into()];
        assert_eq!([8, 9, 10].map(|index| unread.covers(at(index))), [false, true, false]);
        unread.rest = true;
        assert_eq!([8, 9, 10].map(|index| unread.covers(at(index))), [false, true, true]);
        assert!(!unread.covers(["packages"]) && !unread.covers(["derivation"]) && unread.covers(["q"]));
        assert_eq!(unread.place(), "packages.9");
        let told = serde_json::to_string(&unread.part).unwrap();
        assert_eq!(told, r#"["packages",9]"#);
        assert_eq!(serde_json::from_str::<Vec<Step>>(&told).unwrap(), unread.part);
    }
}
