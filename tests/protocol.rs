//! The lines that the server sends over its pipes, to correct clients and to faulty ones.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::{Client, STATELESS, WITH_HANDSHAKE, handshake, with_meta};
use crate::common::slow::Slow;
use pantheros_mcp::testing::tools::names;
use rustix::process::Signal;
use serde_json::{Value, json};

/// After this time without a message, a test assumes that none comes.
const SILENCE: Duration = Duration::from_millis(300);

/// The newest Nix, for tests that need any.
fn nix() -> PathBuf {
    nixes().pop().unwrap()
}

/// Messages on standard error cannot be written: the disk with the log is full, or nobody reads the pipe.
#[test]
fn a_standard_error_that_takes_nothing_ends_nothing() {
    let fleet = Fleet::demo(&nix());
    for is_pipe in [false, true] {
        let mut command = fleet.command(&["call", "list_hosts"]);
        command.env("PANTHEROS_LOG", "debug");
        if is_pipe {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            command.stderr(writer);
        } else {
            command.stderr(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(!answer["hosts"].as_array().unwrap().is_empty(), "{answer:#}");
    }
}

/// An empty fleet, for tests that need no flake.
fn nothing() -> Fleet {
    Fleet::plain(&nix(), &[])
}

fn both_eras() -> [&'static str; 2] {
    ["2025-11-25", STATELESS]
}

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {answer}"))
}

fn said(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

fn hosts(answer: &Value) -> Vec<&str> {
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    let hosts = answer["result"]["structuredContent"]["hosts"].as_array();
    hosts.unwrap_or_else(|| panic!("{answer}")).iter().map(|host| host["name"].as_str().unwrap()).collect()
}

const DEMO_HOSTS: [&str; 4] = ["broken-on-purpose", "db", "mail", "web"];

// ---- the eras

#[test]
fn every_version_with_a_handshake_is_spoken() {
    let fleet = Fleet::demo(&nix());
    for version in WITH_HANDSHAKE {
        let mut client = Client::start(&fleet, &[]);
        let answer = client.initialize(version);
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], version, "{answer}");
        assert_eq!(result["serverInfo"]["name"], "pantheros");
        assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(result["capabilities"]["tools"].is_object(), "{answer}");
        assert!(result["instructions"].as_str().unwrap().contains("list_hosts"), "{answer}");
        client.notify("notifications/initialized", json!({}));
        assert_eq!(client.tools(), names());
        assert_eq!(hosts(&client.call("list_hosts", json!({}))), DEMO_HOSTS);
        assert_eq!(client.request("ping", json!({}))["result"], json!({}));
    }
}

#[test]
fn a_version_nobody_knows_is_answered_with_the_newest() {
    let fleet = nothing();
    // 2026-07-28 has no handshake, so a handshake cannot agree on it.
    for version in ["1999-12-31", "2099-01-01", STATELESS, ""] {
        let answer = Client::start(&fleet, &[]).initialize(version);
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{version:?}: {answer}");
    }
}

#[test]
fn the_stateless_version_needs_no_handshake() {
    let fleet = Fleet::demo(&nix());
    let mut client = Client::begun(&fleet, &[], STATELESS);
    let discovered = client.request("server/discover", json!({}));
    let versions = discovered["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(STATELESS)), "{discovered}");
    assert!(discovered["result"]["capabilities"]["tools"].is_object(), "{discovered}");
    assert_eq!(client.tools(), names());
    let answer = client.call("list_hosts", json!({}));
    assert_eq!(hosts(&answer), DEMO_HOSTS);
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");

    // Each request stands for itself: none has to call `server/discover` first.
    let mut client = Client::begun(&fleet, &[], STATELESS);
    assert_eq!(hosts(&client.call("list_hosts", json!({}))), DEMO_HOSTS);
}

#[test]
fn a_stateless_request_says_which_version_it_is() {
    let fleet = nothing();
    let mut client = Client::start(&fleet, &[]);
    let bare = client.request("tools/list", json!({}));
    assert_eq!(code(&bare), -32602);
    assert!(said(&bare).contains("protocolVersion"), "{bare}");
    let mut future = with_meta(json!({}));
    future["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let refused = client.request("tools/list", future);
    // 2026-07-28, "Versioning": UnsupportedProtocolVersionError names what is supported.
    assert_eq!(code(&refused), -32022, "{refused}");
    assert!(refused["error"]["data"]["supported"].as_array().unwrap().contains(&json!(STATELESS)));
    let good = client.request("tools/list", with_meta(json!({})));
    assert!(good["result"]["tools"].is_array(), "{good}");
}

#[test]
fn what_comes_before_the_first_request_is_passed_over() {
    let fleet = nothing();
    let early = [
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}),
        json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}),
        json!({"jsonrpc": "2.0", "method": "notifications/nobody/knows"}),
        json!({"jsonrpc": "2.0", "id": 7, "result": {}}),
    ];
    for message in early {
        let mut client = Client::start(&fleet, &[]);
        client.send_line(&message.to_string());
        let answer = client.initialize("2025-11-25");
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{message}");

        let mut client = Client::start(&fleet, &[]);
        client.request("server/discover", with_meta(json!({})));
        client.send_line(&message.to_string());
        let answer = client.request("tools/list", with_meta(json!({})));
        assert!(answer["result"]["tools"].is_array(), "{message}: {answer}");
    }
}

// ---- malformed messages

#[test]
fn what_is_malformed_is_answered() {
    let fleet = nothing();
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    let wrong: [(&[u8], i64); 10] = [
        (b"{not json", -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}", -32700),
        (b"\"a string\"", -32600),
        (b"17", -32600),
        (b"{}", -32600),
        (b"{\"id\":41,\"method\":\"ping\"}", -32600),
        (b"{\"jsonrpc\":\"1.0\",\"id\":41,\"method\":\"ping\"}", -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":41,\"method\":5}", -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600),
    ];
    for (line, expected) in wrong {
        let shown = String::from_utf8_lossy(line);
        client.send_bytes(&[line, b"\n"].concat());
        let answer = client.next();
        assert_eq!(code(&answer), expected, "{shown}: {answer}");
        let id = shown.contains("41").then(|| json!(41));
        assert_eq!(answer.get("id").filter(|id| !id.is_null()), id.as_ref(), "{shown}: {answer}");
    }
    for passed_over in ["", "   ", "\t\r"] {
        client.send_line(passed_over);
    }
    assert_eq!(client.tools(), names());
}

/// Only 2025-03-26 has batches. Other versions refuse them with an answer to each request, so that no client waits.
#[test]
fn a_batch_is_answered_message_by_message() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let fleet = nothing();
        let mut client = Client::begun(&fleet, &[], version);
        let batch = json!([
            {"jsonrpc": "2.0", "id": 71, "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
            {"jsonrpc": "2.0", "id": "list", "method": "tools/list"},
            {"jsonrpc": "2.0", "id": 73, "method": "initialize", "params": handshake(version)},
        ]);
        client.send_line(&batch.to_string());
        let mut answers = std::collections::BTreeMap::new();
        for _ in 0..3 {
            let answer = client.next();
            answers.insert(answer["id"].to_string(), answer);
        }
        let of =
            |id: Value| answers.get(&id.to_string()).unwrap_or_else(|| panic!("{version}: {answers:#?}"));
        assert_eq!(code(of(json!(73))), -32600, "{version}");
        if version == "2025-03-26" {
            assert_eq!(of(json!(71))["result"], json!({}), "{version}");
            assert!(of(json!("list"))["result"]["tools"].is_array(), "{version}");
        } else {
            assert_eq!((code(of(json!(71))), code(of(json!("list")))), (-32600, -32600), "{version}");
            assert!(said(of(json!(71))).contains("2025-03-26"), "{version}");
        }
        assert_eq!(client.tools(), names());
    }
}

#[test]
fn a_message_may_end_in_any_way_and_have_any_id() {
    let fleet = nothing();
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    for id in [json!("a"), json!(""), json!(0), json!(-7), json!(i64::MAX), json!("x".repeat(1000))] {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        client.send_bytes(format!("  {request}\t\r\n").as_bytes());
        assert_eq!(client.next(), json!({"jsonrpc": "2.0", "id": id, "result": {}}));
    }
}

#[test]
fn what_does_not_exist_is_named() {
    for version in both_eras() {
        let fleet = nothing();
        let mut client = Client::begun(&fleet, &[], version);
        for method in ["no/such", "prompts/list", "tools/destroy"] {
            let answer = client.request(method, json!({}));
            assert_eq!(code(&answer), -32601, "{version}: {answer}");
        }
        let answer = client.call("list_host", json!({}));
        assert_eq!(code(&answer), -32602, "{version}: {answer}");
        assert!(said(&answer).contains("`list_hosts`"), "{version}: {answer}");
        let hostile = "../\u{1b}[31m\n".repeat(10_000);
        let answer = client.call(&hostile, json!({}));
        assert_eq!(code(&answer), -32602, "{version}");
        assert!(said(&answer).len() < 300 && !said(&answer).contains('\u{1b}'), "{version}: {answer}");
        let answer = client.request("resources/read", json!({"uri": "pantheros://log/../../etc/passwd"}));
        assert_eq!(answer["error"]["data"]["uri"], "pantheros://log/../../etc/passwd", "{version}: {answer}");
        // 2026-07-28 removed -32002 (SEP-2164).
        assert_eq!(code(&answer), if version == STATELESS { -32602 } else { -32002 }, "{version}: {answer}");
    }
}

#[test]
fn parameters_of_the_wrong_shape_are_the_parameters_fault() {
    for version in both_eras() {
        let fleet = nothing();
        let mut client = Client::begun(&fleet, &[], version);
        for params in [
            json!({}),
            json!({"name": 5}),
            json!({"name": "list_hosts", "arguments": [1]}),
            json!({"name": "list_hosts", "arguments": "x"}),
        ] {
            let answer = client.request("tools/call", params.clone());
            assert_eq!(code(&answer), -32602, "{version}: {params}: {answer}");
        }
        assert_eq!(code(&client.request("resources/read", json!({}))), -32602, "{version}");
        assert_eq!(client.tools(), names());
    }
}

#[test]
fn wrong_arguments_are_an_answer() {
    let fleet = Fleet::demo(&nix());
    for version in both_eras() {
        let mut client = Client::begun(&fleet, &[], version);
        for (tool, arguments, expected) in [
            ("build_host", json!({}), "invalid_input"),
            ("build_host", json!({"host": 5}), "invalid_input"),
            ("build_host", json!({"hots": "web"}), "invalid_input"),
            ("build_host", json!({"host": "wbe"}), "unknown_host"),
            ("build_host", json!({"host": "x\"${y}\n"}), "invalid_input"),
            ("list_hosts", json!({"limit": 0}), "invalid_input"),
            ("list_hosts", json!({"cursor": "guess"}), "invalid_input"),
        ] {
            let answer = client.call(tool, arguments.clone());
            let result = &answer["result"];
            assert_eq!(result["isError"], true, "{arguments}: {answer}");
            assert_eq!(result["structuredContent"]["error"]["code"], expected, "{arguments}: {answer}");
            assert!(result["content"][0]["text"].as_str().is_some_and(|text| text.len() > 10), "{answer}");
        }
        assert_eq!(hosts(&client.call("list_hosts", json!({}))), DEMO_HOSTS);
    }
}

/// Characters that control a terminal, hide, reverse the direction, or begin a new line.
const HOSTILE: &str = "x\u{1b}[31m\u{202e}\u{e0041}\n\u{2028}y";

#[test]
fn what_a_client_sent_is_cleaned_before_it_is_repeated() {
    let fleet = nothing();
    let bad = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2028}\u{e0041}".contains(c);
    for version in both_eras() {
        // Everything is logged, also by libraries.
        let mut command = fleet.command(&["serve"]);
        command.env("PANTHEROS_LOG", "trace");
        let mut client = Client::of(command);
        if version != STATELESS {
            client.initialize(version);
        }
        let hostile = |before: &str| format!("{before}{HOSTILE}");
        for (method, params, word) in [
            ("tools/call", json!({"name": hostile("list_hosts"), "arguments": {}}), "there is no tool"),
            ("tools/call", json!({"name": "list_hosts", "arguments": {hostile("limit"): 1}}), "no argument"),
            (
                "tools/call",
                json!({"name": "list_hosts", "arguments": {"limit": hostile("1")}}),
                "whole number",
            ),
            (
                "tools/call",
                json!({"name": "nix_search", "arguments": {"query": "a", "kind": HOSTILE}}),
                "one of",
            ),
            ("tools/call", json!({"name": "host_status", "arguments": {"host": HOSTILE}}), "not a host name"),
            ("tools/call", json!({"name": "deploy", "arguments": {"plan_id": HOSTILE}}), "plan_id"),
            ("resources/read", json!({"uri": hostile("pantheros://log/")}), "there is no resource"),
            (&hostile("no/such"), json!({}), "there is no method"),
        ] {
            let params = if version == STATELESS { with_meta(params) } else { params };
            // The answer repeats the id as it was received. The id is logged like everything else.
            let id = hostile("id");
            let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            client.send_line(&message.to_string());
            let mut answer = client.next();
            while answer.get("id").is_none() {
                answer = client.next();
            }
            assert_eq!(answer["id"], json!(id), "{method}: {answer}");
            let result = &answer["result"];
            let mut said = vec![&answer["error"]["message"], &answer["error"]["data"]["uri"]];
            said.extend(["message", "attr", "hint"].map(|key| &result["structuredContent"]["error"][key]));
            for text in said.iter().filter_map(|text| text.as_str()) {
                assert!(!text.contains(bad) && !text.contains('\n'), "{method}: {text:?}");
            }
            let shown = result["content"][0]["text"].as_str().unwrap_or_default();
            assert!(!shown.contains(bad), "{method}: {shown:?}");
            assert!(answer.to_string().contains(word), "{method}: {answer}");
        }
        client.close();
        client.ends();
        let log = client.said();
        assert!(log.contains("list_hosts"), "it is logged: {log}");
        assert!(!log.contains(bad), "{:?}", log.lines().find(|line| line.contains(bad)));
        assert!(log.lines().all(|line| line.starts_with("20")), "a line of its own: {log}");
    }
}

#[test]
fn a_clients_mistake_is_no_warning() {
    let fleet = nothing();
    for version in both_eras() {
        let mut client = Client::begun(&fleet, &[], version);
        let answer = client.request("tools/call", json!({"name": "list_host", "arguments": {}}));
        assert!(said(&answer).contains("list_hosts"), "{answer}");
        assert_eq!(code(&client.request("no/such", json!({}))), -32601);
        client.close();
        client.ends();
        assert_eq!(client.said(), "");
    }
}

#[test]
fn a_message_may_be_too_large() {
    let fleet = nothing();
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    for size in [2 << 20, 20 << 20] {
        let filler = "x".repeat(size);
        client.send_line(
            &json!({"jsonrpc": "2.0", "id": 77, "method": "ping", "params": {"_meta": {"x": filler}}})
                .to_string(),
        );
        let answer = client.next();
        assert_eq!(code(&answer), -32600, "{answer}");
        assert!(said(&answer).contains("limits.message_kib"), "{answer}");
        assert_eq!(client.tools(), names());
    }
    // A line just below the limit is accepted.
    let filler = "x".repeat((1 << 20) - 200);
    let answer = client.request("ping", json!({"_meta": {"x": filler}}));
    assert_eq!(answer["result"], json!({}));
}

#[test]
fn a_notification_is_never_answered() {
    for version in both_eras() {
        let fleet = nothing();
        let mut client = Client::begun(&fleet, &[], version);
        client.tools();
        client.notify("notifications/nobody/knows", json!({"a": 1}));
        client.notify("tools/list", json!({}));
        client.notify("notifications/cancelled", json!({"requestId": 4711}));
        client.notify("notifications/progress", json!({"progress": "wrong"}));
        client.send_line(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":5}"#);
        client.send_line(r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#);
        client.send_line(r#"{"jsonrpc":"2.0","id":4711,"error":{"code":1,"message":"x"}}"#);
        let id = client.ask("tools/list", json!({}));
        assert_eq!(client.next()["id"], id, "{version}");
        assert!(client.next_within(SILENCE).is_none(), "{version}");
    }
}

// ---- which tools there are

#[test]
fn what_is_switched_off_is_neither_listed_nor_called() {
    let fleet = Fleet::demo(&nix());
    let without = |gone: &[&str]| names().into_iter().filter(|tool| !gone.contains(tool)).collect::<Vec<_>>();
    let cases = [
        (
            vec!["--read-only"],
            without(&["build_host", "plan_deploy", "deploy", "rollback_host"]),
            "--read-only",
        ),
        (vec!["--tools", "flake_check,list_hosts"], vec!["list_hosts", "flake_check"], "--tools"),
        (vec!["--exclude-tools", "build_host,nix_search"], without(&["build_host", "nix_search"]), "exclude"),
        // --read-only takes precedence over every other switch.
        (vec!["--tools", "build_host,list_hosts", "--read-only"], vec!["list_hosts"], "--read-only"),
    ];
    for version in both_eras() {
        for (flags, expected, reason) in &cases {
            let mut client = Client::begun(&fleet, flags, version);
            assert_eq!(client.tools(), *expected, "{flags:?}");
            let answer = client.call("build_host", json!({"host": "web"}));
            assert_eq!(code(&answer), -32602, "{flags:?}: {answer}");
            assert!(said(&answer).contains("build_host") && said(&answer).contains(reason), "{answer}");
            assert_eq!(hosts(&client.call("list_hosts", json!({}))), DEMO_HOSTS, "{flags:?}");
        }
    }
    let mut client = Client::begun(&fleet, &["--read-only"], STATELESS);
    let answer = client.call("flake_check", json!({"build": true}));
    assert_eq!(answer["result"]["structuredContent"]["error"]["code"], "tool_disabled", "{answer}");
}

#[test]
fn a_tool_that_does_not_exist_cannot_be_switched() {
    for flag in ["--tools", "--exclude-tools"] {
        let output = nothing().command(&[flag, "build_hots", "serve"]).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains("build_host"), "{error}");
        assert!(output.stdout.is_empty(), "standard output is the protocol's");
    }
}

// ---- progress

#[test]
fn progress_is_told_to_who_asked_for_it() {
    for nix in nixes() {
        for version in both_eras() {
            let slow = Slow::new(&nix);
            let mut client = Client::begun(&slow.fleet, &[], version);
            client.tools();
            let asking = json!({
                "name": "build_host", "arguments": {"host": "chatty"}, "_meta": {"progressToken": "token-1"},
            });
            let start = Instant::now();
            let answer = client.request("tools/call", asking);
            let took = start.elapsed();
            assert_ne!(answer["result"]["isError"], true, "{answer}");

            let told = std::mem::take(&mut client.notifications);
            let most = took.as_secs_f32() * 10.0 + 1.0;
            assert!(told.len() > 3 && (told.len() as f32) <= most, "{} in {took:?}", told.len());
            let mut last = -1.0;
            for message in &told {
                assert_eq!(message.json["method"], "notifications/progress");
                let params = &message.json["params"];
                assert_eq!(params["progressToken"], "token-1");
                let progress = params["progress"].as_f64().unwrap();
                assert!(progress > last, "{progress} after {last}: {params}");
                assert!(params["total"].as_f64().is_none_or(|total| total >= progress), "{params}");
                assert!(params["message"].as_str().is_some_and(|text| !text.is_empty()), "{params}");
                last = progress;
            }
            let whole: String = told.iter().map(|message| message.line.as_str()).collect();
            assert!(whole.contains("step "), "the last line of the build's log is told: {whole}");

            // No notification follows the answer to a call.
            assert!(client.next_within(SILENCE).is_none());
        }
    }
}

#[test]
fn who_did_not_ask_for_progress_is_told_none() {
    for version in both_eras() {
        let slow = Slow::new(&nix());
        let mut client = Client::begun(&slow.fleet, &[], version);
        let answer = client.call("build_host", json!({"host": "chatty"}));
        assert_ne!(answer["result"]["isError"], true, "{answer}");
        assert!(client.notifications.is_empty(), "{:?}", client.notifications);
    }
}

// ---- cancelling and ending

fn build_slow(client: &mut Client) -> i64 {
    client.ask("tools/call", json!({"name": "build_host", "arguments": {"host": "slow"}}))
}

#[test]
fn a_cancelled_call_ends_and_the_server_goes_on() {
    for nix in nixes() {
        for version in both_eras() {
            let slow = Slow::new(&nix);
            let mut client = Client::begun(&slow.fleet, &[], version);
            let id = build_slow(&mut client);
            slow.has_begun();
            client.cancel(id);
            slow.nothing_left(client.id());
            assert_eq!(client.tools(), names());
            // Cancellation, "Behavior Requirements": no response to a cancelled request.
            assert!(client.next_within(SILENCE).is_none(), "{version}");
            // The host can be built again.
            let again = build_slow(&mut client);
            slow.has_begun();
            client.cancel(again);
            slow.nothing_left(client.id());
        }
    }
}

#[test]
fn it_ends_when_its_input_does() {
    for nix in nixes() {
        let slow = Slow::new(&nix);
        let mut client = Client::begun(&slow.fleet, &[], "2025-11-25");
        build_slow(&mut client);
        slow.has_begun();
        client.close();
        assert_eq!(client.ends().code(), Some(0));
        slow.nobody_left();
    }
}

#[test]
fn it_ends_when_told_to() {
    for nix in nixes() {
        for signal in [Signal::TERM, Signal::INT] {
            let slow = Slow::new(&nix);
            let mut client = Client::begun(&slow.fleet, &[], STATELESS);
            build_slow(&mut client);
            slow.has_begun();
            client.signal(signal);
            assert_eq!(client.ends().code(), Some(0));
            slow.nobody_left();
        }
    }
}

#[test]
fn it_ends_without_having_been_asked_anything() {
    let fleet = nothing();
    let mut client = Client::start(&fleet, &[]);
    client.close();
    assert_eq!(client.ends().code(), Some(0));
    let mut client = Client::start(&fleet, &[]);
    client.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":1,");
    client.close();
    client.ends();
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    client.signal(Signal::TERM);
    assert_eq!(client.ends().code(), Some(0));
}

#[test]
fn what_was_asked_before_the_input_ended_is_answered() {
    // As in `printf … | pantheros-mcp serve`: a call that takes no time is still answered.
    let fleet = nothing();
    for _ in 0..5 {
        let mut client = Client::start(&fleet, &[]);
        let first =
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": handshake("2025-11-25")});
        let second = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        client.send_bytes(format!("{first}\n{second}\n").as_bytes());
        client.close();
        assert_eq!(client.answer(1).json["result"]["protocolVersion"], "2025-11-25");
        assert!(client.answer(2).json["result"]["tools"].is_array());
        client.ends();
    }
}

// ---- several at once

#[test]
fn calls_do_not_wait_for_each_other() {
    for version in both_eras() {
        let slow = Slow::new(&nix());
        let mut client = Client::begun(&slow.fleet, &[], version);
        let building = build_slow(&mut client);
        slow.has_begun();
        let (first, second) = (
            client.ask("tools/call", json!({"name": "list_hosts", "arguments": {}})),
            client.ask("tools/call", json!({"name": "list_hosts", "arguments": {}})),
        );
        let second = client.answer(second).json;
        assert_eq!(hosts(&second), ["chatty", "slow"]);
        assert_eq!(client.answer(first).json["result"], second["result"]);
        assert!(slow.builds());
        client.cancel(building);
        slow.nothing_left(client.id());
    }
}

#[test]
fn two_builds_of_one_host_both_succeed() {
    for nix in nixes() {
        let fleet = Fleet::demo(&nix);
        let mut client = Client::begun(&fleet, &[], STATELESS);
        let mut build =
            || client.ask("tools/call", json!({"name": "build_host", "arguments": {"host": "web"}}));
        let (first, second) = (build(), build());
        let (first, second) = (client.answer(first).json, client.answer(second).json);
        let path = |answer: &Value| answer["result"]["structuredContent"]["out_path"].clone();
        assert!(path(&first).is_string(), "{first}");
        assert_eq!(path(&first), path(&second));
    }
}

#[test]
fn standard_output_is_the_protocols_alone() {
    let fleet = Fleet::demo(&nix());
    let mut command = fleet.command(&["--log-format", "json"]);
    command.arg("serve").env("PANTHEROS_LOG", "trace").env("RUST_LOG", "trace");
    let mut client = Client::of(command);
    client.initialize("2025-11-25");
    // A line that is not JSON fails the test here.
    assert_eq!(client.call("build_host", json!({"host": "broken-on-purpose"}))["result"]["isError"], true);
    assert_eq!(client.tools(), names());
}
