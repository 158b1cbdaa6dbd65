//! Arguments in the forms that clients send: unambiguous forms are accepted, and none selects more than was meant.

use pantheros_mcp::testing::tools::catalogue;
use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::{Client, STATELESS, WITH_HANDSHAKE};

/// The answer of a server (in two versions) and of the command line to the same call. They have to agree.
fn answers(fleet: &Fleet, tool: &str, arguments: &Value) -> Value {
    let mut all = Vec::new();
    for version in [WITH_HANDSHAKE[0], STATELESS] {
        let mut client = Client::begun(fleet, &[], version);
        all.push(client.call(tool, arguments.clone())["result"]["structuredContent"].clone());
    }
    all.push(fleet.call(tool, arguments).json);
    assert!(all.windows(2).all(|two| two[0] == two[1]), "{tool} {arguments}: {all:#?}");
    all.pop().unwrap()
}

#[test]
fn one_call_has_one_meaning_in_every_form() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let all = answers(&fleet, "list_hosts", &json!({"wait": true}));
    assert!(all["hosts"].as_array().unwrap().len() > 2, "{all}");
    assert_eq!(answers(&fleet, "list_hosts", &json!({"wait": true, "cursor": null, "limit": null})), all);
    assert_eq!(answers(&fleet, "list_hosts", &json!({"wait": "true", "cursor": "", "limit": "100"})), all);
    let two = answers(&fleet, "list_hosts", &json!({"wait": true, "limit": 2}));
    assert_eq!(two["hosts"].as_array().unwrap().len(), 2, "{two}");
    for limit in [json!(2.0), json!("2"), json!("2.0")] {
        assert_eq!(answers(&fleet, "list_hosts", &json!({"wait": true, "limit": limit})), two);
    }
    let dry = json!({"host": "web", "dry_run": true});
    let planned = answers(&fleet, "build_host", &dry);
    assert_eq!(
        answers(&fleet, "build_host", &json!({"host": "web", "artifact": null, "dry_run": "true"})),
        planned
    );
}

#[test]
fn key_and_value_are_read_as_any_string_is() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let answer = |arguments: &[&str]| {
        let output = fleet.command(&[&["call", "-q"], arguments].concat()).output().unwrap();
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    assert_eq!(answer(&["list_hosts", "limit=2", "cursor="]), answer(&["list_hosts", r#"{"limit": 2}"#]));
    let (code, one) = answer(&["plan_deploy", "hosts=nowhere"]);
    assert_eq!((code, &one["error"]["code"]), (Some(1), &json!("unknown_host")), "{one}");
    assert_eq!(answer(&["plan_deploy", "hosts=[\"nowhere\"]"]).1, one);
    // A host whose name looks like a value of another type is still a host.
    let (_, answer) = answer(&["build_host", "host=true"]);
    assert_eq!(answer["error"]["code"], "unknown_host", "{answer}");
}

#[test]
fn nothing_named_never_means_everything() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    for nothing in [
        json!({}),
        json!({"hosts": null}),
        json!({"hosts": []}),
        json!({"hosts": ""}),
        json!({"hosts": "[]"}),
        json!({"hosts": null, "tag": null}),
        json!({"hosts": "", "tag": ""}),
    ] {
        let answer = answers(&fleet, "plan_deploy", &nothing);
        assert_eq!(answer["error"]["code"], "invalid_input", "{nothing}: {answer}");
    }
}

/// Every optional name in the catalogue: only one that selects a part of an answer may be empty. Without its commit,
/// for example, a plan would include uncommitted changes.
#[test]
fn an_empty_name_never_changes_what_is_done() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let mut refused = Vec::new();
    for entry in catalogue() {
        let schema = Value::Object(entry.input_schema());
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in schema["properties"].as_object().unwrap() {
            let may_be_empty =
                ["cursor", "host", "package", "packages", "system", "tag"].contains(&name.as_str());
            if property["type"][0] != "string" || may_be_empty {
                continue;
            }
            for empty in ["", " ", "\t", "\n"] {
                let mut arguments = json!({ name: empty });
                for required in &required {
                    arguments[required.as_str().unwrap()] = "web".into();
                }
                if entry.name == "plan_deploy" {
                    arguments["hosts"] = json!(["web"]);
                }
                let error = answers(&fleet, entry.name, &arguments)["error"].clone();
                assert_eq!(error["code"], "invalid_input", "{} {arguments}: {error}", entry.name);
                assert_eq!(error["attr"], **name, "{} {arguments}: {error}", entry.name);
                let message = error["message"].as_str().unwrap();
                assert!(!empty.is_empty() || message.contains("leave it out"), "{message}");
            }
            refused.push(format!("{} {name}", entry.name));
        }
    }
    assert_eq!(refused, ["flake_check rev", "evaluate apply", "build_host rev", "plan_deploy rev"]);
}

/// Every optional name that selects a part of an answer.
#[test]
fn an_empty_name_of_a_part_is_the_same_as_none() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let mut tried = Vec::new();
    for entry in catalogue() {
        let schema = Value::Object(entry.input_schema());
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for name in ["cursor", "host", "system", "tag"] {
            if schema["properties"].get(name).is_none() || required.contains(&name) {
                continue;
            }
            let mut without = json!({});
            for required in &required {
                without[*required] = "web".into();
            }
            if schema["properties"].get("wait").is_some() {
                without["wait"] = true.into();
            }
            let wanted = answers(&fleet, entry.name, &without);
            for empty in [json!(""), json!(null)] {
                let mut arguments = without.clone();
                arguments[name] = empty;
                assert_eq!(answers(&fleet, entry.name, &arguments), wanted, "{} {arguments}", entry.name);
            }
            tried.push(format!("{} {name}", entry.name));
        }
    }
    for named in ["list_hosts host", "flake_check system", "nix_search host", "plan_deploy tag"] {
        assert!(tried.iter().any(|tried| tried == named), "{named}: {tried:?}");
    }
}

#[test]
fn what_is_unclear_is_said_to_a_model_all_at_once() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let wrong = json!({"host": 5, "artifact": "topleve", "dry_run": "maybe", "hots": "web"});
    let error = answers(&fleet, "build_host", &wrong)["error"].clone();
    assert_eq!(error["code"], "invalid_input", "{error}");
    let message = error["message"].as_str().unwrap();
    for word in [
        "`host` is the number 5; a string is expected",
        "`artifact` is the string \"topleve\"; one of toplevel, vm, disko-script, disko-image is expected",
        "`dry_run` is the string \"maybe\"; true or false is expected",
        "there is no argument `hots`",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
    let suggestions = error["suggestions"].as_array().unwrap();
    assert!(suggestions.contains(&json!("toplevel")) && suggestions.contains(&json!("host")), "{error}");
    // A model has no terminal for the catalogue, so the hint lists the arguments.
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("host (a string; required)") && !hint.contains("pantheros-mcp"), "{hint}");
}
