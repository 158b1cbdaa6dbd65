//! Groups the failed entries of a list by cause, so that each error is printed once with everything it breaks.

use std::borrow::Cow;
use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::names::STORE_FOLDER;
use crate::text;

/// Length of the hash in a store path (Nix manual, "Store Path").
const HASH_LENGTH: usize = 32;

/// An entry of a list that may have failed.
pub trait Failing {
    /// The attribute or the name by which the list shows the entry.
    fn attr(&self) -> Cow<'_, str>;
    /// The entry's own names, which its message may contain. They are ignored when two causes are compared.
    fn words(&self) -> Vec<&str>;
    /// Why the entry failed; `None` if it did not.
    fn error(&mut self) -> &mut Option<Diagnostic>;
}

/// An entry of a list. If several entries fail for one cause, only the first has the error.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct GroupedEntry<T> {
    /// The entry.
    #[serde(flatten)]
    pub entry: T,
    /// Every entry that `error` breaks; empty if it breaks only this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<String>,
    /// The number of broken entries that `breaks` leaves out.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_breaks: u64,
    /// The entry that has the `error` of this one; `None` if the error is here or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

impl<T> GroupedEntry<T> {
    /// The names of the entries that the error of `attr` breaks, at most a few.
    #[must_use]
    pub fn named<'a>(&'a self, attr: &'a str) -> String {
        named(attr, &self.breaks, self.more_breaks)
    }
}

/// Puts the entries that fail for one cause next to each other, at the position of the first, and keeps the error only
/// there.
pub fn group_by_cause<T: Failing>(entries: Vec<T>) -> Vec<GroupedEntry<T>> {
    group_entries(entries).into_iter().flat_map(share_error).collect()
}

/// Groups entries by cause, in the order of their first members. An entry that did not fail is a group of its own.
///
/// Two errors have one cause if code, position, attribute and message are equal apart from the entries' own names and
/// the hashes in store paths.
pub fn group_entries<T: Failing>(entries: Vec<T>) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for mut entry in entries {
        let Some(error) = entry.error().clone() else {
            groups.push(vec![entry]);
            continue;
        };
        // Also compared without masking: a name such as `mail` may be a word that equal messages have in common
        // (`services.mail`).
        let causes = [cause_key(&error, &[]), cause_key(&error, &entry.words())];
        let at = causes.iter().find_map(|cause| known.get(cause).copied()).unwrap_or(groups.len());
        for cause in causes {
            known.entry(cause).or_insert(at);
        }
        match groups.get_mut(at) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    groups
}

fn share_error<T: Failing>(group: Vec<T>) -> Vec<GroupedEntry<T>> {
    let mut breaks: Vec<String> = group.iter().map(|entry| entry.attr().into_owned()).collect();
    let first = breaks.first().cloned();
    if breaks.len() == 1 {
        breaks.clear();
    }
    let mut grouped: Vec<GroupedEntry<T>> = Vec::with_capacity(group.len());
    for mut entry in group {
        if grouped.is_empty() {
            grouped.push(GroupedEntry {
                entry,
                breaks: std::mem::take(&mut breaks),
                more_breaks: 0,
                same_as: None,
            });
        } else {
            *entry.error() = None;
            grouped.push(GroupedEntry { entry, breaks: Vec::new(), more_breaks: 0, same_as: first.clone() });
        }
    }
    grouped
}

/// A key that is equal for errors of one cause.
fn cause_key(error: &Diagnostic, words: &[&str]) -> String {
    let message = mask(&error.full_text(), words);
    let attr = mask(error.attr.as_deref().unwrap_or_default(), words);
    format!("{:?}\0{:?}\0{:?}\0{:?}\0{attr}\0{message}", error.code, error.file, error.line, error.column)
}

/// `text` with a NUL in place of each of `words` and of the hash of each store path.
fn mask(text: &str, words: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(next) = rest.chars().next() {
        if let Some(path) = rest.strip_prefix(STORE_FOLDER)
            && path.chars().take(HASH_LENGTH).all(|c| c.is_ascii_alphanumeric())
            && let Some(name) = path.get(HASH_LENGTH..)
        {
            out.push('\u{0}');
            rest = name;
            continue;
        }
        let begins = !out.ends_with(is_word);
        let word = words
            .iter()
            .filter(|word| !word.is_empty() && begins)
            .find_map(|word| rest.strip_prefix(word).filter(|after| !after.starts_with(is_word)));
        match word {
            Some(after) => {
                out.push('\u{0}');
                rest = after;
            }
            None => {
                out.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

/// The names of the entries that an error breaks, at most a few; `more` counts those that `breaks` leaves out.
#[must_use]
pub fn named<'a>(attr: &'a str, breaks: &'a [String], more: u64) -> String {
    const MOST_NAMED: usize = 5;
    if breaks.is_empty() {
        return text::word(attr).to_owned();
    }
    let beyond = more + breaks.len().saturating_sub(MOST_NAMED) as u64;
    let names = text::words(breaks.iter().take(MOST_NAMED).map(String::as_str));
    if beyond > 0 { format!("{names} and {beyond} more") } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    struct Entry(String, Option<Diagnostic>);

    impl Failing for Entry {
        fn attr(&self) -> Cow<'_, str> {
            (&self.0).into()
        }

        fn words(&self) -> Vec<&str> {
            vec![&self.0]
        }

        fn error(&mut self) -> &mut Option<Diagnostic> {
            &mut self.1
        }
    }

    fn grouped(entries: &[(&str, Option<&str>)]) -> Vec<(String, usize, Option<String>)> {
        let entries = entries
            .iter()
            .map(|(name, said)| {
                Entry((*name).to_owned(), said.map(|said| Diagnostic::new(Code::Throw, said)))
            })
            .collect();
        group_by_cause(entries)
            .into_iter()
            .map(|grouped| (grouped.entry.0, grouped.breaks.len(), grouped.same_as))
            .collect()
    }

    #[test]
    fn one_cause_is_told_once() {
        let same = |of: &str| Some(of.to_owned());
        assert_eq!(
            grouped(&[
                ("web", Some("web has no disk")),
                ("fine", None),
                ("db", Some("db has no disk")),
                ("mail", Some("no key")),
            ]),
            [
                ("web".into(), 2, None),
                ("db".into(), 0, same("web")),
                ("fine".into(), 0, None),
                ("mail".into(), 0, None),
            ]
        );
        // A name that is a word of the message as well.
        let disk = Some("services.mail needs a disk");
        assert_eq!(grouped(&[("mail", disk), ("web", disk)])[1].2, same("mail"));
        assert_eq!(grouped(&[("web", disk), ("mail", disk)])[1].2, same("web"));
        // Part of another word is not the name.
        assert_eq!(grouped(&[("db", Some("dbus is off")), ("x", Some("xus is off"))])[1].2, None);
    }

    #[test]
    fn hashes_make_no_difference() {
        let of =
            |hash: &str, name: &str| format!("/nix/store/{}-nixos-system-{name}.drv failed", hash.repeat(32));
        let (a, b) = (of("0", "a"), of("1", "b"));
        assert_eq!(grouped(&[("a", Some(&a)), ("b", Some(&b))])[1].2.as_deref(), Some("a"));
        assert_eq!(mask("/nix/store/short", &[]), "/nix/store/short");
    }

    #[test]
    fn another_place_is_another_cause() {
        let at = |line| Diagnostic {
            file: Some("a.nix".into()),
            line: Some(line),
            ..Diagnostic::new(Code::Throw, "x")
        };
        let entries = vec![Entry("a".into(), Some(at(1))), Entry("b".into(), Some(at(2)))];
        assert!(group_by_cause(entries).iter().all(|grouped| grouped.same_as.is_none()));
    }

    #[test]
    fn a_few_names_stand_for_many() {
        let breaks: Vec<String> = (0..7).map(|number| format!("h{number}")).collect();
        assert_eq!(named("h0", &breaks, 0), "h0, h1, h2, h3, h4 and 2 more");
        assert_eq!(named("h0", &breaks, 40), "h0, h1, h2, h3, h4 and 42 more");
        assert_eq!(named("h0", &[], 0), "h0");
    }
}
