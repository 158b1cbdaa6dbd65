//! A mistake and its expected diagnostic.

use std::path::Path;

use pantheros_mcp::testing::diagnostic::{Code, Diagnostic};

use crate::diagnostics::flake::{Flake, nixes};

/// The expected diagnostic. Empty texts are not compared.
pub struct Case {
    pub fixture: &'static str,
    pub arguments: &'static [&'static str],
    pub code: Code,
    /// `file:line:column`, `file:line` or `file`.
    pub place: &'static str,
    pub attr: &'static str,
    pub said: &'static str,
    pub hint: &'static str,
    pub suggestions: &'static [&'static str],
}

pub const CASE: Case = Case {
    fixture: "",
    arguments: &["eval", ".#value"],
    code: Code::Internal,
    place: "",
    attr: "",
    said: "",
    hint: "",
    suggestions: &[],
};

impl Case {
    pub fn check(&self, nix: &Path, found: &[Diagnostic]) {
        let context = format!("{} {} {:?}: {found:#?}", nix.display(), self.fixture, self.arguments);
        assert_eq!(found.len(), 1, "{context}");
        let found = &found[0];
        assert_eq!(found.code, self.code, "{context}");
        let mut place = found.file.clone().unwrap_or_default();
        for number in [found.line, found.column].into_iter().flatten() {
            place = format!("{place}:{number}");
        }
        assert_eq!(place, self.place, "{context}");
        assert_eq!(found.suggestions, self.suggestions, "{context}");
        if !self.attr.is_empty() {
            assert_eq!(found.attr.as_deref(), Some(self.attr), "{context}");
        }
        assert!(found.full_text().contains(self.said), "{context}");
        assert!(found.hint.as_ref().is_some_and(|hint| hint.to_string().contains(self.hint)), "{context}");
        let text = format!("{found:?}");
        assert!(!text.contains("{0}") && !text.contains('\u{1b}'), "{context}");
    }

    pub fn run(&self) {
        let flake = Flake::new(self.fixture);
        for nix in nixes() {
            self.check(&nix, &flake.diagnose(&flake.fail(&nix, self.arguments)));
        }
    }
}
