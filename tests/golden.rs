//! The published contract of each tool: what `tools/list` says, byte for byte.
//!
//! A schema that changes breaks clients that were written against it, so it never changes by
//! accident. `PANTHEROS_UPDATE_GOLDEN=1 cargo test --test all golden::` writes `tools/schemas` anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::{Client, STATELESS, WITH_HANDSHAKE};
use serde_json::{Value, json};

/// Most bytes a model has to read of the first six tools before it can call anything.
const LARGEST_LIST: usize = 10 * 1024;

type Hints = (&'static str, bool, Option<bool>, Option<bool>, bool);

/// What the tools are, in the order they are listed, and what they say of themselves:
/// read only, destructive, idempotent, open world.
///
/// Where one only reads, the two in the middle say nothing (schema, `ToolAnnotations`).
const TOOLS: [Hints; 11] = [
    ("list_hosts", true, None, None, false),
    ("flake_check", false, Some(false), Some(true), true),
    ("build_host", false, Some(false), Some(true), true),
    ("list_devshells", true, None, None, false),
    ("inspect_disko", true, None, None, false),
    ("nix_search", true, None, None, false),
    ("host_status", true, None, None, true),
    ("list_generations", true, None, None, true),
    ("plan_deploy", false, Some(false), Some(false), true),
    ("deploy", false, Some(true), Some(false), true),
    ("rollback_host", false, Some(true), Some(false), true),
];

/// The answer to `tools/list`: the line it came in, and the tools.
fn list(version: &str, flags: &[&str]) -> (String, Value) {
    let fleet = Fleet::plain(nixes().first().unwrap(), &[]);
    let mut client = Client::begun(&fleet, flags, version);
    let id = client.ask("tools/list", json!({}));
    let message = client.answer(id);
    (message.line, message.json["result"].clone())
}

fn tools() -> Vec<Value> {
    list("2025-11-25", &[]).1["tools"].as_array().unwrap().clone()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/schemas")
}

#[test]
fn schemas_are_as_published() {
    let update = std::env::var_os("PANTHEROS_UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let mut known = BTreeSet::new();
    for tool in tools() {
        let file = format!("{}.json", tool["name"].as_str().unwrap());
        let path = folder().join(&file);
        let text = format!("{}\n", serde_json::to_string_pretty(&tool).unwrap());
        if update {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            published, text,
            "tools/schemas/{file} is not what the server says; if that is meant: \
             PANTHEROS_UPDATE_GOLDEN=1 cargo test --test all golden::"
        );
        known.insert(file);
    }
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        if !known.contains(&file) {
            assert!(update, "tools/schemas/{file} is of no tool; remove it");
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn the_list_is_small_and_the_same_for_everyone() {
    let expected: Vec<&str> = TOOLS.iter().map(|tool| tool.0).collect();
    let first_six = expected.iter().take(6).copied().collect::<Vec<_>>().join(",");
    let reference = tools();
    let mut sizes = Vec::new();
    for version in WITH_HANDSHAKE.into_iter().chain([STATELESS]) {
        let (_, result) = list(version, &[]);
        let names: Vec<&str> =
            result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{version}");
        assert_eq!(result["tools"], Value::from(reference.clone()), "{version}");
        assert!(result.get("nextCursor").is_none(), "{version}");
        sizes.push((version, list(version, &["--tools", &first_six]).0.len()));
    }
    assert!(sizes.iter().all(|(_, size)| *size < LARGEST_LIST), "{sizes:?}; at most {LARGEST_LIST}");
}

#[test]
fn the_list_may_be_kept() {
    // 2026-07-28, "Caching": both are there in what such a client gets.
    let (_, result) = list(STATELESS, &[]);
    assert!(result["ttlMs"].as_u64().is_some_and(|ttl| ttl > 0), "{}", result["ttlMs"]);
    assert_eq!(result["cacheScope"], "public");
    assert_eq!(result["resultType"], "complete");
}

#[test]
fn annotations_are_true() {
    let hint = |tool: &Value, name: &str| tool["annotations"].get(name).and_then(Value::as_bool);
    for (tool, expected) in tools().iter().zip(TOOLS) {
        let said = (
            tool["name"].as_str().unwrap(),
            hint(tool, "readOnlyHint").unwrap(),
            hint(tool, "destructiveHint"),
            hint(tool, "idempotentHint"),
            hint(tool, "openWorldHint").unwrap(),
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn every_tool_says_what_it_is() {
    for tool in tools() {
        let name = &tool["name"];
        let mut keys: Vec<&str> = tool.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["annotations", "description", "inputSchema", "name", "outputSchema", "title"],
            "{name}"
        );
        for key in ["title", "description"] {
            assert!(tool[key].as_str().is_some_and(|text| text.len() > 5), "{name}: {key}");
        }
        // `host` and `cursor` need no description; what they are made of is always told.
        for (argument, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
            let told = [&schema["type"], &schema["type"][0], &schema["anyOf"][0]["type"]];
            assert!(told.iter().any(|kind| kind.is_string()), "{name}: {argument} has no type");
        }
    }
}

#[test]
fn schemas_are_whole() {
    for tool in tools() {
        let name = tool["name"].as_str().unwrap();
        for kind in ["inputSchema", "outputSchema"] {
            let schema = &tool[kind];
            assert_eq!(schema["type"], "object", "{name}: {kind}");
            visit(schema, &mut |path, part| {
                let place = format!("{name}: {kind}{path}");
                if let Some(reference) = part.get("$ref") {
                    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                    assert!(schema.pointer(pointer).is_some(), "{place}: {reference} leads nowhere");
                }
                assert!(
                    kind == "inputSchema" || !allows_null(part),
                    "{place}: what is absent in an answer is left out, never null"
                );
                assert!(part.get("$schema").is_none(), "{place}: the dialect is the default one");
                // google-genai converts no schema that says so (googleapis/python-genai#2393).
                assert!(
                    kind == "outputSchema" || part.get("additionalProperties").is_none(),
                    "{place} says that it is closed"
                );
                for required in part.get("required").and_then(Value::as_array).into_iter().flatten() {
                    let field = required.as_str().unwrap();
                    let known = part.get("properties").or(schema.get("properties")).unwrap();
                    assert!(known.get(field).is_some(), "{place} requires {field}, which nothing describes");
                }
            });
        }
    }
}

/// OpenAI's strict form requires every property, and has `null` for what is left out.
#[test]
fn what_is_optional_may_be_null_and_nothing_else_may() {
    for tool in tools() {
        let name = tool["name"].as_str().unwrap();
        visit(&tool["inputSchema"], &mut |path, part| {
            let required = part.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            for (argument, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten()
            {
                let optional = !required.contains(&json!(argument));
                assert_eq!(allows_null(schema), optional, "{name}{path}: {argument}: {schema}");
            }
        });
    }
}

fn allows_null(schema: &Value) -> bool {
    let of_null = |kind: &Value| kind == "null";
    let listed = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    schema.get("type").is_some_and(of_null)
        || listed("type").any(of_null)
        || listed("anyOf").any(|case| case.get("type").is_some_and(of_null))
}

#[test]
fn a_limit_carries_its_bounds() {
    for tool in tools() {
        let schema = &tool["inputSchema"]["properties"]["limit"];
        if schema.is_object() {
            let bounds = (schema["minimum"].as_u64(), schema["maximum"].as_u64());
            assert!(matches!(bounds, (Some(1), Some(100 | 500))), "{}: {schema}", tool["name"]);
        }
    }
}

/// Shows every schema within a schema, with the way to it.
fn visit(schema: &Value, see: &mut impl FnMut(&str, &Value)) {
    fn go(path: &str, value: &Value, see: &mut impl FnMut(&str, &Value)) {
        let Value::Object(map) = value else { return };
        see(path, value);
        for (key, inner) in map {
            let here = format!("{path}/{key}");
            match (key.as_str(), inner) {
                ("properties" | "$defs" | "patternProperties", Value::Object(named)) => {
                    named.iter().for_each(|(name, schema)| go(&format!("{here}/{name}"), schema, see));
                }
                (_, Value::Array(several)) => several.iter().for_each(|schema| go(&here, schema, see)),
                _ => go(&here, inner, see),
            }
        }
    }
    go("", schema, see);
}
