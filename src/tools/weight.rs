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

use super::page::BYTES;
use crate::text;

/// Bytes of JSON at which an answer ends: a page, and what is around its entries.
const ANSWER: usize = BYTES + 1024;
/// How what is too heavy is made shorter, step by step: the characters left of each text in it, and the items of each
/// list within an entry. No store path and no address of a log is as long as the shortest text.
const SHORTER: [(usize, usize); 6] = [(4_000, 200), (2_000, 60), (1_000, 30), (600, 15), (300, 8), (300, 3)];
/// What the counter of a list is called before the list's own name.
const COUNTER: &str = "more_";
/// A counter that is of something else: of what later pages hold.
const PAGED: &str = "more_children";
/// Where entries are named that have no room, by how they are.
const NAMED: &str = "more_named";
/// Texts that matter most at their end.
const ENDS: &[&str] = &["log_tail"];
/// Most bytes of names of entries that have no room.
const NAMES: usize = BYTES / 2;

/// What is told of an entry that has no room.
pub struct Brief<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is, in a word.
    pub state: &'a str,
}

/// An answer as it is given, and as it is to be rendered where that is shorter than the whole.
pub struct Told<T> {
    /// As JSON.
    pub structured: Value,
    /// What `structured` says, where it is not all of the answer.
    pub shorter: Option<T>,
}

/// An answer that ends by its weight. `brief` says how an entry is named that has no room.
///
/// # Errors
/// That it is no JSON.
pub fn answer<T: Serialize + DeserializeOwned + JsonSchema>(
    whole: &T,
    brief: fn(&Value) -> Option<Brief<'_>>,
) -> Result<Told<T>, serde_json::Error> {
    let structured = serde_json::to_value(whole)?;
    if of(&structured) <= ANSWER {
        return Ok(Told { structured, shorter: None });
    }
    let counters = counters::<T>();
    let mut structured = shortened(&structured, ANSWER, &counters, 0);
    end_lists(&mut structured, &counters, brief);
    let shorter = T::deserialize(&structured)
        .inspect_err(|error| tracing::error!(%error, "a shorter answer cannot be read again"))
        .ok();
    Ok(Told { structured, shorter })
}

/// An entry of a list that weighs at most `room`, and how many bytes of JSON it is.
pub fn entry<T: Serialize + DeserializeOwned + JsonSchema>(entry: T, room: usize) -> (T, usize) {
    let Ok(whole) = serde_json::to_value(&entry) else { return (entry, 0) };
    if of(&whole) <= room {
        return (entry, of(&whole));
    }
    let shorter = shortened(&whole, room, &counters::<T>(), 1);
    match T::deserialize(&shorter) {
        Ok(entry) => (entry, of(&shorter)),
        Err(error) => {
            tracing::error!(%error, "a shorter entry cannot be read again");
            (entry, room)
        }
    }
}

/// What a value weighs in a list.
fn of(value: &Value) -> usize {
    value.to_string().len() + 1
}

/// The counters that a type has.
fn counters<T: JsonSchema>() -> BTreeSet<String> {
    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.keys().filter(|key| key.starts_with(COUNTER) && *key != PAGED).cloned());
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

/// A value after as many steps of [`SHORTER`] as it takes to weigh no more than `room`; after all of them otherwise.
fn shortened(whole: &Value, room: usize, counters: &BTreeSet<String>, depth: usize) -> Value {
    let mut shorter = Value::Null;
    for (characters, items) in SHORTER {
        shorter.clone_from(whole);
        shorten(&mut shorter, characters, items, counters, depth);
        if of(&shorter) <= room {
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
                list.push(rest(beyond));
            }
            list.iter_mut().for_each(|item| shorten(item, characters, items, counters, depth + 1));
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let counter = format!("{COUNTER}{name}");
                let Some(field) = fields.get_mut(&name) else { continue };
                match field {
                    Value::String(said) if ENDS.contains(&name.as_str()) => {
                        *said = text::tail(said, characters)
                    }
                    Value::Array(list)
                        if counters.contains(&counter)
                            && (depth > 0 || list.iter().all(Value::is_string)) =>
                    {
                        let beyond = list.len().saturating_sub(items);
                        keep(list, |_| 1, items);
                        list.iter_mut()
                            .for_each(|item| shorten(item, characters, items, counters, depth + 1));
                        count(fields, &counter, beyond);
                    }
                    field => shorten(field, characters, items, counters, depth + 1),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Ends the lists of an answer that count their rest, the heaviest first, until it is light enough.
fn end_lists(answer: &mut Value, counters: &BTreeSet<String>, brief: fn(&Value) -> Option<Brief<'_>>) {
    let Value::Object(fields) = answer else { return };
    let weight = |fields: &Map<String, Value>| -> usize {
        fields.iter().map(|(name, value)| name.len() + 4 + of(value)).sum()
    };
    let mut lists: Vec<(Reverse<usize>, String)> = fields
        .iter()
        .filter(|(name, value)| value.is_array() && counters.contains(&format!("{COUNTER}{name}")))
        .map(|(name, value)| (Reverse(of(value)), name.clone()))
        .collect();
    lists.sort();
    for (Reverse(heavy), name) in lists {
        let all = weight(fields);
        if all <= ANSWER {
            return;
        }
        let Some(Value::Array(list)) = fields.get_mut(&name) else { continue };
        let names: usize = list.iter().filter_map(brief).map(|brief| brief.name.len() + 4).sum();
        // What is written of the rest beside its names.
        let room = ANSWER.saturating_sub(all - heavy + names.min(NAMES) + 300);
        let mut left_out = keep(list, of, room);
        left_out.sort_by_key(|entry| !matters(entry));
        count(fields, &format!("{COUNTER}{name}"), left_out.len());
        let named = named(&left_out, brief);
        if !named.is_empty() && counters.contains(NAMED) {
            fields.insert(NAMED.to_owned(), Value::Object(named));
        }
    }
}

/// The names of entries by their states; as many as have room, and the rest counted.
fn named(entries: &[Value], brief: fn(&Value) -> Option<Brief<'_>>) -> Map<String, Value> {
    let mut states: BTreeMap<&str, (Vec<Value>, usize)> = BTreeMap::new();
    let mut room = NAMES;
    for brief in entries.iter().filter_map(brief) {
        let (names, beyond) = states.entry(brief.state).or_default();
        match room.checked_sub(brief.name.len() + 4) {
            Some(left) if *beyond == 0 => {
                room = left;
                names.push(brief.name.into());
            }
            _ => *beyond += 1,
        }
    }
    let listed = |(state, (mut names, beyond)): (&str, (Vec<Value>, usize))| {
        names.extend((beyond > 0).then(|| rest(beyond)));
        (state.to_owned(), Value::Array(names))
    };
    states.into_iter().map(listed).collect()
}

/// Keeps the entries of a list that have room, in their order, and gives the others. What failed stays before what
/// did not.
fn keep(list: &mut Vec<Value>, weight: fn(&Value) -> usize, room: usize) -> Vec<Value> {
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by_key(|at| list.get(*at).is_none_or(|entry| !matters(entry)));
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
fn matters(entry: &Value) -> bool {
    let Value::Object(fields) = entry else { return false };
    fields.get("error").is_some_and(|error| !error.is_null())
        || fields.contains_key("same_as")
        || fields.get("ok") == Some(&Value::Bool(false))
        || fields.get("units_failed") == Some(&Value::Bool(true))
        || fields.get("severity").is_some_and(|severity| severity == "blocking")
        || fields.values().filter_map(Value::as_array).flatten().any(matters)
}

fn count(fields: &mut Map<String, Value>, counter: &str, beyond: usize) {
    if beyond > 0 {
        let before = fields.get(counter).and_then(Value::as_u64).unwrap_or_default();
        fields.insert(counter.to_owned(), (before + beyond as u64).into());
    }
}

/// What a person reads of the entries that have no room: how many `of` them, and their names.
pub fn more(of: &str, count: u64, named: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let head = (count > 0).then(|| format!("… and {count} more {of}"));
    let names = named.iter().map(|(state, names)| {
        format!("  {}: {}", text::word(state), text::words(names.iter().map(String::as_str)))
    });
    head.into_iter().chain(names).collect()
}

/// Stands for the rest of a list of texts.
fn rest(beyond: usize) -> Value {
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

    fn brief(entry: &Value) -> Option<Brief<'_>> {
        Some(Brief { name: entry["host"].as_str()?, state: entry["state"].as_str()? })
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
        let told = answer(whole, brief).unwrap();
        assert!(of(&told.structured) <= ANSWER + 1, "{} bytes", of(&told.structured));
        let shorter = told.shorter.unwrap();
        // Nothing that is counted is counted in a field that the type does not have.
        assert_eq!(serde_json::to_value(&shorter).unwrap(), told.structured);
        (told.structured, shorter)
    }

    #[test]
    fn a_light_answer_is_left_alone() {
        let told = answer(&Whole::default(), brief).unwrap();
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
