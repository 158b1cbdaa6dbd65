//! How similar two names are spelt. A search compares one name with thousands, so most are refused by their letters alone.

use std::cell::RefCell;
use std::collections::HashMap;

use super::query::path_parts;

/// Least similarity of a suggestion, from 0 to 1.
pub(super) const SIMILAR: f64 = 0.6;
/// Longest name that is compared, in characters.
const LONGEST: usize = 128;
/// Similarity of two parts of which one begins with the other.
const BEGINS_WITH: f64 = 0.85;
/// Letters are counted in this many groups, so that a name with other letters is refused without a comparison.
const GROUPS: usize = 32;

/// A name in lower case whose spelling is compared with many others.
pub struct Spelling {
    pub(super) name: String,
    /// The parts of its path.
    pub(super) parts: Vec<String>,
    letters: Letters,
    /// Parts of other paths, which many paths have in common, with their similarity to each part of this one.
    compared: RefCell<HashMap<String, Vec<f64>>>,
}

impl Spelling {
    /// Reads a name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let name: String = name.trim().to_lowercase().chars().take(LONGEST).collect();
        Self { parts: path_parts(&name), letters: Letters::of(&name), compared: RefCell::default(), name }
    }

    /// The similarity of another name in lower case, from 0 to 1; 0 if it is at most [`SIMILAR`]. Names that differ only in
    /// their version are nearly the same.
    pub(super) fn similarity(&self, other: &str) -> f64 {
        let spelling = self.letters.similarity(&self.name, other);
        if same_stem(&self.name, other) { spelling.max(0.9) } else { spelling }
    }

    /// Calls `read` with the similarity of a part of another path to each part of this one.
    pub(super) fn with_part<T>(&self, other: &str, read: impl FnOnce(&[f64]) -> T) -> T {
        let mut compared = self.compared.borrow_mut();
        if let Some(known) = compared.get(other) {
            return read(known);
        }
        let similar = self.parts.iter().map(|part| part_similarity(part, other)).collect();
        read(compared.entry(other.to_owned()).or_insert(similar))
    }
}

/// The number of letters of a name in each group.
pub(super) struct Letters {
    groups: [u8; GROUPS],
    count: usize,
}

impl Letters {
    pub(super) fn of(name: &str) -> Self {
        let mut letters = Self { groups: [0; GROUPS], count: 0 };
        for character in name.chars() {
            letters.count += 1;
            if let Some(group) = letters.groups.get_mut(character as usize % GROUPS) {
                *group = group.saturating_add(1);
            }
        }
        letters
    }

    /// As [`strsim::normalized_damerau_levenshtein`] of `name`, whose letters these are; 0 if it is at most [`SIMILAR`].
    pub(super) fn similarity(&self, name: &str, other: &str) -> f64 {
        let others = Self::of(other);
        let longer = self.count.max(others.count) as f64;
        // Each edit adds, removes or replaces one letter, or exchanges two.
        let surplus = |one: &Self, other: &Self| {
            let pairs = one.groups.iter().zip(other.groups);
            pairs.map(|(one, other)| usize::from(one.saturating_sub(other))).sum::<usize>()
        };
        let least_edits = surplus(self, &others).max(surplus(&others, self)) as f64;
        if 1.0 - least_edits / longer <= SIMILAR {
            return 0.0;
        }
        let similarity = strsim::normalized_damerau_levenshtein(name, other);
        if similarity > SIMILAR { similarity } else { 0.0 }
    }
}

/// The similarity of two parts of paths, from 0 to 1.
pub(super) fn part_similarity(one: &str, other: &str) -> f64 {
    let spelling = strsim::normalized_damerau_levenshtein(one, other);
    let begins = one.len() >= 3 && other.len() >= 3 && (one.starts_with(other) || other.starts_with(one));
    if begins { spelling.max(BEGINS_WITH) } else { spelling }
}

/// Whether two names are the same before their first digit.
pub(super) fn same_stem(one: &str, other: &str) -> bool {
    fn stem(name: &str) -> impl Iterator<Item = char> {
        name.chars()
            .take_while(|character| !character.is_numeric())
            .filter(|character| character.is_alphanumeric())
    }
    stem(one).eq(stem(other)) && stem(one).count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_refuse_only_names_that_are_not_similar() {
        let names = [
            "ripgrep",
            "ripgerp",
            "rg",
            "riprgep",
            "python3-requests",
            "requests",
            "docker-compose",
            "docker-compsoe",
            "größe",
            "grösse",
            "",
            "a",
            "services",
            "service",
        ];
        let mut refused = 0;
        for one in names {
            for other in names {
                let whole = strsim::normalized_damerau_levenshtein(one, other);
                let found = Letters::of(one).similarity(one, other);
                if whole > SIMILAR {
                    assert_eq!(found, whole, "{one} {other}");
                } else {
                    assert_eq!(found, 0.0, "{one} {other}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn a_part_is_compared_with_each_part() {
        let spelling = Spelling::new("Services.openssh.PermitRoot");
        for _ in 0..2 {
            let similar = spelling.with_part("permitrootlogin", <[f64]>::to_vec);
            assert_eq!(similar.len(), 3);
            assert_eq!(similar.last(), Some(&BEGINS_WITH));
        }
    }

    #[test]
    fn versions_have_the_same_stem() {
        for (one, other, expected) in
            [("postgresql_16", "postgresql-17", true), ("go_1", "go_2", false), ("nodejs", "node", false)]
        {
            assert_eq!(same_stem(one, other), expected, "{one} {other}");
        }
    }
}
