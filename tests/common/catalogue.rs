//! Arguments for each tool, derived from its schema, so that tests also call tools that they do not name.

use pantheros_mcp::testing::diagnostic::Code;
use pantheros_mcp::testing::tools::ToolEntry;
use serde_json::{Map, Value, json};

/// The smallest arguments of a tool: `web` for every required name, and the least value of every other kind.
pub fn arguments(tool: &ToolEntry) -> Value {
    let schema = Value::Object(tool.input_schema());
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut given: Map<String, Value> = required
        .iter()
        .map(|key| {
            let key = key.as_str().unwrap();
            (key.to_owned(), least(tool.name, key, &schema["properties"][key]))
        })
        .collect();
    // `required` does not express that plan_deploy needs one of two arguments; of the others, one host is enough.
    if ["plan_deploy", "explain_option", "inspect_disko"].contains(&tool.name) {
        given.insert("hosts".to_owned(), json!(["web"]));
    }
    Value::Object(given)
}

/// Requires that a call with [`arguments`] reached the tool: if they are refused, the call tests nothing, and the tool needs a
/// case of its own in that test.
pub fn require_accepted(tool: &str, structured: &Value) {
    let refused = [Code::InvalidInput, Code::UnknownHost, Code::UnknownPlan, Code::InvalidPlan];
    let code = serde_json::from_value::<Code>(structured["error"]["code"].clone()).ok();
    assert!(
        !code.is_some_and(|code| refused.contains(&code)),
        "{tool} refuses arguments made from its schema, so add a call of it with other arguments to this test: {structured:#}"
    );
}

fn least(tool: &str, key: &str, schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("string") if key == "plan_id" => json!("plan-aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        Some("string") => json!("web"),
        Some("array") => json!([least(tool, key, &schema["items"])]),
        Some("boolean") => json!(false),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(0)),
        _ => panic!("tests/common/catalogue.rs has no value for the argument `{key}` of {tool}: {schema:#}"),
    }
}
