//! Builds without output, for clients that wait for progress.
//!
//! The server runs in this process, so that its heartbeat can be faster than for users.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::fleet::{Fleet, nixes};
use crate::common::http::{Connection, Head, Request, initialize};
use pantheros_mcp::testing::config::{Overrides, Settings};
use pantheros_mcp::testing::mcp;
use pantheros_mcp::testing::progress::HEARTBEAT;
use pantheros_mcp::testing::tools::Services;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The interval of the heartbeat of these servers.
const FAST: Duration = Duration::from_millis(50);
/// How many heartbeats a test waits for.
const SIGNS: usize = 5;

/// A fleet of one host whose build is silent after its first line, and ends when the test calls [`Quiet::tell`].
struct Quiet(Fleet);

impl Quiet {
    fn new() -> Self {
        let salt = format!("{:?} {}", std::time::SystemTime::now(), std::process::id());
        let system = format!("{}-linux", std::env::consts::ARCH);
        let fleet = Fleet::plain(&nixes().pop().unwrap(), &[]);
        let told = fleet.folder().with_file_name("told").display().to_string();
        let script =
            format!("PATH=/bin:/usr/bin; echo begun; while [ ! -e {told} ]; do sleep 0.05; done; echo >$out");
        let flake = format!(
            r#"{{ outputs = _: {{ nixosConfigurations.quiet.config.system.build.toplevel = derivation {{
              name = "quiet"; system = "{system}"; builder = "/bin/sh"; salt = "{salt}"; args = [ "-c" "{}" ];
            }}; }}; }}"#,
            script.replace('$', "\\$")
        );
        fleet.write("flake.nix", &flake);
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "."]);
        Self(fleet)
    }

    /// Lets the build end, or the `nix log` that waits.
    fn tell(&self) {
        self.0.write_outside("told", "");
    }

    /// Builds the host, and makes `nix log` wait for another [`Quiet::tell`]. Returns the URI of the log.
    fn slow_log(&self) -> String {
        self.tell();
        let attr = ".#nixosConfigurations.quiet.config.system.build.toplevel";
        let said = |arguments: &[&str]| {
            let output = self.0.by_hand(arguments);
            assert!(output.status.success(), "{}", crate::common::fleet::errors(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        said(&["build", "--no-link", attr]);
        let derivation = said(&["eval", "--raw", &format!("{attr}.drvPath")]);
        let told = self.0.folder().with_file_name("told");
        std::fs::remove_file(&told).unwrap();
        let script = format!(
            "#!/bin/sh\nfor word; do [ \"$word\" != log ] || while [ ! -e {} ]; do sleep 0.05; done; done\nexec {} \"$@\"\n",
            told.display(),
            nixes().pop().unwrap().display()
        );
        let waiting = self.0.write_outside("nix-that-waits", &script);
        std::fs::set_permissions(&waiting, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        self.0.write_outside("pantheros.toml", &format!("[nix]\nprogram = {waiting:?}\n"));
        derivation.replace("/nix/store/", "pantheros://log/")
    }

    fn services(&self) -> Arc<Services> {
        let config = self.0.folder().with_file_name("pantheros.toml");
        let overrides =
            Overrides { flake: Some(self.0.folder()), config: Some(config), ..Overrides::default() };
        let mut settings = Settings::load(None, &overrides, &[]).unwrap();
        settings.policy.without_token = true;
        settings.cache.folder = Some(self.0.folder().with_file_name("cache"));
        let mut services = Services::new(settings);
        assert_eq!(services.heartbeat, HEARTBEAT, "what users have");
        services.heartbeat = FAST;
        Arc::new(services)
    }
}

#[test]
fn nobody_is_left_without_a_sign_for_ten_seconds() {
    assert!(HEARTBEAT + Duration::from_secs(1) < Duration::from_secs(10));
}

/// Counts the progress notifications of a call that only say that it still runs. The progress has to grow with each.
#[derive(Default)]
struct Beats {
    count: usize,
    reached: f64,
}

impl Beats {
    fn take(&mut self, message: &Value) {
        assert_eq!(message["method"], "notifications/progress", "{message}");
        let params = &message["params"];
        assert_eq!(params["progressToken"], "p", "{message}");
        let progress = params["progress"].as_f64().unwrap();
        assert!(progress > self.reached, "{message} after {}", self.reached);
        self.reached = progress;
        let said = params["message"].as_str().unwrap();
        if said.starts_with("running for ") {
            assert!(said.contains(" s: "), "{said}");
            self.count += 1;
        }
    }
}

fn is_built(answer: &Value) {
    let result = &answer["result"];
    assert_ne!(result["isError"], true, "{answer}");
    let path = result["structuredContent"]["out_path"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(path.ends_with("-quiet"), "{answer}");
}

fn call(token: bool) -> Value {
    let mut params = json!({"name": "build_host", "arguments": {"host": "quiet"}});
    if token {
        params["_meta"] = json!({"progressToken": "p"});
    }
    params
}

/// A request with a progress token to read the log of a build.
fn reading(uri: &str) -> Value {
    let params = json!({"uri": uri, "_meta": {"progressToken": "p"}});
    json!({"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": params})
}

fn message(token: bool) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call(token)})
}

/// Sends a message to a server over pipes, waits for enough heartbeats, runs `then`, and returns the answer.
async fn through_pipes(services: Arc<Services>, message: &Value, then: impl FnOnce()) -> Value {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (input, output) = tokio::io::split(theirs);
    let stop = CancellationToken::new();
    let serving =
        tokio::spawn(mcp::stdio::serve_over(services, input, output, std::future::pending(), stop.clone()));
    let (reading, mut writing) = tokio::io::split(ours);
    let mut lines = BufReader::new(reading).lines();
    let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": crate::common::mcp::handshake(crate::common::http::OLD)});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for line in [&begin, &ready, message] {
        writing.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
    let mut beats = Beats::default();
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await.expect("silence");
        serde_json::from_str::<Value>(&line.unwrap().unwrap()).unwrap()
    };
    assert_eq!(next().await["id"], 1);
    while beats.count < SIGNS {
        beats.take(&next().await);
    }
    then();
    let answer = loop {
        let message = next().await;
        if message["id"] == 7 {
            break message;
        }
        beats.take(&message);
    };
    stop.cancel();
    serving.await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_pipes() {
    let quiet = Quiet::new();
    is_built(&through_pipes(quiet.services(), &message(true), || quiet.tell()).await);
}

/// Calls of tools are not the only requests that take long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_over_pipes() {
    let quiet = Quiet::new();
    let uri = quiet.slow_log();
    let answer = through_pipes(quiet.services(), &reading(&uri), || quiet.tell()).await;
    assert_eq!(answer["result"]["contents"][0]["text"], "begun\n", "{answer}");
}

/// A server over HTTP. Dropping it ends it.
struct Http {
    quiet: Quiet,
    address: SocketAddr,
    _stop: DropGuard,
    _runtime: tokio::runtime::Runtime,
}

impl Http {
    fn new() -> Self {
        let quiet = Quiet::new();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let stop = CancellationToken::new();
        let any = "127.0.0.1:0".parse().unwrap();
        let server = runtime.block_on(mcp::http::bind(quiet.services(), any, stop.clone())).unwrap();
        let address = server.address();
        runtime.spawn(server.run());
        Self { quiet, address, _stop: stop.drop_guard(), _runtime: runtime }
    }

    fn send(&self, request: &Request) -> (Head, Connection) {
        let mut connection = Connection::to(self.address);
        connection.write(&request.clone().bare().bytes(self.address));
        (connection.head(), connection)
    }

    fn session(&self) -> String {
        let (head, _) = self.send(&initialize());
        let session = head.header("mcp-session-id").unwrap().to_owned();
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.send(&Request::old(&session, &ready)).0.status, 202);
        session
    }

    /// Makes the call over HTTP+SSE, and returns the stream.
    fn legacy(&self, token: bool) -> Connection {
        let (_, mut stream) = self.send(&Request::get("/sse"));
        let endpoint = stream.event().unwrap().1;
        let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": crate::common::mcp::handshake("2024-11-05")});
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.send(&Request::post(&endpoint, &begin)).0.status, 202);
        stream.event().unwrap();
        for message in [&ready, &message(token)] {
            assert_eq!(self.send(&Request::post(&endpoint, message)).0.status, 202);
        }
        stream
    }

    /// Waits for comments in the stream, which are no messages of the protocol, and then for the answer.
    fn signs_then_the_answer(&self, stream: &mut Connection) {
        let begun = Instant::now();
        let mut text = String::new();
        while text.lines().filter(|line| line.starts_with(':')).count() < SIGNS {
            text += std::str::from_utf8(&stream.chunk().unwrap()).unwrap();
            assert!(!text.contains("\"result\"") && !text.contains("progress"), "{text}");
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        self.quiet.tell();
        is_built(&serde_json::from_str(&stream.event().unwrap().1).unwrap());
    }

    fn beats_then_the_answer(&self, stream: &mut Connection) {
        let mut beats = Beats::default();
        loop {
            let message: Value = serde_json::from_str(&stream.event().unwrap().1).unwrap();
            if message["id"] == 7 || message["id"] == 1 {
                assert!(beats.count >= SIGNS);
                return is_built(&message);
            }
            beats.take(&message);
            if beats.count == SIGNS {
                self.quiet.tell();
            }
        }
    }

    fn signs_then_json(&self, request: &Request) {
        let (head, mut connection) = self.send(&request.clone().with("accept", "application/json"));
        assert_eq!((head.status, head.header("content-type")), (200, Some("application/json")));
        let mut text = String::new();
        while text.len() < SIGNS {
            text += std::str::from_utf8(&connection.chunk().unwrap()).unwrap();
            assert!(text.trim().is_empty(), "{text}");
        }
        self.quiet.tell();
        text += std::str::from_utf8(&connection.rest()).unwrap();
        is_built(&serde_json::from_str(&text).unwrap());
    }
}

#[test]
fn over_http_without_a_session() {
    let http = Http::new();
    let (head, mut stream) = http.send(&Request::modern("tools/call", call(false)));
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    http.signs_then_the_answer(&mut stream);
}

#[test]
fn over_http_without_a_session_with_progress() {
    let http = Http::new();
    let (_, mut stream) = http.send(&Request::modern("tools/call", call(true)));
    http.beats_then_the_answer(&mut stream);
}

#[test]
fn over_http_in_a_session() {
    let http = Http::new();
    let (_, mut stream) = http.send(&Request::old(&http.session(), &message(false)));
    http.signs_then_the_answer(&mut stream);
}

#[test]
fn over_http_in_a_session_with_progress() {
    let http = Http::new();
    let (_, mut stream) = http.send(&Request::old(&http.session(), &message(true)));
    http.beats_then_the_answer(&mut stream);
}

#[test]
fn over_http_as_json() {
    let http = Http::new();
    http.signs_then_json(&Request::modern("tools/call", call(false)));
}

#[test]
fn over_http_as_json_in_a_session() {
    let http = Http::new();
    // A JSON answer leaves progress notifications out.
    http.signs_then_json(&Request::old(&http.session(), &message(true)));
}

#[test]
fn over_the_old_transport() {
    let http = Http::new();
    http.signs_then_the_answer(&mut http.legacy(false));
}

#[test]
fn over_the_old_transport_with_progress() {
    let http = Http::new();
    http.beats_then_the_answer(&mut http.legacy(true));
}

/// A client that disconnects cancels its call, even if it got the head of its answer before the call reported anything.
#[test]
fn who_goes_ends_a_call_that_was_silent() {
    let http = Http::new();
    let (_, mut stream) = http.send(&Request::modern("tools/call", call(false)));
    stream.chunk().unwrap();
    let builds =
        || crate::common::fleet::alive(&http.quiet.0.folder().with_file_name("told").display().to_string());
    crate::common::wait::wait_until("the build to run", builds);
    drop(stream);
    crate::common::wait::wait_until("the build to end", || !builds());
}
