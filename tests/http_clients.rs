//! Clients that deviate from the specification as existing clients do, over HTTP and over pipes.

use std::sync::{Arc, Barrier};

use crate::common::fleet::{Fleet, nixes};
use crate::common::http::{Answer, OLD, Request, Server, Setup, initialize};
use crate::common::mcp::Client;
use serde_json::{Value, json};

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
}

fn serve(fleet: &Fleet) -> Server {
    Setup::of(fleet.command(&["serve", "--http", "127.0.0.1:0"])).start()
}

fn has_tools(answer: &Answer) -> bool {
    answer.message()["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty())
}

#[test]
fn closing_a_session_is_no_error_to_clients() {
    let server = Server::with("");
    let session = server.initialize();
    let close = |session: &str| server.ask(&Request::new("DELETE", "/mcp").with("mcp-session-id", session));
    let closed = close(&session);
    assert_eq!((closed.head.status, closed.text().as_str()), (204, ""));
    // A session that has ended, and one that never began.
    for unknown in [session.as_str(), "no-such-session"] {
        assert_eq!(close(unknown).refusal(), (404, "session".into()), "{unknown}");
    }
    assert_eq!(server.ask(&Request::new("DELETE", "/mcp")).head.status, 400);
}

#[test]
fn where_an_authorization_server_would_be_there_is_nothing() {
    let server = Server::with("");
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/mcp/.well-known/openid-configuration",
        "/register",
        "/authorize?response_type=code",
        "/token",
    ] {
        for request in [Request::get(path), Request::post(path, &json!({"client_name": "x"}))] {
            for request in [request.clone().bare(), request.clone().bearer("wrong"), request] {
                let answer = server.ask(&request);
                assert_eq!(answer.refusal(), (404, "route".into()), "{path}");
                assert_eq!(answer.head.header("www-authenticate"), None, "{path}");
                assert!(answer.text().contains("pantheros-mcp token"), "{}", answer.text());
            }
        }
    }
    // This does not make other paths accessible without the token.
    for path in ["/mcp", "/sse", "/metrics", "/registers"] {
        assert_eq!(server.ask(&Request::get(path).bare()).refusal(), (401, "token".into()), "{path}");
    }
    assert_eq!(server.ask(&Request::get("/register").with("host", "evil.com")).head.status, 403);
}

#[test]
fn what_a_page_of_another_site_loads_is_refused() {
    let server = Server::with("[http]\nallowed_origins = [\"https://app.example.org\"]\n");
    for path in ["/sse", "/mcp", "/messages", "/healthz", "/metrics"] {
        for site in ["cross-site", "same-site"] {
            let answer = server.ask(&Request::get(path).with("sec-fetch-site", site));
            assert_eq!(answer.refusal(), (403, "origin".into()), "{path} {site}");
        }
    }
    let health = |site: &str| Request::get("/healthz").with("sec-fetch-site", site);
    for request in [
        health("none"),
        health("same-origin"),
        health("cross-site").with("origin", "https://app.example.org"),
    ] {
        assert_eq!(server.ask(&request).head.status, 200);
    }
}

#[test]
fn a_client_is_answered_as_far_as_it_takes_answers() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let server = serve(&fleet);
    let session = server.initialize();
    let hosts = json!({"name": "list_hosts", "arguments": {}, "_meta": {"progressToken": "p"}});
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": hosts});
    for (accept, kind) in [
        ("*/*", "text/event-stream"),
        ("", "text/event-stream"),
        ("text/event-stream", "text/event-stream"),
        ("application/json", "application/json"),
        ("application/json;q=0.9, text/html", "application/json"),
    ] {
        for request in [
            Request::old(&session, &list()),
            Request::modern("tools/list", json!({})),
            Request::old(&session, &call),
            Request::modern("tools/call", hosts.clone()),
        ] {
            let answer = server.ask(&request.with("accept", accept));
            assert_eq!(
                (answer.head.status, answer.head.header("content-type")),
                (200, Some(kind)),
                "{accept}"
            );
            assert!(answer.message()["result"].is_object(), "{accept}: {}", answer.text());
        }
        let begun = server.ask(&initialize().with("accept", accept));
        assert_eq!(begun.message()["result"]["protocolVersion"], OLD, "{accept}");
        let own = begun.head.header("mcp-session-id").unwrap();
        let listen = Request::get("/mcp").with("mcp-session-id", own).with("accept", accept);
        let expected = if kind == "application/json" { 406 } else { 200 };
        assert_eq!(server.send(&listen).0.status, expected, "{accept}");
        let wrong = server.ask(&Request::modern("no/such", json!({})).with("accept", accept));
        assert_eq!(wrong.message()["error"]["code"], -32601, "{accept}");
        server.ask(&Request::new("DELETE", "/mcp").with("mcp-session-id", own));
    }
    for accept in ["text/html", "application/json;q=0"] {
        let answer = server.ask(&Request::old(&session, &list()).with("accept", accept));
        assert_eq!(answer.refusal(), (406, "accept".into()), "{accept}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let fleet = Fleet::plain(&nixes().pop().unwrap(), &[]);
    let mut pipes = Client::start(&fleet, &[]);
    let begin = json!({"jsonrpc": "2.0", "id": 9, "method": "initialize", "params": crate::common::mcp::handshake(OLD)});
    pipes.send_line(&format!("\u{feff}{begin}"));
    assert_eq!(pipes.answer(9).json["result"]["protocolVersion"], OLD);

    let server = serve(&fleet);
    let marked = |message: &Value| format!("\u{feff}{message}").into_bytes();
    let begun = server.ask(&Request::post_bytes("/mcp", &marked(&begin)));
    assert_eq!(begun.message()["result"]["protocolVersion"], OLD, "{}", begun.text());
    let session = begun.head.header("mcp-session-id").unwrap();
    let listed = Request::post_bytes("/mcp", &marked(&list())).with("mcp-session-id", session);
    assert!(has_tools(&server.ask(&listed)));
    let (_, mut stream) = server.send(&Request::get("/sse"));
    let endpoint = stream.event().unwrap().1;
    assert_eq!(server.ask(&Request::post_bytes(&endpoint, &marked(&begin))).head.status, 202);
    assert!(stream.event().unwrap().1.contains("protocolVersion"));
}

/// The refusal is the same over every transport.
#[test]
fn a_key_that_is_there_twice_is_refused_over_every_transport() {
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let mut pipes = Client::begun(&fleet, &[], OLD);
    let server = serve(&fleet);
    let session = server.initialize();
    let (_, mut stream) = server.send(&Request::get("/sse"));
    let endpoint = stream.event().unwrap().1;
    for (message, id) in [
        (r#"{"jsonrpc":"2.0","id":41,"method":"tools/list","method":"ping"}"#, json!(41)),
        (r#"{"jsonrpc":"2.0","id":42,"id":43,"method":"ping"}"#, Value::Null),
        (
            r#"{"jsonrpc":"2.0","id":44,"method":"tools/call","params":{"name":"list_hosts","name":"deploy"}}"#,
            json!(44),
        ),
        (
            r#"{"jsonrpc":"2.0","id":45,"method":"tools/call","params":{"name":"list_hosts","arguments":{"limit":1,"limit":2}}}"#,
            json!(45),
        ),
    ] {
        pipes.send_line(message);
        let expected = pipes.next();
        assert_eq!((&expected["error"]["code"], &expected["id"]), (&json!(-32600), &id), "{message}");
        assert!(expected["error"]["message"].as_str().unwrap().contains("repeated"), "{expected}");
        let request = Request::post_bytes("/mcp", message.as_bytes());
        for request in [
            request.clone().with("mcp-session-id", &session),
            request.with("mcp-protocol-version", crate::common::mcp::STATELESS),
            Request::post_bytes(&endpoint, message.as_bytes()),
        ] {
            let answer = server.ask(&request);
            assert_eq!((answer.head.status, answer.json()), (400, expected.clone()), "{message}");
        }
    }
    // A notification with a repeated key is ignored, and like every notification gets no answer.
    let twice =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"requestId":2}}"#;
    pipes.send_line(twice);
    let id = pipes.ask("tools/list", json!({}));
    assert_eq!(pipes.next()["id"], id);
    let unheard = Request::post_bytes("/mcp", twice.as_bytes()).with("mcp-session-id", &session);
    assert_eq!((server.ask(&unheard).head.status, server.ask(&unheard).text().as_str()), (202, ""));
}

/// The numbers of answered and of refused calls.
fn tally<'a>(answers: impl Iterator<Item = &'a Value>) -> (usize, usize) {
    let (mut answered, mut refused) = (0, 0);
    for answer in answers {
        assert_eq!(answer["id"], 7, "{answer}");
        if answer["result"]["structuredContent"]["hosts"].is_array() {
            answered += 1;
        } else {
            assert_eq!(answer["error"]["code"], -32600, "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains("the id 7"), "{answer}");
            refused += 1;
        }
    }
    (answered, refused)
}

#[test]
fn fifty_calls_with_one_id_are_each_answered_or_refused() {
    const CALLS: usize = 50;
    let fleet = Fleet::demo(&nixes().pop().unwrap());
    let params = json!({"name": "list_hosts", "arguments": {}});
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});

    let mut pipes = Client::begun(&fleet, &[], OLD);
    for _ in 0..CALLS {
        pipes.send_line(&call.to_string());
    }
    let answers: Vec<Value> = (0..CALLS).map(|_| pipes.next()).collect();
    let (answered, refused) = tally(answers.iter());
    assert!(answered >= 1 && answered + refused == CALLS, "{answered} {refused}");
    // The id can be used again.
    pipes.send_line(&call.to_string());
    assert_eq!(tally([pipes.next()].iter()), (1, 0));

    let server = Arc::new(serve(&fleet));
    let session = server.initialize();
    let (_, mut stream) = server.send(&Request::get("/sse"));
    let endpoint = stream.event().unwrap().1;
    let params = crate::common::mcp::handshake("2024-11-05");
    let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    server.ask(&Request::post(&endpoint, &begin));
    stream.event().unwrap();
    server.ask(&Request::post(&endpoint, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"})));
    for request in [
        Request::old(&session, &call),
        Request::old(&session, &call).with("accept", "application/json"),
        Request::modern("tools/call", json!({"name": "list_hosts", "arguments": {}})),
        Request::post(&endpoint, &call),
    ] {
        let ready = Arc::new(Barrier::new(CALLS));
        let threads: Vec<_> = (0..CALLS)
            .map(|_| {
                let (server, request, ready) = (Arc::clone(&server), request.clone(), Arc::clone(&ready));
                std::thread::spawn(move || {
                    ready.wait();
                    server.ask(&request)
                })
            })
            .collect();
        let answers: Vec<Answer> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let accepted = answers.iter().filter(|answer| answer.head.status == 202).count();
        let mut heard: Vec<Value> =
            (0..accepted).map(|_| serde_json::from_str(&stream.event().unwrap().1).unwrap()).collect();
        heard.extend(answers.iter().filter(|answer| answer.head.status != 202).map(Answer::message));
        if heard.iter().all(|answer| answer["id"] == 1) {
            // Without a session, equal ids of different requests do not conflict.
            assert!(heard.iter().all(|answer| answer["result"].is_object()), "{heard:?}");
            continue;
        }
        let (answered, refused) = tally(heard.iter());
        assert!(answered >= 1 && answered + refused == CALLS, "{answered} {refused}");
    }
}
