//! Arguments for each tool, derived from its schema, so that tests also call tools that they do not name.

use pantheros_mcp::testing::tools::ToolEntry;
use serde_json::{Map, Value, json};

/// The smallest arguments of a tool: `web` for every required argument.
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
    // `required` does not express that it needs one of two arguments.
    if tool.name == "plan_deploy" {
        given.insert("hosts".to_owned(), json!(["web"]));
    }
    Value::Object(given)
}
