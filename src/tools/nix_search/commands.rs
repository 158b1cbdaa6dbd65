//! The packages that have a command which is no main program.

use std::sync::Arc;

use super::SearchError;
use super::answer::CommandAnswer;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::FlakeError;
use crate::names::STORE_FOLDER;
use crate::nix::NixError;
use crate::search::commands::{self, FoundIn, Located, Provider};
use crate::search::index::Package;
use crate::text;
use crate::tools::indexes::SharedIndex;
use crate::tools::{Context, ToolError};

/// What is said of every name that is looked up.
const NEITHER: &str = "no package has this name or this main program";

/// The packages that have a command, and what is known of it in words.
pub(super) struct Commands {
    pub providers: Vec<Provider>,
    pub message: String,
}

impl Commands {
    pub(super) fn answers(&self) -> Vec<CommandAnswer> {
        self.providers.iter().map(CommandAnswer::from).collect()
    }
}

/// Looks for a command in the store of this machine and in the user's database of nix-index. Evaluates nothing.
pub(super) async fn find(
    context: &Context,
    index: &SharedIndex<Package>,
    command: &str,
) -> Result<Commands, SearchError> {
    let wanted = command.to_owned();
    let paths = Arc::clone(&context.services.indexes.program_paths);
    let built = tokio::task::spawn_blocking(move || {
        paths.with_command(STORE_FOLDER.trim_end_matches('/').as_ref(), &wanted)
    });
    let (built, located) = tokio::join!(built, commands::locate(command, &context.call));
    let built = built.map_err(|error| ToolError::from(Diagnostic::new(Code::Internal, error.to_string())))?;
    let located = located.map_err(|error| FlakeError::from(NixError::from(error)))?;
    let mut providers = commands::packages_of_names(&index.lock(), &built.names)?;
    let is_built = !providers.is_empty();
    let mut said = Vec::new();
    match (built.names.first(), is_built) {
        (_, true) => said.push("what is built on this machine has the command".to_owned()),
        (Some(name), false) => said.push(format!(
            "the command is in {} of this machine's store, which is no package of this name in nixpkgs",
            text::word(name)
        )),
        (None, false) => said.push("nothing that is built on this machine has the command".to_owned()),
    }
    if let Some(reason) = built.incomplete {
        said.push(text::line(&reason, 200));
    }
    match located {
        Located::Found { attributes, days } => {
            let known: Vec<String> = providers.iter().map(|known| known.package.attr.clone()).collect();
            let located = commands::packages_at(&index.lock(), &attributes)?;
            let age = days.map_or_else(|| "of unknown age".to_owned(), |days| format!("{days} days old"));
            said.push(match (attributes.is_empty(), located.is_empty()) {
                (true, _) => format!("the database of nix-index, {age}, has no package with it"),
                (false, true) => format!(
                    "the packages that the database of nix-index, {age}, names for it are not in this nixpkgs"
                ),
                (false, false) => {
                    format!("the database of nix-index is {age}, and may be of another nixpkgs")
                }
            });
            providers.extend(located.into_iter().filter(|located| !known.contains(&located.package.attr)));
        }
        Located::Unknown(reason) => said.push(format!(
            "whether {} package has it is not known ({reason}; nix-locate of nix-index tells)",
            if is_built { "another" } else { "a" }
        )),
    }
    Ok(Commands { providers, message: format!("{NEITHER}; {}", said.join("; ")) })
}

/// The words for people about where a command was found.
pub(super) fn place(found_in: FoundIn) -> &'static str {
    match found_in {
        FoundIn::Built => "built on this machine",
        FoundIn::NixIndex => "by nix-index",
    }
}
