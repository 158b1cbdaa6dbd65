//! Finds values of definitions in the data files of a flake (`fleet.toml`, JSON), from which Nix code reads them.
//!
//! Nix gives no position to a value that `fromTOML` or `fromJSON` made. A value is taken to be from a data file if one place
//! in the files has it under a key that fits the option, and if the lines of the definition do not write it themselves.

use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::Place;
use crate::reading;

/// Most files that are read.
const FILES: usize = 64;
/// Largest data file, in bytes.
const FILE_BYTES: u64 = 256 * 1024;
/// Most entries of folders that are looked at.
const ENTRIES: usize = 4_000;
/// Most levels of folders.
const LEVELS: usize = 5;
/// Most levels of tables in a file.
const DEPTH: usize = 16;
/// Most lines of a definition that may write its value.
const LINES: usize = 12;
/// Least score of a place.
const LEAST: u32 = 4;

/// A value in a data file.
#[derive(Debug)]
struct Entry {
    keys: Vec<String>,
    value: Value,
    place: Place,
}

/// The values in the data files of a flake.
#[derive(Debug, Default)]
pub(super) struct DataFiles {
    entries: Vec<Entry>,
}

impl DataFiles {
    /// Reads the data files below a folder; those that cannot be read have no values.
    pub(super) fn below(folder: &Path) -> Self {
        let mut files = Self::default();
        let (mut pending, mut looked, mut read) = (vec![(folder.to_owned(), 0)], 0, 0);
        while let Some((at, level)) = pending.pop() {
            let Ok(list) = std::fs::read_dir(&at) else { continue };
            for entry in list.flatten() {
                looked += 1;
                if looked > ENTRIES || read >= FILES {
                    return files;
                }
                let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') {
                    continue;
                }
                if kind.is_dir() && level < LEVELS && name != "target" && name != "node_modules" {
                    pending.push((path, level + 1));
                    continue;
                }
                let is_toml = name.ends_with(".toml");
                if !kind.is_file() || !is_toml && !name.ends_with(".json") {
                    continue;
                }
                let Ok(text) = reading::text(&path, FILE_BYTES) else { continue };
                read += 1;
                let file = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                if is_toml {
                    files.add_toml(&file, &text);
                } else {
                    files.add_json(&file, &text);
                }
            }
        }
        files
    }

    fn add_toml(&mut self, file: &str, text: &str) {
        let Ok(table) = DeTable::parse(text) else { return };
        for (key, value) in table.get_ref().iter() {
            self.walk_toml(file, text, vec![key.get_ref().to_string()], value.get_ref(), key.span().start);
        }
    }

    fn walk_toml(&mut self, file: &str, text: &str, keys: Vec<String>, value: &DeValue<'_>, at: usize) {
        if keys.len() > DEPTH {
            return;
        }
        if let DeValue::Table(table) = value {
            for (key, value) in table.iter() {
                let keys = keys.iter().cloned().chain([key.get_ref().to_string()]).collect();
                self.walk_toml(file, text, keys, value.get_ref(), key.span().start);
            }
        } else if let DeValue::Array(array) = value
            && array.iter().any(|item| item.get_ref().is_table())
        {
            for item in array.iter() {
                self.walk_toml(file, text, keys.clone(), item.get_ref(), item.span().start);
            }
        } else if let Some(value) = json_of(value) {
            self.add(file, text, keys, value, at);
        }
    }

    fn add_json(&mut self, file: &str, text: &str) {
        if let Ok(raw) = serde_json::from_str::<&RawValue>(text) {
            self.walk_json(file, text, Vec::new(), raw, 0);
        }
    }

    fn walk_json(&mut self, file: &str, text: &str, keys: Vec<String>, raw: &RawValue, at: usize) {
        if keys.len() > DEPTH {
            return;
        }
        // The raw values are parts of the text.
        let offset = |part: &RawValue| (part.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        if let Ok(fields) = serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(raw.get()) {
            for (key, value) in fields {
                let keys = keys.iter().cloned().chain([key]).collect();
                self.walk_json(file, text, keys, value, offset(value));
            }
        } else if let Ok(value) = serde_json::from_str::<Value>(raw.get()) {
            let objects = value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
            match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
                Ok(items) if objects => {
                    for item in items {
                        self.walk_json(file, text, keys.clone(), item, offset(item));
                    }
                }
                _ => self.add(file, text, keys, value, at),
            }
        }
    }

    fn add(&mut self, file: &str, text: &str, keys: Vec<String>, value: Value, at: usize) {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let place = Place { file: file.to_owned(), line: u32::try_from(line).ok() };
        self.entries.push(Entry { keys, value, place });
    }

    /// The place in a data file from which the value of `option` on `host` comes; `None` if none or several fit. `written` are
    /// the lines of the definition in its Nix file.
    pub(super) fn find(&self, host: &str, option: &[String], value: &Value, written: &str) -> Option<Place> {
        if is_written(value, written) {
            return None;
        }
        let mut best: Option<(u32, &Entry)> = None;
        let mut is_tied = false;
        for entry in self.entries.iter().filter(|entry| is_same(&entry.value, value)) {
            let score = self.score(entry, host, option, value);
            match best {
                Some((most, _)) if score < most => {}
                Some((most, _)) if score == most => is_tied = true,
                _ => (best, is_tied) = (Some((score, entry)), false),
            }
        }
        best.filter(|(score, _)| *score >= LEAST && !is_tied).map(|(_, entry)| entry.place.clone())
    }

    fn score(&self, entry: &Entry, host: &str, option: &[String], value: &Value) -> u32 {
        let Some(key) = entry.keys.last().map(|key| folded(key)) else { return 0 };
        let names: Vec<String> = option.iter().map(|name| folded(name)).collect();
        let last = names.last().cloned().unwrap_or_default();
        let singular = |name: &str| name.strip_suffix('s').unwrap_or(name).to_owned();
        let mut score = match () {
            () if key == last => 4,
            () if singular(&key) == singular(&last) => 3,
            () if key.len() >= 4 && (last.contains(&key) || key.contains(&singular(&last))) => 2,
            () => 0,
        };
        let above = entry.keys.split_last().map(|(_, above)| above).unwrap_or_default();
        if above.iter().any(|name| name == host) {
            score += 2;
        } else if self.is_of_another_host(entry, host) {
            return 0;
        }
        if above.iter().any(|name| names.contains(&folded(name))) {
            score += 1;
        }
        let is_distinctive = match value {
            Value::String(text) => text.len() >= 6,
            Value::Number(number) => number.as_f64().is_some_and(|number| number >= 1000.0),
            Value::Array(items) => items.len() > 1 || items.first().is_some_and(Value::is_string),
            _ => false,
        };
        if is_distinctive { score + 2 } else { score }
    }

    /// Whether the entry is in a table beside one with the name of the host.
    fn is_of_another_host(&self, entry: &Entry, host: &str) -> bool {
        (0..entry.keys.len()).any(|at| {
            let above = entry.keys.get(..at).unwrap_or_default();
            self.entries.iter().any(|other| {
                other.place.file == entry.place.file
                    && other.keys.get(..at) == Some(above)
                    && other.keys.get(at).is_some_and(|name| name == host)
            })
        })
    }
}

/// The lines of a definition in its file, from its first line on.
pub(super) fn lines_of(file: &Path, line: u32) -> String {
    let text = reading::text(file, FILE_BYTES).unwrap_or_default();
    let first = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let lines: Vec<&str> = text.lines().skip(first).take(LINES).collect();
    let end = lines.iter().position(|line| line.trim_end().ends_with(';')).map_or(lines.len(), |at| at + 1);
    lines.get(..end).unwrap_or_default().join("\n")
}

/// Whether the lines contain the value, or an element of it.
fn is_written(value: &Value, lines: &str) -> bool {
    let has = |text: &str| {
        lines.match_indices(text).any(|(at, _)| {
            let next = |character: Option<char>| character.is_none_or(|c| !c.is_alphanumeric());
            let before = lines.get(..at).and_then(|text| text.chars().next_back());
            let after = lines.get(at + text.len()..).and_then(|text| text.chars().next());
            next(before) && next(after)
        })
    };
    match value {
        Value::String(text) => text.is_empty() || lines.contains(text.as_str()),
        Value::Array(items) => items.iter().any(|item| is_written(item, lines)),
        other => has(&other.to_string()),
    }
}

/// Whether a value of a data file is that of the definition.
fn is_same(entry: &Value, value: &Value) -> bool {
    let number = |value: &Value| value.as_f64();
    match (entry, value) {
        (Value::Number(_), Value::Number(_)) => number(entry) == number(value),
        // A single value may have been put into a list.
        (one, Value::Array(items)) if !one.is_array() => items.len() == 1 && items.first() == Some(one),
        _ => entry == value,
    }
}

/// A name without punctuation, in lower case.
fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn json_of(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::from(text.to_string())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(Value::from),
        DeValue::Boolean(value) => Some(Value::from(*value)),
        DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref())).collect(),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn files() -> (tempfile::TempDir, DataFiles) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let toml = "[hosts.web]\naddress = \"192.0.2.7\"\nports = [2222]\nadmins = [\"anna\", \"ben\"]\n\n[hosts.db]\nports = [2222]\n\n[limits]\nmax_auth_tries = 3\n";
        std::fs::write(folder.path().join("fleet.toml"), toml).unwrap();
        let json = "{\n  \"sites\": [\n    { \"name\": \"a\",\n      \"domain\": \"www.example.org\" }\n  ],\n  \"open\": true\n}\n";
        std::fs::write(folder.path().join("data/sites.json"), json).unwrap();
        std::fs::write(folder.path().join("broken.json"), "{").unwrap();
        let files = DataFiles::below(folder.path());
        (folder, files)
    }

    fn found(host: &str, option: &str, value: Value, written: &str) -> Option<String> {
        let (_folder, files) = files();
        let option: Vec<String> = option.split('.').map(str::to_owned).collect();
        files.find(host, &option, &value, written).map(|place| place.to_string())
    }

    #[test]
    fn a_value_is_found_at_its_line() {
        let read = "services.openssh.ports = host.ports;";
        assert_eq!(
            found("web", "services.openssh.ports", json!([2222]), read).as_deref(),
            Some("fleet.toml:3")
        );
        assert_eq!(
            found("db", "services.openssh.ports", json!([2222]), read).as_deref(),
            Some("fleet.toml:7")
        );
        let option = "pantheros.deploy.targetHost";
        assert_eq!(found("web", option, json!("192.0.2.7"), "").as_deref(), Some("fleet.toml:2"));
        let option = "services.openssh.settings.MaxAuthTries";
        assert_eq!(found("web", option, json!(3), "").as_deref(), Some("fleet.toml:10"));
        let option = "services.nginx.domain";
        assert_eq!(found("web", option, json!("www.example.org"), "").as_deref(), Some("data/sites.json:4"));
    }

    #[test]
    fn what_is_written_in_nix_or_fits_nothing_is_not_found() {
        assert_eq!(found("web", "services.openssh.ports", json!([2222]), "ports = [ 2222 ];"), None);
        assert_eq!(found("web", "services.nginx.enable", json!(true), ""), None);
        assert_eq!(found("web", "boot.tries", json!(22), ""), None);
        // Both hosts have it, and neither is this one.
        assert_eq!(found("mail", "services.openssh.ports", json!([2222]), ""), None);
    }

    #[test]
    fn a_definition_ends_at_its_semicolon() {
        let (folder, _) = files();
        let file = folder.path().join("x.nix");
        std::fs::write(&file, "{\n  a = [\n    1\n  ];\n  b = 2;\n}\n").unwrap();
        assert_eq!(lines_of(&file, 2), "  a = [\n    1\n  ];");
    }
}
