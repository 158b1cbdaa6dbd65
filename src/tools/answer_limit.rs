//! What an answer may weigh. One that is heavier is made shorter by one rule for all tools, and what it leaves out is
//! counted in it.
//!
//! Texts are cut, with a sign that they were. A list ends early where its type has a field `more_LIST` beside it, in
//! which the rest is counted; any other list of texts ends with a text that counts the rest. The lists of an answer
//! itself keep their entries, each made shorter, until even short ones have no room.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::page::PAGE_BYTES;
use crate::text;

/// Bytes of JSON at which an answer ends: a page, and what is around its entries.
const ANSWER_BYTES: usize = PAGE_BYTES + 1024;
/// How what is too heavy is made shorter, step by step: the characters left of each text in it, and the items of each
/// list within an entry. No store path and no address of a log is as long as the shortest text.
const SHORTENING_STEPS: [(usize, usize); 6] =
    [(4_000, 200), (2_000, 60), (1_000, 30), (600, 15), (300, 8), (300, 3)];
/// What the counter of a list is called before the list's own name.
const COUNTER_PREFIX: &str = "more_";
/// A counter that is of something else: of what later pages hold.
const PAGE_COUNTER: &str = "more_children";
/// Where entries are named that have no room, by how they are.
const NAMES_FIELD: &str = "more_named";
/// Texts that matter most at their end.
const TAIL_FIELDS: &[&str] = &["log_tail"];
/// Most bytes of names of entries that have no room.
const NAMES_BYTES: usize = PAGE_BYTES / 2;

/// What is told of an entry that has no room.
pub struct EntryLabel<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is, in a word.
    pub state: &'a str,
}

/// An answer as it is given, and as it is to be rendered where that is shorter than the whole.
pub struct FittedAnswer<T> {
    /// As JSON.
    pub structured: Value,
    /// What `structured` says, where it is not all of the answer.
    pub shorter: Option<T>,
}

/// An answer that ends by its weight. `label` says how an entry is named that has no room.
///
/// # Errors
/// That it is no JSON.
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

/// An entry of a list that weighs at most `room`, and how many bytes of JSON it is.
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

/// What a value weighs in a list.
fn json_bytes(value: &Value) -> usize {
    value.to_string().len() + 1
}

/// The counters that a type has.
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

/// A value after as many steps of [`SHORTENING_STEPS`] as it takes to weigh no more than `room`; after all of them otherwise.
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

/// Ends the lists of an answer that count their rest, the heaviest first, until it is light enough.
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
        // What is written of the rest beside its names.
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

/// The names of entries by their states; as many as have room, and the rest counted.
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

/// Keeps the entries of a list that have room, in their order, and gives the others. What failed stays before what
/// did not.
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

/// Whether an entry tells of a failure, or of a risk that stops somebody.
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

/// What a person reads of the entries that have no room: how many `of` them, and their names.
pub fn describe_omitted(of: &str, count: u64, named: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let head = (count > 0).then(|| format!("… and {count} more {of}"));
    let names = named.iter().map(|(state, names)| {
        format!("  {}: {}", text::word(state), text::words(names.iter().map(String::as_str)))
    });
    head.into_iter().chain(names).collect()
}

/// Stands for the rest of a list of texts.
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

    fn told(whole: &Whole) -> (Value, Whole) {
        let told = fit_answer(whole, label).unwrap();
        assert!(json_bytes(&told.structured) <= ANSWER_BYTES + 1, "{} bytes", json_bytes(&told.structured));
        let shorter = told.shorter.unwrap();
        // Nothing that is counted is counted in a field that the type does not have.
        assert_eq!(serde_json::to_value(&shorter).unwrap(), told.structured);
        (told.structured, shorter)
    }

    #[test]
    fn a_light_answer_is_left_alone() {
        let told = fit_answer(&Whole::default(), label).unwrap();
        assert!(told.shorter.is_none());
        assert_eq!(told.structured, serde_json::to_value(Whole::default()).unwrap());
    }

    #[test]
    fn entries_are_made_shorter_before_they_are_left_out() {
        let whole = Whole {
            parts: (0..5).map(|number| part(number, 40)).collect(),
            paths: vec!["/nix/store/path".to_owned(); 2_000],
            ..Whole::default()
        };
        let (_, shorter) = told(&whole);
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
        let (_, shorter) = told(&Whole { parts, ..Whole::default() });
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
