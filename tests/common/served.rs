//! The server on a port of its own, for clients that are separate programs.

use super::fleet::Fleet;
use super::http::{Server, Setup};
use super::mcp::alone;

/// A server that listens. Dropping it ends it.
pub struct Served {
    server: Server,
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
        let server = Setup::of(command).without("PANTHEROS_HTTP_TOKEN").start();
        let said = server.said();
        let file = said.lines().find_map(|line| line.strip_prefix("clients need the token in "));
        let token = file.map(|path| std::fs::read_to_string(path).unwrap().trim().to_owned());
        Self { origin: format!("http://{}", server.address), server, token }
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
        self.server.id()
    }

    /// Ends it.
    pub fn stop(mut self) {
        self.server.stop();
    }
}
