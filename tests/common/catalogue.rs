//! Calls that every tool takes, found by its schema: a tool that a test does not name is called as well.

use pantheros_mcp::testing::tools::ToolEntry;
use serde_json::{Map, Value, json};

/// The least that a tool takes: `web` for every argument it requires.
pub fn arguments(tool: &ToolEntry) -> Value {
    let schema = Value::Object(tool.input_schema());
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut given: Map<String, Value> = required
        .iter()
        .map(|key| {
            let key = key.as_str().unwrap();
            let kind = &schema["properties"][key]["type"];
            let value = if kind == "array" { json!(["web"]) } else { json!("web") };
            (key.to_owned(), value)
        })
        .collect();
    // It requires one of two.
    if tool.name == "plan_deploy" {
        given.insert("hosts".to_owned(), json!(["web"]));
    }
    Value::Object(given)
}
