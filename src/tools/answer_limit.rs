//! The size limit of answers. A larger answer is shortened by the same rule for all tools, and counts what it leaves out.
//!
//! First texts are cut and marked with `…`. A list whose type has a field `more_LIST` beside it is truncated, and that field
//! counts the rest; any other list of texts is truncated and ends with a text that counts the rest. The top-level lists of an
//! answer keep all entries, each shortened, as long as the shortened entries fit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::page::PAGE_BYTES;
use crate::text;

/// Maximum size of an answer in bytes of JSON: a page and the fields around it.
const ANSWER_BYTES: usize = PAGE_BYTES + 1024;
/// The steps of shortening: the maximum characters of each text, and the maximum items of each list within an entry. Store
/// paths and log URIs are shorter than the shortest text, so they are never cut.
const SHORTENING_STEPS: [(usize, usize); 6] =
    [(4_000, 200), (2_000, 60), (1_000, 30), (600, 15), (300, 8), (300, 3)];
/// The prefix of the field that counts what a list leaves out.
const COUNTER_PREFIX: &str = "more_";
/// A field with that prefix that is no such counter: it counts children on later pages.
const PAGE_COUNTER: &str = "more_children";
/// The field with the names of the entries that were left out, by their states.
const NAMES_FIELD: &str = "more_named";
/// Fields whose texts are cut at the beginning, because their end matters most.
const TAIL_FIELDS: &[&str] = &["log_tail"];
/// Maximum size of the names of entries that were left out, in bytes.
const NAMES_BYTES: usize = PAGE_BYTES / 2;

/// The label of an entry that was left out.
pub struct EntryLabel<'a> {
    /// The name, such as that of a host.
    pub name: &'a str,
    /// The state of the entry, in one word.
    pub state: &'a str,
}

/// An answer within the size limit.
pub struct FittedAnswer<T> {
    /// The answer as JSON.
    pub structured: Value,
    /// The answer that `structured` holds if it was shortened; `None` if it is complete.
    pub shorter: Option<T>,
}

/// Shortens an answer to the size limit. `label` returns the label of an entry that is left out.
///
/// # Errors
/// If the answer cannot be serialized.
pub fn fit_answer<T: Serialize + DeserializeOwned + JsonSchema>(
    whole: &T,
    label: fn(&Value) -> Option<EntryLabel<'_>>,
) -> Result<FittedAnswer<T>, serde_json::Error> {
    let structured = serde_json::to_value(whole)?;
    if json_bytes(&structured) <= ANSWER_BYTES {
        return Ok(FittedAnswer { structured, shorter: None });
    }
    let counters = counters::<T>();
    let mut structured = shortened(&structured, ANSWER_BYTES, &counters, 0);
    truncate_lists(&mut structured, &counters, label);
    let shorter = T::deserialize(&structured)
        .inspect_err(|error| tracing::error!(%error, "a shorter answer cannot be read again"))
        .ok();
    Ok(FittedAnswer { structured, shorter })
}

/// Shortens a list entry to `room` bytes of JSON; returns it with its size.
pub fn fit_entry<T: Serialize + DeserializeOwned + JsonSchema>(entry: T, room: usize) -> (T, usize) {
    let Ok(whole) = serde_json::to_value(&entry) else { return (entry, 0) };
    if json_bytes(&whole) <= room {
        return (entry, json_bytes(&whole));
    }
    let shorter = shortened(&whole, room, &counters::<T>(), 1);
    match T::deserialize(&shorter) {
        Ok(entry) => (entry, json_bytes(&shorter)),
        Err(error) => {
            tracing::error!(%error, "a shorter entry cannot be read again");
            (entry, room)
        }
    }
}

/// The size of a value in a list, in bytes of JSON.
fn json_bytes(value: &Value) -> usize {
    value.to_string().len() + 1
}

/// The names of the `more_…` fields in the schema of a type.
fn counters<T: JsonSchema>() -> BTreeSet<String> {
    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(
                    fields
                        .keys()
                        .filter(|key| key.starts_with(COUNTER_PREFIX) && *key != PAGE_COUNTER)
                        .cloned(),
                );
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    collect(schemars::schema_for!(T).as_value(), &mut found);
    found
}

/// Applies the first of the [`SHORTENING_STEPS`] that makes a value fit into `room` bytes; the last one if none does.
fn shortened(whole: &Value, room: usize, counters: &BTreeSet<String>, depth: usize) -> Value {
    let mut shorter = Value::Null;
    for (characters, items) in SHORTENING_STEPS {
        shorter.clone_from(whole);
        shorten(&mut shorter, characters, items, counters, depth);
        if json_bytes(&shorter) <= room {
            break;
        }
    }
    shorter
}

fn shorten(value: &mut Value, characters: usize, items: usize, counters: &BTreeSet<String>, depth: usize) {
    match value {
        Value::String(said) => *said = text::bounded(said, characters),
        Value::Array(list) => {
            let beyond = list.len().saturating_sub(items);
            if beyond > 0 && list.iter().all(Value::is_string) {
                list.truncate(items);
                list.push(omitted_marker(beyond));
            }
            list.iter_mut().for_each(|item| shorten(item, characters, items, counters, depth + 1));
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let counter = format!("{COUNTER_PREFIX}{name}");
                let Some(field) = fields.get_mut(&name) else { continue };
                match field {
                    Value::String(said) if TAIL_FIELDS.contains(&name.as_str()) => {
                        *said = text::tail(said, characters)
                    }
                    Value::Array(list)
                        if counters.contains(&counter)
                            && (depth > 0 || list.iter().all(Value::is_string)) =>
                    {
                        let beyond = list.len().saturating_sub(items);
                        retain_fitting(list, |_| 1, items);
                        list.iter_mut()
                            .for_each(|item| shorten(item, characters, items, counters, depth + 1));
                        add_to_counter(fields, &counter, beyond);
                    }
                    field => shorten(field, characters, items, counters, depth + 1),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Truncates the lists of an answer that have a counter, the largest first, until the answer fits.
fn truncate_lists(
    answer: &mut Value,
    counters: &BTreeSet<String>,
    label: fn(&Value) -> Option<EntryLabel<'_>>,
) {
    let Value::Object(fields) = answer else { return };
    let weight = |fields: &Map<String, Value>| -> usize {
        fields.iter().map(|(name, value)| name.len() + 4 + json_bytes(value)).sum()
    };
    let mut lists: Vec<(Reverse<usize>, String)> = fields
        .iter()
        .filter(|(name, value)| value.is_array() && counters.contains(&format!("{COUNTER_PREFIX}{name}")))
        .map(|(name, value)| (Reverse(json_bytes(value)), name.clone()))
        .collect();
    lists.sort();
    for (Reverse(heavy), name) in lists {
        let all = weight(fields);
        if all <= ANSWER_BYTES {
            return;
        }
        let Some(Value::Array(list)) = fields.get_mut(&name) else { continue };
        let names: usize = list.iter().filter_map(label).map(|label| label.name.len() + 4).sum();
        // The 300 bytes are for the counter and the states.
        let room = ANSWER_BYTES.saturating_sub(all - heavy + names.min(NAMES_BYTES) + 300);
        let mut left_out = retain_fitting(list, json_bytes, room);
        left_out.sort_by_key(|entry| !is_important(entry));
        add_to_counter(fields, &format!("{COUNTER_PREFIX}{name}"), left_out.len());
        let named = names_by_state(&left_out, label);
        if !named.is_empty() && counters.contains(NAMES_FIELD) {
            fields.insert(NAMES_FIELD.to_owned(), Value::Object(named));
        }
    }
}

/// The names of entries by their states, up to [`NAMES_BYTES`]; the rest is counted.
fn names_by_state(entries: &[Value], label: fn(&Value) -> Option<EntryLabel<'_>>) -> Map<String, Value> {
    let mut states: BTreeMap<&str, (Vec<Value>, usize)> = BTreeMap::new();
    let mut room = NAMES_BYTES;
    for entry in entries.iter().filter_map(label) {
        let (names, beyond) = states.entry(entry.state).or_default();
        match room.checked_sub(entry.name.len() + 4) {
            Some(left) if *beyond == 0 => {
                room = left;
                names.push(entry.name.into());
            }
            _ => *beyond += 1,
        }
    }
    let listed = |(state, (mut names, beyond)): (&str, (Vec<Value>, usize))| {
        names.extend((beyond > 0).then(|| omitted_marker(beyond)));
        (state.to_owned(), Value::Array(names))
    };
    states.into_iter().map(listed).collect()
}

/// Keeps the entries of a list that fit into `room`, in their order, and returns the others. Failed entries are kept in
/// preference to others.
fn retain_fitting(list: &mut Vec<Value>, weight: fn(&Value) -> usize, room: usize) -> Vec<Value> {
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by_key(|at| list.get(*at).is_none_or(|entry| !is_important(entry)));
    let mut left = Some(room);
    let kept: BTreeSet<usize> = order
        .into_iter()
        .take_while(|at| {
            left = left.and_then(|left| left.checked_sub(list.get(*at).map_or(0, weight)));
            left.is_some()
        })
        .collect();
    let (kept, others): (Vec<_>, Vec<_>) =
        std::mem::take(list).into_iter().enumerate().partition(|(at, _)| kept.contains(at));
    *list = kept.into_iter().map(|(_, entry)| entry).collect();
    others.into_iter().map(|(_, entry)| entry).collect()
}

/// Whether an entry reports a failure or a blocking risk.
fn is_important(entry: &Value) -> bool {
    let Value::Object(fields) = entry else { return false };
    fields.get("error").is_some_and(|error| !error.is_null())
        || fields.contains_key("same_as")
        || fields.get("ok") == Some(&Value::Bool(false))
        || fields.get("units_failed") == Some(&Value::Bool(true))
        || fields.get("severity").is_some_and(|severity| severity == "blocking")
        || fields.values().filter_map(Value::as_array).flatten().any(is_important)
}

fn add_to_counter(fields: &mut Map<String, Value>, counter: &str, beyond: usize) {
    if beyond > 0 {
        let before = fields.get(counter).and_then(Value::as_u64).unwrap_or_default();
        fields.insert(counter.to_owned(), (before + beyond as u64).into());
    }
}

/// The lines for people about the entries that were left out: their number, and their names by state.
pub fn describe_omitted(of: &str, count: u64, named: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let head = (count > 0).then(|| format!("… and {count} more {of}"));
    let names = named.iter().map(|(state, names)| {
        format!("  {}: {}", text::word(state), text::words(names.iter().map(String::as_str)))
    });
    head.into_iter().chain(names).collect()
}

/// The last item of a truncated list of texts.
fn omitted_marker(beyond: usize) -> Value {
    Value::String(format!("… and {beyond} more"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    struct Part {
        host: String,
        state: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        log_tail: String,
        parts: Vec<Part>,
        #[serde(default)]
        more_parts: u64,
        words: Vec<String>,
    }

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    struct Whole {
        parts: Vec<Part>,
        #[serde(default)]
        more_parts: u64,
        #[serde(default)]
        more_named: BTreeMap<String, Vec<String>>,
        paths: Vec<String>,
        #[serde(default)]
        more_paths: u64,
    }

    fn label(entry: &Value) -> Option<EntryLabel<'_>> {
        Some(EntryLabel { name: entry["host"].as_str()?, state: entry["state"].as_str()? })
    }

    fn part(number: usize, parts: usize) -> Part {
        Part {
            host: format!("host-{number}"),
            state: "done".to_owned(),
            log_tail: format!("{}the end", "line\n".repeat(200)),
            parts: (0..parts).map(|number| part(number, 0)).collect(),
            words: vec!["word".to_owned(); 300],
            ..Part::default()
        }
    }

    fn fitted(whole: &Whole) -> (Value, Whole) {
        let fitted = fit_answer(whole, label).unwrap();
        assert!(
            json_bytes(&fitted.structured) <= ANSWER_BYTES + 1,
            "{} bytes",
            json_bytes(&fitted.structured)
        );
        let shorter = fitted.shorter.unwrap();
        // Every counter is a field of the type.
        assert_eq!(serde_json::to_value(&shorter).unwrap(), fitted.structured);
        (fitted.structured, shorter)
    }

    #[test]
    fn a_light_answer_is_left_alone() {
        let fitted = fit_answer(&Whole::default(), label).unwrap();
        assert!(fitted.shorter.is_none());
        assert_eq!(fitted.structured, serde_json::to_value(Whole::default()).unwrap());
    }

    #[test]
    fn entries_are_made_shorter_before_they_are_left_out() {
        let whole = Whole {
            parts: (0..5).map(|number| part(number, 40)).collect(),
            paths: vec!["/nix/store/path".to_owned(); 2_000],
            ..Whole::default()
        };
        let (_, shorter) = fitted(&whole);
        assert_eq!((shorter.parts.len(), shorter.more_parts), (5, 0));
        for part in &shorter.parts {
            assert_eq!(part.parts.len() as u64 + part.more_parts, 40);
            assert!(part.log_tail.ends_with("the end"), "{}", part.log_tail);
            let last = part.words.last().unwrap();
            assert_eq!(*last, format!("… and {} more", 301 - part.words.len()));
        }
        assert_eq!(shorter.paths.len() as u64 + shorter.more_paths, 2_000);
        assert!(shorter.paths.iter().all(|path| path == "/nix/store/path"));
    }

    #[test]
    fn what_has_no_room_is_counted_and_named_and_failures_stay() {
        let mut parts: Vec<Part> = (0..1_000).map(|number| part(number, 2)).collect();
        parts[900].error = Some("it failed".to_owned());
        let (_, shorter) = fitted(&Whole { parts, ..Whole::default() });
        let kept: Vec<&str> = shorter.parts.iter().map(|part| part.host.as_str()).collect();
        assert_eq!(kept.first(), Some(&"host-0"));
        assert_eq!(kept.last(), Some(&"host-900"), "{kept:?}");
        assert_eq!(kept.len() as u64 + shorter.more_parts, 1_000);
        let named = &shorter.more_named["done"];
        let counted = named.last().and_then(|last| last.strip_prefix("… and ")?.strip_suffix(" more"));
        let beyond: usize = counted.map_or(0, |number| number.parse().unwrap());
        let listed = named.len() - usize::from(counted.is_some());
        assert_eq!((listed + beyond) as u64, shorter.more_parts);
        assert!(listed > 800, "{listed}");
    }
}
