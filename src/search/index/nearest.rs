//! Suggestions: entries whose names are spelt nearly like a name that does not exist.

use std::collections::BTreeMap;

use rusqlite::params;

use super::database::{Index, IndexError};
use super::entry::IndexEntry;
use super::query::path_parts;
use super::words::words;

/// Most names with common letters whose spelling is compared.
const NEIGHBOURS: u32 = 300;
/// Least similarity of a suggestion, from 0 to 1.
const SIMILAR: f64 = 0.6;
/// Longest name that is compared, in characters.
const LONGEST: usize = 128;

impl<E: IndexEntry> Index<E> {
    /// Entries whose name is spelt nearly like this, the nearest first.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn nearest(&self, name: &str, limit: usize) -> Result<Vec<E>, IndexError> {
        let wanted: String = name.trim().to_lowercase().chars().take(LONGEST).collect();
        let letters: Vec<char> = wanted.chars().collect();
        let telling: Vec<char> = E::telling(&wanted).chars().collect();
        let trigrams: Vec<String> = telling
            .windows(3)
            .filter(|letters| !letters.contains(&' '))
            .map(|letters| format!("\"{}\"", letters.iter().collect::<String>().replace('"', "\"\"")))
            .collect();
        let mut found: BTreeMap<String, (f64, E)> = BTreeMap::new();
        let mut add = |text: String| -> Result<(), IndexError> {
            let entry: E = serde_json::from_str(&text)?;
            let similarity = entry.similarity(&wanted);
            if similarity > SIMILAR {
                found.insert(entry.path().to_owned(), (similarity, entry));
            }
            Ok(())
        };
        if !trigrams.is_empty() {
            let mut matching = self.connection.prepare_cached(
                "SELECT entries.entry FROM \
                 (SELECT rowid FROM trigrams WHERE trigrams MATCH ?1 ORDER BY bm25(trigrams) LIMIT ?2) AS best \
                 JOIN entries ON entries.id = best.rowid",
            )?;
            let mut rows = matching.query(params![trigrams.join(" OR "), NEIGHBOURS])?;
            while let Some(row) = rows.next()? {
                add(row.get(0)?)?;
            }
        }
        if let Some(expression) = self.corrected(&wanted)? {
            let mut matching = self.connection.prepare_cached(
                "SELECT entries.entry FROM \
                 (SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY bm25(words) LIMIT ?2) AS best \
                 JOIN entries ON entries.id = best.rowid",
            )?;
            let mut rows = matching.query(params![expression, NEIGHBOURS])?;
            while let Some(row) = rows.next()? {
                add(row.get(0)?)?;
            }
        }
        // A short name with two letters exchanged shares no three letters with the right one. Few errors are in the first.
        let mut beginning = self.connection.prepare_cached(
            "SELECT entry FROM entries WHERE path_key >= ?1 AND path_key < ?2 AND path_key = leaf_key \
             AND length(path_key) BETWEEN ?3 AND ?4",
        )?;
        if let Some(first) = letters.first() {
            let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
            let range = (first.to_string(), format!("{first}\u{10ffff}"));
            let mut rows = beginning.query(params![range.0, range.1, length - 2, length + 2])?;
            while let Some(row) = rows.next()? {
                add(row.get(0)?)?;
            }
        }
        let mut found: Vec<(f64, E)> = found.into_values().collect();
        let depth = |entry: &E| entry.path().matches('.').count();
        found.sort_by(|(a, one), (b, other)| {
            b.total_cmp(a)
                .then_with(|| depth(one).cmp(&depth(other)))
                .then_with(|| one.path().len().cmp(&other.path().len()))
                .then_with(|| one.path().cmp(other.path()))
        });
        Ok(found.into_iter().take(limit).map(|(_, entry)| entry).collect())
    }

    /// The words of a path of which each part is replaced by the nearest that exists, as an FTS5 expression; `None` if every
    /// part exists or the entries have no parts.
    fn corrected(&self, path: &str) -> Result<Option<String>, IndexError> {
        let mut exists =
            self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM parts WHERE part = ?1)")?;
        let mut near =
            self.connection.prepare_cached("SELECT part FROM parts WHERE length(part) BETWEEN ?1 AND ?2")?;
        let mut is_corrected = false;
        let mut all = Vec::new();
        for part in path_parts(path) {
            let known: bool = exists.query_row([&part], |row| row.get(0))?;
            if known {
                all.extend(words(&part));
                continue;
            }
            let length = i64::try_from(part.chars().count()).unwrap_or(i64::MAX);
            let mut rows = near.query([length - 2, length + 2])?;
            let mut best: Option<(f64, String)> = None;
            while let Some(row) = rows.next()? {
                let other: String = row.get(0)?;
                let similarity = strsim::normalized_damerau_levenshtein(&part, &other);
                if similarity > SIMILAR && best.as_ref().is_none_or(|(known, _)| similarity > *known) {
                    best = Some((similarity, other));
                }
            }
            // A part that is like no other is left out.
            if let Some((_, other)) = best {
                is_corrected = true;
                all.extend(words(&other));
            }
        }
        let quoted: Vec<String> = all.iter().map(|word| format!("\"{word}\"")).collect();
        Ok((is_corrected && !quoted.is_empty()).then(|| quoted.join(" AND ")))
    }
}

/// The similarity of two names, from 0 to 1. Names that differ only in their version are nearly the same.
pub(super) fn similarity(one: &str, other: &str) -> f64 {
    let spelling = strsim::normalized_damerau_levenshtein(one, other);
    if same_stem(one, other) { spelling.max(0.9) } else { spelling }
}

/// Whether two names are the same before their first digit.
pub(super) fn same_stem(one: &str, other: &str) -> bool {
    let stem = |name: &str| -> String {
        name.chars()
            .take_while(|character| !character.is_numeric())
            .filter(|character| character.is_alphanumeric())
            .collect()
    };
    let (stem_of_one, stem_of_other) = (stem(one), stem(other));
    stem_of_one.chars().count() >= 3 && stem_of_one == stem_of_other
}
