//! `token`: where the token for HTTP is, and another one.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{FAILED, OK, exit_with_error};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::mcp::http::token::{TokenError, TokenSource};

/// Say where the token is that clients send over HTTP, or make another one
///
/// It is that of a server started with the same settings and environment. The token itself is never printed.
#[derive(Args, Debug)]
pub struct TokenCommand {
    #[command(subcommand)]
    action: Option<TokenAction>,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make another token in place of the one that this program made
    ///
    /// A running server takes it at once. What was begun with the old one ends: streams, sessions, and the calls in
    /// them; a deployment that this cuts off goes back by itself unless it was confirmed.
    Rotate,
}

impl TokenCommand {
    /// Says where it is, or makes another.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let done = TokenSource::from_settings(settings).and_then(|source| match self.action {
            None => source.require_usable().map(|()| location_text(&source)),
            Some(TokenAction::Rotate) => rotate(&source),
        });
        let text = match done {
            Ok(text) => text,
            Err(error) => return exit_with_error(&Diagnostic::from(&error), FAILED),
        };
        match writeln!(std::io::stdout(), "{text}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED)
            }
            _ => ExitCode::from(OK),
        }
    }
}

fn rotate(source: &TokenSource) -> Result<String, TokenError> {
    source.rotate()?;
    Ok(format!("There is another token in {source}; give it to your clients."))
}

fn location_text(source: &TokenSource) -> String {
    let because = match source {
        TokenSource::Environment => {
            "which beats the user's `http.token_file` and a token that this program makes"
        }
        TokenSource::Configured(_) => "since the settings name it",
        TokenSource::Made(_) if source.path().is_some_and(|path| path.exists()) => "which this program made",
        TokenSource::Made(_) => "which `pantheros-mcp serve --http` makes at its first start",
    };
    format!("The token for HTTP is in {source}, {because}.")
}
