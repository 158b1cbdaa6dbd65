//! Merges the settings of several sources, by the rules in the table of settings.

use serde_json::{Map, Value};

use super::file::SettingsFile;
use super::keys::{FlakeInfluence, GuardCondition, KEYS, MergeRule, SettingKey, SettingsLayer, ZeroMeaning};
use super::source::SettingsSource;

/// A setting in the file beside a flake that has no effect.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct IgnoredSetting {
    /// The setting.
    pub key: &'static SettingKey,
    /// Its value in the file.
    pub value: Value,
}

/// The settings in force, and what was left out.
#[derive(Debug, Default)]
pub(super) struct MergedSettings {
    /// The settings in force.
    pub file: SettingsFile,
    /// Settings of the file beside the flake that have no effect.
    pub ignored: Vec<IgnoredSetting>,
    /// Those of `ignored` that block deployments until the file is trusted, as `section.key`.
    pub guards: Vec<&'static str>,
    /// Switches that the machine's files overrule.
    pub overruled: Vec<&'static str>,
}

/// Merges `sources`, which are ordered from the highest to the lowest.
///
/// # Errors
/// A sentence about values that contradict each other.
pub(super) fn merge(sources: &[SettingsSource]) -> Result<MergedSettings, String> {
    let unset = serde_json::to_value(SettingsFile::default()).map_err(|error| error.to_string())?;
    let (mut merged, mut whole) = (MergedSettings::default(), Map::new());
    for key in KEYS {
        let pointer = key.pointer();
        let set_by = |from: &dyn Fn(SettingsLayer) -> bool| -> Vec<(&SettingsSource, &Value)> {
            let matching = sources.iter().filter(|source| from(source.layer));
            matching.filter_map(|source| Some((source, source.values.pointer(&pointer)?))).collect()
        };
        let counts = |layer: SettingsLayer| match layer {
            SettingsLayer::Trusted => key.flake_influence != FlakeInfluence::Never,
            SettingsLayer::Untrusted => key.flake_influence == FlakeInfluence::Counts,
            _ => true,
        };
        let given = set_by(&counts);
        let mut value = combine(key, &given)?;
        let highest =
            given.first().filter(|_| key.rule == MergeRule::Highest).map(|(source, _)| source.layer);
        if highest == Some(SettingsLayer::Machine)
            && given.iter().any(|(source, _)| source.layer == SettingsLayer::Switch)
        {
            merged.overruled.extend(key.switch);
        }
        let is_settled = highest
            .is_some_and(|layer| layer == SettingsLayer::Machine || key.guard == GuardCondition::Never);
        // If trust in the file would change nothing, the setting is not reported as waiting for it.
        let without_effect = if is_settled { Vec::new() } else { set_by(&|layer| !counts(layer)) };
        for (source, asked) in without_effect {
            let ignored = IgnoredSetting { key, value: asked.clone() };
            let narrows =
                source.layer == SettingsLayer::Untrusted && key.flake_influence == FlakeInfluence::Narrows;
            let now = value.as_ref().or_else(|| unset.pointer(&pointer)).unwrap_or(&Value::Null);
            let narrowed = if narrows { narrow(key, now, asked) } else { NarrowResult::Refused };
            match narrowed {
                NarrowResult::Fully(less) => value = Some(less),
                NarrowResult::Partly(less) => {
                    value = Some(less);
                    merged.ignored.push(ignored);
                }
                NarrowResult::Unchanged => {}
                NarrowResult::Empty if key.guard != GuardCondition::IfEmptied => {
                    return Err(format!(
                        "`{}` of {} has nothing in common with the value in force: {now}",
                        key.path, source.label
                    ));
                }
                NarrowResult::Empty | NarrowResult::Refused => {
                    if narrowed == NarrowResult::Empty || key.guard == GuardCondition::IfSet {
                        merged.guards.push(key.path);
                    }
                    merged.ignored.push(ignored);
                }
            }
        }
        if let Some(value) = value {
            insert_at(&mut whole, key.path, value);
        }
    }
    merged.file = serde_json::from_value(Value::Object(whole)).map_err(|error| error.to_string())?;
    Ok(merged)
}

/// Inserts a value at `section.key`.
pub(super) fn insert_at(whole: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            whole.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let section = whole.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                insert_at(section, rest, value);
            }
        }
    }
}

/// The merged value of the sources that count; `None` if none of them sets it.
///
/// # Errors
/// A sentence about lists without a common name.
fn combine(key: &SettingKey, given: &[(&SettingsSource, &Value)]) -> Result<Option<Value>, String> {
    let values = || given.iter().map(|(_, value)| *value);
    Ok(match key.rule {
        MergeRule::Highest => values().next().cloned(),
        MergeRule::Least(zero) => values().min_by_key(|value| bound_value(value, zero)).cloned(),
        MergeRule::Any => values().max_by_key(|value| value.as_bool()).cloned(),
        MergeRule::All => values().min_by_key(|value| value.as_bool()).cloned(),
        MergeRule::Union => (!given.is_empty()).then(|| union(values())),
        MergeRule::Intersection(_) => {
            let lists: Vec<&Value> = values().filter(|value| !items(value).is_empty()).collect();
            let Some((first, rest)) = lists.split_first() else { return Ok(None) };
            let common = rest.iter().fold((*first).clone(), |common, list| intersection(&common, list));
            if items(&common).is_empty() {
                let values: Vec<String> =
                    given.iter().map(|(source, value)| format!("{}: {value}", source.label)).collect();
                return Err(format!(
                    "the values of `{}` have no name in common; {}",
                    key.path,
                    values.join("; ")
                ));
            }
            Some(common)
        }
        MergeRule::EachName => {
            let mut all = Map::new();
            for (name, value) in values().filter_map(Value::as_object).flatten() {
                all.entry(name).or_insert_with(|| value.clone());
            }
            (!all.is_empty()).then_some(Value::Object(all))
        }
    })
}

/// The result of narrowing a value.
#[derive(Debug, PartialEq)]
enum NarrowResult {
    /// The narrowed value.
    Fully(Value),
    /// The narrowed value; the file also has names that the value before does not have.
    Partly(Value),
    /// The value is unchanged, because the file asks for the same.
    Unchanged,
    /// No value would be left.
    Empty,
    /// The value is unchanged, because the value of the file would not narrow it.
    Refused,
}

fn narrow(key: &SettingKey, now: &Value, asked: &Value) -> NarrowResult {
    match key.rule {
        MergeRule::Least(zero) => {
            let (bound, wanted) = (bound_value(now, zero), bound_value(asked, zero));
            let bound = match (zero, bound) {
                (ZeroMeaning::Automatic, u64::MAX) => super::workers_by_default(),
                _ => bound,
            };
            match wanted.cmp(&bound) {
                std::cmp::Ordering::Less => NarrowResult::Fully(asked.clone()),
                std::cmp::Ordering::Equal => NarrowResult::Unchanged,
                // An automatic number never exceeds the bound in force.
                std::cmp::Ordering::Greater if zero == ZeroMeaning::Automatic && wanted == u64::MAX => {
                    NarrowResult::Unchanged
                }
                std::cmp::Ordering::Greater => NarrowResult::Refused,
            }
        }
        MergeRule::Any if asked.as_bool() == Some(true) => NarrowResult::Fully(true.into()),
        MergeRule::Any => NarrowResult::Unchanged,
        MergeRule::Union => NarrowResult::Fully(union([now, asked].into_iter())),
        MergeRule::Intersection(unset) => {
            let unset: Value = unset.iter().map(|name| Value::from(*name)).collect();
            let now = if items(now).is_empty() { &unset } else { now };
            match (items(now), items(asked)) {
                (_, []) => NarrowResult::Unchanged,
                ([], _) => NarrowResult::Fully(asked.clone()),
                (_, wanted) => {
                    let common = intersection(now, asked);
                    match items(&common).len() {
                        0 => NarrowResult::Empty,
                        some if some < wanted.len() => NarrowResult::Partly(common),
                        _ => NarrowResult::Fully(common),
                    }
                }
            }
        }
        MergeRule::Highest | MergeRule::All | MergeRule::EachName => NarrowResult::Refused,
    }
}

/// The number as a bound; `u64::MAX` if there is none.
fn bound_value(value: &Value, zero: ZeroMeaning) -> u64 {
    match value.as_u64() {
        Some(0) if zero != ZeroMeaning::Itself => u64::MAX,
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
