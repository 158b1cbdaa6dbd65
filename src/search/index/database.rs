//! An index file: an SQLite database with full-text tables.

use std::marker::PhantomData;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::entry::IndexEntry;
use super::query::path_parts;
use super::words::words;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::UnreadPart;

/// The tables.
const SCHEMA: &str = include_str!("schema.sql");
/// The version of the tables; a file of another version is not used.
pub(super) const VERSION: &str = "7";
/// Entries with a word that make it a common one.
const COMMON_WORD: u32 = 1_000;
/// Memory for the pages of an open index, in KiB.
const CACHE_KIB: i64 = 32 * 1024;

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite failed.
    #[error("the search index could not be used: {cause}")]
    Database { cause: rusqlite::Error },
    /// Another version of this program wrote it, or its build did not end.
    #[error("the search index is incomplete or of another version")]
    Unusable,
    /// An entry could not be written as JSON, or read.
    #[error("the search index has an invalid entry: {cause}")]
    Entry { cause: serde_json::Error },
}

impl From<rusqlite::Error> for IndexError {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Database { cause }
    }
}

impl From<serde_json::Error> for IndexError {
    fn from(cause: serde_json::Error) -> Self {
        Self::Entry { cause }
    }
}

impl From<&IndexError> for Diagnostic {
    fn from(error: &IndexError) -> Self {
        Self::new(Code::StateUnusable, error.to_string())
            .with_hint("remove the folder `index` in the cache folder; it is built again")
    }
}

/// The state of an attribute that is no package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherState {
    /// nixpkgs replaces it by an error.
    Removed,
    /// A function, a value, or a set that is not searched.
    Plain,
}

impl OtherState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Plain => "plain",
        }
    }
}

/// A fact about an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The version of the tables; only a complete index has it.
    Version,
    /// The commit of the indexed nixpkgs.
    Revision,
    /// The flake that the index was built for.
    Flake,
    /// The time at which its build began, in seconds since 1970.
    Built,
}

impl Fact {
    fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Revision => "revision",
            Self::Flake => "flake",
            Self::Built => "built",
        }
    }
}

/// An index that is being built.
pub struct IndexWriter<E> {
    connection: Connection,
    next: i64,
    entries: PhantomData<fn() -> E>,
}

impl<E: IndexEntry> IndexWriter<E> {
    /// Creates an index in a file that does not exist, or in memory.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn create(file: Option<&Path>) -> Result<Self, IndexError> {
        let connection = match file {
            Some(file) => Connection::open(file)?,
            None => Connection::open_in_memory()?,
        };
        // The file is renamed when it is complete, and built anew if the machine stops before.
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192; BEGIN",
        )?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, next: 1, entries: PhantomData })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn add(&mut self, entry: &E) -> Result<(), IndexError> {
        let id = self.next;
        self.next += 1;
        self.connection.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                id,
                entry.path().to_lowercase(),
                entry.leaf().to_lowercase(),
                entry.pname().map(str::to_lowercase),
                entry.program().map(str::to_lowercase),
                serde_json::to_string(entry)?,
            ],
        )?;
        let mut name = words(entry.path());
        name.extend(words(entry.pname().unwrap_or_default()));
        name.extend(words(entry.version()));
        let program = entry.program().map(words).unwrap_or_default();
        self.connection
            .prepare_cached("INSERT INTO words (rowid, name, program, description) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id, name.join(" "), program.join(" "), words(entry.description()).join(" ")])?;
        self.connection
            .prepare_cached("INSERT INTO trigrams (rowid, name) VALUES (?1, ?2)")?
            .execute(params![id, entry.spelling()])?;
        for part in entry.parts() {
            self.connection.prepare_cached("INSERT OR IGNORE INTO parts VALUES (?1)")?.execute([part])?;
        }
        Ok(())
    }

    /// Adds an attribute that is no package, and the message of its removal if it is known. The first call for a path counts.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn add_other(
        &mut self,
        path: &str,
        state: OtherState,
        message: Option<&str>,
    ) -> Result<(), IndexError> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO others VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![path.to_lowercase(), path, state.as_str(), message])?;
        Ok(())
    }

    /// Adds a part that could not be read.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn add_unread(&mut self, part: &UnreadPart) -> Result<(), IndexError> {
        self.connection
            .prepare_cached("INSERT INTO unread VALUES (?1)")?
            .execute([serde_json::to_string(part)?])?;
        Ok(())
    }

    /// Sets a fact about the index.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn set_fact(&mut self, fact: Fact, value: &str) -> Result<(), IndexError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO facts VALUES (?1, ?2)")?
            .execute([fact.as_str(), value])?;
        Ok(())
    }

    /// Completes the index. Without this, [`Index::open`] refuses the file.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn finish(mut self) -> Result<Index<E>, IndexError> {
        self.connection.execute_batch(
            "INSERT INTO words (words) VALUES ('optimize'); INSERT INTO trigrams (trigrams) VALUES ('optimize'); \
             CREATE VIRTUAL TABLE temp.terms USING fts5vocab (main, trigrams, row); \
             INSERT INTO trigram_counts SELECT term, doc FROM terms; DROP TABLE terms; \
             CREATE VIRTUAL TABLE temp.terms USING fts5vocab (main, words, row)",
        )?;
        self.connection
            .execute("INSERT INTO common_words SELECT term FROM terms WHERE doc >= ?1", [COMMON_WORD])?;
        self.connection.execute_batch("DROP TABLE terms")?;
        self.set_fact(Fact::Version, VERSION)?;
        self.connection.execute_batch("COMMIT")?;
        Ok(Index { connection: self.connection, entries: PhantomData })
    }
}

/// A complete index.
pub struct Index<E> {
    pub(super) connection: Connection,
    entries: PhantomData<fn() -> E>,
}

impl<E: IndexEntry> Index<E> {
    /// Opens an index file for reading.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn open(file: &Path) -> Result<Self, IndexError> {
        let connection = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // A complete file is never changed, so it is locked once instead of for each of the hundreds of reads of a search.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let index = Self { connection, entries: PhantomData };
        match index.fact(Fact::Version) {
            Ok(Some(version)) if version == VERSION => Ok(index),
            Ok(_) => Err(IndexError::Unusable),
            Err(error) => Err(error),
        }
    }

    /// A fact about the index; `None` if it is not known.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn fact(&self, fact: Fact) -> Result<Option<String>, IndexError> {
        Ok(self
            .connection
            .query_row("SELECT value FROM facts WHERE name = ?1", [fact.as_str()], |row| row.get(0))
            .optional()?)
    }

    /// Number of entries.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn count(&self) -> Result<u64, IndexError> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM entries", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The state of an attribute that is no package, and the message of its removal if it is known; `None` if there is no such
    /// attribute. Upper and lower case count.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn other(&self, path: &str) -> Result<Option<(OtherState, Option<String>)>, IndexError> {
        let found: Option<(String, String, Option<String>)> = self
            .connection
            .prepare_cached("SELECT path, state, message FROM others WHERE path_key = ?1")?
            .query_row([path.to_lowercase()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        Ok(found.filter(|(known, ..)| known == path).map(|(_, state, message)| match state.as_str() {
            "removed" => (OtherState::Removed, message),
            _ => (OtherState::Plain, message),
        }))
    }

    /// The first parts that could not be read while the index was built, at most `limit`.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn unread(&self, limit: u32) -> Result<Vec<UnreadPart>, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT part FROM unread ORDER BY rowid LIMIT ?1")?;
        let mut rows = statement.query([limit])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            let part: String = row.get(0)?;
            parts.push(serde_json::from_str(&part)?);
        }
        Ok(parts)
    }

    /// As [`Self::unread`], of the parts that are about this path.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn unread_about(&self, path: &str, limit: u32) -> Result<Vec<UnreadPart>, IndexError> {
        let names = serde_json::to_string(&path_parts(path))?;
        let names = names.trim_matches(['[', ']']);
        let mut statement = self.connection.prepare_cached(
            "SELECT part FROM unread WHERE instr(part, ?1) OR instr(part, ?2) ORDER BY rowid LIMIT ?3",
        )?;
        let mut rows = statement.query(params![path, names, limit])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            let part: String = row.get(0)?;
            parts.push(serde_json::from_str(&part)?);
        }
        Ok(parts)
    }

    /// Whether the package at this path may exist, and could not be read while the index was built.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn is_unread(&self, path: &[String]) -> Result<bool, IndexError> {
        let mut statement = self.connection.prepare_cached("SELECT part FROM unread")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let part: String = row.get(0)?;
            let part: UnreadPart = serde_json::from_str(&part)?;
            if covers_package(&part, path) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The number of parts that could not be read while the index was built.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn unread_count(&self) -> Result<u64, IndexError> {
        let count: i64 =
            self.connection.prepare_cached("SELECT count(*) FROM unread")?.query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}

/// The path of the package or set that a part of the probe `package_index` is about: what describes a package has a part of its own.
pub(super) fn package_path(part: &UnreadPart) -> Vec<String> {
    let mut path: Vec<String> = part.part.iter().map(String::from).collect();
    if path.len() > 1 && path.last().is_some_and(|last| last == "package") {
        path.pop();
    }
    path
}

/// Whether a part is about the package at this path, or about a set around it, or is the last that was read of the set that the
/// package may be in.
fn covers_package(part: &UnreadPart, path: &[String]) -> bool {
    let unread = package_path(part);
    let is_around = path.starts_with(&unread);
    let set = unread.get(..unread.len().saturating_sub(1)).unwrap_or_default();
    is_around || part.rest && path.len() > set.len() && path.starts_with(set) && path > unread.as_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Diagnostic};

    #[test]
    fn a_part_covers_its_package_and_the_rest_of_its_set() {
        let part = |path: &[&str], rest: bool| UnreadPart {
            rest,
            ..UnreadPart::new(path.iter().copied(), Diagnostic::new(Code::Throw, "not today"))
        };
        let covers = |part: &UnreadPart, path: &str| covers_package(part, &path_parts(path));
        let single = part(&["b", "package"], false);
        assert_eq!(["a", "b", "b.x", "c"].map(|path| covers(&single, path)), [false, true, true, false]);
        let rest = part(&["set", "m"], true);
        assert_eq!(
            ["set", "set.a", "set.m", "set.z", "set.z.y", "tree"].map(|path| covers(&rest, path)),
            [false, false, true, true, true, false]
        );
    }
}
