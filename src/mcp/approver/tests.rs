//! A server with one tool that deploys nothing but asks as `deploy` does, and clients of both eras
//! that send exactly the messages of the protocol.

use super::*;
use crate::canonical::Digest;
use crate::config::{ApprovalMethod, DeploySettings};
use crate::deploy::{Approvals, Risk, Severity, StoredPlan, fixture};
use crate::diagnostic::Diagnostic;
use crate::mcp::channel::{self, ClientEnd};
use crate::mcp::message::{self, ParsedMessage};
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ErrorData, ServerCapabilities, ServerConfig,
};
use rmcp::service::serve_server_with_ct;
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Server {
    approvals: Arc<Approvals>,
    plan: Arc<StoredPlan>,
    tool: &'static str,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let person = ElicitationApprover::new(
            self.tool,
            &mut request,
            &context,
            ClientTransport::Stdio,
            true,
            blake3::hash(b""),
        );
        let asked = crate::deploy::Requester { client: person.client().into(), user: "x".into() };
        let call = Call { cancel: context.ct.clone(), ..Call::unattended() };
        let came = self.approvals.obtain(&self.plan, &person, &asked, &call).await;
        if let Some(question) = person.take_input_required() {
            return Ok(question.into());
        }
        let text = match came {
            Ok(spent) => format!("approved by {}", spent.approval().by()),
            Err(error) => serde_json::to_string(&Diagnostic::from(&error).code).unwrap_or_default(),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

/// A client of one protocol version, talking to a server about a plan for `web`.
struct Client {
    end: ClientEnd,
    server: Server,
    version: &'static str,
    capabilities: Value,
    _scratch: tempfile::TempDir,
}

const OLDER: &str = "2025-11-25";
const STATELESS: &str = "2026-07-28";

fn approvals() -> (tempfile::TempDir, Approvals) {
    let scratch = tempfile::tempdir().unwrap();
    let settings = DeploySettings {
        clean: false,
        state_folder: Some(scratch.path().join("state")),
        command: "pantheros-mcp".into(),
        plan_lifetime: Duration::from_secs(1_800),
        approve_by: [ApprovalMethod::Elicitation, ApprovalMethod::Terminal].into(),
        approve_over_http: false,
        approvers: None,
        scopes: std::collections::BTreeMap::new(),
        untrusted: None,
    };
    let approvals = Approvals::open(&settings).unwrap();
    (scratch, approvals)
}

impl Client {
    async fn of(version: &'static str, capabilities: Value) -> Self {
        let mut plan = fixture(&["web"]);
        plan.hosts[0].risks.push(Risk {
            code: "no_root_key".into(),
            severity: Severity::Blocking,
            evidence: "nobody has a key".into(),
            mend: "authorize one".into(),
            file: None,
            line: None,
        });
        let (scratch, approvals) = approvals();
        let plan = approvals.plans().save(plan).unwrap();
        let server = Server { approvals: Arc::new(approvals), plan: Arc::new(plan), tool: "deploy" };
        let (transport, end) = channel::pair();
        tokio::spawn({
            let server = server.clone();
            async move {
                let running = serve_server_with_ct(server, transport, CancellationToken::new()).await;
                drop(running.unwrap().waiting().await);
            }
        });
        let mut client = Self { end, server, version, capabilities, _scratch: scratch };
        if version != STATELESS {
            let params = json!({
                "protocolVersion": version,
                "capabilities": client.capabilities,
                "clientInfo": {"name": "a client", "version": "1"},
            });
            client.send(json!({"id": 0, "method": "initialize", "params": params})).await;
            client.receive().await;
            client.send(json!({"method": "notifications/initialized"})).await;
        }
        client
    }

    async fn send(&self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let ParsedMessage::Message(message) = message::parse(message.to_string().as_bytes(), false) else {
            panic!("{message} is no message");
        };
        self.end.incoming.send(*message).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        let waiting = tokio::time::timeout(Duration::from_secs(20), self.end.outgoing.recv());
        serde_json::to_value(waiting.await.unwrap().unwrap()).unwrap()
    }

    /// Calls the tool with the additional parameters `more`.
    async fn call(&self, id: i64, more: Value) {
        let mut params = json!({"name": self.server.tool, "arguments": {}});
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        if self.version == STATELESS {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": STATELESS,
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
                "io.modelcontextprotocol/clientInfo": {"name": "a client", "version": "1"},
            });
        }
        self.send(json!({"id": id, "method": "tools/call", "params": params})).await;
    }

    fn spent(&self) -> bool {
        matches!(
            self.server.approvals.decision(&self.server.plan.plan().id).unwrap(),
            Some(crate::deploy::Decision::Spent(_))
        )
    }

    /// Calls, answers the question with `result`, and returns the text of the outcome.
    async fn answering(&mut self, result: Value) -> String {
        self.call(1, json!({})).await;
        let question = self.receive().await;
        if self.version == STATELESS {
            assert_eq!(question["result"]["resultType"], "input_required", "{question}");
            let asked = &question["result"]["inputRequests"][QUESTION_KEY];
            assert_eq!(asked["method"], "elicitation/create", "{question}");
            the_form_is_whole(&asked["params"]);
            let state = question["result"]["requestState"].clone();
            self.call(2, json!({"requestState": state, "inputResponses": {QUESTION_KEY: result}})).await;
        } else {
            assert_eq!(question["method"], "elicitation/create", "{question}");
            the_form_is_whole(&question["params"]);
            self.send(json!({"id": question["id"], "result": result})).await;
        }
        let answer = self.receive().await;
        text_of(&answer)
    }
}

fn text_of(answer: &Value) -> String {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn the_form_is_whole(params: &Value) {
    let message = params["message"].as_str().unwrap();
    assert!(message.contains("switch web") && message.contains("BLOCKING no_root_key"), "{message}");
    let schema = &params["requestedSchema"];
    assert_eq!(schema["required"], json!([PHRASE_FIELD, RISKS_FIELD]));
    assert_eq!(schema["properties"][PHRASE_FIELD]["type"], "string");
    assert!(schema["properties"][PHRASE_FIELD]["title"].as_str().unwrap().contains("web"), "{schema}");
}

fn forms() -> Value {
    json!({"elicitation": {}})
}

fn accepted(name: &str, risks: &str) -> Value {
    json!({"action": "accept", "content": {PHRASE_FIELD: name, RISKS_FIELD: risks}})
}

#[tokio::test]
async fn a_person_approves_in_either_era() {
    for version in [OLDER, "2025-06-18", STATELESS] {
        let mut client = Client::of(version, forms()).await;
        let came = client.answering(accepted("web", "no_root_key")).await;
        assert_eq!(came, "approved by the user of a client 1 over MCP", "{version}");
        assert!(client.spent());
        // A second call asks no question.
        client.call(7, json!({})).await;
        assert_eq!(text_of(&client.receive().await), "\"approval_spent\"", "{version}");
    }
}

#[tokio::test]
async fn whatever_is_no_yes_is_a_no_in_either_era() {
    for version in [OLDER, STATELESS] {
        for result in [
            json!({"action": "decline"}),
            json!({"action": "cancel"}),
            json!({"action": "accept"}),
            json!({"action": "accept", "content": {}}),
            json!({"action": "accept", "content": {PHRASE_FIELD: true, RISKS_FIELD: true}}),
            json!({"action": "accept", "content": {"confirm": true, "approved": true, "force": true}}),
            json!({"action": "decline", "content": {PHRASE_FIELD: "web", RISKS_FIELD: "no_root_key"}}),
            accepted("mail", "no_root_key"),
            accepted("yes", "no_root_key"),
            accepted("web", ""),
            accepted("web", "some_other_risk"),
        ] {
            let mut client = Client::of(version, forms()).await;
            let came = client.answering(result.clone()).await;
            assert_eq!(came, "\"approval_declined\"", "{version}: {result}");
            assert!(!client.spent(), "{version}: {result}");
        }
    }
}

#[tokio::test]
async fn a_client_without_forms_names_the_command() {
    for version in [OLDER, "2025-03-26", STATELESS] {
        for capabilities in [json!({}), json!({"elicitation": {"url": {}}})] {
            let mut client = Client::of(version, capabilities.clone()).await;
            client.call(1, json!({})).await;
            let came = text_of(&client.receive().await);
            assert_eq!(came, "\"approval_required\"", "{version}: {capabilities}");
            // An answer without a question is not accepted.
            let responses = json!({"inputResponses": {QUESTION_KEY: accepted("web", "no_root_key")}});
            client.call(2, responses).await;
            assert_eq!(text_of(&client.receive().await), "\"approval_required\"", "{version}");
            assert!(!client.spent());
        }
    }
}

#[tokio::test]
async fn a_client_that_cannot_ask_after_all_is_no_yes() {
    let mut client = Client::of(OLDER, forms()).await;
    client.call(1, json!({})).await;
    let question = client.receive().await;
    let error = json!({"code": -32601, "message": "no such method"});
    client.send(json!({"id": question["id"], "error": error})).await;
    assert_eq!(text_of(&client.receive().await), "\"approval_required\"");
    assert!(!client.spent());
}

#[tokio::test]
async fn a_call_that_is_taken_back_asks_no_more() {
    let mut client = Client::of(OLDER, forms()).await;
    client.call(1, json!({})).await;
    let question = client.receive().await;
    client.send(json!({"method": "notifications/cancelled", "params": {"requestId": 1}})).await;
    // The answer comes too late.
    client.send(json!({"id": question["id"], "result": accepted("web", "no_root_key")})).await;
    client.send(json!({"id": 9, "method": "ping"})).await;
    while client.receive().await["id"] != 9 {}
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!client.spent());
}

#[tokio::test]
async fn an_answer_nobody_asked_for_does_not_count() {
    let yes = accepted("web", "no_root_key");
    let mut client = Client::of(STATELESS, forms()).await;
    client.call(1, json!({})).await;
    let question = client.receive().await;
    let state = question["result"]["requestState"].as_str().unwrap().to_owned();
    let altered = format!("{}x", &state[..state.len() - 1]);
    let own = RequestStateCodec::try_new([7; 32]).unwrap().seal(b"0123456789abcdef");
    for more in [
        json!({"inputResponses": {QUESTION_KEY: yes}}),
        json!({"requestState": altered, "inputResponses": {QUESTION_KEY: yes}}),
        json!({"requestState": own, "inputResponses": {QUESTION_KEY: yes}}),
        json!({"requestState": "", "inputResponses": {QUESTION_KEY: yes}}),
        json!({"requestState": state, "inputResponses": {"other": yes}}),
        json!({"requestState": state, "inputResponses": {QUESTION_KEY: "yes"}}),
        json!({"requestState": state}),
    ] {
        client.call(2, more.clone()).await;
        assert_eq!(text_of(&client.receive().await), "\"invalid_approval\"", "{more}");
        assert!(!client.spent(), "{more}");
    }
    // None of these answers used up the question.
    client.call(3, json!({"requestState": state, "inputResponses": {QUESTION_KEY: yes}})).await;
    assert_eq!(text_of(&client.receive().await), "approved by the user of a client 1 over MCP");
}

#[tokio::test]
async fn a_question_is_answered_once() {
    let mut client = Client::of(STATELESS, forms()).await;
    client.call(1, json!({})).await;
    let state = client.receive().await["result"]["requestState"].clone();
    let answer = |result: Value| json!({"requestState": state, "inputResponses": {QUESTION_KEY: result}});
    client.call(2, answer(json!({"action": "decline"}))).await;
    assert_eq!(text_of(&client.receive().await), "\"approval_declined\"");
    client.call(3, answer(accepted("web", "no_root_key"))).await;
    assert_eq!(text_of(&client.receive().await), "\"approval_declined\"");
    assert!(!client.spent());
    // An answer that changed nothing is not accepted a second time.
    let mut client = Client::of(STATELESS, forms()).await;
    client.call(1, json!({})).await;
    let state = client.receive().await["result"]["requestState"].clone();
    let answer = |result: Value| json!({"requestState": state, "inputResponses": {QUESTION_KEY: result}});
    client.call(2, answer(json!({"action": "cancel"}))).await;
    assert_eq!(text_of(&client.receive().await), "\"approval_declined\"");
    client.call(3, answer(accepted("web", "no_root_key"))).await;
    assert_eq!(text_of(&client.receive().await), "\"invalid_approval\"");
    assert!(!client.spent());
}

#[tokio::test]
async fn a_question_about_one_plan_is_none_about_another() {
    let yes = accepted("web", "no_root_key");
    let mut one = Client::of(STATELESS, forms()).await;
    let mut other = Client::of(STATELESS, forms()).await;
    one.call(1, json!({})).await;
    let state = one.receive().await["result"]["requestState"].clone();
    other.call(1, json!({"requestState": state, "inputResponses": {QUESTION_KEY: yes}})).await;
    assert_eq!(text_of(&other.receive().await), "\"invalid_approval\"");
    assert!(!other.spent() && !one.spent());
}

#[test]
fn a_question_expires() {
    let person = ElicitationApprover {
        route: AskRoute::ByResult { state: None, responses: None },
        transport: ClientTransport::Stdio,
        tool: "deploy",
        settings: blake3::hash(b""),
        client: "a client".into(),
        input_required: Mutex::default(),
    };
    let mut question = ApprovalRequest {
        plan_id: PlanId::random().unwrap(),
        plan_digest: Digest::sha256(b"a plan"),
        text: String::new(),
        phrase: "web".into(),
        risks: Vec::new(),
        patience: Duration::from_millis(50),
    };
    let ask = |question: &ApprovalRequest| {
        assert_eq!(person.ask_by_result(question), ApprovalAnswer::Asked);
        person.take_input_required().unwrap().request_state.unwrap()
    };
    let responses: InputResponses = [(QUESTION_KEY.to_owned(), accepted("web", ""))].into();
    let late = ask(&question);
    std::thread::sleep(Duration::from_millis(80));
    assert_eq!(person.read_response(&question, Some(&late), &responses), ApprovalAnswer::Stray);
    question.patience = Duration::from_secs(60);
    let other_tool = ElicitationApprover {
        tool: "rollback_host",
        input_required: Mutex::default(),
        client: String::new(),
        ..person
    };
    let state = {
        assert_eq!(other_tool.ask_by_result(&question), ApprovalAnswer::Asked);
        other_tool.take_input_required().unwrap().request_state.unwrap()
    };
    let deploy = ElicitationApprover { tool: "deploy", ..other_tool };
    assert_eq!(deploy.read_response(&question, Some(&state), &responses), ApprovalAnswer::Stray);
}

#[test]
fn a_question_is_answered_over_its_own_transport() {
    let at = |transport| ElicitationApprover {
        route: AskRoute::ByResult { state: None, responses: None },
        transport,
        tool: "deploy",
        settings: blake3::hash(b""),
        client: "a client".into(),
        input_required: Mutex::default(),
    };
    let (stdio, http) = (at(ClientTransport::Stdio), at(ClientTransport::Http));
    let question = ApprovalRequest {
        plan_id: PlanId::random().unwrap(),
        plan_digest: Digest::sha256(b"a plan"),
        text: String::new(),
        phrase: "web".into(),
        risks: Vec::new(),
        patience: Duration::from_secs(60),
    };
    let responses: InputResponses = [(QUESTION_KEY.to_owned(), accepted("web", ""))].into();
    for (asking, other) in [(&stdio, &http), (&http, &stdio)] {
        assert_eq!(asking.ask_by_result(&question), ApprovalAnswer::Asked);
        let state = asking.take_input_required().unwrap().request_state.unwrap();
        assert_eq!(other.read_response(&question, Some(&state), &responses), ApprovalAnswer::Stray);
        assert!(matches!(
            asking.read_response(&question, Some(&state), &responses),
            ApprovalAnswer::Given { .. }
        ));
    }
}
