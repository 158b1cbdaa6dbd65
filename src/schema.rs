//! JSON Schemas of what comes in and goes out, small enough for a model to read.
//!
//! schemars describes Rust faithfully and at length (`title`, `format`, `minimum: 0`, `null`
//! alternatives). A model pays for every byte of `tools/list`, so what changes nothing for it is
//! taken out, and unknown keys are found here, once, for arguments and settings alike.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::text;

/// The schema of what a call or a settings file takes: described, closed to unknown keys.
#[must_use]
pub fn of_input<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<T>();
    compact(&mut schema, Descriptions::Keep);
    close(&mut schema);
    let mut whole = into_object(schema);
    // Of the Rust type, not of the call.
    whole.remove("description");
    if let Some(Value::Object(definitions)) = whole.remove("$defs") {
        inline(&mut whole, definitions);
    }
    whole
}

/// The schema of what a tool answers: its own fields, or `error` in their place.
///
/// One object schema for both cases, because clients check a failing tool's structured content
/// against the output schema as well.
#[must_use]
pub fn of_output<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<Answer<T>>();
    compact(&mut schema, Descriptions::Drop);
    // `Answer` is an untagged pair of alternatives; fold them into one object.
    let mut whole = into_object(schema);
    let definitions = whole.remove("$defs").and_then(|value| match value {
        Value::Object(map) => Some(map),
        _ => None,
    });
    let mut definitions = definitions.unwrap_or_default();
    let alternatives = whole.remove("anyOf");
    let mut properties = Map::new();
    let mut cases = Vec::new();
    for alternative in alternatives.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let name = alternative.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"));
        let object = match name {
            Some(name) => definitions.remove(name).unwrap_or_default(),
            None => alternative.clone(),
        };
        if let Some(Value::Object(of_this)) = object.get("properties") {
            properties.extend(of_this.clone());
        }
        if let Some(required) = object.get("required") {
            cases.push(json!({ "required": required }));
        }
    }
    let mut folded = Map::new();
    folded.insert("type".into(), json!("object"));
    folded.insert("properties".into(), Value::Object(properties));
    folded.insert("anyOf".into(), Value::Array(cases));
    inline(&mut folded, definitions);
    // That a field is there is told by its presence; which fields decide between the two cases matters.
    if let Some(properties) = folded.get_mut("properties") {
        without_required(properties);
    }
    if let Some(definitions) = folded.get_mut("$defs") {
        without_required(definitions);
    }
    folded
}

/// Takes out the lists of required fields of everything within.
fn without_required(value: &mut Value) {
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

/// Puts definitions that are referred to once in the reference's place; the others stay apart.
fn inline(schema: &mut Map<String, Value>, definitions: Map<String, Value>) {
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
        put(&mut whole, &name, &definition);
        for other in definitions.values_mut() {
            put(other, &name, &definition);
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
fn put(value: &mut Value, name: &str, definition: &Value) {
    let refers =
        value.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) == Some(name);
    match value {
        _ if refers => *value = definition.clone(),
        Value::Object(map) => map.values_mut().for_each(|value| put(value, name, definition)),
        Value::Array(items) => items.iter_mut().for_each(|value| put(value, name, definition)),
        _ => {}
    }
}

/// What a tool answers: its output, or why there is none.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Answer<T> {
    Output(T),
    Failure(Failure),
}

/// The structured content of a call that failed before there was an output.
#[derive(Clone, Debug, serde::Serialize, JsonSchema)]
pub struct Failure {
    /// Why it failed.
    pub error: crate::diagnostic::Diagnostic,
}

fn generate<T: JsonSchema>() -> Value {
    // MCP 2025-11-25 takes JSON Schema 2020-12 where a schema does not say otherwise.
    SchemaSettings::draft2020_12()
        .with(|settings| settings.meta_schema = None)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

fn into_object(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Descriptions {
    Keep,
    Drop,
}

/// Takes out what tells a model nothing.
fn compact(schema: &mut Value, descriptions: Descriptions) {
    match schema {
        Value::Object(map) => {
            map.remove("title");
            map.remove("format");
            map.remove("default");
            if map.get("minimum").is_some_and(|minimum| minimum.as_f64() == Some(0.0)) {
                map.remove("minimum");
            }
            if descriptions == Descriptions::Drop {
                map.remove("description");
                map.remove("pattern");
            }
            // An optional field is left out, never null.
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            // Alternatives that differ only in their documentation are one list of names.
            if let Some(Value::Array(cases)) = map.get_mut("anyOf") {
                cases.retain(|case| case.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(only)] = cases.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    map.extend(only);
                }
            }
            if let Some(names) = names_only(map.get("oneOf"), descriptions) {
                map.remove("oneOf");
                map.insert("type".into(), json!("string"));
                // A long list of error codes is documented elsewhere; here it would cost more than all else.
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
                        compact(field, descriptions);
                    }
                } else {
                    compact(value, descriptions);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                compact(item, descriptions);
            }
        }
        _ => {}
    }
}

/// The names of an enumeration without data, where that is all `cases` says.
fn names_only(cases: Option<&Value>, descriptions: Descriptions) -> Option<Vec<Value>> {
    let cases = cases?.as_array()?;
    let mut names = Vec::new();
    for case in cases {
        let case = case.as_object()?;
        match (case.get("const"), case.get("enum")) {
            (Some(name), None) => names.push(name.clone()),
            (None, Some(Value::Array(more))) => names.extend(more.iter().cloned()),
            _ => return None,
        }
        if descriptions == Descriptions::Keep && case.contains_key("properties") {
            return None;
        }
    }
    Some(names)
}

/// Forbids keys that the schema does not name, at every level that names any.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("type").is_some_and(|kind| kind == "object")
                && !map.contains_key("additionalProperties")
            {
                map.entry("properties").or_insert_with(|| json!({}));
                map.insert("additionalProperties".into(), json!(false));
            }
            for value in map.values_mut() {
                close(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// A key that a schema does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// Where it stands, dots between the levels.
    pub path: String,
    /// The known keys there that are near it.
    pub nearest: Vec<String>,
    /// Every known key there.
    pub known: Vec<String>,
}

/// The first key of `value` that `schema` (as [`of_input`] makes it) does not name.
#[must_use]
pub fn unknown_key(schema: &Map<String, Value>, value: &Value) -> Option<UnknownKey> {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    unknown_below(&Value::Object(schema.clone()), definitions, value, "")
}

fn unknown_below(
    schema: &Value,
    definitions: Option<&Map<String, Value>>,
    value: &Value,
    path: &str,
) -> Option<UnknownKey> {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
    let schema = match name {
        Some(name) => definitions?.get(name)?,
        None => schema,
    };
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties")?.as_object()?;
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let Some(of_key) = properties.get(key) else {
                    return Some(UnknownKey {
                        path: text::bounded(&path, 120),
                        nearest: text::nearest(key, properties.keys().map(String::as_str), 3),
                        known: properties.keys().cloned().collect(),
                    });
                };
                if let Some(unknown) = unknown_below(of_key, definitions, value, &path) {
                    return Some(unknown);
                }
            }
            None
        }
        Value::Array(items) => {
            let of_items = schema.get("items")?;
            items.iter().find_map(|item| unknown_below(of_items, definitions, item, path))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Input {
        /// Which host.
        host: String,
        #[serde(default)]
        kind: Option<Kind>,
        inner: Inner,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Inner {
        seconds: Option<u32>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        /// One.
        One,
        /// Two.
        Two,
    }

    #[test]
    fn a_schema_is_small_and_closed() {
        let schema = Value::Object(of_input::<Input>());
        assert_eq!(schema["properties"]["host"], json!({"type": "string", "description": "Which host."}));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["kind"]["enum"], json!(["one", "two"]));
        assert!(!schema.to_string().contains("null"), "{schema}");
    }

    #[test]
    fn an_answer_is_its_output_or_an_error() {
        let schema = Value::Object(of_output::<Inner>());
        assert_eq!(schema["type"], "object");
        assert!(schema["properties"]["seconds"].is_object());
        assert!(schema["properties"]["error"]["properties"]["code"].is_object());
        assert!(schema["anyOf"].as_array().is_some_and(|cases| !cases.is_empty()));
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest() {
        let schema = of_input::<Input>();
        let unknown = unknown_key(&schema, &json!({"hots": "web"})).unwrap();
        assert_eq!((unknown.path.as_str(), unknown.nearest), ("hots", vec!["host".to_owned()]));
        let unknown = unknown_key(&schema, &json!({"inner": {"second": 1}})).unwrap();
        assert_eq!(unknown.path, "inner.second");
        assert_eq!(unknown_key(&schema, &json!({"host": "web", "inner": {}})), None);
    }
}
