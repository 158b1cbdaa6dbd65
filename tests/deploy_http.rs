//! Deployments over HTTP: a client that reaches the socket is not authenticated, and a client with the token cannot
//! approve.

use crate::common::fleet::nixes;
use crate::common::http::{Connection, OLD, Request, Server, Setup};
use crate::common::mcp::STATELESS;
use crate::common::site::Site;
use serde_json::{Value, json};

/// The transports of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Streamable HTTP, with sessions.
    Session,
    /// Streamable HTTP, without sessions.
    Stateless,
    /// HTTP+SSE.
    Legacy,
}

const WAYS: [Way; 3] = [Way::Session, Way::Stateless, Way::Legacy];

/// A client that declares support for forms and answers them without a person.
struct Attacker<'a> {
    server: &'a Server,
    way: Way,
    session: String,
    stream: Option<Connection>,
    next: u64,
}

fn capable(version: &str) -> Value {
    json!({
        "protocolVersion": version, "capabilities": {"elicitation": {"form": {}}},
        "clientInfo": {"name": "attacker", "version": "1"},
    })
}

impl<'a> Attacker<'a> {
    fn at(server: &'a Server, way: Way) -> Self {
        let mut attacker = Self { server, way, session: String::new(), stream: None, next: 1 };
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let begin =
            |version| json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": capable(version)});
        match way {
            Way::Stateless => {}
            Way::Session => {
                let answer = server.ask(&Request::post("/mcp", &begin(OLD)));
                attacker.session = answer.head.header("mcp-session-id").unwrap().to_owned();
                assert_eq!(server.ask(&Request::old(&attacker.session, &ready)).head.status, 202);
            }
            Way::Legacy => {
                let (_, mut stream) = server.send(&Request::get("/sse"));
                attacker.session = stream.event().unwrap().1;
                attacker.stream = Some(stream);
                // No version of this transport has forms. The server accepts every version that a client requests.
                attacker.post(&begin(OLD));
                attacker.event();
                attacker.post(&ready);
            }
        }
        attacker
    }

    fn post(&self, message: &Value) {
        let request = match self.way {
            Way::Legacy => Request::post(&self.session, message),
            _ => Request::old(&self.session, message),
        };
        assert_eq!(self.server.ask(&request).head.status, 202);
    }

    fn event(&mut self) -> Value {
        serde_json::from_str(&self.stream.as_mut().unwrap().event().unwrap().1).unwrap()
    }

    /// Calls a tool and answers every form. Returns the result and whether a form came.
    fn call(&mut self, tool: &str, arguments: &Value) -> (Value, bool) {
        let yes = json!({"action": "accept", "content": {"name": "web", "risks": ""}});
        let mut params = json!({"name": tool, "arguments": arguments});
        if self.way == Way::Stateless {
            let answer = self.modern(params.clone());
            if answer["resultType"] != "input_required" {
                return (answer, false);
            }
            let name = answer["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
            params["requestState"] = answer["requestState"].clone();
            params["inputResponses"] = json!({ name: yes });
            return (self.modern(params), true);
        }
        self.next += 1;
        let call = json!({"jsonrpc": "2.0", "id": self.next, "method": "tools/call", "params": params});
        match self.way {
            Way::Legacy => self.post(&call),
            _ => self.stream = Some(self.server.send(&Request::old(&self.session, &call)).1),
        }
        let mut asked = false;
        loop {
            let message = self.event();
            if message["method"] == "elicitation/create" {
                asked = true;
                self.post(&json!({"jsonrpc": "2.0", "id": message["id"], "result": yes}));
            } else if message["id"] == self.next {
                return (message["result"].clone(), asked);
            }
        }
    }

    fn modern(&self, mut params: Value) -> Value {
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!(STATELESS);
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"form": {}}});
        meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "attacker", "version": "1"});
        let name = params["name"].as_str().unwrap().to_owned();
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = Request::post("/mcp", &message)
            .with("mcp-protocol-version", STATELESS)
            .with("mcp-method", "tools/call")
            .with("mcp-name", &name);
        self.server.ask(&request).message()["result"].clone()
    }
}

fn serving(site: &Site) -> Server {
    Setup::of(site.fleet.command(&["serve", "--http", "127.0.0.1:0"])).start()
}

fn error_code(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result:#}");
    result["structuredContent"]["error"]["code"].as_str().unwrap()
}

#[test]
fn a_form_does_not_approve_over_http() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let first = site.second_generation("web");
    let second = site.toplevel("web");
    let server = serving(&site);
    let mut plans = Vec::new();
    for way in WAYS {
        let mut attacker = Attacker::at(&server, way);
        let (planned, _) = attacker.call("plan_deploy", &json!({"hosts": ["web"]}));
        let id = planned["structuredContent"]["plan_id"].as_str().unwrap().to_owned();
        let plan = json!({"plan_id": id});
        for (tool, arguments) in
            [("deploy", &plan), ("rollback_host", &json!({"host": "web", "generation": 1}))]
        {
            let (result, asked) = attacker.call(tool, arguments);
            assert!(!asked, "{way:?}: a form was shown");
            assert_eq!(error_code(&result), "approval_required", "{way:?} {tool}");
            let hint = result["structuredContent"]["error"]["hint"].as_str().unwrap();
            assert!(hint.contains(" approve plan-"), "{way:?}: {hint}");
        }
        plans.push(id);
    }
    site.settled("web", &first, &first);
    assert!(site.activations("web").is_empty());
    // The plans remain. After a person approved one in another way, the call succeeds over HTTP.
    let id = plans.first().unwrap();
    assert!(site.approve(id).status.success());
    let (result, asked) = Attacker::at(&server, Way::Stateless).call("deploy", &json!({"plan_id": id}));
    assert!(!asked && result["isError"] != true, "{result:#}");
    assert_eq!(result["structuredContent"]["approved"]["channel"], "signature");
    site.settled("web", &second, &second);
}

#[test]
fn a_form_approves_over_http_where_the_settings_say_so() {
    let nix = nixes().pop().unwrap();
    for way in WAYS {
        let mut site = Site::start(&nix, &["web"], &json!({}));
        site.settings(&nix, "approve_over_http = true");
        let second = site.toplevel("web");
        let server = serving(&site);
        let mut person = Attacker::at(&server, way);
        let (planned, _) = person.call("plan_deploy", &json!({"hosts": ["web"]}));
        let plan = json!({"plan_id": planned["structuredContent"]["plan_id"]});
        let (result, asked) = person.call("deploy", &plan);
        assert!(asked && result["isError"] != true, "{way:?}: {result:#}");
        assert_eq!(result["structuredContent"]["approved"]["channel"], "elicitation", "{way:?}");
        site.settled("web", &second, &second);
    }
}

#[test]
fn a_question_asked_over_stdio_is_not_answered_over_http() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    site.settings(&nix, "approve_over_http = true");
    let first = site.first("web");
    let server = serving(&site);
    let attacker = Attacker::at(&server, Way::Stateless);
    let mut local =
        crate::common::mcp::Client::able(&site.fleet, &[], STATELESS, json!({"elicitation": {"form": {}}}));
    let planned = local.call("plan_deploy", json!({"hosts": ["web"]}));
    let plan = json!({"plan_id": planned["result"]["structuredContent"]["plan_id"]});
    let asked = local.call("deploy", plan.clone())["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked:#}");
    let name = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let yes = json!({"action": "accept", "content": {"name": "web"}});
    let result = attacker.modern(json!({
        "name": "deploy", "arguments": plan, "requestState": asked["requestState"], "inputResponses": {name: yes},
    }));
    assert_eq!(error_code(&result), "invalid_approval", "{result:#}");
    site.settled("web", &first, &first);
}

/// The attacker is a process of this machine that knows only the address. The settings are the defaults.
#[test]
fn who_only_reaches_the_socket_gets_nowhere() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let first = site.first("web");
    let setup = Setup::of(site.fleet.command(&["serve", "--http", "127.0.0.1:0"]));
    let server = setup.without("PANTHEROS_HTTP_TOKEN").start();
    let call = |tool: &str, arguments: Value| {
        Request::modern("tools/call", json!({"name": tool, "arguments": arguments}))
    };
    for request in [
        call("plan_deploy", json!({"hosts": ["web"]})),
        call("host_status", json!({"host": "web"})),
        call("list_hosts", json!({})),
        crate::common::http::initialize(),
        Request::get("/sse"),
        Request::get("/metrics"),
    ] {
        for request in [request.clone().bare(), request] {
            assert_eq!(server.ask(&request).refusal(), (401, "token".into()));
        }
    }
    assert!(!site.fleet.folder().with_file_name("state").join("plans").exists(), "something was planned");
    site.settled("web", &first, &first);
}
