//! Parses client messages for all transports.
//!
//! rmcp's line transport drops messages that it cannot parse. JSON-RPC 2.0 requires an error for them (section 5.1), so
//! this module parses them itself.

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};
use serde_json::Value;

use super::json::{self, JsonError};
use crate::text;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// Most messages of a batch.
const LARGEST_BATCH: usize = 100;

/// The result of parsing a client's bytes.
pub enum ParsedMessage {
    /// A valid message.
    Message(Box<ClientJsonRpcMessage>),
    /// Nothing to answer: an empty line, or an unknown notification.
    Ignored,
    /// An error to send as the answer.
    Refusal(Box<ServerJsonRpcMessage>),
    /// The messages of a batch. None of them is a batch.
    Batch(Vec<ParsedMessage>),
}

/// The bytes without white space around them and without a byte order mark (RFC 8259, section 8.1, allows to ignore it).
pub fn trim_message(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii()
}

/// Parses one message, or a batch if `takes_batches`.
pub fn parse(bytes: &[u8], takes_batches: bool) -> ParsedMessage {
    let bytes = trim_message(bytes);
    if bytes.is_empty() {
        return ParsedMessage::Ignored;
    }
    let (value, repeated) = match json::parse_unique_keys(bytes) {
        Ok(value) => (value, None),
        Err(JsonError::Syntax(error)) => {
            return refuse(None, ErrorCode::PARSE_ERROR, format!("this is not JSON: {error}"));
        }
        Err(JsonError::Repeated { path, value }) => (value, Some(path)),
    };
    let Value::Array(batch) = value else { return parse_single(value, repeated.as_deref()) };
    if let Some(path) = &repeated {
        return refuse_all(&batch, &repeated_key_message(path));
    }
    if !takes_batches {
        return refuse_all(
            &batch,
            "this is a batch, which only protocol version 2025-03-26 supports: send each message separately",
        );
    }
    if batch.len() > LARGEST_BATCH {
        return refuse_all(&batch, &format!("a batch has at most {LARGEST_BATCH} messages"));
    }
    if batch.is_empty() {
        return refuse_all(&batch, "this batch is empty");
    }
    ParsedMessage::Batch(batch.into_iter().map(parse_in_batch).collect())
}

/// Parses a message; `repeated` is the path of a repeated key in it.
fn parse_single(value: Value, repeated: Option<&str>) -> ParsedMessage {
    let (id, is_notification) = (id(&value), is_notification(&value));
    match (repeated, is_notification) {
        // JSON-RPC 2.0, section 4.1: a notification is never answered, not even with an error.
        (Some(_), true) => return ParsedMessage::Ignored,
        (Some(path), false) => {
            return refuse(
                id.filter(|_| path != "id"),
                ErrorCode::INVALID_REQUEST,
                repeated_key_message(path),
            );
        }
        (None, _) => {}
    }
    match serde_json::from_value(value) {
        Ok(message) => ParsedMessage::Message(Box::new(message)),
        Err(_) if is_notification => ParsedMessage::Ignored,
        Err(_) => refuse(
            id,
            ErrorCode::INVALID_REQUEST,
            "this is JSON, but not a JSON-RPC 2.0 message that this server supports".to_owned(),
        ),
    }
}

/// Parses one message of a batch.
fn parse_in_batch(value: Value) -> ParsedMessage {
    match parse_single(value, None) {
        // 2025-03-26, "Lifecycle", "Initialization".
        ParsedMessage::Message(message) => match *message {
            JsonRpcMessage::Request(request)
                if matches!(request.request, ClientRequest::InitializeRequest(_)) =>
            {
                let message = "`initialize` must not be part of a batch: send it separately".to_owned();
                refuse(Some(request.id), ErrorCode::INVALID_REQUEST, message)
            }
            other => ParsedMessage::Message(Box::new(other)),
        },
        other => other,
    }
}

/// Refuses a batch with an error for each of its requests, so that the client waits for none of them.
fn refuse_all(batch: &[Value], message: &str) -> ParsedMessage {
    let refuse = |id| refuse(id, ErrorCode::INVALID_REQUEST, message.to_owned());
    let asks = |value: &&Value| value.get("method").is_some();
    let mut refusals: Vec<ParsedMessage> =
        batch.iter().filter(asks).filter_map(id).map(|id| refuse(Some(id))).collect();
    if refusals.is_empty() {
        return refuse(None);
    }
    if refusals.len() == 1 {
        return refusals.remove(0);
    }
    ParsedMessage::Batch(refusals)
}

fn id(value: &Value) -> Option<RequestId> {
    serde_json::from_value(value.get("id")?.clone()).ok()
}

fn is_notification(value: &Value) -> bool {
    value.get("id").is_none() && value.get("method").is_some_and(Value::is_string)
}

fn repeated_key_message(path: &str) -> String {
    format!("the key `{}` is repeated: an object must have each key only once", text::line(path, 80))
}

/// The error for a message larger than `limit` bytes.
pub fn too_large(limit: usize) -> ServerJsonRpcMessage {
    JsonRpcMessage::error(
        ErrorData::new(
            ErrorCode::INVALID_REQUEST,
            format!("the message is larger than {limit} bytes (`limits.message_kib` in your settings)"),
            None,
        ),
        None,
    )
}

fn refuse(id: Option<RequestId>, code: ErrorCode, message: String) -> ParsedMessage {
    ParsedMessage::Refusal(Box::new(JsonRpcMessage::error(ErrorData::new(code, message, None), id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn refusal(text: &str) -> Value {
        match parse(text.as_bytes(), false) {
            ParsedMessage::Refusal(message) => serde_json::to_value(message).unwrap(),
            ParsedMessage::Batch(_) => panic!("{text} is several"),
            ParsedMessage::Message(_) => panic!("{text} was taken"),
            ParsedMessage::Ignored => panic!("{text} was passed over"),
        }
    }

    #[test]
    fn what_is_wrong_is_answered() {
        assert_eq!(refusal("{not json")["error"]["code"], -32700);
        assert_eq!(refusal("[1,2]")["error"]["code"], -32600);
        assert_eq!(refusal("{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"ping\"}")["id"], 7);
        assert!(matches!(parse(b"  ", false), ParsedMessage::Ignored));
        assert!(matches!(
            parse(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", false),
            ParsedMessage::Message(_)
        ));
        assert!(matches!(
            parse(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/nobody/knows\"}", false),
            ParsedMessage::Message(_) | ParsedMessage::Ignored
        ));
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        for (text, path, id) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/list"}"#, "method", json!(7)),
            (r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}"#, "id", Value::Null),
            (
                r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":{"a":1,"a":1}}}"#,
                "params.arguments.a",
                json!(7),
            ),
        ] {
            let refusal = refusal(text);
            assert_eq!(
                (&refusal["error"]["code"], refusal.get("id").unwrap_or(&Value::Null)),
                (&json!(-32600), &id)
            );
            assert!(
                refusal["error"]["message"].as_str().unwrap().contains(&format!("`{path}`")),
                "{refusal}"
            );
        }
        assert!(matches!(
            parse(br#"{"jsonrpc":"2.0","method":"notifications/initialized","method":"x"}"#, false),
            ParsedMessage::Ignored
        ));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let message = "\u{feff} {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
        assert!(matches!(parse(message.as_bytes(), false), ParsedMessage::Message(_)));
        assert!(matches!(parse("\u{feff}".as_bytes(), false), ParsedMessage::Ignored));
        assert_eq!(refusal("\u{feff}\u{feff}{}")["error"]["code"], -32700);
    }

    #[test]
    fn a_batch_is_its_messages_or_is_refused_by_their_ids() {
        let ping = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        let shape = |batch: &Value, taken: bool| match parse(batch.to_string().as_bytes(), taken) {
            ParsedMessage::Batch(reads) => reads
                .into_iter()
                .map(|read| match read {
                    ParsedMessage::Message(_) => json!("taken"),
                    ParsedMessage::Ignored => json!("nothing"),
                    ParsedMessage::Refusal(refusal) => serde_json::to_value(refusal).unwrap()["id"].clone(),
                    ParsedMessage::Batch(_) => panic!("a batch in a batch"),
                })
                .collect(),
            ParsedMessage::Refusal(refusal) => {
                vec![json!("one"), serde_json::to_value(refusal).unwrap()["id"].clone()]
            }
            ParsedMessage::Message(_) | ParsedMessage::Ignored => panic!("{batch} is no batch"),
        };
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let begin = json!({"jsonrpc": "2.0", "id": 9, "method": "initialize", "params": {
            "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}});
        let mixed = json!([ping(1), note, begin, 5, [ping(2)], {"jsonrpc": "2.0", "id": 3, "result": {}}]);
        let taken = ["taken", "taken"].map(|word| json!(word));
        let refused = [json!(9), Value::Null, Value::Null, json!("taken")];
        assert_eq!(shape(&mixed, true), [&taken[..], &refused].concat());
        assert_eq!(shape(&mixed, false), [1, 9]);
        assert_eq!(shape(&json!([ping(4)]), false), [json!("one"), json!(4)]);
        for nobodys in [json!([]), json!([5])] {
            assert_eq!(shape(&nobodys, false), [json!("one"), Value::Null], "{nobodys}");
        }
        let many: Value = (0..=LARGEST_BATCH).map(ping).collect();
        assert_eq!(shape(&many, true), (0..=LARGEST_BATCH).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes, true);
        }
    }
}
