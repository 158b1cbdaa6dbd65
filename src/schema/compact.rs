//! Removes the parts of a schema that a model does not need, and allows `null` for optional properties.

use serde_json::{Map, Value, json};

/// Prefix of fields that count the entries which a list leaves out: `more_LIST`.
const COUNTER: &str = "more_";

/// Removes the counters of lists: nearly every list has one, and the name explains it.
pub fn without_counters(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.retain(|name, property| !is_counter(name, property));
            }
            if let Some(Value::Array(required)) = fields.get_mut("required") {
                required.retain(|name| name.as_str().is_none_or(|name| !name.starts_with(COUNTER)));
            }
            fields.values_mut().for_each(without_counters);
        }
        Value::Array(list) => list.iter_mut().for_each(without_counters),
        _ => {}
    }
}

fn is_counter(name: &str, property: &Value) -> bool {
    name.starts_with(COUNTER) && property.get("type").is_some_and(|kind| kind == "integer")
}

/// Removes `required` from the value and everything in it.
pub fn without_required(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.remove("required");
            }
            map.values_mut().for_each(without_required);
        }
        Value::Array(items) => items.iter_mut().for_each(without_required),
        _ => {}
    }
}

/// Inlines the definitions that are referred to once; the others stay in `$defs`.
pub fn inline(schema: &mut Map<String, Value>, definitions: Map<String, Value>) {
    let mut whole = Value::Object(std::mem::take(schema));
    let mut definitions = definitions;
    let uses = |name: &str, whole: &Value, definitions: &Map<String, Value>| {
        let reference = format!("\"#/$defs/{name}\"");
        let count = |value: &Value| value.to_string().matches(&reference).count();
        count(whole) + definitions.values().map(count).sum::<usize>()
    };
    loop {
        let once = definitions.keys().find(|name| uses(name, &whole, &definitions) == 1).cloned();
        let Some(name) = once else { break };
        let Some(definition) = definitions.remove(&name) else { break };
        replace_reference(&mut whole, &name, &definition);
        for other in definitions.values_mut() {
            replace_reference(other, &name, &definition);
        }
    }
    definitions.retain(|name, _| whole.to_string().contains(&format!("\"#/$defs/{name}\"")));
    if let Value::Object(map) = whole {
        *schema = map;
    }
    if !definitions.is_empty() {
        schema.insert("$defs".into(), Value::Object(definitions));
    }
}

/// Replaces every reference to `name` within `value`.
fn replace_reference(value: &mut Value, name: &str, definition: &Value) {
    let refers =
        value.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) == Some(name);
    match value {
        _ if refers => {
            // The description of a type says what it is; that of a property says what it is for.
            let own = value.get("description").cloned();
            *value = definition.clone();
            if let Value::Object(map) = value {
                map.remove("description");
                map.extend(own.map(|own| ("description".to_owned(), own)));
            }
        }
        Value::Object(map) => map.values_mut().for_each(|value| replace_reference(value, name, definition)),
        Value::Array(items) => items.iter_mut().for_each(|value| replace_reference(value, name, definition)),
        _ => {}
    }
}

/// The direction of a schema. Descriptions, patterns and bounds are only for the writer of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SchemaSide {
    /// A client writes the value.
    Input,
    /// A client reads the value.
    Output,
}

/// Removes the parts that a model does not need.
pub fn compact(schema: &mut Value, side: SchemaSide) {
    match schema {
        Value::Object(map) => {
            map.remove("title");
            map.remove("format");
            map.remove("default");
            if side == SchemaSide::Output {
                if map.get("minimum").is_some_and(|minimum| minimum.as_f64() == Some(0.0)) {
                    map.remove("minimum");
                }
                map.remove("description");
                map.remove("pattern");
            }
            // Answers leave out optional fields and never have `null`.
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            // Alternatives that differ only in their descriptions become an `enum`.
            if let Some(Value::Array(cases)) = map.get_mut("anyOf") {
                cases.retain(|case| case.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(only)] = cases.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    map.extend(only);
                }
            }
            if let Some(names) = names_only(map.get("oneOf"), side) {
                map.remove("oneOf");
                map.insert("type".into(), json!("string"));
                // A long list, such as the error codes, is documented elsewhere.
                if names.len() <= 12 {
                    map.insert("enum".into(), Value::Array(names));
                }
            }
            if map.get("enum").and_then(Value::as_array).is_some_and(|names| names.len() > 12) {
                map.remove("enum");
            }
            for (key, value) in map.iter_mut() {
                if key == "properties" || key == "$defs" {
                    for field in value.as_object_mut().into_iter().flat_map(Map::values_mut) {
                        compact(field, side);
                    }
                } else {
                    compact(value, side);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                compact(item, side);
            }
        }
        _ => {}
    }
}

/// The names of an enumeration; `None` if a case has data.
fn names_only(cases: Option<&Value>, side: SchemaSide) -> Option<Vec<Value>> {
    let cases = cases?.as_array()?;
    let mut names = Vec::new();
    for case in cases {
        let case = case.as_object()?;
        match (case.get("const"), case.get("enum")) {
            (Some(name), None) => names.push(name.clone()),
            (None, Some(Value::Array(more))) => names.extend(more.iter().cloned()),
            _ => return None,
        }
        if side == SchemaSide::Input && case.contains_key("properties") {
            return None;
        }
    }
    Some(names)
}

/// Allows `null` for every property that is not required.
///
/// A property with one type gets a list of types. An `enum` gets `anyOf`: without `null` among its names it would forbid
/// it, and with `null` Gemini does not accept it as a list of strings.
pub fn nullable(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    let required = map.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, property) in map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        nullable(property);
        if !required.iter().any(|required| required == name) {
            allow_null(property);
        }
    }
    if let Some(items) = map.get_mut("items") {
        nullable(items);
    }
    for definition in
        map.get_mut("$defs").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
    {
        nullable(definition);
    }
}

fn allow_null(property: &mut Value) {
    let Value::Object(map) = property else { return };
    match map.get("type") {
        Some(Value::String(kind)) if !map.contains_key("enum") => {
            let kinds = json!([kind, "null"]);
            map.insert("type".into(), kinds);
        }
        _ => {
            let description = map.remove("description");
            let only = Value::Object(std::mem::take(map));
            map.extend(description.map(|description| ("description".to_owned(), description)));
            map.insert("anyOf".into(), json!([only, {"type": "null"}]));
        }
    }
}
