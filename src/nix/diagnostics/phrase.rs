//! Matches the texts of Nix's errors by templates.

use crate::diagnostic::{Code, Diagnostic};

/// The text of an error of Nix, with gaps, and its code and hint.
///
/// `template` has `{}` for each gap. It matches the beginning of a message; with `…` in front it matches anywhere. A
/// `'` also matches `"`, since Nix 2.34 puts paths in double quotes and 2.26 in single ones.
pub(super) struct Phrase {
    pub template: &'static str,
    pub code: Code,
    /// Index of the gap that becomes the diagnostic's `attr`.
    pub attr_gap: Option<usize>,
    /// What to do next; `{0}`, `{1}`, … stand for the gaps. Empty for no hint.
    pub hint: &'static str,
}

/// The diagnostic of the first phrase that matches the message.
pub(super) fn first(phrases: &[Phrase], message: &str) -> Option<Diagnostic> {
    phrases.iter().find_map(|phrase| {
        let gaps = gaps(phrase.template, message)?;
        let mut diagnostic = Diagnostic::quoting(phrase.code, message);
        if let Some(attr_gap) = phrase.attr_gap.and_then(|index| gaps.get(index)) {
            diagnostic = diagnostic.with_attr(crate::text::bounded(attr_gap, 300));
        }
        if phrase.hint.is_empty() {
            return Some(diagnostic);
        }
        let hint = gaps.iter().enumerate().fold(phrase.hint.to_owned(), |hint, (index, gap)| {
            // A gap holds text of others: only a name may stand within a sentence of this program.
            hint.replace(&format!("{{{index}}}"), crate::text::word(gap))
        });
        Some(diagnostic.with_hint(hint))
    })
}

/// The texts in the gaps of a template; `None` if the message does not match it.
pub(super) fn gaps<'m>(template: &str, message: &'m str) -> Option<Vec<&'m str>> {
    // Replaces byte by byte, so that positions are the same in the message.
    let plain = message.replace('"', "'");
    let anywhere = template.starts_with('…');
    let template = template.strip_prefix('…').unwrap_or(template);
    let mut parts = template.split("{}");
    let opening = parts.next()?;
    let start = if anywhere { plain.find(opening)? } else { plain.starts_with(opening).then_some(0)? };
    let mut at = start + opening.len();
    let mut found = Vec::new();
    for part in parts {
        let rest = plain.get(at..)?;
        // A gap at the end of the template extends to the end of the line.
        let length = if part.is_empty() { rest.find('\n').unwrap_or(rest.len()) } else { rest.find(part)? };
        found.push(message.get(at..at + length)?);
        at += length + part.len();
    }
    Some(found)
}

/// The names in the last `Did you mean one of a, b or c?` of the text (`Suggestions` of Nix, and `lib/modules.nix` of
/// nixpkgs, which quotes them).
pub(super) fn suggestions(text: &str) -> Vec<String> {
    let Some((_, names)) = text.rsplit_once("Did you mean ") else { return Vec::new() };
    let Some((names, _)) = names.split_once('?') else { return Vec::new() };
    let names = names.strip_prefix("one of ").unwrap_or(names);
    names
        .split(", ")
        .flat_map(|name| name.split(" or "))
        .map(|name| name.trim().trim_matches(['`', '\'', '"', '‘', '’']).to_owned())
        .filter(|name| !name.is_empty())
        .take(crate::diagnostic::SUGGESTION_LIMIT)
        .map(|name| crate::text::bounded(&name, 200))
        .collect()
}

/// The text up to the first blank line.
pub(super) fn paragraph(text: &str) -> &str {
    text.split_once("\n\n").map_or(text, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found() {
        assert_eq!(gaps("attribute '{}' missing", "attribute 'x' missing"), Some(vec!["x"]));
        assert_eq!(gaps("path '{}' is", "path \"/a b\" is odd"), Some(vec!["/a b"]));
        assert_eq!(gaps("… got {}", "it got this\nand that"), Some(vec!["this"]));
        assert_eq!(gaps("attribute '{}' missing", "the attribute 'x' missing"), None);
        assert_eq!(gaps("plain", "plain and more"), Some(vec![]));
        assert_eq!(gaps("a{}b{}", "a1b2"), Some(vec!["1", "2"]));
    }

    #[test]
    fn suggestions_are_split() {
        assert_eq!(suggestions("no\nDid you mean hetzner?"), ["hetzner"]);
        assert_eq!(suggestions("Did you mean one of a, b or c?"), ["a", "b", "c"]);
        assert_eq!(suggestions("Did you mean `a.b', `c' or `d.e'?"), ["a.b", "c", "d.e"]);
        assert!(suggestions("Did you mean it").is_empty());
    }
}
