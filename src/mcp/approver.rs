//! Asks the person at the client to approve a plan.
//!
//! Up to 2025-11-25 the server sends the request `elicitation/create`, and the call waits for its answer. From 2026-07-28 on
//! the call returns that input is required, and the client calls again with the answer and the state that came with the
//! question (2026-07-28, "Multi Round-Trip Requests"). That state is sealed with a key of this process, has the digest of
//! the plan, expires, and is valid for one answer. Only this module distinguishes the two.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams,
    ElicitResult, ElicitationAction, ElicitationSchema, Implementation, InputRequest, InputRequiredResult,
    InputResponses, ProtocolVersion, RequestStateCodec, SealOptions, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext, ServiceError};
use rmcp::{Peer, RoleServer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::handler::ClientTransport;
use super::http::SingleResponse;
use crate::canonical::Digest;
use crate::deploy::{ApprovalAnswer, ApprovalRequest, Approver};
use crate::names::PlanId;
use crate::progress::Call;
use crate::text;

/// The key of the question in a result that requires input.
const QUESTION_KEY: &str = "approval";
/// The fields of the form.
const PHRASE_FIELD: &str = "name";
const RISKS_FIELD: &str = "risks";
/// Answered questions that are remembered, so that none is answered twice.
const ANSWERED_KEPT: usize = 4_096;
/// Longest text read from a field of the form, in characters.
const LONGEST_FIELD: usize = 4_000;

/// Seals the states, with a key that exists only in this process; `None` without random bytes.
static CODEC: LazyLock<Option<RequestStateCodec>> = LazyLock::new(|| {
    let key =
        crate::random::bytes::<32>().inspect_err(|error| tracing::error!(%error, "no randomness")).ok()?;
    RequestStateCodec::try_new(key).ok()
});

/// The nonces of the questions that were answered.
static ANSWERED: Mutex<VecDeque<[u8; 16]>> = Mutex::new(VecDeque::new());

/// Associated data of the seal: a state that was sealed for another purpose or transport does not open.
const fn seal_context(transport: ClientTransport) -> &'static [u8] {
    match transport {
        ClientTransport::Stdio => b"pantheros approval over stdio",
        ClientTransport::Http => b"pantheros approval over HTTP",
    }
}

/// The sealed state: the question that the person was asked.
#[derive(Serialize, Deserialize)]
struct SealedQuestion {
    /// Different for every question.
    nonce: [u8; 16],
    tool: String,
    plan_id: PlanId,
    plan_digest: Digest,
    /// The hash of the settings when the question was asked.
    settings: [u8; 32],
}

/// How the person at the client is asked.
enum AskRoute {
    /// Not at all: the client shows no forms, or they do not count over this transport.
    Never,
    /// By a request of the server.
    ByRequest(Peer<RoleServer>),
    /// By the result of the call; the answer comes with the next call.
    ByResult { state: Option<String>, responses: Option<InputResponses> },
}

/// Asks the person behind one call.
pub struct ElicitationApprover {
    route: AskRoute,
    transport: ClientTransport,
    /// The tool that was called. An answer counts only for the tool that asked.
    tool: &'static str,
    /// The hash of the settings of the call.
    settings: blake3::Hash,
    /// The name of the client, as it reports it.
    client: String,
    /// The result that requires input, once the person has to be asked.
    input_required: Mutex<Option<InputRequiredResult>>,
}

impl ElicitationApprover {
    /// For a call of `tool` under `settings`. A form is shown only if forms `count` as approval.
    pub fn new(
        tool: &'static str,
        request: &mut CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        transport: ClientTransport,
        count: bool,
        settings: blake3::Hash,
    ) -> Self {
        let (state, responses) = (request.request_state.take(), request.input_responses.take());
        let forms = count && context.client_capabilities().as_ref().is_some_and(shows_forms);
        let by_request = context.protocol_version().as_ref().is_none_or(ProtocolVersion::has_initialize);
        let route = match (forms, by_request) {
            (false, _) => AskRoute::Never,
            // The client would not see a request of the server.
            (true, true) if accepts_single_response(context) => AskRoute::Never,
            (true, true) => AskRoute::ByRequest(context.peer.clone()),
            (true, false) => AskRoute::ByResult { state, responses },
        };
        let client = client_name(context.client_info());
        Self { route, transport, tool, settings, client, input_required: Mutex::default() }
    }

    /// The name of the client, as it reports it.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// The result to return in place of the tool's; `None` if the person need not be asked.
    pub fn take_input_required(&self) -> Option<InputRequiredResult> {
        self.input_required.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn to_answer(&self, result: ElicitResult) -> ApprovalAnswer {
        match result.action {
            ElicitationAction::Accept => {
                let content = result.content.unwrap_or_default();
                let typed = |field: &str| {
                    text::bounded(
                        content.get(field).and_then(Value::as_str).unwrap_or_default(),
                        LONGEST_FIELD,
                    )
                };
                ApprovalAnswer::Given {
                    phrase: typed(PHRASE_FIELD),
                    risks: typed(RISKS_FIELD),
                    by: format!("the user of {}", self.client),
                }
            }
            ElicitationAction::Decline => ApprovalAnswer::Declined,
            // Cancelled, or an action of a later version: only `Accept` approves.
            _ => ApprovalAnswer::Unanswered,
        }
    }

    /// Prepares the result that requires input.
    fn ask_by_result(&self, question: &ApprovalRequest) -> ApprovalAnswer {
        let (Some(codec), Ok(nonce)) = (CODEC.as_ref(), crate::random::bytes::<16>()) else {
            return ApprovalAnswer::Unavailable;
        };
        let asked = SealedQuestion {
            nonce,
            tool: self.tool.to_owned(),
            plan_id: question.plan_id.clone(),
            plan_digest: question.plan_digest.clone(),
            settings: self.settings.into(),
        };
        let Ok(asked) = serde_json::to_vec(&asked) else { return ApprovalAnswer::Unavailable };
        let options = SealOptions::new().associated_data(seal_context(self.transport)).ttl(question.patience);
        let Some(form) = approval_form(question) else { return ApprovalAnswer::Unavailable };
        let request = InputRequest::Elicitation(ElicitRequest::new(form));
        let result = InputRequiredResult::new(
            Some([(QUESTION_KEY.to_owned(), request)].into()),
            Some(codec.seal_with(&asked, &options)),
        );
        *self.input_required.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        ApprovalAnswer::Asked
    }

    /// The question that the person was asked before this call; `None` without a valid state of this tool.
    fn open_state(&self, state: Option<&str>) -> Option<SealedQuestion> {
        let opened = CODEC.as_ref()?.open_with(state?, seal_context(self.transport));
        let opened = opened
            .inspect_err(|error| {
                tracing::warn!(%error, client = self.client, "an answer has a state that this process did not seal");
            })
            .ok()?;
        serde_json::from_slice::<SealedQuestion>(&opened).ok().filter(|asked| asked.tool == self.tool)
    }

    /// Reads the answer that came with the call, and marks its question as answered.
    fn read_response(
        &self,
        question: &ApprovalRequest,
        state: Option<&str>,
        responses: &InputResponses,
    ) -> ApprovalAnswer {
        let asked = self
            .open_state(state)
            .filter(|asked| asked.plan_id == question.plan_id && asked.plan_digest == question.plan_digest);
        let Some(asked) = asked else { return ApprovalAnswer::Stray };
        let Some(response) = responses.get(QUESTION_KEY) else { return ApprovalAnswer::Stray };
        let Ok(result) = serde_json::from_value::<ElicitResult>(response.clone()) else {
            return ApprovalAnswer::Stray;
        };
        let mut answered = ANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.contains(&asked.nonce) {
            return ApprovalAnswer::Stray;
        }
        if answered.len() >= ANSWERED_KEPT {
            answered.pop_front();
        }
        answered.push_back(asked.nonce);
        drop(answered);
        match self.to_answer(result) {
            // The settings changed after the question. A rejection counts all the same.
            ApprovalAnswer::Given { .. } if self.settings != asked.settings => ApprovalAnswer::Overtaken,
            answer => answer,
        }
    }

    async fn ask_by_request(
        &self,
        peer: &Peer<RoleServer>,
        question: &ApprovalRequest,
        call: &Call,
    ) -> ApprovalAnswer {
        let Some(form) = approval_form(question) else { return ApprovalAnswer::Unavailable };
        let request = ServerRequest::ElicitRequest(ElicitRequest::new(form));
        let mut options = PeerRequestOptions::no_options();
        options.timeout = Some(question.patience);
        let asked = async { peer.send_request_with_option(request, options).await?.await_response().await };
        let asked = tokio::select! {
            // If the call is cancelled, an answer that arrives at the same time does not count.
            biased;
            () = call.cancel.cancelled() => return ApprovalAnswer::Unanswered,
            asked = asked => asked,
        };
        match asked {
            Ok(ClientResult::ElicitResult(result)) => self.to_answer(result),
            Ok(_) => ApprovalAnswer::Stray,
            Err(ServiceError::Timeout { .. }) => ApprovalAnswer::Unanswered,
            Err(error) => {
                tracing::warn!(%error, client = self.client, "the client could not ask the person");
                ApprovalAnswer::Unavailable
            }
        }
    }
}

impl Approver for ElicitationApprover {
    fn ask<'a>(
        &'a self,
        question: &'a ApprovalRequest,
        call: &'a Call,
    ) -> Pin<Box<dyn Future<Output = ApprovalAnswer> + Send + 'a>> {
        match &self.route {
            AskRoute::Never => Box::pin(std::future::ready(ApprovalAnswer::Unavailable)),
            AskRoute::ByRequest(peer) => Box::pin(self.ask_by_request(peer, question, call)),
            AskRoute::ByResult { state: None, responses: None } => {
                Box::pin(std::future::ready(self.ask_by_result(question)))
            }
            AskRoute::ByResult { state, responses } => {
                let none = InputResponses::new();
                let responses = responses.as_ref().unwrap_or(&none);
                Box::pin(std::future::ready(self.read_response(question, state.as_deref(), responses)))
            }
        }
    }

    fn shows_form(&self) -> bool {
        matches!(self.route, AskRoute::ByRequest(_) | AskRoute::ByResult { state: None, responses: None })
    }

    fn answers(&self) -> Option<PlanId> {
        match &self.route {
            AskRoute::ByResult { state, .. } => self.open_state(state.as_deref()).map(|asked| asked.plan_id),
            _ => None,
        }
    }
}

/// Whether a client shows forms; one that names no kind of elicitation means forms (2025-11-25,
/// "Elicitation", "Capabilities").
fn shows_forms(capabilities: &ClientCapabilities) -> bool {
    capabilities.elicitation.as_ref().is_some_and(|kinds| kinds.form.is_some() || kinds.url.is_none())
}

/// Whether the request came over HTTP from a client that accepts only a single answer.
fn accepts_single_response(context: &RequestContext<RoleServer>) -> bool {
    context.extensions.get::<Parts>().is_some_and(|head| head.extensions.get::<SingleResponse>().is_some())
}

fn client_name(info: Option<Implementation>) -> String {
    let name = info.map_or_else(|| "a client".to_owned(), |info| format!("{} {}", info.name, info.version));
    // The suffix keeps a client from posing as a person at a terminal.
    format!("{} over MCP", text::line(&name, 100))
}

/// The form with the plan and the fields to fill in; `None`, with a log line, if it cannot be built.
fn approval_form(question: &ApprovalRequest) -> Option<ElicitRequestParams> {
    let what = if question.plan_id.ending() == question.phrase {
        "the last six characters of the plan's id"
    } else {
        "the host's name"
    };
    let mut schema = ElicitationSchema::builder().required_string_property(PHRASE_FIELD, |field| {
        field
            .title(format!("Type {what} to approve: {}", question.phrase))
            .description("Nothing is done unless the text matches exactly")
    });
    if !question.risks.is_empty() {
        schema = schema.required_string_property(RISKS_FIELD, |field| {
            field
                .title(format!("Type the blocking risks you accept: {}", question.risks.join(", ")))
                .description("The code of each risk, separated by spaces or commas")
        });
    }
    let requested_schema = schema
        .build()
        .inspect_err(|error| tracing::error!(%error, "the form for the approval could not be built"))
        .ok()?;
    let message = format!("Approve this deployment?\n\n{}", question.text);
    Some(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

#[cfg(test)]
mod tests;
