//! JSON Schemas of what comes in and goes out, small enough for a model to read.
//!
//! schemars describes Rust faithfully and at length (`title`, `format`, `null` alternatives). A model
//! pays for every byte of `tools/list`, so what changes nothing for it is taken out.

mod arguments;
mod compact;
mod keys;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use compact::{SchemaSide, compact, inline, nullable, without_counters, without_required};

pub use arguments::{ArgumentError, arguments, outline};
pub use keys::{UnknownKey, unknown_keys};

/// The schema of a tool's arguments, as clients get it.
///
/// What is optional allows `null`: clients of OpenAI's strict form require every property and send `null` for what is
/// left out (Structured Outputs, "All fields must be required"). Nothing says `additionalProperties: false`, which
/// google-genai cannot convert (googleapis/python-genai#2393); [`arguments()`] refuses what no property names.
#[must_use]
pub fn of_input<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = Value::Object(of_settings::<T>());
    nullable(&mut schema);
    let mut whole = into_object(schema);
    // Clients want it even where nothing is taken.
    whole.entry("properties").or_insert_with(|| json!({}));
    whole
}

/// The schema of a settings file.
#[must_use]
pub fn of_settings<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<T>();
    compact(&mut schema, SchemaSide::Input);
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
    without_counters(&mut schema);
    compact(&mut schema, SchemaSide::Output);
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

/// What a tool answers: its output, or why there is none.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Answer<T> {
    Output(T),
    Failure(Failure),
}

/// The structured content of a call that failed before there was an output.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Failure {
    /// Why it failed.
    pub error: crate::diagnostic::Diagnostic,
}

/// Whether a count is none: what is left out of an answer, so that only what there is has to be read.
pub fn is_zero<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
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

/// The definition that a reference names, or the schema itself.
fn resolved<'a>(schema: &'a Value, definitions: Option<&'a Map<String, Value>>) -> &'a Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix("#/$defs/"))
        .and_then(|name| definitions?.get(name))
        .unwrap_or(schema)
}

/// What a schema allows besides `null`.
fn besides_null<'a>(schema: &'a Value, definitions: Option<&'a Map<String, Value>>) -> &'a Value {
    let cases = schema.get("anyOf").and_then(Value::as_array);
    let only = cases.and_then(|cases| match cases.as_slice() {
        [case, null] if null.get("type").is_some_and(|kind| kind == "null") => Some(case),
        _ => None,
    });
    resolved(only.unwrap_or(schema), definitions)
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
    fn a_schema_is_small() {
        let schema = Value::Object(of_input::<Input>());
        assert_eq!(schema["properties"]["host"], json!({"type": "string", "description": "Which host."}));
        assert_eq!(schema["required"], json!(["host", "inner"]));
        assert!(schema.get("additionalProperties").is_none(), "{schema}");
    }

    #[test]
    fn what_is_optional_may_be_null_and_what_is_required_may_not() {
        let schema = Value::Object(of_input::<Input>());
        let properties = &schema["properties"];
        let kind = json!({"anyOf": [{"type": "string", "enum": ["one", "two"]}, {"type": "null"}]});
        assert_eq!(properties["kind"], kind);
        let seconds = json!({"type": ["integer", "null"], "minimum": 0});
        assert_eq!(properties["inner"]["properties"]["seconds"], seconds);
        assert_eq!(
            (&properties["host"]["type"], &properties["inner"]["type"]),
            (&json!("string"), &json!("object"))
        );
    }

    #[test]
    fn an_answer_is_its_output_or_an_error() {
        let schema = Value::Object(of_output::<Inner>());
        assert_eq!(schema["type"], "object");
        assert!(schema["properties"]["seconds"].is_object());
        assert!(schema["properties"]["error"]["properties"]["code"].is_object());
        assert!(schema["anyOf"].as_array().is_some_and(|cases| !cases.is_empty()));
    }
}
