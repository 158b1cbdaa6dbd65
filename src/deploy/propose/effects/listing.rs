//! The files of a system that show its effects, as [`READ`](super::READ) prints them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What a toplevel configures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SystemFiles {
    contents: BTreeMap<String, Content>,
    /// The entries of `/etc`, by their paths relative to it.
    pub(super) etc: BTreeMap<String, EtcEntry>,
    /// Whether it has entries of `/etc` that are not in `etc`, and why.
    pub(super) etc_problem: Option<&'static str>,
    /// The same of the files with authorized keys.
    pub(super) keys_problem: Option<&'static str>,
    /// Whether it has firewalld, which has a configuration of its own.
    pub(super) has_firewalld: bool,
    /// Whether systemd-sysusers makes its users.
    pub(super) has_sysusers: bool,
}

/// The content of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Content {
    /// There is no such file.
    #[default]
    Absent,
    /// There is one, which cannot be read for this reason.
    Unread(&'static str),
    /// It has this text.
    Text(String),
}

/// An entry of `/etc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EtcEntry {
    /// Mode, user and group, if it is copied.
    belonging: String,
    /// SHA-256 of the content; empty if it was not read, or need not be.
    hash: String,
    /// SHA-256 of the content without the hashes of store paths.
    bare_hash: String,
    /// Target of the link.
    target: String,
}

/// How an entry of `/etc` differs from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryDifference {
    Same,
    /// Only the hashes of store paths in its content differ.
    Rebuilt,
    Changed,
}

const TOO_LARGE: &str = "a file of it is too large";
const UNREADABLE: &str = "a file of it is missing or unreadable";

impl SystemFiles {
    /// Parses what [`READ`](super::READ) prints of each system; `None` unless it is complete.
    pub(super) fn parse(said: &str, systems: usize) -> Option<Vec<Self>> {
        let mut found: Vec<Self> = Vec::new();
        let mut open = None;
        for line in said.lines() {
            let Some((key, value)) = line.split_once('\t') else { continue };
            match (key, value, open.as_mut()) {
                ("system", "1", None) => open = Some(Self::default()),
                ("end", "1", Some(_)) => found.extend(open.take()),
                ("system", ..) => return None,
                (_, _, Some(files)) => files.add(key, value),
                _ => {}
            }
        }
        (open.is_none() && found.len() == systems).then_some(found)
    }

    fn add(&mut self, key: &str, value: &str) {
        match (key, value) {
            ("has", "firewalld") => self.has_firewalld = true,
            ("has", "sysusers") => self.has_sysusers = true,
            ("large", "etc") => self.etc_problem = Some("it has too many files"),
            ("odd", "etc") => self.etc_problem = Some("the name of a file has a tab or a line feed"),
            ("absent", "etc") => self.etc_problem = Some("it has no folder etc"),
            ("large", "keys") => self.keys_problem = Some("too many users have keys"),
            ("odd", "keys") => self.keys_problem = Some("the name of a file is not a user's"),
            ("etc", _) => match EtcEntry::parse(value) {
                Some((path, entry)) => {
                    self.etc.insert(path, entry);
                }
                None => self.etc_problem = Some("an entry of its list is not valid"),
            },
            ("content", _) => {
                let Some((name, encoded)) = value.split_once('\t') else { return };
                let decoded = BASE64_STANDARD.decode(encoded.trim());
                let content = match decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
                    Some(text) => Content::Text(text),
                    None => Content::Unread("a file of it is not text"),
                };
                self.contents.insert(name.to_owned(), content);
            }
            ("large", name) => self.unread(name, TOO_LARGE),
            ("extended", name) => self.unread(name, "another file changes its unit"),
            ("unread", name) => self.unread(name, UNREADABLE),
            _ => {}
        }
    }

    fn unread(&mut self, name: &str, why: &'static str) {
        self.contents.insert(name.to_owned(), Content::Unread(why));
    }

    /// The content of the file with this name in [`READ`](super::READ).
    pub(super) fn content(&self, name: &str) -> &Content {
        self.contents.get(name).unwrap_or(&Content::Absent)
    }

    /// The files with authorized keys, by user.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.contents.iter().filter_map(|(name, content)| Some((name.strip_prefix("key ")?, content)))
    }
}

impl EtcEntry {
    fn parse(value: &str) -> Option<(String, Self)> {
        let mut fields = value.splitn(5, '\t');
        let mut field = || fields.next().map(|field| field.trim().to_owned());
        let entry = Self { belonging: field()?, hash: field()?, bare_hash: field()?, target: field()? };
        Some((fields.next()?.to_owned(), entry))
    }

    pub(super) fn difference(&self, next: &Self) -> EntryDifference {
        if self.belonging != next.belonging {
            return EntryDifference::Changed;
        }
        // A path in the store never changes, and a link out of it has no content of the system.
        if !self.target.is_empty() && self.target == next.target {
            return EntryDifference::Same;
        }
        let is_read = !self.hash.is_empty() && !next.hash.is_empty();
        if is_read && self.hash == next.hash {
            return EntryDifference::Same;
        }
        if is_read && self.bare_hash == next.bare_hash {
            return EntryDifference::Rebuilt;
        }
        EntryDifference::Changed
    }
}
