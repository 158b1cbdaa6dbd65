//! What several homes say becomes one file, by the table of keys and by nothing else.

use serde_json::{Map, Value};

use super::file::File;
use super::keys::{FromFlake, Guard, Home, KEYS, Key, Rule, Zero};
use super::source::Source;

/// Something that the file beside a flake says and that does not count.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ignored {
    /// Which setting.
    pub key: &'static Key,
    /// What it says.
    pub value: Value,
}

/// One file of several.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// What counts.
    pub file: File,
    /// What the file beside the flake says in vain.
    pub ignored: Vec<Ignored>,
    /// Of these, what keeps deployments back until it is trusted.
    pub guards: Vec<&'static str>,
    /// Switches that the machine overrules.
    pub overruled: Vec<&'static str>,
}

/// Puts together what these say, the highest home first.
///
/// # Errors
/// A sentence about values that exclude one another.
pub(super) fn merge(sources: &[Source]) -> Result<Merged, String> {
    let unset = serde_json::to_value(File::default()).map_err(|error| error.to_string())?;
    let (mut merged, mut whole) = (Merged::default(), Map::new());
    for key in KEYS {
        let pointer = key.pointer();
        let said = |from: &dyn Fn(Home) -> bool| -> Vec<(&Source, &Value)> {
            let of = sources.iter().filter(|source| from(source.home));
            of.filter_map(|source| Some((source, source.values.pointer(&pointer)?))).collect()
        };
        let counts = |home: Home| match home {
            Home::Trusted => key.from_flake != FromFlake::Never,
            Home::Beside => key.from_flake == FromFlake::Counts,
            _ => true,
        };
        let given = said(&counts);
        let mut value = combine(key, &given)?;
        let highest = given.first().filter(|_| key.rule == Rule::Highest).map(|(source, _)| source.home);
        if highest == Some(Home::Machine) && given.iter().any(|(source, _)| source.home == Home::Switch) {
            merged.overruled.extend(key.switch);
        }
        let is_settled = highest.is_some_and(|home| home == Home::Machine || key.guard == Guard::No);
        // What trust would not change waits for none.
        let vain = if is_settled { Vec::new() } else { said(&|home| !counts(home)) };
        for (source, said) in vain {
            let ignored = Ignored { key, value: said.clone() };
            let narrows = source.home == Home::Beside && key.from_flake == FromFlake::Narrows;
            let now = value.as_ref().or_else(|| unset.pointer(&pointer)).unwrap_or(&Value::Null);
            let narrowed = if narrows { narrow(key, now, said) } else { Narrowed::Not };
            match narrowed {
                Narrowed::To(less) => value = Some(less),
                Narrowed::ToSome(less) => {
                    value = Some(less);
                    merged.ignored.push(ignored);
                }
                Narrowed::Same => {}
                Narrowed::ToNothing if key.guard != Guard::Emptied => {
                    return Err(format!(
                        "`{}` of {} leaves nothing of what counts otherwise: {now}",
                        key.path, source.label
                    ));
                }
                Narrowed::ToNothing | Narrowed::Not => {
                    if narrowed == Narrowed::ToNothing || key.guard == Guard::Said {
                        merged.guards.push(key.path);
                    }
                    merged.ignored.push(ignored);
                }
            }
        }
        if let Some(value) = value {
            put(&mut whole, key.path, value);
        }
    }
    merged.file = serde_json::from_value(Value::Object(whole)).map_err(|error| error.to_string())?;
    Ok(merged)
}

/// Puts a value at `section.key`.
pub(super) fn put(whole: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            whole.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let section = whole.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                put(section, rest, value);
            }
        }
    }
}

/// One value of those that count; none where nobody says anything.
fn combine(key: &Key, given: &[(&Source, &Value)]) -> Result<Option<Value>, String> {
    let values = || given.iter().map(|(_, value)| *value);
    Ok(match key.rule {
        Rule::Highest => values().next().cloned(),
        Rule::Least(zero) => values().min_by_key(|value| weight(value, zero)).cloned(),
        Rule::Any => values().max_by_key(|value| value.as_bool()).cloned(),
        Rule::All => values().min_by_key(|value| value.as_bool()).cloned(),
        Rule::Union => (!given.is_empty()).then(|| union(values())),
        Rule::Intersection(_) => {
            let lists: Vec<&Value> = values().filter(|value| !items(value).is_empty()).collect();
            let Some((first, rest)) = lists.split_first() else { return Ok(None) };
            let common = rest.iter().fold((*first).clone(), |common, list| intersection(&common, list));
            if items(&common).is_empty() {
                let told: Vec<String> =
                    given.iter().map(|(source, value)| format!("{}: {value}", source.label)).collect();
                return Err(format!("`{}` has nothing that all name; {}", key.path, told.join("; ")));
            }
            Some(common)
        }
        Rule::EachName => {
            let mut all = Map::new();
            for (name, value) in values().filter_map(Value::as_object).flatten() {
                all.entry(name).or_insert_with(|| value.clone());
            }
            (!all.is_empty()).then_some(Value::Object(all))
        }
    })
}

/// What becomes of a value that counts when somebody else may only narrow it.
#[derive(Debug, PartialEq)]
enum Narrowed {
    /// It is less than before.
    To(Value),
    /// It is less than before, and not all that was said could be taken.
    ToSome(Value),
    /// It is as before, and nothing else was asked for.
    Same,
    /// Nothing would be left.
    ToNothing,
    /// It is as before, and that is not what was asked for.
    Not,
}

fn narrow(key: &Key, now: &Value, said: &Value) -> Narrowed {
    match key.rule {
        Rule::Least(zero) => {
            let (bound, wanted) = (weight(now, zero), weight(said, zero));
            let bound = match (zero, bound) {
                (Zero::Automatic, u64::MAX) => super::workers_by_default(),
                _ => bound,
            };
            match wanted.cmp(&bound) {
                std::cmp::Ordering::Less => Narrowed::To(said.clone()),
                std::cmp::Ordering::Equal => Narrowed::Same,
                // As many as there is room for is what counts anyway, or less does.
                std::cmp::Ordering::Greater if zero == Zero::Automatic && wanted == u64::MAX => {
                    Narrowed::Same
                }
                std::cmp::Ordering::Greater => Narrowed::Not,
            }
        }
        Rule::Any if said.as_bool() == Some(true) => Narrowed::To(true.into()),
        Rule::Any => Narrowed::Same,
        Rule::Union => Narrowed::To(union([now, said].into_iter())),
        Rule::Intersection(unset) => {
            let unset: Value = unset.iter().map(|name| Value::from(*name)).collect();
            let now = if items(now).is_empty() { &unset } else { now };
            match (items(now), items(said)) {
                (_, []) => Narrowed::Same,
                ([], _) => Narrowed::To(said.clone()),
                (_, wanted) => {
                    let common = intersection(now, said);
                    match items(&common).len() {
                        0 => Narrowed::ToNothing,
                        some if some < wanted.len() => Narrowed::ToSome(common),
                        _ => Narrowed::To(common),
                    }
                }
            }
        }
        Rule::Highest | Rule::All | Rule::EachName => Narrowed::Not,
    }
}

/// A number as a bound.
fn weight(value: &Value, zero: Zero) -> u64 {
    match value.as_u64() {
        Some(0) if zero != Zero::Itself => u64::MAX,
        Some(number) => number,
        None => u64::MAX,
    }
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn union<'a>(lists: impl Iterator<Item = &'a Value>) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for item in lists.flat_map(items) {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
    Value::Array(all)
}

fn intersection(one: &Value, other: &Value) -> Value {
    items(one).iter().filter(|item| items(other).contains(item)).cloned().collect()
}

#[cfg(test)]
mod tests;
