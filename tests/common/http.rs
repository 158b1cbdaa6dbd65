//! The server as a process, and a client that sends exactly the given bytes.
//!
//! An ordinary HTTP client would correct the errors that these tests make, retry, and share connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::mcp::STATELESS;
use super::wait::{PATIENCE, wait_for_exit};

use serde_json::{Value, json};

/// The token that servers are started with, and that requests carry by default.
pub const TOKEN: &str = "correct-horse-battery-staple";
/// The newest protocol version that has sessions.
pub const OLD: &str = "2025-11-25";

/// The command and the folder of a server that was not started yet.
pub struct Setup {
    command: Command,
    folder: Option<tempfile::TempDir>,
}

impl Setup {
    /// A server that this command starts; it has to listen on a loopback address.
    pub fn of(mut command: Command) -> Self {
        command
            .env("PANTHEROS_HTTP_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Self { command, folder: None }
    }

    /// A server with these settings, at this address.
    pub fn new(toml: &str, address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("settings.toml"), toml).unwrap();
        std::fs::create_dir(folder.path().join("fleet")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pantheros-mcp"));
        command
            .args(["serve", "--http", address])
            .current_dir(folder.path().join("fleet"))
            .env("PANTHEROS_FLAKE", folder.path().join("fleet"))
            .env("PANTHEROS_CONFIG", folder.path().join("settings.toml"))
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env_remove("PANTHEROS_LOG")
            .env_remove("CREDENTIALS_DIRECTORY");
        let mut setup = Self::of(command);
        setup.folder = Some(folder);
        setup
    }

    /// Replaces the settings.
    pub fn settings(self, toml: &str) -> Self {
        let folder = self.folder.as_ref().unwrap().path();
        std::fs::write(folder.join("settings.toml"), toml).unwrap();
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Removes a variable.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// The program with other arguments, in the same folder and environment.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.command.get_program());
        command.args(arguments).current_dir(self.command.get_current_dir().unwrap());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// The flake's folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("fleet")
    }

    /// The file in which the program keeps a token that it made.
    pub fn token_file(&self) -> PathBuf {
        self.folder().with_file_name("state").join("pantheros/http-token")
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the server and waits until it prints its address.
    pub fn start(mut self) -> Server {
        let mut child = self.command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let mut first = String::new();
        let address = loop {
            first.clear();
            assert!(lines.read_line(&mut first).unwrap() > 0, "it ended: {}", said.lock().unwrap());
            said.lock().unwrap().push_str(&first);
            if let Some(url) = first.trim().strip_prefix("listening on http://") {
                break url.strip_suffix("/mcp").unwrap().parse().unwrap();
            }
        };
        let keep = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                keep.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Server { child, address, said, folder: self.folder }
    }

    /// Starts a server that has to refuse. Returns its status and its standard error.
    pub fn refused(mut self) -> (ExitStatus, String) {
        let mut child = self.command.spawn().unwrap();
        if wait_for_exit(&mut child).is_none() {
            child.kill().unwrap();
            panic!("it started");
        }
        let output = child.wait_with_output().unwrap();
        (output.status, String::from_utf8(output.stderr).unwrap())
    }
}

/// A running server. Dropping it ends it.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    said: Arc<Mutex<String>>,
    folder: Option<tempfile::TempDir>,
}

impl Server {
    /// Starts a server with these settings.
    pub fn with(toml: &str) -> Self {
        Setup::new(toml, "127.0.0.1:0").start()
    }

    /// What it wrote to standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The flake's folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("fleet")
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        wait_for_exit(&mut self.child).unwrap_or_else(|| panic!("it does not end: {}", self.said()))
    }

    /// Opens a connection.
    pub fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// Sends a request over a new connection, and reads the head of the answer.
    pub fn send(&self, request: &Request) -> (Head, Connection) {
        let mut connection = self.connect();
        connection.write(&request.bytes(self.address));
        (connection.head(), connection)
    }

    /// Sends a request and reads the whole answer.
    pub fn ask(&self, request: &Request) -> Answer {
        let (head, mut connection) = self.send(request);
        let body = connection.rest();
        Answer { head, body }
    }

    /// The value of a metric, 0 if there is none.
    pub fn metric(&self, series: &str) -> u64 {
        let text = self.ask(&Request::get("/metrics")).text();
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap_or(0)
    }

    /// Begins a session of the older protocol and returns its id.
    pub fn initialize(&self) -> String {
        let answer = self.ask(&initialize());
        assert_eq!(answer.head.status, 200, "{}", answer.text());
        let session = answer.head.header("mcp-session-id").unwrap().to_owned();
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.ask(&Request::old(&session, &ready)).head.status, 202);
        session
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.stop();
        }
    }
}

/// The first request of the older protocol.
pub fn initialize() -> Request {
    let params = json!({
        "protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    Request::post("/mcp", &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}))
}

/// A request. Only [`Request::bytes`] adds headers that were not set.
#[derive(Clone)]
pub struct Request {
    start: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { start: format!("{method} {path} HTTP/1.1"), headers: Vec::new(), body: Vec::new() }
    }

    /// A `GET` that accepts any type.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path).with("accept", "*/*, text/event-stream")
    }

    /// A `POST` of a message.
    pub fn post(path: &str, message: &Value) -> Self {
        Self::post_bytes(path, message.to_string().as_bytes())
    }

    /// A `POST` of bytes with the content type of a message.
    pub fn post_bytes(path: &str, body: &[u8]) -> Self {
        let mut request = Self::new("POST", path)
            .with("accept", "application/json, text/event-stream")
            .with("content-type", "application/json")
            .with("content-length", &body.len().to_string());
        request.body = body.to_owned();
        request
    }

    /// A message within a session of the older protocol.
    pub fn old(session: &str, message: &Value) -> Self {
        Self::post("/mcp", message).with("mcp-session-id", session).with("mcp-protocol-version", OLD)
    }

    /// A request of the newer protocol, which needs no session.
    pub fn modern(method: &str, mut params: Value) -> Self {
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!(STATELESS);
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
        let name = params["name"].as_str().map(str::to_owned);
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request =
            Self::post("/mcp", &message).with("mcp-protocol-version", STATELESS).with("mcp-method", method);
        match name {
            Some(name) => request.with("mcp-name", &name),
            None => request,
        }
    }

    /// Sets a header, and replaces one of that name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a header, even if there is one of that name.
    pub fn also(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the token.
    pub fn bearer(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Leaves the token out.
    pub fn bare(self) -> Self {
        self.with("authorization", "")
    }

    /// The bytes of the request. Adds `Host` and the token if they were not set, and leaves out headers that are empty.
    pub fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            text += &format!("host: localhost:{}\r\n", address.port());
        }
        if !self.headers.iter().any(|(name, _)| name == "authorization") {
            text += &format!("authorization: Bearer {TOKEN}\r\n");
        }
        for (name, value) in self.headers.iter().filter(|(_, value)| !value.is_empty()) {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
pub struct Answer {
    pub head: Head,
    body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The last message of a body that is JSON or an event stream.
    pub fn message(&self) -> Value {
        if self.head.header("content-type") == Some("application/json") {
            return self.json();
        }
        let text = self.text();
        let mut data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        let last = data.rfind(|data| !data.is_empty());
        serde_json::from_str(last.unwrap_or_else(|| panic!("no message in {text:?}"))).unwrap()
    }

    /// The code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.head.status, self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// A connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
    chunked: bool,
    left: usize,
    text: String,
}

impl Connection {
    /// Connects to this port on loopback.
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", address.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream), chunked: false, left: 0, text: String::new() }
    }

    /// Sends bytes. If the connection is closed already, reading fails later.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// A second handle, to send while an answer is being read.
    pub fn writer(&self) -> TcpStream {
        self.stream.get_ref().try_clone().unwrap()
    }

    /// Whether the server closes the connection before `limit`, even if it sends something first.
    pub fn closes_within(&mut self, limit: Duration) -> bool {
        self.stream.get_mut().set_read_timeout(Some(limit)).unwrap();
        let start = Instant::now();
        let ended = self.stream.read_to_end(&mut Vec::new());
        (ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset))
            && start.elapsed() < limit
    }

    /// Whether the current answer ends before `limit`, or the connection does.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        self.stream.get_mut().set_read_timeout(Some(limit)).unwrap();
        let start = Instant::now();
        let mut line = String::new();
        while start.elapsed() < limit {
            line.clear();
            match self.stream.read_line(&mut line) {
                Ok(0) => return true,
                Ok(_) if line == "0\r\n" => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
        false
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The head of the next answer.
    pub fn head(&mut self) -> Head {
        let start = self.line();
        let status = start.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {start:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let head = Head { status, headers };
        self.chunked = head.header("transfer-encoding") == Some("chunked");
        self.left = head.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        head
    }

    /// The next piece of the body.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = match self.chunked {
            true => usize::from_str_radix(&self.line(), 16).ok()?,
            false => std::mem::take(&mut self.left),
        };
        let mut chunk = vec![0; length];
        self.stream.read_exact(&mut chunk).unwrap();
        if self.chunked {
            self.line();
        }
        (length > 0).then_some(chunk)
    }

    /// The rest of the body; fails if it does not end within [`PATIENCE`].
    pub fn rest(&mut self) -> Vec<u8> {
        let start = Instant::now();
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk() {
            assert!(start.elapsed() < PATIENCE, "the body of the answer does not end");
            body.extend(chunk);
        }
        body
    }

    /// The next event of the body that has data: its type and its data. `None` at the end of the body.
    pub fn event(&mut self) -> Option<(String, String)> {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < 2 * PATIENCE, "no event with data came");
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let value = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    value.unwrap_or_default().trim().to_owned()
                };
                let event = (field("event"), field("data"));
                self.text = rest.to_owned();
                if !event.1.is_empty() {
                    return Some(event);
                }
            }
            let chunk = self.chunk()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }
}
