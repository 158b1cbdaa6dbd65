//! A client that speaks MCP over a server's pipes, one message a line, and waits for a limited time.
//!
//! It adds only the JSON-RPC envelope to a message, so that tests can send wrong messages. `tests/clients.rs` tests real
//! clients.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fleet::Fleet;
use super::wait::{PATIENCE, wait_for_exit};

/// The protocol versions that begin with a handshake.
pub const WITH_HANDSHAKE: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The protocol version without a handshake.
pub const STATELESS: &str = "2026-07-28";
/// A message from the server.
#[derive(Clone, Debug)]
pub struct Message {
    /// The line as received.
    pub line: String,
    /// The line as JSON.
    pub json: Value,
}

/// A server on pipes. Dropping it ends it.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    said: Arc<Mutex<String>>,
    /// Notifications that arrived while the client waited for an answer.
    pub notifications: Vec<Message>,
    /// Answers to other requests than the awaited one.
    early: VecDeque<Message>,
    next: i64,
    stateless: bool,
    capabilities: Value,
}

impl Client {
    /// Starts `serve` on this fleet with these global flags. Sends nothing yet.
    pub fn start(fleet: &Fleet, flags: &[&str]) -> Self {
        let mut command = fleet.command(flags);
        command.arg("serve");
        Self::of(command)
    }

    /// Starts a server with this command.
    pub fn of(mut command: Command) -> Self {
        alone(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let (sender, output) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let said = Arc::new(Mutex::new(String::new()));
        let keep = Arc::clone(&said);
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                keep.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let (notifications, early) = (Vec::new(), VecDeque::new());
        let capabilities = json!({});
        Self { child, input, output, said, notifications, early, next: 1, stateless: false, capabilities }
    }

    /// Starts a server and does the handshake of this version, if it has one.
    pub fn begun(fleet: &Fleet, flags: &[&str], version: &str) -> Self {
        Self::able(fleet, flags, version, json!({}))
    }

    /// As [`Client::begun`], for a client with these capabilities.
    pub fn able(fleet: &Fleet, flags: &[&str], version: &str, capabilities: Value) -> Self {
        let mut client = Self::start(fleet, flags);
        client.capabilities = capabilities;
        if version == STATELESS {
            client.stateless = true;
        } else {
            let answer = client.initialize(version);
            assert_eq!(answer["result"]["protocolVersion"], version, "{answer}");
            client.notify("notifications/initialized", json!({}));
        }
        client
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    // ---- sending

    /// Sends exactly these bytes.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("standard input is closed already");
        input.write_all(bytes).and_then(|()| input.flush()).unwrap();
    }

    /// Sends a line.
    pub fn send_line(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    /// Sends a request and returns its id.
    pub fn ask(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        let mut params = if self.stateless { with_meta(params) } else { params };
        if self.stateless {
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        self.send_line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        id
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send_line(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// Cancels a request.
    pub fn cancel(&mut self, id: i64) {
        self.notify("notifications/cancelled", json!({"requestId": id, "reason": "a test"}));
    }

    // ---- receiving

    /// The next message of any kind; `None` if none arrives in time or the server has ended.
    pub fn next_within(&mut self, patience: Duration) -> Option<Message> {
        match self.output.recv_timeout(patience) {
            Ok(line) => {
                let json = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                Some(Message { line, json })
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The next message of any kind.
    pub fn next(&mut self) -> Value {
        self.next_within(PATIENCE).unwrap_or_else(|| panic!("no message came; {}", self.state())).json
    }

    /// Waits for the answer to a request. Keeps the notifications that arrive before it.
    pub fn answer(&mut self, id: i64) -> Message {
        if let Some(at) = self.early.iter().position(|message| message.json["id"] == id) {
            return self.early.remove(at).unwrap();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(message) = self.next_within(left) else {
                panic!("request {id} was not answered; {}", self.state());
            };
            if message.json.get("method").is_some() {
                self.notifications.push(message);
            } else if message.json["id"] == id {
                return message;
            } else {
                self.early.push_back(message);
            }
        }
    }

    fn state(&mut self) -> String {
        format!("server: {:?}, standard error: {}", self.child.try_wait().unwrap(), self.said())
    }

    // ---- both

    /// Sends a request and waits for its answer.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id).json
    }

    /// Sends `initialize` for this version and returns the answer.
    pub fn initialize(&mut self, version: &str) -> Value {
        let mut params = handshake(version);
        params["capabilities"] = self.capabilities.clone();
        self.request("initialize", params)
    }

    /// The server's instructions for the model.
    pub fn instructions(&mut self) -> String {
        let answer = self.request("server/discover", json!({}));
        answer["result"]["instructions"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// The names of the listed tools.
    pub fn tools(&mut self) -> Vec<String> {
        let answer = self.request("tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Calls a tool and returns the whole answer.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    // ---- ending

    /// Closes the server's standard input.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the server's end.
    pub fn ends(&mut self) -> ExitStatus {
        wait_for_exit(&mut self.child).unwrap_or_else(|| panic!("it does not end: {}", self.said()))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.input = None;
        if wait_for_exit(&mut self.child).is_none() {
            let _gone = self.child.kill();
            let _reaped = self.child.wait();
            assert!(std::thread::panicking(), "the server did not end after its client: {}", self.said());
        }
    }
}

/// Removes variables that would lead a program to this user's settings and state.
pub fn alone(command: &mut Command) {
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
}

/// The parameters of `initialize`.
pub fn handshake(version: &str) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "pantheros-test", "version": "1"},
    })
}

/// These parameters with the metadata that each request of 2026-07-28 carries.
pub fn with_meta(mut params: Value) -> Value {
    let meta = &mut params["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!(STATELESS);
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "pantheros-test", "version": "1"});
    params
}

/// The command lines of all descendants of the process `root`.
pub fn started_by(root: u32) -> Vec<String> {
    let all: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // The second field is the program's name in parentheses and may itself contain both.
            let parent = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().nth(1)?;
            Some((id, parent.parse().ok()?))
        })
        .collect();
    let mut known = vec![root];
    let mut next = 0;
    while let Some(parent) = known.get(next).copied() {
        known.extend(all.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    known[1..]
        .iter()
        .filter_map(|id| std::fs::read(format!("/proc/{id}/cmdline")).ok())
        // A zombie has no command line.
        .filter(|line| !line.is_empty())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}
