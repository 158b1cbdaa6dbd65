//! What an answer does not cover, because it could not be read.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::flake::UnreadPart;
use crate::text;

/// A part of what was asked about that could not be read.
#[derive(Serialize, JsonSchema)]
// What is in it says so itself; a model need not read of it before there is one.
#[schemars(with = "serde_json::Map<String, serde_json::Value>")]
pub struct Gap {
    /// Its place.
    attr: String,
    /// Why.
    error: Diagnostic,
    /// Whether nothing behind it was read either, because too many parts before it failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rest: bool,
}

impl From<UnreadPart> for Gap {
    fn from(part: UnreadPart) -> Self {
        Self { attr: text::plain(&part.place()), error: part.error, rest: part.rest }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.rest { " and all that comes after it" } else { "" };
        write!(to, "✗ {}{rest}: {}", text::word(&self.attr), self.error)
    }
}
