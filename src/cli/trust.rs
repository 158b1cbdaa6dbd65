//! `trust`: a person's yes to the settings beside a flake.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::prompt::{PromptError, TerminalPrompt, cancel_on_signal};
use super::signals::Signals;
use super::{FAILED, GlobalOptions, OK, USAGE, exit_with_error, runtime};
use crate::config::{FILE_NAME, FlakeSettingsFile, TrustError, revoke};
use crate::diagnostic::{Code, Diagnostic};
use crate::text;

/// What a person types.
const TRUST_WORD: &str = "trust";

/// Let the settings beside a flake count, as they are now
///
/// pantheros.toml beside a flake counts as far as the flake itself could say the same, and where it narrows
/// what is allowed. The rest of it, which can run programs, read files and say who may deploy, counts once
/// a person trusted the file: this shows what it would set, and asks. The next change of the file ends it.
///
/// It is the file's content that is trusted, not the programs and files that it names.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct TrustCommand {
    /// Which file; without it, pantheros.toml beside the flake
    file: Option<PathBuf>,
    /// Take it back
    #[arg(long)]
    revoke: bool,
}

/// Why nothing is trusted.
#[derive(Debug, thiserror::Error)]
enum TrustCommandError {
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error("there is no {FILE_NAME} beside {}", .0.display())]
    NoFile(PathBuf),
    #[error("{} is not called {FILE_NAME}, and only a file of that name counts beside a flake", .0.display())]
    OtherName(PathBuf),
    #[error("{} is the user's own file already, by --config or PANTHEROS_CONFIG: all of it counts", .0.display())]
    Users(PathBuf),
    #[error("`{TRUST_WORD}` was not typed, and nothing was changed")]
    OtherWord,
    #[error(transparent)]
    Record(#[from] TrustError),
}

impl From<&TrustCommandError> for Diagnostic {
    fn from(refusal: &TrustCommandError) -> Self {
        let diagnostic = |code| Self::new(code, refusal.to_string());
        match refusal {
            TrustCommandError::Prompt(error @ PromptError::NoTerminal) => Self::from(error).with_hint(
                "run it by hand in a terminal; a machine without one has its settings in /etc/pantheros/config.toml",
            ),
            TrustCommandError::Prompt(error) => error.into(),
            TrustCommandError::NoFile(_) => {
                diagnostic(Code::InvalidInput).with_hint("name the file, or the flake with --flake")
            }
            TrustCommandError::OtherName(_) => diagnostic(Code::InvalidInput)
                .with_hint("read it, and copy what you want of it to a file of your own"),
            TrustCommandError::Users(_) => diagnostic(Code::InvalidInput),
            TrustCommandError::OtherWord => diagnostic(Code::ApprovalDeclined),
            TrustCommandError::Record(_) => diagnostic(Code::StateUnusable),
        }
    }
}

impl TrustCommand {
    /// Shows the file, asks, and records the answer; or takes it back.
    pub fn run(&self, global: &GlobalOptions) -> ExitCode {
        if self.revoke
            && let Some(file) = &self.file
        {
            // What is there now does not matter.
            return exit_with(revoke_trust(&resolved_path(file)));
        }
        let folder = match &self.file {
            None => None,
            Some(file) if file.file_name() != Some(FILE_NAME.as_ref()) => {
                return exit_with(Err(TrustCommandError::OtherName(file.clone())));
            }
            Some(file) => resolved_path(file).parent().map(Path::to_owned),
        };
        // What the file asks for shows beside what counts without it.
        let loaded = global.settings_with(|overrides| {
            if folder.is_some() {
                overrides.flake = folder;
            }
        });
        let settings = match loaded {
            Ok(settings) => settings,
            Err(error) => return exit_with_error(&Diagnostic::from(&error), USAGE),
        };
        if self.revoke {
            return exit_with(revoke_trust(&settings.flake.join(FILE_NAME)));
        }
        let path = settings.flake.join(FILE_NAME);
        exit_with(match &settings.flake_file {
            Some(flake_file) => match runtime() {
                Ok(runtime) => runtime.block_on(async {
                    let mut signals = Signals::catch();
                    cancel_on_signal(&mut signals, async |cancel| ask_to_trust(flake_file, cancel).await)
                        .await
                }),
                Err(error) => {
                    return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
                }
            },
            None if path.exists() => Err(TrustCommandError::Users(path)),
            None => Err(TrustCommandError::NoFile(settings.flake)),
        })
    }
}

fn exit_with(done: Result<String, TrustCommandError>) -> ExitCode {
    match done {
        Ok(said) => {
            crate::stderr::print_line(text::plain(&said));
            ExitCode::from(OK)
        }
        Err(refusal) => exit_with_error(&Diagnostic::from(&refusal), FAILED),
    }
}

/// The file's path as a flake's is known: without links, but for the file itself.
fn resolved_path(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

fn revoke_trust(path: &Path) -> Result<String, TrustCommandError> {
    let was = if revoke(path)? { "is not trusted any more" } else { "was not trusted" };
    Ok(format!("{} {was}", path.display()))
}

/// Shows what the file would set, and records it once a person says so.
async fn ask_to_trust(
    flake_file: &FlakeSettingsFile,
    cancel: &CancellationToken,
) -> Result<String, TrustCommandError> {
    let path = flake_file.path.display();
    if flake_file.trusted {
        return Ok(format!("{path} is trusted as it is"));
    }
    if flake_file.waiting.is_empty() {
        return Ok(format!("{path} says nothing that has to be trusted"));
    }
    let mut prompt = TerminalPrompt::open()?;
    let rows: String = flake_file
        .ignored
        .iter()
        .filter(|(key, _)| flake_file.waiting.contains(key))
        .map(|(key, value)| format!("  {key} = {}\n", escaped_value(value)))
        .collect();
    let shown = format!(
        "{path} would set, until it changes:\n\n{rows}\nPrograms and files that it names can change without it, \
         and whoever edits the flake may be able to change them.\n"
    );
    // What is long scrolls away; what is set is named where the answer is typed.
    let keys = flake_file.waiting.join(", ");
    let shown = text::plain(&shown);
    let question =
        format!("{shown}\nType `{TRUST_WORD}` to trust it with {keys}, anything else to leave it: ");
    let typed = prompt.ask(&question, cancel).await?;
    if typed.as_deref() != Some(TRUST_WORD) {
        return Err(TrustCommandError::OtherWord);
    }
    flake_file.trust()?;
    Ok(format!(
        "{path} is trusted as it is, until it changes; a server that runs goes by that from its next call on"
    ))
}

/// A value in which every character shows.
fn escaped_value(value: &Value) -> String {
    let shown = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
    value.to_string().chars().map(shown).collect()
}
