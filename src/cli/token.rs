//! `token`: print where the HTTP token is, or replace it.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{FAILED, OK, exit_with_error};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::mcp::http::token::{TokenError, TokenSource};

/// Print where the token for HTTP clients is, or replace it
///
/// It is the token of a server with the same settings and environment. The token itself is never printed.
#[derive(Args, Debug)]
pub struct TokenCommand {
    #[command(subcommand)]
    action: Option<TokenAction>,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Replace the token that this program generated
    ///
    /// A running server uses the new token at once. Streams, sessions and calls with the old one end; a
    /// host that is being deployed to rolls back by itself unless it was confirmed.
    Rotate,
}

impl TokenCommand {
    /// Prints where the token is, or replaces it.
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
    Ok(format!("A new token is in {source}; give it to your clients."))
}

fn location_text(source: &TokenSource) -> String {
    let because = match source {
        TokenSource::Environment => "which overrules the user's `http.token_file` and a generated token",
        TokenSource::Configured(_) => "as the settings say",
        TokenSource::Made(_) if source.path().is_some_and(|path| path.exists()) => {
            "which this program generated"
        }
        TokenSource::Made(_) => "which `pantheros-mcp serve --http` generates at its first start",
    };
    format!("The token for HTTP is in {source}, {because}.")
}
