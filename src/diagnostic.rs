//! The form of every error in a result: what happened, where, and what to do next.
//!
//! Every module has its own error type. An error that a person or a model sees is converted to a [`Diagnostic`] once, at the
//! edge. The field names are a contract: scripts match on `code`.

mod code;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::advice::Hint;
use crate::text;

pub use code::Code;

/// Longest message, in characters; a longer one ends with an ellipsis.
pub const MESSAGE_LIMIT: usize = 2_000;
/// Most frames of an evaluation trace.
pub const TRACE_LIMIT: usize = 8;
/// Most suggestions for one error.
pub const SUGGESTION_LIMIT: usize = 5;

/// A frame of an evaluation trace, written as `file:line: message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Frame {
    /// What Nix was evaluating.
    pub message: String,
    /// The file, relative to the flake if it is inside.
    pub file: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<u32>,
}

impl From<Frame> for String {
    fn from(frame: Frame) -> Self {
        match (frame.file, frame.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: {}", frame.message),
            (Some(file), None) => format!("{file}: {}", frame.message),
            (None, _) => frame.message,
        }
    }
}

impl From<String> for Frame {
    /// For output only: file and line stay part of the message.
    fn from(message: String) -> Self {
        Self { message, file: None, line: None }
    }
}

/// An error as every tool reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable name of the kind of failure.
    pub code: Code,
    /// What happened, in a sentence of this program.
    pub message: String,
    /// The text of Nix, the flake, a build or a host about it, which is not trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The file, relative to the flake if it is inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The attribute, option, variable, input or derivation the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attr: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
    /// Similar names that exist.
    #[serde(default)]
    pub suggestions: Vec<String>,
    /// The frames of the evaluation, those in the user's own files first.
    #[serde(default)]
    pub trace: Vec<Frame>,
    /// Whether Nix fetched or built something before it failed, so that another try may succeed. Only set for errors of `nix`,
    /// and not part of the output.
    #[serde(skip)]
    pub transient: bool,
}

impl JsonSchema for Diagnostic {
    fn schema_name() -> Cow<'static, str> {
        "Diagnostic".into()
    }

    /// The main fields only. The server's instructions describe the others once: in each tool's schema they would be a quarter
    /// of `tools/list`.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "said": {"type": "string"},
                "hint": {"type": "string"},
            },
        })
    }
}

impl Diagnostic {
    /// A diagnostic with a code and a message. The `with_` methods set the other fields.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: text::bounded(&message.into(), MESSAGE_LIMIT),
            said: None,
            file: None,
            line: None,
            column: None,
            attr: None,
            hint: None,
            suggestions: Vec::new(),
            trace: Vec::new(),
            transient: false,
        }
    }

    /// A diagnostic with the text of another program; the message is that of the code.
    pub fn quoting(code: Code, said: &str) -> Self {
        Self::new(code, code.sentence()).with_said(said)
    }

    /// Sets the text of another program about the error, unless it is empty.
    #[must_use]
    pub fn with_said(mut self, said: &str) -> Self {
        let said = text::bounded(text::plain(said).trim(), MESSAGE_LIMIT);
        self.said = Some(said).filter(|said| !said.is_empty());
        self
    }

    /// The message, and the text of another program on the next line.
    #[must_use]
    pub fn full_text(&self) -> String {
        let said = self.said.as_deref().map(|said| format!("\n{said}")).unwrap_or_default();
        format!("{}{said}", self.message)
    }

    /// The message and the text of another program in one line, for use in an untrusted text.
    #[must_use]
    pub fn summary(&self) -> String {
        let said = self.said.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
        text::line(&format!("{}{said}", self.message), MESSAGE_LIMIT)
    }

    /// Whether the error may be cached with an answer: see [`Code::is_cacheable`]. A [transient](Self::transient) one never is.
    #[must_use]
    pub(crate) fn is_cacheable(&self) -> bool {
        !self.transient && self.code.is_cacheable()
    }

    /// Sets what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the attribute, option, variable, input or derivation that the error is about.
    #[must_use]
    pub fn with_attr(mut self, attr: impl Into<String>) -> Self {
        self.attr = Some(attr.into());
        self
    }

    /// Sets similar names that exist, at most [`SUGGESTION_LIMIT`].
    #[must_use]
    pub fn with_suggestions(mut self, suggestions: impl IntoIterator<Item = String>) -> Self {
        self.suggestions =
            suggestions.into_iter().filter(|name| text::is_word(name)).take(SUGGESTION_LIMIT).collect();
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", text::word(file))?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            write!(f, ": ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(said) = &self.said {
            write!(f, "\n{}", text::fenced(said))?;
        }
        if !self.suggestions.is_empty() {
            write!(f, "\n  did you mean: {}?", self.suggestions.join(", "))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}
