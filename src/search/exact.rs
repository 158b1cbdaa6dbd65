//! The answer to whether a name exists: it works, stands for another, was removed, or is missing.

mod message;
mod options;
mod packages;

use serde::{Deserialize, Serialize};

use super::index::Package;
use crate::flake::{AskOptions, Flake, FlakeError, Question};
use crate::progress::Call;

pub use options::{option_answer, option_removal_message, removed_option};
pub use packages::{
    PackageVerdict, look_up_package, package_verdict, removal_message, removed_package, replacements_in_set,
};

/// Whether a name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It exists.
    Works,
    /// It exists for old configurations and stands for another.
    Alias,
    /// It is replaced by an error.
    Removed,
    /// It does not exist.
    Missing,
    /// It exists, or may exist, and does not evaluate.
    Fails,
}

/// A replacement that the message of a removal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    pub attr: String,
    /// Empty if it has none.
    pub version: String,
}

impl From<&Package> for Replacement {
    fn from(package: &Package) -> Self {
        Self { attr: package.attr.clone(), version: package.version.clone() }
    }
}

/// The answer about one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    pub status: Status,
    /// nixpkgs' or the module's own words about it, or what else is known.
    pub message: Option<String>,
    /// What an alias stands for; `None` if it is not known.
    pub target: Option<String>,
    pub replacements: Vec<Replacement>,
}

impl Exact {
    /// The answer about a name that exists.
    #[must_use]
    pub fn works() -> Self {
        Self::new(Status::Works)
    }

    fn new(status: Status) -> Self {
        Self { status, message: None, target: None, replacements: Vec::new() }
    }

    fn with_message(status: Status, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(status) }
    }
}

/// Whether a query may be the name of a package or an option: one word, in which only a part in quotes has other characters.
#[must_use]
pub fn is_name(query: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-+'./<>*:@".contains(character);
    let mut quoted = false;
    for character in query.chars() {
        quoted ^= character == '"';
        if !quoted && character != '"' && !plain(character) {
            return false;
        }
    }
    !query.is_empty() && !quoted
}

/// The text of the error that a question ends with.
async fn error_text(
    flake: &Flake,
    remembered_as: &str,
    options: &AskOptions<'_>,
    question: Question,
    call: &Call,
) -> Result<Option<String>, FlakeError> {
    flake
        .remembered(remembered_as, call, |flake| async move {
            let mut round = flake.ask_with(options, vec![question], call).await?;
            Ok(match round.answers.pop() {
                Some(Err(error)) => Some(error.said.unwrap_or(error.message)),
                Some(Ok(_)) | None => None,
            })
        })
        .await
}
