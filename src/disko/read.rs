//! Lenient JSON readers: a value that is missing or has another type reads as absent.

use serde_json::{Map, Value};

use crate::text;

/// Longest text kept of any value, in characters; device paths and labels are far shorter.
pub(super) const TEXT_LIMIT: usize = 200;
/// Most entries kept of any list or set.
pub(super) const LIST_LIMIT: usize = 1_000;

/// An attribute set; empty if the value is no set.
#[derive(Clone, Copy)]
pub(super) struct Attrs<'a>(Option<&'a Map<String, Value>>);

impl<'a> Attrs<'a> {
    pub(super) fn of(value: Option<&'a Value>) -> Self {
        Self(value.and_then(Value::as_object))
    }

    /// Whether the value is a set.
    pub(super) fn exists(self) -> bool {
        self.0.is_some()
    }

    pub(super) fn value(self, name: &str) -> Option<&'a Value> {
        self.0.and_then(|map| map.get(name)).filter(|value| !value.is_null())
    }

    pub(super) fn attrs(self, name: &str) -> Self {
        Self::of(self.value(name))
    }

    /// A text that is not empty; a number reads as its text.
    pub(super) fn text(self, name: &str) -> Option<String> {
        self.value(name).and_then(text_of)
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        self.value(name).and_then(Value::as_bool)
    }

    pub(super) fn integer(self, name: &str) -> Option<i64> {
        self.value(name).and_then(Value::as_i64)
    }

    /// The texts of a list.
    pub(super) fn texts(self, name: &str) -> Vec<String> {
        self.list(name).filter_map(text_of).collect()
    }

    pub(super) fn list(self, name: &str) -> impl Iterator<Item = &'a Value> {
        self.value(name).and_then(Value::as_array).into_iter().flatten().take(LIST_LIMIT)
    }

    /// Names and values in the order of their names, as in disko.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let mut entries: Vec<_> =
            self.0.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
        entries.sort_by_key(|(name, _)| *name);
        entries.into_iter().take(LIST_LIMIT)
    }

    /// Whether the probe could not evaluate the value.
    pub(super) fn failed(self) -> bool {
        self.flag("_failed") == Some(true)
    }

    /// Whether the probe could not evaluate the value or one of its attributes.
    pub(super) fn partly_failed(self) -> bool {
        self.failed() || self.entries().any(|(_, value)| Attrs::of(Some(value)).failed())
    }
}

/// A string or number as a [`word`]; `None` for other values and for empty text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => word(text),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A name of the layout as one word of bounded length without control characters: the sentences of hazards contain it.
pub(super) fn word(given: &str) -> String {
    // Cut before cleaning, which would otherwise read a text of any length.
    text::bounded(&text::joined(&text::bounded(given, 4 * TEXT_LIMIT)), TEXT_LIMIT)
}
