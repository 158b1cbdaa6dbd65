//! `trust`: trust the settings file beside a flake.

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

/// The word that a person has to type.
const TRUST_WORD: &str = "trust";

/// Trust the settings file beside a flake, as it is now
///
/// Without trust, pantheros.toml beside a flake can set only what the flake itself could set, and
/// can restrict what is allowed. Its other settings can run programs, read files and choose who may
/// deploy. They have an effect only after a person trusted the file. This command shows them and
/// asks. A change of the file ends the trust.
///
/// Trust covers the content of the file. It does not cover the programs and files that it names.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct TrustCommand {
    /// The file [default: pantheros.toml beside the flake]
    file: Option<PathBuf>,
    /// Withdraw the trust
    #[arg(long)]
    revoke: bool,
}

/// The file was not trusted.
#[derive(Debug, thiserror::Error)]
enum TrustCommandError {
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error("there is no {FILE_NAME} beside {}", .0.display())]
    NoFile(PathBuf),
    #[error("{} is not named {FILE_NAME}: only a file of that name has an effect beside a flake", .0.display())]
    OtherName(PathBuf),
    #[error("{} is the user's file already, by --config or PANTHEROS_CONFIG: all its settings have an effect", .0.display())]
    Users(PathBuf),
    #[error("`{TRUST_WORD}` was not typed, so nothing was changed")]
    OtherWord,
    #[error(transparent)]
    Record(#[from] TrustError),
}

impl From<&TrustCommandError> for Diagnostic {
    fn from(refusal: &TrustCommandError) -> Self {
        let diagnostic = |code| Self::new(code, refusal.to_string());
        match refusal {
            TrustCommandError::Prompt(error @ PromptError::NoTerminal) => Self::from(error).with_hint(
                "run it in a terminal; if there is none, put the settings in /etc/pantheros/config.toml",
            ),
            TrustCommandError::Prompt(error) => error.into(),
            TrustCommandError::NoFile(_) => {
                diagnostic(Code::InvalidInput).with_hint("name the file, or the flake with --flake")
            }
            TrustCommandError::OtherName(_) => diagnostic(Code::InvalidInput)
                .with_hint("read it, and copy the settings that you want to your own file"),
            TrustCommandError::Users(_) => diagnostic(Code::InvalidInput),
            TrustCommandError::OtherWord => diagnostic(Code::ApprovalDeclined),
            TrustCommandError::Record(_) => diagnostic(Code::StateUnusable),
        }
    }
}

impl TrustCommand {
    /// Shows the file, asks, and records the trust; or withdraws it.
    pub fn run(&self, global: &GlobalOptions) -> ExitCode {
        if self.revoke
            && let Some(file) = &self.file
        {
            // The file need not exist.
            return exit_with(revoke_trust(&resolved_path(file)));
        }
        let folder = match &self.file {
            None => None,
            Some(file) if file.file_name() != Some(FILE_NAME.as_ref()) => {
                return exit_with(Err(TrustCommandError::OtherName(file.clone())));
            }
            Some(file) => resolved_path(file).parent().map(Path::to_owned),
        };
        // The settings of that flake show which of the file's settings have no effect.
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

/// The absolute path of the file. Symbolic links are resolved in its folder, as for a flake, but not in its last part.
fn resolved_path(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

fn revoke_trust(path: &Path) -> Result<String, TrustCommandError> {
    let was = if revoke(path)? { "is no longer trusted" } else { "was not trusted" };
    Ok(format!("{} {was}", path.display()))
}

/// Shows the settings that wait for trust, and records the trust if the person types the word.
async fn ask_to_trust(
    flake_file: &FlakeSettingsFile,
    cancel: &CancellationToken,
) -> Result<String, TrustCommandError> {
    let path = flake_file.path.display();
    if flake_file.trusted {
        return Ok(format!("{path} is trusted already"));
    }
    if flake_file.waiting.is_empty() {
        return Ok(format!("{path} has no setting that needs trust"));
    }
    let mut prompt = TerminalPrompt::open()?;
    let rows: String = flake_file
        .ignored
        .iter()
        .filter(|(key, _)| flake_file.waiting.contains(key))
        .map(|(key, value)| format!("  {key} = {}\n", escaped_value(value)))
        .collect();
    let shown = format!(
        "{path} would set, until it changes:\n\n{rows}\nThe programs and files that it names can change while the file \
         stays the same, and anyone who edits the flake may be able to change them.\n"
    );
    // A long list scrolls away, so the question repeats the names of the settings.
    let keys = flake_file.waiting.join(", ");
    let shown = text::plain(&shown);
    let question =
        format!("{shown}\nType `{TRUST_WORD}` to trust it with {keys}, anything else to change nothing: ");
    let typed = prompt.ask(&question, cancel).await?;
    if typed.as_deref() != Some(TRUST_WORD) {
        return Err(TrustCommandError::OtherWord);
    }
    flake_file.trust()?;
    Ok(format!("{path} is trusted until it changes; a running server applies it from its next call on"))
}

/// The value as JSON, with escapes for all characters outside ASCII.
fn escaped_value(value: &Value) -> String {
    let shown = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
    value.to_string().chars().map(shown).collect()
}
