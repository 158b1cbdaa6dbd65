//! Finds keys that a schema does not have, in arguments and in settings.

use serde_json::{Map, Value};

use super::besides_null;
use crate::text;

/// Longest path of keys in a message, in characters.
const KEY_LIMIT: usize = 120;

/// A key that the schema does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The path of the key, with dots between the levels.
    pub path: String,
    /// Known keys at that level with similar names.
    pub nearest: Vec<String>,
    /// All known keys at that level.
    pub known: Vec<String>,
}

/// The keys of `value` that `schema` does not have.
#[must_use]
pub fn unknown_keys(schema: &Map<String, Value>, value: &Value) -> Vec<UnknownKey> {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let mut found = Vec::new();
    unknown_below(&Value::Object(schema.clone()), definitions, value, "", &mut found);
    found
}

fn unknown_below(
    schema: &Value,
    definitions: Option<&Map<String, Value>>,
    value: &Value,
    path: &str,
    found: &mut Vec<UnknownKey>,
) {
    let schema = besides_null(schema, definitions);
    match value {
        Value::Object(map) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
            for (key, value) in map {
                let plain = text::line(key, KEY_LIMIT);
                let path = if path.is_empty() { plain } else { format!("{path}.{plain}") };
                match properties.get(key) {
                    Some(of_key) => unknown_below(of_key, definitions, value, &path, found),
                    None => found.push(UnknownKey {
                        path: text::bounded(&path, KEY_LIMIT),
                        nearest: text::nearest(key, properties.keys().map(String::as_str), 3),
                        known: properties.keys().cloned().collect(),
                    }),
                }
            }
        }
        Value::Array(items) => {
            let Some(of_items) = schema.get("items") else { return };
            for item in items {
                unknown_below(of_items, definitions, item, path, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::schema::{of_input, of_settings};

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Outer {
        host: String,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Inner {
        seconds: Option<u32>,
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest() {
        for schema in [of_input::<Outer>(), of_settings::<Outer>()] {
            let unknown = unknown_keys(&schema, &json!({"hots": "web", "inner": {"second": 1}}));
            let found: Vec<_> =
                unknown.iter().map(|key| (key.path.as_str(), key.nearest.as_slice())).collect();
            let expected = [("hots", ["host".to_owned()]), ("inner.second", ["seconds".to_owned()])];
            assert_eq!(found, expected.each_ref().map(|(path, near)| (*path, near.as_slice())));
            assert!(unknown_keys(&schema, &json!({"host": "web", "inner": {}})).is_empty());
        }
    }
}
