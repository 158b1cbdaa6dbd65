//! Finds entries in an index, the best match first.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rusqlite::params;

use super::database::{Index, IndexError};
use super::entry::IndexEntry;
use super::words::{has_in_sequence, pieces};

/// Most candidates that are ranked; SQLite selects them by their words.
const CANDIDATES: u32 = 400;
/// Most entries with the words of which SQLite selects the candidates, because it weighs about 200 in a millisecond. Those
/// beyond it lie in sets: entries are numbered from the outermost set inwards.
const WEIGHED: u32 = 2_000;

/// A word of a query: itself, and its pieces if it has several.
pub(super) struct QueryWord {
    pub whole: String,
    pub pieces: Vec<String>,
}

impl QueryWord {
    /// The word as an FTS5 expression: a prefix of a word, or all its pieces. `is_common` tells whether very many entries have a
    /// word.
    fn expression(
        &self,
        is_common: &impl Fn(&str) -> Result<bool, IndexError>,
    ) -> Result<String, IndexError> {
        let whole = term(&self.whole, is_common)?;
        if self.pieces.len() < 2 {
            return Ok(whole);
        }
        let pieces: Result<Vec<String>, IndexError> =
            self.pieces.iter().map(|piece| term(piece, is_common)).collect();
        Ok(format!("({whole} OR ({}))", pieces?.join(" AND ")))
    }

    /// Whether `holds` is true for the word, or for each of its pieces.
    pub(super) fn is_held(&self, holds: impl Fn(&str) -> bool) -> bool {
        holds(&self.whole) || self.pieces.len() > 1 && self.pieces.iter().all(|piece| holds(piece))
    }

    /// Whether a name has the word: as one of its words, or as pieces next to one another. If not `whole`, the beginning is
    /// enough.
    pub(super) fn is_in_name(&self, words: &[String], pieces: &[String], whole: bool) -> bool {
        words.iter().any(|word| *word == self.whole || !whole && word.starts_with(&self.whole))
            || self.pieces.len() > 1 && has_in_sequence(pieces, &self.pieces, whole)
    }
}

/// A prefix of a word as an FTS5 expression. Of a common word, only itself: SQLite reads the entries of every longer word, which
/// takes several milliseconds.
fn term(word: &str, is_common: &impl Fn(&str) -> Result<bool, IndexError>) -> Result<String, IndexError> {
    Ok(if is_common(word)? { format!("\"{word}\"") } else { format!("\"{word}\"*") })
}

/// What a person or an assistant typed.
pub struct Query {
    /// In lower case, without blanks around it.
    pub(super) key: String,
    /// Its letters and digits, in lower case.
    pub(super) joined: String,
    pub(super) words: Vec<QueryWord>,
    /// The parts of a dotted path, as they were typed.
    pub(super) segments: Vec<String>,
}

impl Query {
    /// Reads a query.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let runs = text.split(|character: char| !character.is_alphanumeric()).filter(|run| !run.is_empty());
        let words: Vec<QueryWord> =
            runs.map(|run| QueryWord { whole: run.to_lowercase(), pieces: pieces(run) }).collect();
        Self {
            key: text.to_lowercase(),
            joined: words.iter().map(|word| word.whole.as_str()).collect(),
            segments: path_parts(text),
            words,
        }
    }

    /// Whether the query has a word that is this one, or contains it.
    pub(super) fn mentions(&self, piece: &str) -> bool {
        self.words.iter().any(|word| {
            word.whole == piece || word.pieces.iter().any(|own| own == piece) || word.whole.contains(piece)
        })
    }
}

/// The parts of an attribute path or of the path of an option. A part in quotes may have dots.
#[must_use]
pub fn path_parts(path: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut quoted = false;
    for character in path.chars() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => segments.push(String::new()),
            _ => {
                if let Some(last) = segments.last_mut() {
                    last.push(character);
                }
            }
        }
    }
    segments
}

/// The order of matches; the smallest is the best.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rank {
    /// How the query matches: 0 for the same path, up to 2 for the same name, 3 for words of the name, 4 and 5 for
    /// beginnings of names, and more for words of the description.
    pub tier: u8,
    /// Whether only the package's own name matches, and not its attribute.
    pub(super) elsewhere: bool,
    /// Broken and removed entries come after those that work.
    pub(super) unusable: bool,
    pub(super) alias: bool,
    /// How deep the entry lies below the sets that matter.
    pub(super) depth: usize,
    /// Number of words in its name that the query does not have.
    pub(super) surplus: usize,
    /// Length of its name, if the name matches.
    pub(super) length: usize,
    /// SQLite's relevance of the words; smaller is better.
    pub(super) score: f64,
}

impl Rank {
    /// Whether the name matches, and not only the description.
    #[must_use]
    pub fn is_by_name(&self) -> bool {
        self.tier < 6
    }
}

/// An entry that matches, and how well.
#[derive(Clone, Debug)]
pub struct Match<E> {
    pub entry: E,
    pub rank: Rank,
}

impl<E: IndexEntry> Index<E> {
    /// The entries that match a query, the best match first, and how many match. Of very many matches only the most relevant
    /// are ranked and returned.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn find(&self, query: &Query) -> Result<(Vec<Match<E>>, u64), IndexError> {
        if query.words.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let mut found: BTreeMap<i64, Match<E>> = BTreeMap::new();
        let mut add = |id: i64, text: String, score: f64| -> Result<(), IndexError> {
            let entry: E = serde_json::from_str(&text)?;
            let rank = entry.rank(query, score);
            found.insert(id, Match { entry, rank });
            Ok(())
        };
        let is_common = |word: &str| self.is_common(word);
        let expression: Result<Vec<String>, IndexError> =
            query.words.iter().map(|word| word.expression(&is_common)).collect();
        let expression = expression?.join(" AND ");
        let mut matching = self.connection.prepare_cached(
            "SELECT entries.id, entries.entry, best.score FROM \
             (SELECT id, score FROM \
             (SELECT rowid AS id, bm25(words, 10.0, 8.0, 1.0) AS score FROM words WHERE words MATCH ?1 LIMIT ?3) \
             ORDER BY score LIMIT ?2) AS best JOIN entries ON entries.id = best.id",
        )?;
        let mut rows = matching.query(params![expression, CANDIDATES, WEIGHED])?;
        let mut candidates = 0;
        while let Some(row) = rows.next()? {
            candidates += 1;
            add(row.get(0)?, row.get(1)?, row.get(2)?)?;
        }
        let mut exact = self.connection.prepare_cached(
            "SELECT id, entry FROM entries WHERE path_key = ?1 OR leaf_key = ?1 OR pname_key = ?1 OR program_key = ?1 LIMIT ?2",
        )?;
        let mut rows = exact.query(params![query.key, CANDIDATES])?;
        let mut same_name: Vec<(i64, E)> = Vec::new();
        while let Some(row) = rows.next()? {
            let text: String = row.get(1)?;
            same_name.push((row.get(0)?, serde_json::from_str(&text)?));
        }
        same_name.extend(self.meant_by(&query.segments)?);
        for (id, entry) in same_name {
            let rank = entry.rank(query, 0.0);
            if rank.tier <= 2 {
                found.entry(id).or_insert(Match { entry, rank });
            }
        }
        let total = if candidates < CANDIDATES {
            found.len() as u64
        } else {
            let count: i64 = self
                .connection
                .prepare_cached("SELECT count(*) FROM words WHERE words MATCH ?1")?
                .query_row([expression], |row| row.get(0))?;
            count.unsigned_abs().max(found.len() as u64)
        };
        let mut found: Vec<Match<E>> = found.into_values().collect();
        found.sort_by(|one, other| {
            let order = one.rank.partial_cmp(&other.rank).unwrap_or(Ordering::Equal);
            order.then_with(|| one.entry.path().cmp(other.entry.path()))
        });
        Ok((found, total))
    }

    /// Whether very many entries have a word.
    fn is_common(&self, word: &str) -> Result<bool, IndexError> {
        Ok(self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM common_words WHERE word = ?1)")?
            .query_row([word], |row| row.get(0))?)
    }

    /// The entry with this path, upper and lower case included; `None` if there is none.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn entry(&self, path: &str) -> Result<Option<E>, IndexError> {
        let mut exact = self.connection.prepare_cached("SELECT entry FROM entries WHERE path_key = ?1")?;
        let mut rows = exact.query([path.to_lowercase()])?;
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            let entry: E = serde_json::from_str(&text)?;
            if entry.path() == path {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The entries with this name of a package or this last part of a path.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn named(&self, name: &str) -> Result<Vec<E>, IndexError> {
        let mut exact = self
            .connection
            .prepare_cached("SELECT entry FROM entries WHERE leaf_key = ?1 OR pname_key = ?1 LIMIT ?2")?;
        let mut rows = exact.query(params![name.to_lowercase(), CANDIDATES])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            entries.push(serde_json::from_str(&text)?);
        }
        Ok(entries)
    }

    /// Whether a package has this main program.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn has_program(&self, program: &str) -> Result<bool, IndexError> {
        Ok(self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM entries WHERE program_key = ?1)")?
            .query_row([program.to_lowercase()], |row| row.get(0))?)
    }
}
