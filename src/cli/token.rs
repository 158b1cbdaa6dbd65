//! `token`: where the token for HTTP is, and another one.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{FAILED, OK, complain};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::mcp::http::token::{Source, TokenError};

/// Say where the token is that clients send over HTTP, or make another one
///
/// It is that of a server started with the same settings and environment. The token itself is never printed.
#[derive(Args, Debug)]
pub struct Token {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make another token in place of the one that this program made
    ///
    /// A running server takes it at once. What was begun with the old one ends: streams, sessions, and the calls in
    /// them; a deployment that this cuts off goes back by itself unless it was confirmed.
    Rotate,
}

impl Token {
    /// Says where it is, or makes another.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let done = Source::of(settings).and_then(|source| match self.action {
            None => source.require_usable().map(|()| told(&source)),
            Some(Action::Rotate) => rotated(&source),
        });
        let text = match done {
            Ok(text) => text,
            Err(error) => return complain(&Diagnostic::from(&error), FAILED),
        };
        match writeln!(std::io::stdout(), "{text}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                complain(&Diagnostic::new(Code::Internal, error.to_string()), FAILED)
            }
            _ => ExitCode::from(OK),
        }
    }
}

fn rotated(source: &Source) -> Result<String, TokenError> {
    source.rotate()?;
    Ok(format!("There is another token in {source}; give it to your clients."))
}

fn told(source: &Source) -> String {
    let because = match source {
        Source::Environment => "which beats the user's `http.token_file` and a token that this program makes",
        Source::Configured(_) => "since the settings name it",
        Source::Made(_) if source.path().is_some_and(|path| path.exists()) => "which this program made",
        Source::Made(_) => "which `pantheros-mcp serve --http` makes at its first start",
    };
    format!("The token for HTTP is in {source}, {because}.")
}
