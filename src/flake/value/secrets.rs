//! Removes secrets from values and errors: by the name of an attribute, and by the form of a text.

use crate::diagnostic::{Diagnostic, Frame};
use crate::redact;

/// The fields of an option, and of a pair of a name and a value, that hold the value of what has the name above them.
const HOLDING: [&str; 5] = ["value", "default", "example", "definitions", "definitionsWithLocations"];

/// What is a secret in one value.
#[derive(Clone, Copy, Debug)]
pub(in crate::flake) struct Secrets<'a> {
    /// The path of the value.
    attr: &'a [String],
    /// Whether names of attributes count: a function of the caller's can give any value any name.
    by_name: bool,
}

impl<'a> Secrets<'a> {
    pub fn new(attr: &'a [String], by_name: bool) -> Self {
        Self { attr, by_name }
    }

    /// A text without the secrets in it. `path` leads from the value to the text; positions in lists are left out.
    pub fn hide(&self, text: &str, path: &[&str]) -> String {
        if self.by_name && self.is_named_secret(path) {
            return redact::REDACTED.to_owned();
        }
        redact::without_secrets(text)
    }

    /// Whether the next entry of a list is a secret because of this one, as in `[ "--token" "…" ]`.
    pub fn announces(&self, before: &str) -> bool {
        let together = redact::without_secrets(&format!("{before} x"));
        !before.contains(char::is_whitespace) && together.ends_with(redact::REDACTED)
    }

    fn is_named_secret(&self, path: &[&str]) -> bool {
        let whole = self.attr.iter().map(String::as_str).chain(path.iter().copied());
        let steps: Vec<&str> = whole.collect();
        let named = steps.iter().rev().find(|step| !HOLDING.contains(step));
        named.is_some_and(|name| redact::has_secret_name(name))
    }
}

/// An error without the secrets in the texts of Nix and the flake, by their form.
pub fn without_secrets(error: Diagnostic) -> Diagnostic {
    let hide = |text: String| redact::without_secrets(&text);
    let trace = error.trace.into_iter().map(|frame| Frame { message: hide(frame.message), ..frame });
    Diagnostic {
        message: hide(error.message),
        said: error.said.map(hide),
        attr: error.attr.map(hide),
        trace: trace.collect(),
        ..error
    }
}
