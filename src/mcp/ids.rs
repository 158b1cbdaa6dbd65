//! The ids of a session's requests.
//!
//! A client must use each id only once in a session (2025-11-25, "Base Protocol", "Requests"). rmcp matches answers to
//! requests by id alone, so of several requests with one id only one would be answered. This module refuses the others.

use std::collections::{HashMap, VecDeque};

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};

/// Cancelled requests whose ids stay in use: rmcp drops a later answer with such an id.
const CANCELLED_KEPT: usize = 256;

/// The ids in use in a session.
#[derive(Debug, Default)]
pub struct RequestIds {
    /// The ids of running requests, with whether each was passed to rmcp.
    under_way: HashMap<RequestId, bool>,
    cancelled: VecDeque<RequestId>,
}

impl RequestIds {
    /// Reserves an id, and returns whether it was free.
    pub fn reserve(&mut self, id: &RequestId) -> bool {
        let is_new = !self.under_way.contains_key(id) && !self.cancelled.contains(id);
        if is_new {
            self.under_way.insert(id.clone(), false);
        }
        is_new
    }

    /// Records that a request was passed to rmcp, unless it was answered already.
    pub fn mark_passed_on(&mut self, id: &RequestId) {
        if let Some(received) = self.under_way.get_mut(id) {
            *received = true;
        }
    }

    /// Releases the id of a request that was not passed to rmcp.
    pub fn release(&mut self, id: &RequestId) {
        if self.under_way.get(id) == Some(&false) {
            self.under_way.remove(id);
        }
    }

    /// Records a message from the client.
    pub fn note_received(&mut self, message: &ClientJsonRpcMessage) {
        match message {
            JsonRpcMessage::Request(request) => {
                self.under_way.insert(request.id.clone(), true);
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.cancel(id);
                }
            }
            _ => {}
        }
    }

    fn cancel(&mut self, id: &RequestId) {
        if self.under_way.remove(id).is_some() {
            if self.cancelled.len() >= CANCELLED_KEPT {
                self.cancelled.pop_front();
            }
            self.cancelled.push_back(id.clone());
        }
    }

    /// Records a message to the client.
    pub fn note_sent(&mut self, message: &ServerJsonRpcMessage) {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        if let Some(id) = id {
            self.under_way.remove(id);
        }
    }

    /// Whether no request is running.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }
}

/// The error for a request whose id is in use.
pub fn duplicate_id_error(id: RequestId) -> ServerJsonRpcMessage {
    let message = format!(
        "the id {id} is used by another request of this session: use a different id for each request"
    );
    JsonRpcMessage::error(ErrorData::new(ErrorCode::INVALID_REQUEST, message, None), Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn client(message: Value) -> ClientJsonRpcMessage {
        serde_json::from_value(message).unwrap()
    }

    fn cancelled(id: i64) -> ClientJsonRpcMessage {
        client(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
    }

    #[test]
    fn an_id_is_in_use_until_its_answer() {
        let mut ids = RequestIds::default();
        let (one, text) = (RequestId::Number(1), RequestId::String("1".into()));
        assert!(ids.reserve(&one) && ids.reserve(&text), "a number is no text");
        assert!(!ids.reserve(&one));
        ids.note_received(&client(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})));
        ids.release(&one);
        assert!(!ids.reserve(&one), "it was passed on");
        ids.release(&text);
        ids.note_sent(&duplicate_id_error(one.clone()));
        // The answer may arrive before the task that passed the request on continues.
        ids.mark_passed_on(&one);
        assert!(ids.is_empty() && ids.reserve(&one));
    }

    #[test]
    fn the_id_of_a_cancelled_request_stays_in_use() {
        let mut ids = RequestIds::default();
        let one = RequestId::Number(1);
        // A cancellation after the answer has no effect.
        ids.note_received(&cancelled(1));
        assert!(ids.reserve(&one));
        ids.note_received(&cancelled(1));
        assert!(ids.is_empty() && !ids.reserve(&one));
        for number in 2..1_000 {
            assert!(ids.reserve(&RequestId::Number(number)));
            ids.note_received(&cancelled(number));
        }
        assert_eq!(ids.cancelled.len(), CANCELLED_KEPT);
    }
}
