//! Long answers come in pages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ToolError;

/// Which part of a long list is wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct PageInput {
    #[serde(default)]
    pub cursor: Option<String>,
    /// 1 to 500.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A part of a list.
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next part begins, where there is one.
    pub next_cursor: Option<String>,
}

/// Most entries a page may have.
const MOST: usize = 500;

impl PageInput {
    /// The part of `all` that is wanted, `usual` entries long unless asked otherwise.
    ///
    /// # Errors
    /// That the cursor is not one of ours, or is of a list that has changed since.
    pub fn of<T: Serialize>(&self, all: Vec<T>, usual: usize) -> Result<Page<T>, ToolError> {
        let limit = match self.limit {
            None => usual,
            Some(limit @ 1..=MOST) => limit,
            Some(_) => return Err(ToolError::input("limit", format!("`limit` goes from 1 to {MOST}"))),
        };
        if self.cursor.is_none() && all.len() <= limit {
            return Ok(Page { entries: all, next_cursor: None });
        }
        let stamp = stamp(&all);
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
        let entries: Vec<T> = all.into_iter().skip(start).take(limit).collect();
        let end = start.saturating_add(entries.len());
        Ok(Page { entries, next_cursor: (end < count).then(|| format!("{end}.{stamp}")) })
    }
}

/// A short hash of the whole list, so that a page never belongs to another list than the last one.
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
            let page = input.of(all.clone(), 100).unwrap();
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
        let cursor = input.of(vec![1, 2], 100).unwrap().next_cursor;
        let input = PageInput { cursor, limit: Some(1) };
        assert!(input.of(vec![1, 3], 100).is_err());
        for cursor in ["", "x", "1", "-1.abc", "99999999999999999999.abc"] {
            let input = PageInput { cursor: Some(cursor.into()), limit: None };
            assert!(input.of(vec![1, 2], 100).is_err(), "{cursor}");
        }
    }

    #[test]
    fn limits_have_limits() {
        assert!(PageInput { cursor: None, limit: Some(0) }.of(vec![1], 100).is_err());
        assert!(PageInput { cursor: None, limit: Some(501) }.of(vec![1], 100).is_err());
    }
}
