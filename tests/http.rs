//! MCP over HTTP, against the real program over real sockets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::catalogue::arguments;
use crate::common::fleet::alive;
use crate::common::http::{Answer, Request, Server, Setup, TOKEN, initialize};
use crate::common::wait::{PATIENCE, wait_until};
use pantheros_mcp::testing::tools::{Reach, ToolEntry, catalogue};
use serde_json::{Value, json};

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
}

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

// ---- the two eras and the old transport

#[test]
fn a_session_of_the_older_protocol() {
    let server = Server::with("");
    let session = server.initialize();
    let tools = server.ask(&Request::old(&session, &list()));
    assert_eq!(tools.head.header("content-type"), Some("text/event-stream"));
    assert!(names(&tools.message()).contains(&"flake_check"));
    let unknown = Request::old(&session, &json!({"jsonrpc": "2.0", "id": 3, "method": "no/such"}));
    assert_eq!(server.ask(&unknown).message()["error"]["code"], -32601);
    assert_eq!(server.metric("pantheros_http_sessions{transport=\"mcp\"}"), 1);

    let end = Request::new("DELETE", "/mcp").with("mcp-session-id", &session);
    assert_eq!(server.ask(&end).head.status, 204);
    let answer = server.ask(&Request::old(&session, &list()));
    assert_eq!((answer.head.status, answer.message()["id"].as_i64()), (404, Some(2)));
    wait_until("it is counted out", || server.metric("pantheros_http_sessions{transport=\"mcp\"}") == 0);
}

/// Only 2025-03-26 has batches, and its clients do not name the version. In other versions each request of a batch is
/// refused at once.
#[test]
fn a_batch_is_answered_in_one_array() {
    let server = Server::with("");
    let params = json!({
        "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    let begin = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let begun = server.ask(&Request::post("/mcp", &begin));
    let session = begun.head.header("mcp-session-id").unwrap().to_owned();
    let ready = json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}]);
    let post = |message: &Value| Request::post("/mcp", message).with("mcp-session-id", &session);
    assert_eq!(server.ask(&post(&ready)).head.status, 202);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let call = json!({"jsonrpc": "2.0", "id": "call", "method": "tools/call", "params": {"name": "list_hosts", "arguments": {}}});
    let unknown = json!({"jsonrpc": "2.0", "id": 4, "method": "no/such"});
    let batch = json!([ping, list(), begin, ready[0], call, unknown]);
    let answer = server.ask(&post(&batch));
    assert_eq!((answer.head.status, answer.head.header("content-type")), (200, Some("application/json")));
    let answers = answer.json();
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2), &json!(0), &json!("call"), &json!(4)], "{answers:#}");
    assert_eq!(answers[0]["result"], json!({}));
    assert!(names(&answers[1]).contains(&"flake_check"));
    assert_eq!(
        (&answers[2]["error"]["code"], &answers[4]["error"]["code"]),
        (&json!(-32600), &json!(-32601))
    );
    assert!(answers[3]["result"]["content"].is_array(), "{answers:#}");

    for refused in [post(&batch).with("mcp-protocol-version", "2025-06-18"), Request::post("/mcp", &batch)] {
        let answer = server.ask(&refused);
        assert_eq!(answer.head.status, 400);
        let ids: Vec<Value> =
            answer.json().as_array().unwrap().iter().map(|answer| answer["id"].clone()).collect();
        assert_eq!(ids, [json!(1), json!(2), json!(0), json!("call"), json!(4)]);
    }

    // The status 404 is the only one at which clients begin a new session.
    let ended = Request::new("DELETE", "/mcp").with("mcp-session-id", &session);
    assert_eq!(server.ask(&ended).head.status, 204);
    for over in [batch, json!([{"jsonrpc": "2.0", "method": "notifications/cancelled"}])] {
        let answer = server.ask(&post(&over));
        assert_eq!((answer.head.status, &answer.json()["error"]["data"]["code"]), (404, &json!("session")));
    }
}

#[test]
fn a_request_of_the_newer_protocol_needs_no_session() {
    let server = Server::with("");
    let discovered = server.ask(&Request::modern("server/discover", json!({}))).message();
    let versions = discovered["result"]["supportedVersions"].as_array();
    assert!(
        versions.is_some_and(|versions| versions.contains(&json!(crate::common::mcp::STATELESS))),
        "{discovered}"
    );
    let tools = server.ask(&Request::modern("tools/list", json!({})));
    assert_eq!(tools.head.header("mcp-session-id"), None);
    let tools = tools.message();
    assert!(names(&tools).contains(&"flake_check"));
    assert_eq!(tools["result"]["cacheScope"], "public");
    let unknown = server.ask(&Request::modern("no/such", json!({})));
    assert_eq!((unknown.head.status, &unknown.message()["error"]["code"]), (404, &json!(-32601)));
    assert_eq!(server.metric("pantheros_http_sessions{transport=\"mcp\"}"), 0);
}

#[test]
fn the_old_transport_goes_round() {
    let server = Server::with("");
    let (head, mut stream) = server.send(&Request::get("/sse"));
    assert_eq!(head.status, 200);
    assert_eq!(head.header("deprecation"), Some("@1742947200"));
    let (event, endpoint) = stream.event().unwrap();
    assert_eq!(event, "endpoint");
    let id = endpoint.strip_prefix("/messages?session_id=").unwrap();
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");

    let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"},
    }});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for message in [&begin, &ready, &list()] {
        let answer = server.ask(&Request::post(&endpoint, message));
        assert_eq!((answer.head.status, answer.text().as_str()), (202, ""));
        assert!(answer.head.header("deprecation").is_some());
    }
    let (event, first) = stream.event().unwrap();
    assert_eq!(event, "message");
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["result"]["protocolVersion"], "2024-11-05");
    let second: Value = serde_json::from_str(&stream.event().unwrap().1).unwrap();
    assert!(names(&second).contains(&"list_hosts"));

    let malformed = server.ask(&Request::post_bytes(&endpoint, b"{no"));
    assert_eq!((malformed.head.status, &malformed.json()["error"]["code"]), (400, &json!(-32700)));
    let text = server.ask(&Request::post(&endpoint, &list()).with("content-type", "text/plain"));
    assert_eq!(text.refusal(), (415, "media_type".into()));
    for unknown in ["/messages", "/messages?session_id=", "/messages?session_id=guess"] {
        assert_eq!(server.ask(&Request::post(unknown, &list())).refusal(), (404, "session".into()));
    }
    assert_eq!(server.metric("pantheros_http_sessions{transport=\"sse\"}"), 1);
    drop(stream);
    wait_until("the session ends with its stream", || {
        server.ask(&Request::post(&endpoint, &list())).head.status == 404
    });
    wait_until("it is counted out", || server.metric("pantheros_http_sessions{transport=\"sse\"}") == 0);
    assert_eq!(server.said().matches("deprecated").count(), 1, "{}", server.said());
}

#[test]
fn sessions_are_bounded() {
    let server = Server::with("[http]\nlegacy_sessions = 2\n");
    let first = server.initialize();
    server.initialize();
    let full = server.ask(&initialize());
    assert_eq!((full.head.status, &full.message()["error"]["data"]["code"]), (503, &json!("sessions")));
    assert!(full.head.header("retry-after").is_some());
    // This affects neither existing sessions nor requests that need no session.
    assert_eq!(server.ask(&Request::old(&first, &list())).head.status, 200);
    assert_eq!(server.ask(&Request::modern("tools/list", json!({}))).head.status, 200);
    server.ask(&Request::new("DELETE", "/mcp").with("mcp-session-id", &first));
    server.initialize();

    let streams: Vec<_> = (0..2).map(|_| server.send(&Request::get("/sse"))).collect();
    assert!(streams.iter().all(|(head, _)| head.status == 200));
    assert_eq!(server.ask(&Request::get("/sse")).refusal(), (503, "sessions".into()));
    drop(streams);
    wait_until("there is room again", || server.send(&Request::get("/sse")).0.status == 200);
}

// ---- authentication

#[test]
fn only_our_own_hosts_are_served() {
    let server = Server::with("[http]\nallowed_hosts = [\"fleet.example.org\"]\n");
    let port = server.address.port();
    let ask = |host: &str| server.ask(&Request::modern("tools/list", json!({})).with("host", host));
    let good = [
        format!("127.0.0.1:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
        "localhost:1".into(),
        "Fleet.Example.ORG".into(),
    ];
    for host in good {
        assert_eq!(ask(&host).head.status, 200, "{host}");
    }
    for host in [
        "localhost.evil.com",
        "127.0.0.1.nip.io",
        "evil.com",
        "127.1",
        "0x7f000001",
        "localhost.",
        "fleet.example.org.evil.com",
        "0.0.0.0",
    ] {
        assert_eq!(ask(host).refusal(), (403, "host".into()), "{host}");
    }
    for host in ["", "user@localhost", "localhost:http", "[::1", "localhost, localhost"] {
        assert_eq!(ask(host).refusal(), (400, "host".into()), "{host}");
    }
    let doubled = Request::get("/healthz").with("host", "localhost").also("host", "evil.com");
    assert_eq!(server.ask(&doubled).head.status, 400);
    // A target in absolute form takes precedence over the `Host` header.
    let absolute = Request::new("GET", "http://evil.com/healthz").with("host", "localhost");
    assert_eq!(server.ask(&absolute).refusal(), (403, "host".into()));
    for path in ["/mcp", "/sse", "/messages", "/healthz", "/metrics", "/"] {
        assert_eq!(server.ask(&Request::get(path).with("host", "evil.com")).head.status, 403, "{path}");
    }
    assert!(server.metric("pantheros_http_refused_total{reason=\"host\"}") > 10);
}

#[test]
fn only_known_origins_may_call() {
    let server = Server::with("[http]\nallowed_origins = [\"https://app.example.org\"]\n");
    let port = server.address.port();
    let ask = |origin: &str| server.ask(&Request::modern("tools/list", json!({})).with("origin", origin));
    let own = ask(&format!("http://localhost:{port}"));
    assert_eq!((own.head.status, own.head.header("access-control-allow-origin")), (200, None));
    let known = ask("https://app.example.org");
    assert_eq!(known.head.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert_eq!(known.head.status, 200);
    for origin in [
        "http://localhost:3000",
        "http://127.0.0.1",
        "null",
        "https://evil.com",
        "https://app.example.org.evil.com",
        "http://app.example.org",
        "https://app.example.org:8443",
    ] {
        let answer = ask(origin);
        assert_eq!(answer.refusal(), (403, "origin".into()), "{origin}");
        assert_eq!(answer.head.header("access-control-allow-origin"), None);
    }
    for path in ["/mcp", "/sse", "/messages", "/healthz", "/metrics", "/"] {
        assert_eq!(
            server.ask(&Request::get(path).with("origin", "http://evil.com")).head.status,
            403,
            "{path}"
        );
    }
    let preflight = |origin: &str| {
        let request = Request::new("OPTIONS", "/mcp")
            .with("origin", origin)
            .with("access-control-request-method", "POST")
            .with("access-control-request-headers", "authorization, mcp-session-id");
        server.ask(&request).head
    };
    let allowed = preflight("https://app.example.org");
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization, mcp-session-id"));
    assert_eq!(preflight("https://evil.com").status, 403);
}

/// Without the token, every path but `/healthz` answers 401.
fn asks_for_the_token(server: &Server) {
    for path in
        ["/mcp", "/sse", "/messages?session_id=x", "/metrics", "/", "/mcp/", "/healthz/", "/healthz/../mcp"]
    {
        let answer = server.ask(&Request::get(path).bare());
        assert_eq!(answer.refusal(), (401, "token".into()), "{path}");
        assert_eq!(answer.head.header("www-authenticate"), Some("Bearer realm=\"pantheros\""));
    }
    for request in [Request::post("/messages?session_id=x", &list()), initialize(), listing()] {
        assert_eq!(server.ask(&request.bare()).refusal(), (401, "token".into()));
    }
    for method in ["PUT", "DELETE", "OPTIONS", "HEAD"] {
        assert_eq!(server.send(&Request::new(method, "/mcp").bare()).0.status, 401, "{method}");
    }
    assert_eq!(server.ask(&Request::get("/healthz").bare()).head.status, 200);
}

fn listing() -> Request {
    Request::modern("tools/list", json!({}))
}

#[test]
fn a_token_is_asked_for_where_one_is_set() {
    let server = Setup::new("", "127.0.0.1:0").env("PANTHEROS_LOG", "trace").start();
    asks_for_the_token(&server);
    assert_eq!(server.ask(&listing()).head.status, 200);
    assert_eq!(server.ask(&Request::get("/metrics")).head.status, 200);
    let twice = format!("Bearer {TOKEN}, Bearer {TOKEN}");
    for wrong in [&TOKEN[1..], &twice, "Bearer", "Basic Y29ycmVjdDpob3JzZQ==", &format!("Bearer {TOKEN}x")] {
        let answer = server.ask(&listing().with("authorization", wrong));
        assert_eq!(answer.head.status, 401, "{wrong}");
    }
    assert_eq!(server.ask(&listing().bearer(TOKEN).also("authorization", "Bearer other")).head.status, 401);
    // A token in the query is refused, because logs and proxies would record it.
    let query = Request::get(&format!("/sse?access_token={TOKEN}&token={TOKEN}")).bare();
    assert_eq!(server.ask(&query).head.status, 401);
    assert_eq!(server.ask(&initialize()).head.status, 200);
    assert!(server.said().contains("initialize") && !server.said().contains(TOKEN));
    assert!(server.said().contains("the variable PANTHEROS_HTTP_TOKEN"));
}

#[test]
fn a_token_file_works_and_is_checked() {
    use std::os::unix::fs::PermissionsExt;
    let setup = |mode: u32, text: &str| {
        let setup = Setup::new("", "127.0.0.1:0").without("PANTHEROS_HTTP_TOKEN");
        let file = setup.folder().join("token");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        setup.settings(&format!("[http]\ntoken_file = {:?}\n", file.display().to_string()))
    };
    let server = setup(0o600, &format!("{TOKEN}\n")).start();
    asks_for_the_token(&server);
    assert_eq!(server.ask(&Request::get("/metrics")).head.status, 200);
    assert!(server.said().contains("http.token_file"), "{}", server.said());
    for (mode, text, expected) in [
        (0o644, TOKEN, "can be read by other users"),
        (0o600, "", "is empty"),
        (0o600, "too-short\n", "shorter than 16"),
    ] {
        let (status, said) = setup(mode, text).refused();
        assert!(!status.success() && said.contains(expected), "{said}");
    }
    let open = setup(0o644, TOKEN);
    let folder = open.folder().display().to_string();
    let server = open.env("CREDENTIALS_DIRECTORY", &folder).start();
    assert_eq!(server.ask(&Request::get("/metrics")).head.status, 200);
}

/// The setup of a server that creates its own token.
fn making() -> Setup {
    Setup::new("", "127.0.0.1:0").without("PANTHEROS_HTTP_TOKEN")
}

/// Runs a command on the server's folders. Returns its exit code and its output.
fn says(mut command: std::process::Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn made(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[test]
fn a_token_is_made_once_where_none_is_set() {
    use std::os::unix::fs::PermissionsExt;
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let setup = Setup::new("", address).without("PANTHEROS_HTTP_TOKEN").env("PANTHEROS_LOG", "trace");
        let path = setup.token_file();
        let (code, said) = says(setup.program(&["token"]));
        assert!(
            code == Some(0) && said.contains(path.to_str().unwrap()) && said.contains("first start"),
            "{said}"
        );
        assert!(!path.exists());
        let again = setup.program(&["serve", "--http", "127.0.0.1:0"]);
        let asked = setup.program(&["token"]);
        let server = setup.start();
        let token = made(&path);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        asks_for_the_token(&server);
        assert_eq!(server.ask(&listing()).refusal(), (401, "token".into()));
        assert_eq!(server.ask(&listing().bearer(&token)).head.status, 200);
        assert!(server.said().contains(path.to_str().unwrap()) && !server.said().contains(&token));
        let (code, said) = says(asked);
        assert!(
            code == Some(0) && said.contains(path.to_str().unwrap()) && said.contains("generated"),
            "{said}"
        );
        assert!(!said.contains(&token));
        // A second server has the same token.
        let second = Setup::of(again).without("PANTHEROS_HTTP_TOKEN").start();
        assert_eq!(second.ask(&listing().bearer(&token)).head.status, 200);
    }
}

#[test]
fn a_token_that_is_rotated_counts_at_once() {
    let setup = making();
    let (path, rotate) = (setup.token_file(), || setup.program(&["token", "rotate"]));
    // Also if there is no token yet.
    assert_eq!(says(rotate()).0, Some(0));
    let (rotate, old) = (rotate(), made(&path));
    let server = setup.start();
    let with_old = |request: Request| request.bearer(&old);
    let opened = server.ask(&with_old(initialize()));
    let session = opened.head.header("mcp-session-id").unwrap().to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(server.ask(&with_old(Request::old(&session, &ready))).head.status, 202);
    let (_, mut standing) = server.send(&with_old(Request::get("/mcp").with("mcp-session-id", &session)));
    let (head, mut old_stream) = server.send(&with_old(Request::get("/sse")));
    let endpoint = old_stream.event().unwrap().1;
    assert_eq!(head.status, 200);

    let (code, said) = says(rotate);
    let new = made(&path);
    assert!(code == Some(0) && !said.contains(&old) && !said.contains(&new) && old != new, "{said}");
    assert_eq!(server.ask(&with_old(listing())).refusal(), (401, "token".into()));
    assert_eq!(server.ask(&listing().bearer(&new)).head.status, 200);
    // Open streams end, and sessions of the old token cannot be continued.
    assert!(standing.ends_within(PATIENCE) && old_stream.ends_within(PATIENCE));
    let on = Request::old(&session, &list()).bearer(&new);
    assert_eq!(server.ask(&on).head.status, 404);
    wait_until("the session is gone", || {
        server.ask(&Request::post(&endpoint, &list()).bearer(&new)).refusal() == (404, "session".into())
    });
    // Without its file no token is accepted, and streams that are open stay open.
    let (_, mut open) = server.send(&Request::get("/sse").bearer(&new));
    assert!(open.event().is_some());
    std::fs::remove_file(&path).unwrap();
    for token in [&new, &old] {
        assert_eq!(server.ask(&listing().bearer(token)).refusal(), (503, "token".into()));
    }
    assert_eq!(server.ask(&listing().bare()).refusal(), (503, "token".into()));
    assert_eq!(server.ask(&Request::get("/healthz").bare()).head.status, 200);
    std::fs::write(&path, &new).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    wait_until("the token is back", || server.ask(&listing().bearer(&new)).head.status == 200);
    assert!(!open.ends_within(Duration::from_millis(1)), "what was open was ended");
}

#[test]
fn a_call_ends_that_was_begun_with_the_old_token() {
    let nix = nixes().pop().unwrap();
    for old_protocol in [false, true] {
        let (setup, marker) = slow_setup(&nix);
        let setup = setup.without("PANTHEROS_HTTP_TOKEN");
        let (path, rotate) = (setup.token_file(), setup.program(&["token", "rotate"]));
        let server = setup.start();
        let token = made(&path);
        let request = if old_protocol {
            let opened = server.ask(&initialize().bearer(&token));
            let session = opened.head.header("mcp-session-id").unwrap().to_owned();
            let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            server.ask(&Request::old(&session, &ready).bearer(&token));
            let call = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": build()});
            Request::old(&session, &call)
        } else {
            Request::modern("tools/call", build())
        };
        let mut connection = server.connect();
        connection.write(&request.bearer(&token).bytes(server.address));
        wait_until("the build runs", || alive(&marker));
        assert_eq!(says(rotate).0, Some(0));
        // No request arrives: the server notices the new token by itself.
        wait_until("the call ends", || !alive(&marker));
    }
}

#[test]
fn only_a_token_that_was_made_is_rotated() {
    let variable = Setup::new("", "127.0.0.1:0");
    let file = making().settings("[http]\ntoken_file = \"/nowhere/token\"\n");
    for (setup, named) in [(variable, "PANTHEROS_HTTP_TOKEN"), (file, "/nowhere/token")] {
        let (code, said) = says(setup.program(&["token", "rotate"]));
        assert!(code == Some(1) && said.contains(named) && said.contains("openssl rand"), "{code:?} {said}");
        assert!(!said.contains(TOKEN) && !setup.token_file().exists());
        let (code, said) = says(setup.program(&["token"]));
        // It fails if a server could not read the token.
        let expected = if named == "/nowhere/token" { 1 } else { 0 };
        assert!(code == Some(expected) && said.contains(named) && !said.contains(TOKEN), "{said}");
    }
    let (status, said) = making().without("XDG_STATE_HOME").without("HOME").refused();
    assert!(!status.success() && said.contains("deploy.state_folder") && said.contains("HOME"), "{said}");
}

#[test]
fn an_origin_without_a_scheme_is_refused() {
    let (status, said) =
        Setup::new("[http]\nallowed_origins = [\"app.example.org\"]\n", "127.0.0.1:0").refused();
    assert!(!status.success() && said.contains("http.allowed_origins"), "{said}");
}

// ---- without a token

#[test]
fn without_a_token_no_tool_that_reaches_hosts_is_served() {
    for nix in nixes() {
        // The demo's hosts have no address. This host has one, so a tool could try to connect.
        let toml = format!(
            "[nix]\nprogram = {:?}\n[ssh]\nprogram = \"fake-ssh\"\n[hosts.web]\ntarget_host = \"192.0.2.1\"\n",
            nix.display().to_string()
        );
        let setup = making().settings(&toml);
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo");
        copy(&demo, &setup.folder());
        let reached = setup.folder().with_file_name("reached");
        let fake = setup.folder().with_file_name("fake-ssh");
        std::fs::write(&fake, format!("#!/bin/sh\necho \"$@\" >> {reached:?}\nexit 255\n")).unwrap();
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let made = setup.token_file();
        let setup = setup.settings(&toml.replace("fake-ssh", fake.to_str().unwrap()));
        let server = setup.args(&["--without-token"]).start();
        assert!(server.said().contains("every user of this machine"), "{}", server.said());
        assert!(!made.exists());

        let tools = server.ask(&listing().bare()).message();
        let there: Vec<String> = names(&tools).into_iter().map(str::to_owned).collect();
        let (here, beyond): (Vec<&ToolEntry>, Vec<&ToolEntry>) =
            catalogue().iter().partition(|tool| tool.reach == Reach::Here);
        assert_eq!(there, here.iter().map(|tool| tool.name).collect::<Vec<_>>());
        assert!(beyond.len() >= 5, "{there:?}");
        let session = server.ask(&initialize().bare());
        let session = session.head.header("mcp-session-id").unwrap().to_owned();
        let (_, mut stream) = server.send(&Request::get("/sse").bare());
        let endpoint = stream.event().unwrap().1;
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        server.ask(&Request::old(&session, &ready).bare());
        server.ask(&Request::post(&endpoint, &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"},
        }})).bare());
        server.ask(&Request::post(&endpoint, &ready).bare());
        stream.event().unwrap();
        for tool in beyond {
            let call = json!({"name": tool.name, "arguments": {"host": "web"}});
            let message = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": call});
            server.ask(&Request::post(&endpoint, &message).bare());
            let answers = [
                server.ask(&Request::modern("tools/call", call).bare()).message(),
                server.ask(&Request::old(&session, &message).bare()).message(),
                serde_json::from_str(&stream.event().unwrap().1).unwrap(),
            ];
            for answer in answers {
                let told = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
                assert!(told.contains("--without-token") && told.contains("pantheros-mcp token"), "{told}");
            }
        }
        // The listed tools connect to nothing, whatever their arguments are.
        let least = here.iter().map(|tool| (tool.name, arguments(tool)));
        for (tool, arguments) in least.chain([
            ("build_host", json!({"host": "web", "dry_run": true})),
            ("nix_search", json!({"query": "enable", "kind": "option", "host": "web"})),
        ]) {
            let call = json!({"name": tool, "arguments": arguments});
            let answer = server.ask(&Request::modern("tools/call", call).bare()).message();
            assert!(answer["result"].is_object(), "{answer}");
        }
        let log = "pantheros://log/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-web.drv";
        server.ask(&Request::modern("resources/list", json!({})).bare());
        server.ask(&Request::modern("resources/read", json!({"uri": log})).with("mcp-name", log).bare());
        assert!(!reached.exists(), "{}", std::fs::read_to_string(&reached).unwrap());
        // Requests of another origin or for another host are refused.
        let page = listing().bare().with("origin", "http://evil.com");
        assert_eq!(server.ask(&page).refusal(), (403, "origin".into()));
        assert_eq!(server.ask(&listing().bare().with("host", "evil.com")).head.status, 403);
    }
}

#[test]
fn without_a_token_what_contradicts_it_is_refused() {
    let without = |setup: Setup| setup.args(&["--without-token"]).refused();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let (status, said) = without(Setup::new("", address).without("PANTHEROS_HTTP_TOKEN"));
        assert!(!status.success() && said.contains("other machines"), "{said}");
    }
    let (status, said) = without(Setup::new("", "127.0.0.1:0"));
    assert!(!status.success() && said.contains("PANTHEROS_HTTP_TOKEN") && !said.contains(TOKEN), "{said}");
    let (status, said) = without(making().settings("[http]\ntoken_file = \"/nowhere/token\"\n"));
    assert!(!status.success() && said.contains("http.token_file"), "{said}");
    let (code, said) = says(making().program(&["serve", "--without-token"]));
    assert!(code == Some(2) && said.contains("--http"), "{said}");
}

// ---- malformed requests and limits

#[test]
fn what_is_malformed_is_answered() {
    let server = Server::with("");
    for (body, code) in [("{not json", -32700), ("", -32700), ("[1]", -32600), ("{\"id\":1}", -32600)] {
        let answer = server.ask(&Request::post_bytes("/mcp", body.as_bytes()));
        assert_eq!((answer.head.status, &answer.json()["error"]["code"]), (400, &json!(code)), "{body}");
    }
    let text = Request::post("/mcp", &list()).with("content-type", "text/plain");
    assert_eq!(server.ask(&text).refusal(), (415, "media_type".into()));
    let picky = Request::post("/mcp", &list()).with("accept", "text/html");
    assert_eq!(server.ask(&picky).head.status, 406);
    let lost = server.ask(&Request::post("/mcp", &list()));
    assert_eq!((lost.head.status, lost.message()["id"].as_i64()), (400, Some(2)));
    assert_eq!(server.ask(&Request::old("no-such-session", &list())).head.status, 404);
    for path in ["/", "/mcp/", "/favicon.ico", "/healthz/../metrics"] {
        assert_eq!(server.ask(&Request::get(path)).refusal(), (404, "route".into()), "{path}");
    }
    for (method, path) in [("PUT", "/mcp"), ("POST", "/sse"), ("GET", "/messages"), ("POST", "/healthz")] {
        assert_eq!(server.ask(&Request::new(method, path)).refusal(), (405, "method".into()), "{path}");
    }
    for rubbish in ["rubbish\r\n\r\n", "GET / HTTP/9\r\n\r\n", "\0\0\0\0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"] {
        let mut connection = server.connect();
        connection.write(rubbish.as_bytes());
        assert!(connection.closes_within(PATIENCE), "{rubbish:?}");
    }
    let health = server.ask(&Request::get("/healthz")).json();
    assert_eq!(health, json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}));
}

#[test]
fn size_is_bounded() {
    let server = Server::with("[limits]\nmessage_kib = 64\n");
    let large = vec![b' '; 65 * 1024];
    let request = Request::post_bytes("/mcp", &large);
    assert_eq!(server.ask(&request).refusal(), (413, "size".into()));
    // A missing length and a wrong one.
    let mut connection = server.connect();
    let head = Request::new("POST", "/mcp").with("content-type", "application/json");
    connection.write(&head.with("transfer-encoding", "chunked").bytes(server.address));
    for _ in 0..5 {
        connection.write(format!("4000\r\n{}\r\n", " ".repeat(0x4000)).as_bytes());
    }
    connection.write(b"0\r\n\r\n");
    assert_eq!(connection.head().status, 413);
    let lie = Request::post_bytes("/mcp", b"{}").with("content-length", "99999999999");
    assert_eq!(server.ask(&lie).head.status, 413);
    let (_, mut stream) = server.send(&Request::get("/sse"));
    let endpoint = stream.event().unwrap().1;
    assert_eq!(server.ask(&Request::post_bytes(&endpoint, &large)).head.status, 413);

    let long = Request::get("/healthz").with("x-long", &"x".repeat(40_000));
    assert_eq!(server.send(&long).0.status, 431);
    let target = Request::get(&format!("/{}", "x".repeat(70_000)));
    assert!(matches!(server.send(&target).0.status, 414 | 431));
    let many = (0..100).fold(Request::get("/healthz"), |request, n| request.with(&format!("x-{n}"), "1"));
    assert_eq!(server.send(&many).0.status, 431);
    assert_eq!(server.metric("pantheros_http_refused_total{reason=\"size\"}"), 4);
}

#[test]
fn the_rate_is_bounded() {
    let server = Server::with("[http]\nrequests_per_minute = 3\n");
    for _ in 0..3 {
        assert_eq!(server.ask(&Request::modern("tools/list", json!({}))).head.status, 200);
    }
    let refused = server.ask(&Request::modern("tools/list", json!({})));
    assert_eq!(refused.refusal(), (429, "rate".into()));
    let seconds: u64 = refused.head.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&seconds), "{seconds}");
    assert_eq!(server.ask(&Request::get("/metrics")).head.status, 429);
    assert_eq!(server.ask(&Request::get("/healthz")).head.status, 200);
}

/// A batch does not evade the rate: it takes one request per message, or only one if it is refused.
#[test]
fn each_message_of_a_batch_counts() {
    let server = Server::with("[http]\nrequests_per_minute = 6\n");
    let params = json!({
        "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    let begin = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let session =
        server.ask(&Request::post("/mcp", &begin)).head.header("mcp-session-id").unwrap().to_owned();
    let batch = |pings: usize| {
        let pings: Vec<Value> =
            (0..pings).map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).collect();
        server.ask(&Request::post("/mcp", &json!(pings)).with("mcp-session-id", &session))
    };
    let never = batch(8);
    assert_eq!(never.refusal(), (429, "rate".into()));
    assert_eq!(never.head.header("retry-after"), None, "it never fits");
    let fits = batch(3);
    assert_eq!((fits.head.status, fits.json().as_array().unwrap().len()), (200, 3));
    let refused = batch(2);
    assert_eq!(refused.refusal(), (429, "rate".into()));
    assert!(refused.head.header("retry-after").is_some());
}

#[test]
fn what_is_under_way_is_bounded() {
    let server = Server::with("[http]\nconcurrent_requests = 1\n");
    let (head, stream) = server.send(&Request::get("/sse"));
    assert_eq!(head.status, 200);
    assert_eq!(server.ask(&Request::get("/sse")).refusal(), (503, "concurrency".into()));
    // A stream takes no place of a request.
    assert_eq!(server.ask(&Request::modern("tools/list", json!({}))).head.status, 200);
    let request = Request::modern("tools/list", json!({}));
    let bytes = request.bytes(server.address);
    let (first, last) = bytes.split_at(bytes.len() - 5);
    let mut slow = server.connect();
    wait_until("a slow one has the place", || {
        // The check takes the place as well, so that a slow request may get none; then another one tries.
        slow = server.connect();
        slow.write(first);
        std::thread::sleep(Duration::from_millis(100));
        (0..3).all(|_| {
            std::thread::sleep(Duration::from_millis(50));
            let refused = server.ask(&request);
            refused.head.status == 503 && refused.head.header("retry-after").is_some()
        })
    });
    assert_eq!(server.ask(&Request::get("/healthz")).head.status, 200);
    assert!(server.metric("pantheros_http_refused_total{reason=\"concurrency\"}") >= 2);
    slow.write(last);
    assert_eq!(slow.head().status, 200);
    slow.rest();
    wait_until("its place is free", || {
        server.ask(&Request::modern("tools/list", json!({}))).head.status == 200
    });
    drop(stream);
    wait_until("the stream's place is free", || server.send(&Request::get("/sse")).0.status == 200);
}

#[test]
fn a_slow_head_is_not_waited_for() {
    let server = Server::with("");
    let mut connections = [server.connect(), server.connect(), server.connect()];
    for (connection, begun) in connections.iter_mut().zip(["GET /healthz HTTP/1.1\r\nhost: loc", "G", ""]) {
        connection.write(begun.as_bytes());
    }
    assert!(connections.iter_mut().all(|connection| connection.closes_within(PATIENCE)));
}

#[test]
fn it_stops_with_streams_open() {
    let mut server = Server::with("");
    let session = server.initialize();
    let (_, mut old) = server.send(&Request::get("/sse"));
    let listen = Request::get("/mcp").with("mcp-session-id", &session);
    let (head, mut standing) = server.send(&listen);
    assert_eq!(head.status, 200);
    let idle = server.connect();
    assert!(server.stop().success());
    assert!(old.closes_within(PATIENCE) && standing.closes_within(PATIENCE));
    // The streams were closed, and no answer was cut off.
    assert!(!server.said().contains("before its answer was complete"), "{}", server.said());
    drop(idle);
}

// ---- with nix

fn nixes() -> Vec<PathBuf> {
    let listed = std::env::var_os("PANTHEROS_TEST_NIXES").expect(
        "PANTHEROS_TEST_NIXES names the nix programs to test with, as in /path/to/nix:/other/nix; tools/test sets it",
    );
    std::env::split_paths(&listed).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn on(nix: &Path, flake: impl Fn(&Path)) -> Setup {
    let toml = format!("[nix]\nprogram = {:?}\n", nix.display().to_string());
    let setup = Setup::new(&toml, "127.0.0.1:0");
    flake(&setup.folder());
    setup
}

fn served(nix: &Path, flake: impl Fn(&Path)) -> Server {
    on(nix, flake).start()
}

/// A server on a flake whose one host never finishes building, and the marker of the build in `/proc`.
fn slow(nix: &Path) -> (Server, String) {
    let (setup, marker) = slow_setup(nix);
    (setup.start(), marker)
}

/// As [`slow`], but the server is not started yet.
fn slow_setup(nix: &Path) -> (Setup, String) {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let marker = format!("98765{}.{next}", std::process::id());
    let system = format!("{}-linux", std::env::consts::ARCH);
    let flake = format!(
        r#"{{
          outputs = _: {{
            nixosConfigurations.slow.config.system.build.toplevel = derivation {{
              name = "slow-{marker}";
              system = "{system}";
              builder = "/bin/sh";
              args = [ "-c" "PATH=/bin:/usr/bin exec sleep {marker}" ];
            }};
          }};
        }}"#
    );
    (on(nix, |folder| std::fs::write(folder.join("flake.nix"), &flake).unwrap()), marker)
}

fn build() -> Value {
    json!({"name": "build_host", "arguments": {"host": "slow"}})
}

/// Waits until the builder and the `nix` that started it have ended.
fn ends(server: &Server, marker: &str) {
    let folder = server.folder().display().to_string();
    wait_until("everything ends", || !alive(marker) && !alive(&folder));
}

#[test]
fn tools_answer_in_both_eras() {
    for nix in nixes() {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo");
        let server = served(&nix, |folder| copy(&demo, folder));
        let call = json!({"name": "list_hosts", "arguments": {}});
        let modern = server.ask(&Request::modern("tools/call", call.clone())).message();
        let session = server.initialize();
        let message = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": call});
        let old = server.ask(&Request::old(&session, &message)).message();
        for answer in [&modern, &old] {
            let hosts = answer["result"]["structuredContent"]["hosts"].as_array();
            assert!(hosts.is_some_and(|hosts| hosts.iter().any(|host| host["name"] == "web")), "{answer}");
        }
        let wrong = json!({"name": "build_host", "arguments": {"host": "wbe"}});
        let failed = server.ask(&Request::modern("tools/call", wrong)).message();
        assert_eq!(failed["result"]["isError"], true, "{failed}");
        for (tool, outcome, count) in [("list_hosts", "ok", 2), ("build_host", "failed", 1)] {
            let series = format!("{{tool=\"{tool}\",outcome=\"{outcome}\"}}");
            assert_eq!(server.metric(&format!("pantheros_tool_calls_total{series}")), count);
            assert_eq!(server.metric(&format!("pantheros_tool_call_duration_seconds_count{series}")), count);
        }
    }
}

#[test]
fn closing_the_stream_cancels_in_the_newer_protocol() {
    for nix in nixes() {
        let (server, marker) = slow(&nix);
        let mut params = build();
        // Once before the answer begins, and once in the middle of a stream with progress.
        for token in [None, Some("t")] {
            if let Some(token) = token {
                params["_meta"] = json!({"progressToken": token});
            }
            let mut connection = server.connect();
            connection.write(&Request::modern("tools/call", params.clone()).bytes(server.address));
            wait_until("the build runs", || alive(&marker));
            assert_eq!(server.metric("pantheros_tool_calls_in_flight"), 1);
            drop(connection);
            ends(&server, &marker);
            wait_until("the call is counted out", || server.metric("pantheros_tool_calls_in_flight") == 0);
        }
        let series = "pantheros_tool_calls_total{tool=\"build_host\",outcome=\"cancelled\"}";
        assert_eq!(server.metric(series), 2);
    }
}

#[test]
fn a_session_outlives_its_streams_and_its_calls_do_not_outlive_it() {
    for nix in nixes() {
        let (server, marker) = slow(&nix);
        let call = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": build()});
        let begin = |session: &str, id: u32| {
            let (head, stream) = server.send(&Request::old(session, &call(id)));
            assert_eq!(head.status, 200);
            wait_until("the build runs", || alive(&marker));
            stream
        };
        let session = server.initialize();
        drop(begin(&session, 5));
        std::thread::sleep(Duration::from_millis(2_500));
        assert!(alive(&marker), "a broken stream is no cancellation");
        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}});
        assert_eq!(server.ask(&Request::old(&session, &cancel)).head.status, 202);
        ends(&server, &marker);

        let stream = begin(&session, 6);
        assert_eq!(
            server.ask(&Request::new("DELETE", "/mcp").with("mcp-session-id", &session)).head.status,
            204
        );
        ends(&server, &marker);
        drop(stream);
    }
}

#[test]
fn the_old_transport_cancels_with_its_stream() {
    for nix in nixes() {
        let (server, marker) = slow(&nix);
        let (_, mut stream) = server.send(&Request::get("/sse"));
        let endpoint = stream.event().unwrap().1;
        let params = json!({
            "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"},
        });
        for message in [
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": build()}),
        ] {
            assert_eq!(server.ask(&Request::post(&endpoint, &message)).head.status, 202);
        }
        wait_until("the build runs", || alive(&marker));
        drop(stream);
        ends(&server, &marker);
    }
}

#[test]
fn nothing_survives_the_server() {
    for nix in nixes() {
        let (mut server, marker) = slow(&nix);
        let session = server.initialize();
        let call = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": build()});
        // The call continues in its session although its client has disconnected.
        drop(server.send(&Request::old(&session, &call)));
        wait_until("the build runs", || alive(&marker));
        assert!(server.stop().success());
        assert!(!server.said().contains("still running"), "{}", server.said());
        assert!(!alive(&marker) && !alive(&server.folder().display().to_string()));
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let server = Server::with("");
    let answer: Answer = server.ask(&Request::get("/healthz").with("origin", "https://evil.com"));
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "origin");
    assert!(error["message"].as_str().unwrap().contains("https://evil.com"));
    assert!(error["hint"].as_str().unwrap().contains("http.allowed_origins"));
}
