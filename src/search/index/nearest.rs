//! Suggestions: entries whose names are spelt nearly like a name that does not exist.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension, params};

use super::database::{Index, IndexError};
use super::entry::IndexEntry;
use super::spelling::{Letters, SIMILAR, Spelling};
use super::words::words;

/// Most names with common letters whose spelling is compared.
const NEIGHBOURS: usize = 600;
/// Most names with three common letters that are counted. The rarest letters are counted first.
const COUNTED: usize = 8_000;
/// Most entries with all the corrected words of a path whose spelling is compared.
const CORRECTED: u32 = 600;

/// The names that were compared by the number of their entry.
type Compared = BTreeMap<i64, Neighbour>;

/// An entry whose name is similar.
struct Neighbour {
    /// In lower case.
    path: String,
    similarity: f64,
}

impl<E: IndexEntry> Index<E> {
    /// Entries whose name is spelt nearly like this, the nearest first.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn nearest(&self, name: &str, limit: usize) -> Result<Vec<E>, IndexError> {
        let wanted = Spelling::new(name);
        let mut compared = Compared::new();
        for id in self.with_common_letters(&wanted)? {
            self.compare(id, &wanted, &mut compared)?;
        }
        if let Some(expression) = self.corrected(&wanted)? {
            let mut matching =
                self.connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1 LIMIT ?2")?;
            let mut rows = matching.query(params![expression, CORRECTED])?;
            while let Some(row) = rows.next()? {
                self.compare(row.get(0)?, &wanted, &mut compared)?;
            }
        }
        for id in self.with_the_same_beginning(&wanted)? {
            self.compare(id, &wanted, &mut compared)?;
        }
        let mut nearest: Vec<(i64, Neighbour)> =
            compared.into_iter().filter(|(_, neighbour)| neighbour.similarity > SIMILAR).collect();
        let depth = |neighbour: &Neighbour| neighbour.path.matches('.').count();
        nearest.sort_by(|(_, one), (_, other)| {
            other
                .similarity
                .total_cmp(&one.similarity)
                .then_with(|| depth(one).cmp(&depth(other)))
                .then_with(|| one.path.len().cmp(&other.path.len()))
                .then_with(|| one.path.cmp(&other.path))
        });
        let mut entry = self.connection.prepare_cached("SELECT entry FROM entries WHERE id = ?1")?;
        let mut entries = Vec::new();
        for (id, _) in nearest.into_iter().take(limit) {
            let text: String = entry.query_row([id], |row| row.get(0))?;
            entries.push(serde_json::from_str(&text)?);
        }
        Ok(entries)
    }

    /// Compares the name of an entry, unless it was compared before.
    fn compare(&self, id: i64, wanted: &Spelling, compared: &mut Compared) -> Result<(), IndexError> {
        if compared.contains_key(&id) {
            return Ok(());
        }
        let mut names =
            self.connection.prepare_cached("SELECT path_key, pname_key FROM entries WHERE id = ?1")?;
        let (path, pname): (String, Option<String>) =
            names.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let similarity = E::similarity(&path, pname.as_deref(), wanted);
        compared.insert(id, Neighbour { path, similarity });
        Ok(())
    }

    /// The entries whose names have the most, and the rarest, three letters in common with this name.
    fn with_common_letters(&self, wanted: &Spelling) -> Result<Vec<i64>, IndexError> {
        let telling: Vec<char> = E::telling(&wanted.name).chars().collect();
        let mut count =
            self.connection.prepare_cached("SELECT entries FROM trigram_counts WHERE trigram = ?1")?;
        let mut trigrams: BTreeMap<String, i64> = BTreeMap::new();
        for letters in telling.windows(3).filter(|letters| !letters.contains(&' ')) {
            let trigram: String = letters.iter().collect();
            if let Some(entries) = count.query_row([&trigram], |row| row.get(0)).optional()? {
                trigrams.insert(trigram, entries);
            }
        }
        let mut trigrams: Vec<(String, i64)> = trigrams.into_iter().collect();
        trigrams.sort_by_key(|(_, entries)| *entries);
        let mut weights: HashMap<i64, f64> = HashMap::new();
        let mut having =
            self.connection.prepare_cached("SELECT rowid FROM trigrams WHERE trigrams MATCH ?1 LIMIT ?2")?;
        let mut counted = 0;
        for (trigram, entries) in trigrams {
            let weight = 1.0 / (1.0 + entries as f64).ln_1p();
            let quoted = format!("\"{}\"", trigram.replace('"', "\"\""));
            let mut rows = having.query(params![quoted, COUNTED.saturating_sub(counted) as i64])?;
            while let Some(row) = rows.next()? {
                counted += 1;
                *weights.entry(row.get(0)?).or_default() += weight;
            }
            if counted >= COUNTED {
                break;
            }
        }
        let mut weights: Vec<(i64, f64)> = weights.into_iter().collect();
        // Entries are numbered from the outermost set inwards.
        weights.sort_by(|(one, a), (other, b)| b.total_cmp(a).then_with(|| one.cmp(other)));
        Ok(weights.into_iter().take(NEIGHBOURS).map(|(id, _)| id).collect())
    }

    /// The entries in no set that begin with the same letter and are similar. A short name with two letters exchanged shares no
    /// three letters with the right one, and few errors are in the first letter.
    fn with_the_same_beginning(&self, wanted: &Spelling) -> Result<Vec<i64>, IndexError> {
        let Some(first) = wanted.name.chars().next() else { return Ok(Vec::new()) };
        let mut beginning = self.connection.prepare_cached(
            "SELECT id, path_key FROM entries WHERE path_key >= ?1 AND path_key < ?2 AND path_key = leaf_key \
             AND length(path_key) BETWEEN ?3 AND ?4",
        )?;
        let length = i64::try_from(wanted.name.chars().count()).unwrap_or(i64::MAX);
        let mut rows = beginning.query(params![
            first.to_string(),
            format!("{first}\u{10ffff}"),
            length - 2,
            length + 2
        ])?;
        let mut similar = Vec::new();
        while let Some(row) = rows.next()? {
            let path = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            if wanted.similarity(path) > SIMILAR {
                similar.push(row.get(0)?);
            }
        }
        Ok(similar)
    }

    /// The words of a path of which each part is replaced by the nearest that exists, as an FTS5 expression; `None` if every
    /// part exists or the entries have no parts.
    fn corrected(&self, path: &Spelling) -> Result<Option<String>, IndexError> {
        let mut exists =
            self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM parts WHERE part = ?1)")?;
        let mut near =
            self.connection.prepare_cached("SELECT part FROM parts WHERE length(part) BETWEEN ?1 AND ?2")?;
        let mut is_corrected = false;
        let mut all = Vec::new();
        for part in &path.parts {
            let known: bool = exists.query_row([part], |row| row.get(0))?;
            if known {
                all.extend(words(part));
                continue;
            }
            let length = i64::try_from(part.chars().count()).unwrap_or(i64::MAX);
            let letters = Letters::of(part);
            let mut rows = near.query([length - 2, length + 2])?;
            let mut best: Option<(f64, String)> = None;
            while let Some(row) = rows.next()? {
                let other = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
                let similarity = letters.similarity(part, other);
                if similarity > SIMILAR && best.as_ref().is_none_or(|(known, _)| similarity > *known) {
                    best = Some((similarity, other.to_owned()));
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
