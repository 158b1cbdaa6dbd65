//! Finds options by a path in which the user chose some of the names, such as `services.nginx.virtualHosts."example.org".root`.

use super::database::{Index, IndexError};
use super::entry::IndexEntry;
use super::option::is_placeholder;
use super::query::path_parts;
use crate::names::OptionPath;

/// Most parts of a path that are compared.
const LONGEST: usize = 64;

/// What stands in the path of an option for a name that the user chooses, and for a position in a list.
const PLACEHOLDERS: [&str; 2] = ["<name>", "*"];

/// An entry on the way of a path.
struct OnTheWay {
    /// The number of parts of its path.
    length: usize,
    path_key: String,
}

impl<E: IndexEntry> Index<E> {
    /// The entries that a path means, with their numbers: those with the same path first, then those that have a placeholder
    /// where the path has a name. Upper and lower case count.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn meant_by(&self, path: &[String]) -> Result<Vec<(i64, E)>, IndexError> {
        let mut meant = Vec::new();
        for found in self.on_the_way_of(path)?.iter().filter(|found| found.length == path.len()) {
            meant.extend(self.with_key(&found.path_key, path)?);
        }
        Ok(meant)
    }

    /// The deepest entry that a path lies below; `None` if it lies below none.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn above(&self, path: &[String]) -> Result<Option<E>, IndexError> {
        let mut found = self.on_the_way_of(path)?;
        found.retain(|found| found.length < path.len());
        // Of those with the same number of parts, the one with the names of the path is still the first.
        found.sort_by_key(|found| std::cmp::Reverse(found.length));
        for found in found {
            if let Some((_, entry)) = self.with_key(&found.path_key, path)?.into_iter().next() {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Whether an entry lies below this path, in lower case.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub fn has_below(&self, path_key: &str) -> Result<bool, IndexError> {
        Ok(self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM entries WHERE path_key >= ?1 AND path_key < ?2)")?
            .query_row([format!("{path_key}."), format!("{path_key}/")], |row| row.get(0))?)
    }

    /// The entries whose paths are the beginning of a path, or have placeholders instead of some of its names. Upper and lower
    /// case do not count yet.
    fn on_the_way_of(&self, path: &[String]) -> Result<Vec<OnTheWay>, IndexError> {
        let mut found = Vec::new();
        if path.len() <= LONGEST {
            self.descend(None, path, 0, &mut found)?;
        }
        Ok(found)
    }

    fn descend(
        &self,
        above: Option<&str>,
        path: &[String],
        depth: usize,
        found: &mut Vec<OnTheWay>,
    ) -> Result<(), IndexError> {
        let Some(part) = path.get(depth) else { return Ok(()) };
        let mut exists =
            self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM entries WHERE path_key = ?1)")?;
        let name = OptionPath::new([part]).to_string().to_lowercase();
        let others = PLACEHOLDERS.into_iter().filter(|placeholder| *placeholder != name);
        for part in std::iter::once(name.as_str()).chain(others) {
            let path_key = above.map_or_else(|| part.to_owned(), |above| format!("{above}.{part}"));
            let goes_on = self.has_below(&path_key)?;
            let is_entry: bool = exists.query_row([&path_key], |row| row.get(0))?;
            if goes_on {
                self.descend(Some(&path_key), path, depth + 1, found)?;
            }
            if is_entry {
                found.push(OnTheWay { length: depth + 1, path_key });
            }
        }
        Ok(())
    }

    /// The entries with this path in lower case whose names are those of `path`.
    fn with_key(&self, path_key: &str, path: &[String]) -> Result<Vec<(i64, E)>, IndexError> {
        let mut same = self.connection.prepare_cached("SELECT id, entry FROM entries WHERE path_key = ?1")?;
        let mut rows = same.query([path_key])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let text: String = row.get(1)?;
            let entry: E = serde_json::from_str(&text)?;
            let own = path_parts(entry.path());
            if own.iter().zip(path).all(|(own, wanted)| own == wanted || is_placeholder(own)) {
                entries.push((row.get(0)?, entry));
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::IndexWriter;
    use super::*;
    use crate::flake::options::HostOption;

    fn index(paths: &[&str]) -> Index<HostOption> {
        let mut writer = IndexWriter::create(None).expect("an index in memory");
        for path in paths {
            writer.add(&HostOption { path: (*path).to_owned(), ..HostOption::default() }).expect("an entry");
        }
        writer.finish().expect("a complete index")
    }

    #[test]
    fn a_path_means_the_option_in_the_place_of_the_users_names() {
        let index = index(&[
            "environment.variables",
            "environment.variables.<name>",
            "services.nginx.virtualHosts",
            "services.nginx.virtualHosts.<name>.listen.*.port",
            "services.nginx.virtualHosts.<name>.root",
            "services.nginx.virtualHosts.default.root",
            "users.users.<name>.openssh.authorizedKeys.keys",
            "users.users.\"a.b\".shell",
        ]);
        for (path, meant) in [
            ("services.nginx.virtualHosts.\"example.org\".root", "services.nginx.virtualHosts.<name>.root"),
            ("services.nginx.virtualHosts.default.root", "services.nginx.virtualHosts.default.root"),
            (
                "services.nginx.virtualHosts.default.listen.0.port",
                "services.nginx.virtualHosts.<name>.listen.*.port",
            ),
            ("services.nginx.virtualHosts.<name>.root", "services.nginx.virtualHosts.<name>.root"),
            ("environment.variables.EDITOR", "environment.variables.<name>"),
            ("users.users.\"a.b\".shell", "users.users.\"a.b\".shell"),
            ("services.nginx.virtualhosts.x.root", ""),
            ("services.nginx.virtualHosts.x.Root", ""),
            ("services.nginx.virtualHosts.x", ""),
            ("root", ""),
        ] {
            let found = index.meant_by(&path_parts(path)).expect("an answer");
            let first = found.first().map(|(_, option)| option.path.as_str()).unwrap_or_default();
            assert_eq!(first, meant, "{path}");
        }
    }

    #[test]
    fn the_option_above_a_path_is_the_deepest() {
        let index = index(&["a", "a.b.<name>", "a.b.c.d", "a.b.<name>.e"]);
        for (path, above) in [
            ("a.b.x.y", Some("a.b.<name>")),
            ("a.b.x.e.f.g", Some("a.b.<name>.e")),
            ("a.b.c.d", Some("a.b.<name>")),
            ("a.b.c.d.x", Some("a.b.c.d")),
            ("a.x", Some("a")),
            ("a", None),
            ("b.x", None),
        ] {
            let found = index.above(&path_parts(path)).expect("an answer").map(|option| option.path);
            assert_eq!(found.as_deref(), above, "{path}");
        }
    }

    #[test]
    fn a_path_with_more_parts_than_any_option_means_none() {
        let index = index(&["a", "a.<name>"]);
        let path = vec!["a".to_owned(); LONGEST + 1];
        assert!(index.meant_by(&path).expect("an answer").is_empty());
        assert!(index.above(&path).expect("an answer").is_none());
    }
}
