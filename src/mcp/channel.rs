//! A transport of two queues between a client's connection and rmcp.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetMeta, JsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage,
    ServerResult,
};
use rmcp::transport::Transport;
use tokio::sync::mpsc;

use super::ids::{self, RequestIds};

/// The server's end of the queues.
pub struct ServerEnd {
    incoming: mpsc::Receiver<ClientJsonRpcMessage>,
    outgoing: mpsc::Sender<ServerJsonRpcMessage>,
    /// Whether a request has decided which protocol version the client uses.
    begun: bool,
    ids: RequestIds,
    /// An error to send before the next message is received.
    refusal: Option<ServerJsonRpcMessage>,
    takes_batches: Arc<AtomicBool>,
}

/// The client's end of the queues.
pub struct ClientEnd {
    /// Messages of the client.
    pub incoming: mpsc::Sender<ClientJsonRpcMessage>,
    /// Messages to the client.
    pub outgoing: mpsc::Receiver<ServerJsonRpcMessage>,
    /// Whether the negotiated version has batches. It is set before the client learns the version.
    pub takes_batches: Arc<AtomicBool>,
}

/// Most messages in each queue; a sender waits if it is full.
const QUEUE_LENGTH: usize = 64;

/// Two connected ends.
pub fn pair() -> (ServerEnd, ClientEnd) {
    let (to_server, incoming) = mpsc::channel(QUEUE_LENGTH);
    let (outgoing, from_server) = mpsc::channel(QUEUE_LENGTH);
    let takes_batches = Arc::<AtomicBool>::default();
    let ours = Arc::clone(&takes_batches);
    let (ids, refusal) = (RequestIds::default(), None);
    let channel = ServerEnd { incoming, outgoing, begun: false, ids, refusal, takes_batches: ours };
    (channel, ClientEnd { incoming: to_server, outgoing: from_server, takes_batches })
}

impl Transport<RoleServer> for ServerEnd {
    type Error = Infallible;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        self.ids.note_sent(&message);
        if let JsonRpcMessage::Response(response) = &message
            && let ServerResult::InitializeResult(agreed) = &response.result
        {
            self.takes_batches.store(has_batches(&agreed.protocol_version), Ordering::Release);
        }
        let outgoing = self.outgoing.clone();
        async move {
            // If the client is gone, `receive` ends the service.
            if outgoing.send(message).await.is_err() {
                tracing::debug!("the client left before it was answered");
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            // rmcp may drop this future at each await: no message may be lost then.
            if self.refusal.is_some() {
                let place = self.outgoing.reserve().await.ok()?;
                if let Some(refusal) = self.refusal.take() {
                    place.send(refusal);
                }
            }
            let message = self.incoming.recv().await?;
            match &message {
                JsonRpcMessage::Request(request) if !self.ids.reserve(&request.id) => {
                    self.refusal = Some(ids::duplicate_id_error(request.id.clone()));
                    continue;
                }
                JsonRpcMessage::Request(request) => self.begun |= decides_protocol(&request.request),
                // rmcp would end the session. But a client may cancel `server/discover`, for example.
                _ if !self.begun => {
                    tracing::debug!("ignored a message before the first request");
                    continue;
                }
                _ => {}
            }
            self.ids.note_received(&message);
            return Some(message);
        }
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        self.incoming.close();
        Ok(())
    }
}

/// Whether this request, as the first one, decides the protocol version. rmcp answers others and waits for the next.
fn decides_protocol(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta.protocol_version().is_some_and(|v| ProtocolVersion::KNOWN_VERSIONS.contains(&v))
        }
    }
}

/// Whether the version has batches: 2025-03-26 requires servers to accept them ("Base Protocol", "Batching"), and
/// 2025-06-18 removed them.
fn has_batches(version: &ProtocolVersion) -> bool {
    *version == ProtocolVersion::V_2025_03_26
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Sends the messages without answering any, and returns how many were received and what the client got.
    async fn exchanged(messages: &[Value]) -> (usize, Vec<Value>) {
        let (mut channel, mut client) = pair();
        for message in messages {
            let message = serde_json::from_value(message.clone()).unwrap();
            client.incoming.send(message).await.unwrap();
        }
        drop(client.incoming);
        let mut received = 0;
        while channel.receive().await.is_some() {
            received += 1;
        }
        drop(channel);
        let mut heard = Vec::new();
        while let Some(message) = client.outgoing.recv().await {
            heard.push(serde_json::to_value(message).unwrap());
        }
        (received, heard)
    }

    #[tokio::test]
    async fn an_id_that_is_in_use_is_refused() {
        let list = json!({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"},
        }});
        let (received, heard) = exchanged(&vec![list; 50]).await;
        assert_eq!((received, heard.len()), (1, 49));
        assert!(
            heard.iter().all(|refusal| refusal["id"] == 7 && refusal["error"]["code"] == -32600),
            "{heard:?}"
        );
    }
}
