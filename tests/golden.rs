//! The published contract of each tool: its entry of `tools/list`, byte for byte.
//!
//! A schema that changes breaks clients that were written against it, so it never changes by accident. Each test that fails
//! names the command that regenerates `tools/schemas`.

use std::collections::BTreeSet;

use crate::common::fleet::{Fleet, nixes};
use crate::common::golden;
use crate::common::mcp::{Client, STATELESS, WITH_HANDSHAKE};
use pantheros_mcp::testing::tools::{Effect, Reach, ToolEntry, catalogue, names};
use serde_json::{Value, json};

/// Most bytes of the names, descriptions and input schemas of all tools.
const LARGEST_CATALOGUE: usize = 8_000;
/// Most bytes a model has to read of the first six tools before it can call anything.
const LARGEST_LIST: usize = 10 * 1024;
/// Most bytes of one tool's entry. A model reads every entry at the start of each conversation: 4.5 KiB are some thousand
/// tokens. The largest is plan_deploy with 4.0 KiB; no other has more than 2.
const LARGEST_TOOL: usize = 4 * 1024 + 512;
/// Where the contracts are.
const FOLDER: &str = "tools/schemas";
/// The tests that write them.
const TESTS: &str = "golden::";

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

fn name(tool: &Value) -> &str {
    tool["name"].as_str().unwrap()
}

#[test]
fn schemas_are_as_published() {
    for tool in tools() {
        let text = format!("{}\n", serde_json::to_string_pretty(&tool).unwrap());
        golden::check(&format!("{FOLDER}/{}.json", name(&tool)), &text, TESTS);
    }
}

#[test]
fn every_schema_that_is_published_is_of_a_tool() {
    let known: BTreeSet<String> = names().iter().map(|name| format!("{name}.json")).collect();
    for entry in std::fs::read_dir(golden::path(FOLDER)).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            known.contains(&file),
            "{FOLDER}/{file} is of no tool of the catalogue (src/tools/mod.rs). If the tool was removed or renamed, remove \
             the file:\n  git rm {FOLDER}/{file}"
        );
    }
}

#[test]
fn no_tool_is_larger_than_a_model_should_read() {
    for tool in tools() {
        let size = tool.to_string().len();
        let part = |key: &str| tool[key].to_string().len();
        assert!(
            size <= LARGEST_TOOL,
            "{} has {size} bytes, {} too many (description {}, inputSchema {}, outputSchema {}). Shorten the doc comments of \
             its fields: leave out what the name says, and fields that no caller decides by",
            name(&tool),
            size - LARGEST_TOOL,
            part("description"),
            part("inputSchema"),
            part("outputSchema"),
        );
    }
}

#[test]
fn the_list_is_small_and_the_same_for_everyone() {
    let first_six = names().into_iter().take(6).collect::<Vec<_>>().join(",");
    let reference = tools();
    let mut sizes = Vec::new();
    for version in WITH_HANDSHAKE.into_iter().chain([STATELESS]) {
        let (_, result) = list(version, &[]);
        let listed: Vec<&str> = result["tools"].as_array().unwrap().iter().map(name).collect();
        assert_eq!(listed, names(), "{version}");
        assert_eq!(result["tools"], Value::from(reference.clone()), "{version}");
        assert!(result.get("nextCursor").is_none(), "{version}");
        sizes.push((version, list(version, &["--tools", &first_six]).0.len()));
    }
    assert!(
        sizes.iter().all(|(_, size)| *size < LARGEST_LIST),
        "the first six tools ({first_six}) have too many bytes: {sizes:?}; at most {LARGEST_LIST}. Shorten the doc comments of \
         their fields, or list another tool first (src/tools/mod.rs)"
    );
}

/// A model reads the names, descriptions and input schemas of all tools before it calls one.
#[test]
fn a_model_reads_less_than_8_kb_of_the_catalogue() {
    let size = |tool: &Value| {
        let read = |part: &str| tool[part].as_str().unwrap_or_default().len();
        read("name") + read("description") + tool["inputSchema"].to_string().len()
    };
    let sizes: Vec<(String, usize)> =
        tools().iter().map(|tool| (tool["name"].to_string(), size(tool))).collect();
    let total: usize = sizes.iter().map(|(_, size)| size).sum();
    assert!(total < LARGEST_CATALOGUE, "{total} bytes, at most {LARGEST_CATALOGUE}: {sizes:?}");
}

#[test]
fn the_list_may_be_kept() {
    // 2026-07-28, "Caching": a client of this version gets both fields.
    let (_, result) = list(STATELESS, &[]);
    assert!(result["ttlMs"].as_u64().is_some_and(|ttl| ttl > 0), "{}", result["ttlMs"]);
    assert_eq!(result["cacheScope"], "public");
    assert_eq!(result["resultType"], "complete");
}

/// The tools that a server with these flags lists, each with its entry in the catalogue.
fn listed(flags: &[&str]) -> Vec<(Value, &'static ToolEntry)> {
    let tools = list("2025-11-25", flags).1["tools"].as_array().unwrap().clone();
    let entry = |tool: &Value| catalogue().iter().find(|entry| entry.name == name(tool)).unwrap();
    tools.into_iter().map(|tool| (tool.clone(), entry(&tool))).collect()
}

#[test]
fn annotations_say_what_the_catalogue_says() {
    for (tool, entry) in listed(&[]) {
        let hints = &tool["annotations"];
        let reads = entry.effect == Effect::Read;
        // For a tool that only reads, the hints `destructiveHint` and `idempotentHint` are omitted (schema,
        // `ToolAnnotations`).
        let expected = json!({
            "readOnlyHint": reads,
            "destructiveHint": if reads { Value::Null } else { (entry.effect == Effect::Host).into() },
            "idempotentHint": if reads { Value::Null } else { entry.idempotent.into() },
            "openWorldHint": !reads || entry.reach == Reach::Hosts,
        });
        for (hint, value) in expected.as_object().unwrap() {
            assert_eq!(hints[hint], *value, "{}: {hint}", entry.name);
        }
        assert_eq!(tool["title"], entry.title);
    }
}

#[test]
fn a_read_only_server_lists_what_can_change_nothing() {
    let listed = listed(&["--read-only"]);
    let reading: Vec<&str> =
        catalogue().iter().filter(|entry| entry.min_effect == Effect::Read).map(|entry| entry.name).collect();
    assert_eq!(listed.iter().map(|(tool, _)| name(tool)).collect::<Vec<_>>(), reading);
    for (tool, entry) in listed {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{}", entry.name);
    }
}

/// The tools that a server offers to clients without a token: those that reach no host. A tool that is offered there by
/// mistake lets any program on the machine reach hosts.
#[test]
fn what_is_offered_without_a_token_is_as_published() {
    let offered: Vec<&str> =
        catalogue().iter().filter(|tool| tool.reach == Reach::Here).map(|tool| tool.name).collect();
    // `http::without_a_token_no_tool_that_reaches_hosts_is_served` compares a server's list with the same tools.
    golden::check("tools/without-token.txt", &format!("{}\n", offered.join("\n")), TESTS);
}

/// The effect, the reach and the idempotence of a tool are consistent.
#[test]
fn effect_and_reach_agree() {
    for tool in catalogue() {
        if tool.effect == Effect::Host {
            let name = tool.name;
            assert!(tool.reach == Reach::Hosts, "{name} changes hosts: REACH has to be Reach::Hosts");
            assert!(
                !tool.idempotent,
                "{name} changes hosts: each call needs an approval, so IDEMPOTENT has to be false"
            );
        }
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
        // `host` and `cursor` need no description, but every argument needs a type.
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
                // google-genai converts no schema with this field (googleapis/python-genai#2393).
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

/// OpenAI's strict form requires every property, and represents an omitted one as `null`.
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

/// Calls `see` with each schema within a schema, and the path to it.
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
