//! Long lists are returned in pages, which are limited by their size and not only by the number of entries.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ToolError, answer_limit};

/// The arguments that choose a page of a list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct PageInput {
    #[serde(default)]
    pub cursor: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<usize>,
}

/// A page of a list.
pub struct Page<T> {
    /// The entries of this page.
    pub entries: Vec<T>,
    /// The cursor of the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// Maximum size of a page of JSON, and of the text of an answer, in bytes: a model reads all of it.
pub const PAGE_BYTES: usize = 24 * 1024;

impl PageInput {
    /// Returns the chosen page of `all`: `limit` entries (`usual` by default), or fewer if they exceed [`PAGE_BYTES`]; always
    /// at least one.
    ///
    /// # Errors
    /// If the cursor is invalid, or the list has changed since the cursor was issued.
    pub fn select<T: Serialize + DeserializeOwned + JsonSchema>(
        &self,
        all: Vec<T>,
        usual: usize,
    ) -> Result<Page<T>, ToolError> {
        self.select_beside(all, usual, 0)
    }

    /// As [`PageInput::select`], with `taken` bytes of the page reserved for other fields.
    ///
    /// # Errors
    /// As for [`PageInput::select`].
    pub fn select_beside<T: Serialize + DeserializeOwned + JsonSchema>(
        &self,
        all: Vec<T>,
        usual: usize,
        taken: usize,
    ) -> Result<Page<T>, ToolError> {
        let stamp = stamp(&all);
        self.select_stamped(all, usual, taken, &stamp, std::convert::identity)
    }

    /// As [`PageInput::select_beside`] for a list of which only the entries of the page are written: `write` makes an entry of an
    /// element. The names and their order tell a list from another one.
    ///
    /// # Errors
    /// As for [`PageInput::select`].
    pub fn select_written<E, T: Serialize + DeserializeOwned + JsonSchema>(
        &self,
        all: Vec<E>,
        usual: usize,
        taken: usize,
        name: impl Fn(&E) -> &str,
        write: impl Fn(E) -> T,
    ) -> Result<Page<T>, ToolError> {
        let stamp = stamp(&all.iter().map(name).collect::<Vec<_>>());
        self.select_stamped(all, usual, taken, &stamp, write)
    }

    /// As [`PageInput::select`] for a list whose entries change while they are evaluated: a cursor stays valid as long as
    /// `state`, the names and their order stay the same.
    ///
    /// # Errors
    /// As for [`PageInput::select`].
    pub fn select_by_state<T: Serialize + DeserializeOwned + JsonSchema>(
        &self,
        all: Vec<T>,
        usual: usize,
        state: &str,
        name: impl Fn(&T) -> &str,
    ) -> Result<Page<T>, ToolError> {
        let stamp = stamp(&all.iter().map(name).chain([state]).collect::<Vec<_>>());
        self.select_stamped(all, usual, 0, &stamp, std::convert::identity)
    }

    fn select_stamped<E, T: Serialize + DeserializeOwned + JsonSchema>(
        &self,
        all: Vec<E>,
        usual: usize,
        taken: usize,
        stamp: &str,
        write: impl Fn(E) -> T,
    ) -> Result<Page<T>, ToolError> {
        let limit = self.limit.unwrap_or(usual);
        let start = match &self.cursor {
            None => 0,
            Some(cursor) => match cursor.split_once('.') {
                Some((start, of)) if of == stamp => start.parse().ok(),
                Some((start, _)) if start.parse::<usize>().is_ok() => {
                    return Err(ToolError::input(
                        "cursor",
                        "the list has changed; ask again without `cursor`",
                    ));
                }
                _ => None,
            }
            .ok_or_else(|| ToolError::input("cursor", "`cursor` is not the `next_cursor` of an answer"))?,
        };
        let count = all.len();
        let mut entries = Vec::new();
        let mut bytes = taken;
        for entry in all.into_iter().skip(start).take(limit) {
            let (entry, weight) = answer_limit::fit_entry(write(entry), PAGE_BYTES);
            bytes = bytes.saturating_add(weight);
            if bytes > PAGE_BYTES && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        let end = start.saturating_add(entries.len());
        Ok(Page { entries, next_cursor: (end < count).then(|| format!("{end}.{stamp}")) })
    }
}

/// Cuts the text of an answer at the end of a line, so that it is no larger than a page.
#[must_use]
pub fn limit_text(text: &str) -> String {
    if text.len() <= PAGE_BYTES {
        return text.to_owned();
    }
    let end = (0..=PAGE_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    let kept = text.get(..end).unwrap_or_default();
    let kept = kept.rfind('\n').and_then(|line| kept.get(..line)).unwrap_or(kept);
    format!("{kept}\n… {} more bytes are only in the structured answer", text.len() - kept.len())
}

/// A short hash of the whole list. A cursor holds it, so that a page of a changed list is refused.
fn stamp<T: Serialize>(all: &[T]) -> String {
    let mut hash = blake3::Hasher::new();
    for entry in all {
        hash.update(serde_json::to_string(entry).unwrap_or_default().as_bytes());
        hash.update(b"\0");
    }
    hash.finalize().to_hex().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let all: Vec<u32> = (0..10).collect();
        let mut input = PageInput { cursor: None, limit: Some(4) };
        let mut seen = Vec::new();
        loop {
            let page = input.select(all.clone(), 100).unwrap();
            seen.extend(page.entries);
            match page.next_cursor {
                Some(cursor) => input.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let input = PageInput { cursor: None, limit: Some(1) };
        let cursor = input.select(vec![1, 2], 100).unwrap().next_cursor;
        let input = PageInput { cursor, limit: Some(1) };
        assert!(input.select(vec![1, 3], 100).is_err());
        for cursor in ["", "x", "1", "-1.abc", "99999999999999999999.abc"] {
            let input = PageInput { cursor: Some(cursor.into()), limit: None };
            assert!(input.select(vec![1, 2], 100).is_err(), "{cursor}");
        }
    }

    #[test]
    fn a_list_that_fills_in_is_of_one_state() {
        let input = PageInput { cursor: None, limit: Some(1) };
        let page = |input: &PageInput, facts: &str, state: &str| {
            let all = vec![("one".to_owned(), facts.to_owned()), ("two".to_owned(), facts.to_owned())];
            input.select_by_state(all, 100, state, |(name, _)| name)
        };
        let cursor = page(&input, "pending", "old").unwrap().next_cursor;
        let input = PageInput { cursor, limit: Some(1) };
        assert_eq!(page(&input, "known", "old").unwrap().entries, [("two".to_owned(), "known".to_owned())]);
        assert!(page(&input, "known", "new").is_err());
    }

    #[test]
    fn only_the_entries_of_a_page_are_written() {
        let written = std::cell::RefCell::new(Vec::new());
        let page = |input: &PageInput, all: &[&'static str]| {
            input.select_written(
                all.to_vec(),
                100,
                0,
                |name| name,
                |name| {
                    written.borrow_mut().push(name);
                    name.to_uppercase()
                },
            )
        };
        let input = PageInput { cursor: None, limit: Some(1) };
        let first = page(&input, &["one", "two", "three"]).unwrap();
        assert_eq!((first.entries.as_slice(), first.next_cursor.is_some()), (&["ONE".to_owned()][..], true));
        let input = PageInput { cursor: first.next_cursor, limit: Some(1) };
        assert_eq!(page(&input, &["one", "two", "three"]).unwrap().entries, ["TWO"]);
        assert!(page(&input, &["one", "other", "three"]).is_err());
        assert_eq!(*written.borrow(), ["one", "two"]);
    }

    #[test]
    fn a_page_ends_by_weight_and_leaves_nothing_out() {
        let all: Vec<String> = (0..500).map(|number| format!("{number} {}", "ä".repeat(500))).collect();
        let mut input = PageInput { cursor: None, limit: Some(500) };
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let page = input.select(all.clone(), 100).unwrap();
            let bytes = serde_json::to_string(&page.entries).unwrap().len();
            assert!(bytes <= PAGE_BYTES + 2 && !page.entries.is_empty(), "{bytes}");
            pages += 1;
            seen.extend(page.entries);
            match page.next_cursor {
                Some(cursor) => input.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(seen, all);
        assert!((20..=25).contains(&pages), "{pages}");
        let beside = PageInput::default().select_beside(all.clone(), 100, PAGE_BYTES * 2).unwrap();
        assert_eq!(beside.entries.len(), 1, "one entry at least");
    }

    #[test]
    fn an_entry_larger_than_a_page_is_cut() {
        #[derive(Serialize, Deserialize, JsonSchema)]
        struct Entry {
            name: crate::names::StorePath,
            packages: Vec<String>,
            text: String,
            parts: Vec<Vec<String>>,
        }
        let long = "word ".repeat(2_000);
        let entry = || Entry {
            name: format!("/nix/store/{}-{}", "0".repeat(32), "n".repeat(200)).parse().unwrap(),
            packages: vec![long.clone(); 300],
            text: long.clone(),
            parts: vec![vec![long.clone()]],
        };
        let input = PageInput::default();
        let page = input.select(vec![entry(), entry()], 100).unwrap();
        assert_eq!((page.entries.len(), page.next_cursor.is_some()), (2, false));
        let shown = serde_json::to_string(&page.entries).unwrap();
        assert!(shown.len() <= PAGE_BYTES + 2, "{}", shown.len());
        let entry = page.entries.first().unwrap();
        assert!(entry.name.as_str().ends_with("nnn"), "a name is left alone");
        assert!(entry.text.ends_with('…'), "{}", entry.text);
        assert_eq!(entry.packages.last().unwrap(), "… and 285 more");
    }

    #[test]
    fn text_is_cut_at_a_line() {
        assert_eq!(limit_text("short"), "short");
        let long = "a line of äöü\n".repeat(5_000);
        let cut = limit_text(&long);
        assert!(cut.len() < PAGE_BYTES + 80, "{}", cut.len());
        assert!(
            cut.lines().rev().nth(1).unwrap() == "a line of äöü" && cut.contains("more bytes are only"),
            "{cut}"
        );
        assert!(limit_text(&"ä".repeat(50_000)).len() < PAGE_BYTES + 80);
    }
}
