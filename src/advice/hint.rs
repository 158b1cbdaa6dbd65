//! Hints: what to do after an error.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Reader, Remedy};
use crate::text;

/// What to do next: texts of the domain, and remedies. In JSON it is a string, written for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Remedy(Remedy),
}

impl Hint {
    /// The last remedy that it names; `None` if it has only a text.
    #[must_use]
    pub fn remedy(&self) -> Option<&Remedy> {
        self.0.iter().rev().find_map(|part| match part {
            Part::Remedy(remedy) => Some(remedy),
            Part::Text(_) => None,
        })
    }

    /// Adds a remedy after a separator, such as `, or `.
    #[must_use]
    pub fn and(mut self, separator: &str, next: Remedy) -> Self {
        self.0.extend([Part::Text(separator.to_owned()), Part::Remedy(next)]);
        self
    }

    /// Adds a text.
    #[must_use]
    pub fn and_text(mut self, text: &str) -> Self {
        self.0.push(Part::Text(text.to_owned()));
        self
    }

    /// Puts a text before it.
    #[must_use]
    pub fn after(mut self, text: &str) -> Self {
        self.0.insert(0, Part::Text(text.to_owned()));
        self
    }

    /// Adds the step that follows.
    #[must_use]
    pub fn then(mut self, next: Remedy) -> Self {
        if let Some(Part::Text(text)) = self.0.last_mut() {
            text.truncate(text.trim_end_matches('.').len());
        }
        self.and("; then ", next)
    }

    /// Its text for one reader.
    #[must_use]
    pub fn text(&self, reader: Reader) -> String {
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Remedy(remedy) => remedy.text(reader),
        });
        texts.collect()
    }

    /// Its text for a model, cut to at most this many characters, without the remedies.
    #[must_use]
    pub fn shortened(&self, characters: usize) -> Self {
        text::bounded(&self.text(Reader::Model), characters).into()
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Reader::current()))
    }
}

impl From<String> for Hint {
    fn from(before: String) -> Self {
        Self(vec![Part::Text(before)])
    }
}

impl From<&str> for Hint {
    fn from(before: &str) -> Self {
        before.to_owned().into()
    }
}

impl From<Remedy> for Hint {
    fn from(remedy: Remedy) -> Self {
        Self(vec![Part::Remedy(remedy)])
    }
}

impl Serialize for Hint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text(Reader::Model))
    }
}

impl<'de> Deserialize<'de> for Hint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_one_sentence_whatever_it_is_made_of() {
        let alone: Hint = Remedy::ListTags.into();
        assert_eq!(alone.to_string(), "list_hosts shows which host has which tags");
        let either =
            Remedy::Raise(&["limits.build_seconds", "limits.evaluation_seconds"]).after("fix it, or ");
        assert_eq!(
            either.to_string(),
            "fix it, or raise `limits.build_seconds` or `limits.evaluation_seconds` in your settings"
        );
        let first = Hint::from("Fix it.").then(Remedy::CallAgain);
        assert_eq!(first.to_string(), "Fix it; then call again");
    }

    #[test]
    fn a_person_gets_commands_and_a_model_tools() {
        let hint = Remedy::PlanAnew.after("fix it, and ");
        assert_eq!(hint.text(Reader::Model), "fix it, and make a new plan (plan_deploy, rollback_host)");
        assert!(
            hint.text(Reader::Person).starts_with("fix it, and make a new plan: `pantheros-mcp deploy` ")
        );
    }

    #[test]
    fn in_json_it_is_a_string() {
        let hint = Remedy::PlanAnew.after("nothing was done; ");
        let json = serde_json::to_value(&hint).unwrap();
        assert_eq!(json, "nothing was done; make a new plan (plan_deploy, rollback_host)");
        assert_eq!(serde_json::from_value::<Hint>(json).unwrap().to_string(), hint.to_string());
    }
}
