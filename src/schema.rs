//! JSON Schemas of tools and settings, in a short form.
//!
//! schemars adds details of Rust (`title`, `format`, `null` alternatives). A model reads every byte of `tools/list`, so these
//! are removed if they make no difference to it.

mod arguments;
mod compact;
mod keys;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use compact::{SchemaSide, compact, inline, nullable, without_counters, without_required};

pub use arguments::{ArgumentError, arguments, outline};
pub use keys::{UnknownKey, unknown_keys};

/// The published schema of a tool's arguments.
///
/// Optional properties allow `null`: clients in OpenAI's strict mode send every property, with `null` for those that are not
/// set (Structured Outputs, "All fields must be required"). `additionalProperties: false` is left out, because google-genai
/// cannot convert it (googleapis/python-genai#2393); [`arguments()`] refuses unknown properties.
#[must_use]
pub fn of_input<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = Value::Object(of_settings::<T>());
    nullable(&mut schema);
    let mut whole = into_object(schema);
    // Some clients require it, also without arguments.
    whole.entry("properties").or_insert_with(|| json!({}));
    whole
}

/// The schema of a settings file.
#[must_use]
pub fn of_settings<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<T>();
    compact(&mut schema, SchemaSide::Input);
    let mut whole = into_object(schema);
    // It describes the Rust type, not the call.
    whole.remove("description");
    if let Some(Value::Object(definitions)) = whole.remove("$defs") {
        inline(&mut whole, definitions);
    }
    whole
}

/// The published schema of a tool's answer: its fields, or `error` in their place.
///
/// It is one object schema for both cases, because clients validate the structured content of a failed call against it as
/// well.
#[must_use]
pub fn of_output<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<OutputOrFailure<T>>();
    without_counters(&mut schema);
    compact(&mut schema, SchemaSide::Output);
    // `OutputOrFailure` is an untagged enum: its alternatives become one object.
    let mut whole = into_object(schema);
    let definitions = whole.remove("$defs").and_then(|value| match value {
        Value::Object(map) => Some(map),
        _ => None,
    });
    let mut definitions = definitions.unwrap_or_default();
    let alternatives = whole.remove("anyOf");
    let mut properties = Map::new();
    let mut cases = Vec::new();
    // Whether one of the cases requires no field, so that the required fields tell nothing.
    let mut is_open = false;
    for alternative in alternatives.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let name = alternative.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"));
        let object = match name {
            Some(name) => definitions.remove(name).unwrap_or_default(),
            None => alternative.clone(),
        };
        if let Some(Value::Object(of_this)) = object.get("properties") {
            properties.extend(of_this.clone());
        }
        match object.get("required") {
            Some(required) => cases.push(json!({ "required": required })),
            None => is_open = true,
        }
    }
    let mut folded = Map::new();
    folded.insert("type".into(), json!("object"));
    folded.insert("properties".into(), Value::Object(properties));
    if !is_open {
        folded.insert("anyOf".into(), Value::Array(cases));
    }
    inline(&mut folded, definitions);
    // Only the required fields that distinguish the two cases are kept.
    if let Some(properties) = folded.get_mut("properties") {
        without_required(properties);
    }
    if let Some(definitions) = folded.get_mut("$defs") {
        without_required(definitions);
    }
    folded
}

/// The structured content of a call: the output, or the error.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OutputOrFailure<T> {
    Output(T),
    Failure(FailedCall),
}

/// The structured content of a failed call without an output.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct FailedCall {
    /// Why the call failed.
    pub error: crate::diagnostic::Diagnostic,
}

/// Whether the value is zero. Serde skips such fields of answers.
pub fn is_zero<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}

fn generate<T: JsonSchema>() -> Value {
    // MCP 2025-11-25 assumes JSON Schema 2020-12 without `$schema`.
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

/// The definition that a `$ref` names, or the schema itself.
fn resolved<'a>(schema: &'a Value, definitions: Option<&'a Map<String, Value>>) -> &'a Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix("#/$defs/"))
        .and_then(|name| definitions?.get(name))
        .unwrap_or(schema)
}

/// The schema without its `null` alternative.
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
        // No field of `Inner` is required, so an answer without an error has no field that must be there.
        assert!(schema["anyOf"].is_null(), "{schema:#}");
        let schema = Value::Object(of_output::<Input>());
        assert_eq!(schema["anyOf"].as_array().map(Vec::len), Some(2), "{schema:#}");
    }
}
