//! A package as the index has it, and its rank.

use serde::{Deserialize, Serialize};

use super::entry::IndexEntry;
use super::query::{Query, QueryWord, Rank};
use super::spelling::{Spelling, same_stem};
use super::words::{all_pieces, words};

/// What a set takes off the similarity of a package in it: it is less often meant.
const IN_A_SET: f64 = 0.1;

/// A package. Texts are as nixpkgs has them, cut short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The attribute path below `legacyPackages.SYSTEM`, such as `python313Packages.requests`.
    pub attr: String,
    /// Empty if it has none.
    #[serde(default)]
    pub pname: String,
    /// Empty if it has none.
    #[serde(default)]
    pub version: String,
    /// Empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The main program; `None` if the package names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The licences: SPDX identifiers, or names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licences: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Where it is defined in nixpkgs: `FILE:LINE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfree: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Whether its platforms exclude the system of the index.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsupported: bool,
    /// Whether nixpkgs defines the attribute only if aliases are allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alias: bool,
    /// The attribute that an alias stands for, if nixpkgs' list of aliases tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Package {
    /// Whether a name has a version and differs from the attribute only in that.
    #[must_use]
    pub fn is_version_of(&self, name: &str) -> bool {
        let version = name.find(|character: char| character.is_ascii_digit()).and_then(|at| name.get(at..));
        let is_version =
            |text: &str| text.chars().all(|letter| letter.is_ascii_digit() || "._-x".contains(letter));
        version.is_some_and(is_version) && same_stem(name, &self.attr)
    }

    /// Whether two attributes have the same package, as far as its metadata tells.
    #[must_use]
    pub fn is_same_package(&self, other: &Self) -> bool {
        let anonymous =
            |package: &Self| Self { attr: String::new(), alias: false, target: None, ..package.clone() };
        anonymous(self) == anonymous(other)
    }
}

impl IndexEntry for Package {
    fn path(&self) -> &str {
        &self.attr
    }

    fn leaf(&self) -> &str {
        self.attr.rsplit('.').next().unwrap_or_default()
    }

    fn pname(&self) -> Option<&str> {
        Some(&self.pname)
    }

    fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn spelling(&self) -> &str {
        self.leaf()
    }

    fn telling(name: &str) -> String {
        name.to_owned()
    }

    fn parts(&self) -> Vec<String> {
        Vec::new()
    }

    fn rank(&self, query: &Query, score: f64) -> Rank {
        let (key, joined) = (query.key.as_str(), query.joined.as_str());
        let attr = self.attr.to_lowercase();
        let leaf = attr.rsplit('.').next().unwrap_or_default();
        let pname = self.pname.to_lowercase();
        let program = self.program.as_deref().unwrap_or_default().to_lowercase();
        let compact =
            |text: &str| text.chars().filter(|character| character.is_alphanumeric()).collect::<String>();
        let attr_words = words(&self.attr);
        let attr_pieces = all_pieces(&self.attr);
        let mut name_words = attr_words.clone();
        let mut name_pieces = attr_pieces.clone();
        // Most packages have the same name as their attribute.
        if self.pname != self.leaf() {
            name_words.extend(words(&self.pname));
            name_pieces.extend(all_pieces(&self.pname));
        }
        let version_words = words(&self.version);
        let has = |words: &[String], wanted: &str| words.iter().any(|word| word == wanted);
        let begins = |words: &[String], wanted: &str| words.iter().any(|word| word.starts_with(wanted));
        let in_name = |whole: bool| {
            query.words.iter().all(|word| {
                let is_number = word.whole.starts_with(char::is_numeric);
                // A number of its own may mean the version, but not the number in a name such as `python3`.
                word.is_in_name(&name_words, &name_pieces, whole)
                    || has(&version_words, &word.whole)
                    || !whole && is_number && begins(&version_words, &word.whole)
            })
        };
        let in_attr = |word: &QueryWord| word.is_in_name(&attr_words, &attr_pieces, false);
        let is_described = || {
            let described = words(&self.description);
            query.words.iter().all(|word| has(&described, &word.whole) || has(&name_words, &word.whole))
        };
        let depth = attr.matches('.').count();
        let tier = match () {
            () if attr == key => 0,
            () if depth == 0 && (pname == key || program == key || compact(&attr) == joined) => 1,
            () if leaf == key || pname == key || program == key || compact(&attr) == joined => 2,
            () if in_name(true) => 3,
            () if leaf.starts_with(key) || pname.starts_with(key) || program.starts_with(key) => 4,
            () if in_name(false) => 5,
            () if is_described() => 6,
            () => 7,
        };
        let surplus = all_pieces(self.leaf()).iter().filter(|piece| !query.mentions(piece)).count();
        Rank {
            tier,
            elsewhere: (3..6).contains(&tier) && !query.words.iter().any(in_attr),
            unusable: self.broken || self.unsupported,
            alias: self.alias,
            depth,
            surplus,
            length: if tier < 6 { leaf.len() } else { 0 },
            score,
        }
    }

    fn similarity(path: &str, pname: Option<&str>, wanted: &Spelling) -> f64 {
        let depth = path.matches('.').count() as f64;
        let leaf = path.rsplit('.').next().unwrap_or_default();
        let of_leaf = wanted.similarity(leaf);
        let similarity = match pname {
            Some(pname) if pname != leaf => of_leaf.max(wanted.similarity(pname)),
            _ => of_leaf,
        };
        similarity - depth * IN_A_SET
    }
}
