//! Deployments through MCP clients of both protocol eras: the person at the client is asked, and nobody else can
//! approve.

use crate::common::fleet::nixes;
use crate::common::mcp::Client;
use crate::common::site::Site;
use serde_json::{Value, json};

const OLDER: &str = "2025-11-25";
const STATELESS: &str = "2026-07-28";

/// A person at a client of one protocol version that shows forms.
struct Person {
    client: Client,
    version: &'static str,
}

/// What a person does with a form.
#[derive(Clone, Copy, Debug)]
enum Does<'a> {
    Types(&'a str),
    Declines,
    Cancels,
}

impl Does<'_> {
    fn result(self) -> Value {
        match self {
            Does::Types(name) => json!({"action": "accept", "content": {"name": name}}),
            Does::Declines => json!({"action": "decline"}),
            Does::Cancels => json!({"action": "cancel"}),
        }
    }
}

impl Person {
    fn at(site: &Site, version: &'static str) -> Self {
        let capabilities = json!({"elicitation": {"form": {}}});
        Self { client: Client::able(&site.fleet, &[], version, capabilities), version }
    }

    /// Calls a tool and answers the form. Returns the form's text and the tool's result.
    fn call(&mut self, tool: &str, arguments: &Value, does: Does<'_>) -> (String, Value) {
        let params = json!({"name": tool, "arguments": arguments});
        let id = self.client.ask("tools/call", params.clone());
        if self.version == OLDER {
            let form = self.client.next();
            assert_eq!(form["method"], "elicitation/create", "{form}");
            let answer = json!({"jsonrpc": "2.0", "id": form["id"], "result": does.result()});
            self.client.send_line(&answer.to_string());
            let text = form["params"]["message"].as_str().unwrap().to_owned();
            return (text, self.client.answer(id).json["result"].clone());
        }
        let asked = self.client.answer(id).json["result"].clone();
        let (text, params) = answered(&asked, params, does);
        (text, self.client.request("tools/call", params)["result"].clone())
    }
}

/// The form's text, and the parameters of the repeated call with the person's answer (2026-07-28).
fn answered(asked: &Value, mut params: Value, does: Does<'_>) -> (String, Value) {
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let (name, form) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(form["method"], "elicitation/create", "{asked}");
    params["requestState"] = asked["requestState"].clone();
    params["inputResponses"] = json!({ name: does.result() });
    (form["params"]["message"].as_str().unwrap().to_owned(), params)
}

fn plan(person: &mut Person) -> Value {
    let planned = person.client.call("plan_deploy", json!({"hosts": ["web"]}));
    json!({"plan_id": planned["result"]["structuredContent"]["plan_id"]})
}

fn error_code(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result:#}");
    result["structuredContent"]["error"]["code"].as_str().unwrap()
}

#[test]
fn a_person_at_a_client_approves() {
    for (nix, version) in nixes().into_iter().zip([OLDER, STATELESS].into_iter().cycle()) {
        let mut site = Site::start(&nix, &["web"], &json!({}));
        let (first, second) = (site.first("web"), site.toplevel("web"));
        let mut person = Person::at(&site, version);
        let arguments = plan(&mut person);
        let (shown, result) = person.call("deploy", &arguments, Does::Types("web"));
        assert!(shown.contains("web (root@web") && shown.contains(&second), "{shown}");
        assert_ne!(result["isError"], true, "{result:#}");
        let content = &result["structuredContent"];
        assert_eq!(content["hosts"][0]["state"], "confirmed", "{version}: {content:#}");
        assert_eq!(content["approved"]["channel"], "elicitation", "{content:#}");
        assert!(content["approved"]["by"].as_str().unwrap().contains("pantheros-test 1"), "{content:#}");
        site.settled("web", &second, &second);

        let (shown, result) = person.call("rollback_host", &json!({"host": "web"}), Does::Types("web"));
        assert!(shown.contains("which is generation 1"), "{shown}");
        assert_eq!(result["structuredContent"]["hosts"][0]["state"], "confirmed", "{version}: {result:#}");
        site.settled("web", &first, &first);
        let approved = ["planned", "approved", "deploy_started", "host_finished"];
        assert_eq!(site.audited(), [approved, approved].concat());
    }
}

/// An unanswered form does not block other calls, even if only one call may run at a time.
#[test]
fn others_are_served_while_a_person_thinks() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    site.settings(&nix, "[limits]\nconcurrent_calls = 1\nwaiting_calls = 0");
    let second = site.toplevel("web");
    let mut person = Person::at(&site, OLDER);
    let arguments = plan(&mut person);
    let deploying = person.client.ask("tools/call", json!({"name": "deploy", "arguments": arguments}));
    let form = person.client.next();
    assert_eq!(form["method"], "elicitation/create", "{form}");
    let status = person.client.call("host_status", json!({"host": "web"}));
    assert_eq!(status["result"]["structuredContent"]["reachable"], true, "{status:#}");
    let answer = json!({"jsonrpc": "2.0", "id": form["id"], "result": Does::Types("web").result()});
    person.client.send_line(&answer.to_string());
    let ended = person.client.answer(deploying).json;
    assert_eq!(ended["result"]["structuredContent"]["hosts"][0]["state"], "confirmed", "{ended:#}");
    site.settled("web", &second, &second);
}

#[test]
fn everybody_else_does_not() {
    let mut site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({}));
    let first = site.second_generation("web");
    for version in [OLDER, STATELESS] {
        let mut person = Person::at(&site, version);
        for does in [Does::Cancels, Does::Types("db"), Does::Types("yes"), Does::Types("")] {
            let arguments = plan(&mut person);
            for (tool, arguments) in
                [("deploy", &arguments), ("rollback_host", &json!({"host": "web", "generation": 1}))]
            {
                let (_, result) = person.call(tool, arguments, does);
                assert_eq!(error_code(&result), "approval_declined", "{version} {tool} {does:?}");
            }
        }
        let arguments = plan(&mut person);
        // A client without forms gets the command that a person has to run.
        let mut client = Client::begun(&site.fleet, &[], version);
        let result = client.call("deploy", arguments.clone())["result"].clone();
        assert_eq!(error_code(&result), "approval_required", "{version}");
        let hint = result["structuredContent"]["error"]["hint"].as_str().unwrap();
        let command = format!(" approve {}", arguments["plan_id"].as_str().unwrap());
        assert!(hint.contains(&command), "{version}: {hint}");
        // A client that answers a question that was not asked is refused, too.
        let made_up = json!({
            "name": "deploy", "arguments": arguments, "requestState": "made-up",
            "inputResponses": {"approval": Does::Types("web").result()},
        });
        let result = Person::at(&site, STATELESS).client.request("tools/call", made_up)["result"].clone();
        assert_eq!(error_code(&result), "invalid_approval", "{version}: {result:#}");
        // A tool that is switched off is neither listed nor callable.
        let mut client = Client::begun(&site.fleet, &["--read-only"], version);
        assert!(!client.tools().iter().any(|tool| tool == "deploy" || tool == "rollback_host"));
        assert!(client.call("deploy", arguments.clone())["error"]["code"].is_i64(), "{version}");
    }
    site.settled("web", &first, &first);
    assert!(site.activations("web").is_empty());
}

/// The error code of a call. Fails if a form was shown.
fn unasked(person: &mut Person, tool: &str, arguments: &Value) -> String {
    let result = person.client.call(tool, arguments.clone())["result"].clone();
    assert_ne!(result["resultType"], "input_required", "a form was shown: {result:#}");
    error_code(&result).to_owned()
}

#[test]
fn a_no_is_kept() {
    for (nix, version) in nixes().into_iter().zip([STATELESS, OLDER].into_iter().cycle()) {
        let mut site = Site::start(&nix, &["web"], &json!({}));
        let first = site.second_generation("web");
        let mut person = Person::at(&site, version);
        let arguments = plan(&mut person);
        let (_, declined) = person.call("deploy", &arguments, Does::Declines);
        assert_eq!(error_code(&declined), "approval_declined", "{version}");
        // A second call, now or after a restart, gets the same answer, and no form is shown.
        for _ in 0..3 {
            assert_eq!(unasked(&mut person, "deploy", &arguments), "approval_declined", "{version}");
            person = Person::at(&site, version);
        }
        let id = arguments["plan_id"].as_str().unwrap();
        let approved = site.approve(id);
        assert_eq!(approved.status.code(), Some(1), "{approved:?}");
        assert!(String::from_utf8_lossy(&approved.stderr).contains("was rejected by"), "{approved:?}");
        // A new plan that does the same shows no form either.
        let same = plan(&mut person);
        assert_eq!(unasked(&mut person, "deploy", &same), "approval_required", "{version}");
        let back = json!({"host": "web", "generation": 1});
        let (_, declined) = person.call("rollback_host", &back, Does::Declines);
        assert_eq!(error_code(&declined), "approval_declined", "{version}");
        assert_eq!(unasked(&mut person, "rollback_host", &back), "approval_required", "{version}");
        site.settled("web", &first, &first);
        assert!(site.activations("web").is_empty());
        assert_eq!(site.audited().iter().filter(|event| *event == "rejected").count(), 2);
    }
}

#[test]
fn a_form_is_shown_twice_at_most() {
    let mut site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({}));
    let second = site.toplevel("web");
    let arguments = plan(&mut Person::at(&site, OLDER));
    for (version, does) in [(OLDER, Does::Cancels), (STATELESS, Does::Types("no"))] {
        let (_, result) = Person::at(&site, version).call("deploy", &arguments, does);
        assert_eq!(error_code(&result), "approval_declined", "{version}");
    }
    for version in [OLDER, STATELESS] {
        let mut person = Person::at(&site, version);
        assert_eq!(unasked(&mut person, "deploy", &arguments), "approval_required", "{version}");
    }
    // A person approves the plan in another way.
    let id = arguments["plan_id"].as_str().unwrap();
    assert!(site.approve(id).status.success());
    let answer = site.deploy(id);
    assert_eq!(answer.code, 0, "{:#}", answer.json);
    site.settled("web", &second, &second);
}

#[test]
fn an_answer_counts_once_and_for_its_own_question() {
    let mut site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({}));
    let first = site.second_generation("web");
    let mut person = Person::at(&site, STATELESS);
    let (one, two) = (plan(&mut person), plan(&mut person));
    let asking = |person: &mut Person, tool: &str, arguments: &Value| {
        person.client.call(tool, arguments.clone())["result"].clone()
    };
    let asked = asking(&mut person, "deploy", &one);
    // An answer does not count for another plan, another tool, or a rollback of another host or generation.
    for (tool, arguments) in [("deploy", &two), ("rollback_host", &json!({"host": "web", "generation": 1}))] {
        let (_, params) = answered(&asked, json!({"name": tool, "arguments": arguments}), Does::Types("web"));
        let result = person.client.request("tools/call", params)["result"].clone();
        assert_eq!(error_code(&result), "invalid_approval", "{tool}");
    }
    // One byte of the state is altered.
    let (_, mut params) = answered(&asked, json!({"name": "deploy", "arguments": one}), Does::Types("web"));
    let state = params["requestState"].as_str().unwrap().to_owned();
    let middle = state.len() / 2;
    let other = if &state[middle..=middle] == "A" { "B" } else { "A" };
    params["requestState"] = format!("{}{other}{}", &state[..middle], &state[middle + 1..]).into();
    let result = person.client.request("tools/call", params)["result"].clone();
    assert_eq!(error_code(&result), "invalid_approval");
    // A declined form cannot be accepted later.
    let (_, declined) = answered(&asked, json!({"name": "deploy", "arguments": one}), Does::Declines);
    assert_eq!(error_code(&person.client.request("tools/call", declined)["result"]), "approval_declined");
    let (_, accepted) = answered(&asked, json!({"name": "deploy", "arguments": one}), Does::Types("web"));
    assert_eq!(error_code(&person.client.request("tools/call", accepted)["result"]), "approval_declined");
    site.settled("web", &first, &first);
    assert!(site.activations("web").is_empty());
}
