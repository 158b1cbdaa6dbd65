//! `trust`: a person's yes to the settings beside a flake.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::question::{Person, Unanswered, asking};
use super::signals::Signals;
use super::{FAILED, Global, OK, USAGE, complain, runtime};
use crate::config::{FILE_NAME, FlakeSettingsFile, TrustError, revoke};
use crate::diagnostic::{Code, Diagnostic};
use crate::text;

/// What a person types.
const YES: &str = "trust";

/// Let the settings beside a flake count, as they are now
///
/// pantheros.toml beside a flake counts as far as the flake itself could say the same, and where it narrows
/// what is allowed. The rest of it, which can run programs, read files and say who may deploy, counts once
/// a person trusted the file: this shows what it would set, and asks. The next change of the file ends it.
///
/// It is the file's content that is trusted, not the programs and files that it names.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct Trust {
    /// Which file; without it, pantheros.toml beside the flake
    file: Option<PathBuf>,
    /// Take it back
    #[arg(long)]
    revoke: bool,
}

/// Why nothing is trusted.
#[derive(Debug, thiserror::Error)]
enum TrustRefusal {
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    #[error("there is no {FILE_NAME} beside {}", .0.display())]
    NoFile(PathBuf),
    #[error("{} is not called {FILE_NAME}, and only a file of that name counts beside a flake", .0.display())]
    OtherName(PathBuf),
    #[error("{} is the user's own file already, by --config or PANTHEROS_CONFIG: all of it counts", .0.display())]
    Users(PathBuf),
    #[error("`{YES}` was not typed, and nothing was changed")]
    OtherWord,
    #[error(transparent)]
    Record(#[from] TrustError),
}

impl From<&TrustRefusal> for Diagnostic {
    fn from(refusal: &TrustRefusal) -> Self {
        let diagnostic = |code| Self::new(code, refusal.to_string());
        match refusal {
            TrustRefusal::Unanswered(error @ Unanswered::NoTerminal) => Self::from(error).with_hint(
                "run it by hand in a terminal; a machine without one has its settings in /etc/pantheros/config.toml",
            ),
            TrustRefusal::Unanswered(error) => error.into(),
            TrustRefusal::NoFile(_) => {
                diagnostic(Code::InvalidInput).with_hint("name the file, or the flake with --flake")
            }
            TrustRefusal::OtherName(_) => diagnostic(Code::InvalidInput)
                .with_hint("read it, and copy what you want of it to a file of your own"),
            TrustRefusal::Users(_) => diagnostic(Code::InvalidInput),
            TrustRefusal::OtherWord => diagnostic(Code::ApprovalDeclined),
            TrustRefusal::Record(_) => diagnostic(Code::StateUnusable),
        }
    }
}

impl Trust {
    /// Shows the file, asks, and records the answer; or takes it back.
    pub fn run(&self, global: &Global) -> ExitCode {
        if self.revoke
            && let Some(file) = &self.file
        {
            // What is there now does not matter.
            return told(revoked(&whole(file)));
        }
        let folder = match &self.file {
            None => None,
            Some(file) if file.file_name() != Some(FILE_NAME.as_ref()) => {
                return told(Err(TrustRefusal::OtherName(file.clone())));
            }
            Some(file) => whole(file).parent().map(Path::to_owned),
        };
        // What the file asks for shows beside what counts without it.
        let loaded = global.settings_with(|overrides| {
            if folder.is_some() {
                overrides.flake = folder;
            }
        });
        let settings = match loaded {
            Ok(settings) => settings,
            Err(error) => return complain(&Diagnostic::from(&error), USAGE),
        };
        if self.revoke {
            return told(revoked(&settings.flake.join(FILE_NAME)));
        }
        let path = settings.flake.join(FILE_NAME);
        told(match &settings.flake_file {
            Some(flake_file) => match runtime() {
                Ok(runtime) => runtime.block_on(async {
                    let mut signals = Signals::caught();
                    asking(&mut signals, async |cancel| ask(flake_file, cancel).await).await
                }),
                Err(error) => return complain(&Diagnostic::new(Code::Internal, error.to_string()), FAILED),
            },
            None if path.exists() => Err(TrustRefusal::Users(path)),
            None => Err(TrustRefusal::NoFile(settings.flake)),
        })
    }
}

fn told(done: Result<String, TrustRefusal>) -> ExitCode {
    match done {
        Ok(said) => {
            crate::stderr::print_line(text::plain(&said));
            ExitCode::from(OK)
        }
        Err(refusal) => complain(&Diagnostic::from(&refusal), FAILED),
    }
}

/// The file's path as a flake's is known: without links, but for the file itself.
fn whole(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

fn revoked(path: &Path) -> Result<String, TrustRefusal> {
    let was = if revoke(path)? { "is not trusted any more" } else { "was not trusted" };
    Ok(format!("{} {was}", path.display()))
}

/// Shows what the file would set, and records it once a person says so.
async fn ask(flake_file: &FlakeSettingsFile, cancel: &CancellationToken) -> Result<String, TrustRefusal> {
    let path = flake_file.path.display();
    if flake_file.trusted {
        return Ok(format!("{path} is trusted as it is"));
    }
    if flake_file.waiting.is_empty() {
        return Ok(format!("{path} says nothing that has to be trusted"));
    }
    let mut person = Person::here()?;
    let rows: String = flake_file
        .ignored
        .iter()
        .filter(|(key, _)| flake_file.waiting.contains(key))
        .map(|(key, value)| format!("  {key} = {}\n", visible(value)))
        .collect();
    let shown = format!(
        "{path} would set, until it changes:\n\n{rows}\nPrograms and files that it names can change without it, \
         and whoever edits the flake may be able to change them.\n"
    );
    // What is long scrolls away; what is set is named where the answer is typed.
    let keys = flake_file.waiting.join(", ");
    let shown = text::plain(&shown);
    let question = format!("{shown}\nType `{YES}` to trust it with {keys}, anything else to leave it: ");
    let typed = person.answers(&question, cancel).await?;
    if typed.as_deref() != Some(YES) {
        return Err(TrustRefusal::OtherWord);
    }
    flake_file.trust()?;
    Ok(format!(
        "{path} is trusted as it is, until it changes; a server that runs goes by that from its next call on"
    ))
}

/// A value in which every character shows.
fn visible(value: &Value) -> String {
    let shown = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
    value.to_string().chars().map(shown).collect()
}
