//! The server on a port of its own, for clients that are separate programs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::fleet::Fleet;
use super::mcp::{ENDING, alone};

/// A server that listens. Dropping it ends it.
pub struct Served {
    child: Child,
    /// Its address: `http://127.0.0.1:PORT`.
    pub origin: String,
    /// The token that clients send; `None` if the server needs none.
    pub token: Option<String>,
}

impl Served {
    /// Starts `serve --http` on this fleet.
    pub fn start(fleet: &Fleet) -> Self {
        Self::with(fleet, &[])
    }

    /// Starts it with more arguments.
    pub fn with(fleet: &Fleet, arguments: &[&str]) -> Self {
        let mut command = fleet.command(&["serve", "--http", "127.0.0.1:0"]);
        command.args(arguments);
        alone(&mut command);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let (sender, said) = channel();
        // A full pipe would block the server.
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let _nobody_listens = sender.send(line);
            }
        });
        let mut served = Self { child, origin: String::new(), token: None };
        let mut before = Vec::new();
        loop {
            let line = said
                .recv_timeout(Duration::from_secs(30))
                .unwrap_or_else(|error| panic!("it does not listen ({error}): {before:?}"));
            if let Some(url) = line.strip_prefix("listening on ") {
                served.origin = url.strip_suffix("/mcp").unwrap().to_owned();
                return served;
            }
            if let Some(path) = line.strip_prefix("clients need the token in ") {
                served.token = Some(std::fs::read_to_string(path).unwrap().trim().to_owned());
            }
            before.push(line);
        }
    }

    /// The `Authorization` header that a client sends; `None` if the server needs no token.
    pub fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// The URL of this path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; fails if that takes longer than [`ENDING`].
    pub fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < ENDING, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _gone = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}
