//! Why a question about the flake has no answer.

use std::path::PathBuf;

use super::LockError;
use crate::advice::Remedy;
use crate::config::FlakeDiscovery;
use crate::diagnostic::{Code, Diagnostic};
use crate::nix::NixError;

/// Why a question about the flake has no answer.
#[derive(Debug, thiserror::Error)]
pub enum FlakeError {
    /// There is no `flake.nix` where one was looked for.
    #[error("there is no flake.nix in {}{}: {problem}", folder.display(), beyond(*from))]
    NotFound {
        /// Where it was looked for.
        folder: PathBuf,
        /// How that folder came to be known.
        from: FlakeDiscovery,
        /// What the system said.
        problem: String,
    },
    /// Nix would copy what is the user's alone to where all can read it.
    #[error(
        "the flake in {} is in no Git repository, so Nix would copy the whole folder into its store, which every user can \
         read, and {} with it", folder.display(), private.display()
    )]
    Exposes {
        /// The flake's folder.
        folder: PathBuf,
        /// What is in it.
        private: PathBuf,
    },
    /// The flake has no such host.
    #[error("the flake has no host `{name}`")]
    UnknownHost {
        /// What was asked for.
        name: String,
        /// The hosts there are that are near it.
        nearest: Vec<String>,
        /// How many hosts there are.
        count: usize,
    },
    /// What was asked for does not evaluate.
    #[error("{0}")]
    Evaluation(Box<Diagnostic>),
    /// The lock file that is there does not tell the inputs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It is not known what of the flake is committed.
    #[error("git does not say what of {} is committed", .0.display())]
    GitSilent(PathBuf),
    /// `nix` itself failed.
    #[error(transparent)]
    Nix(#[from] NixError),
}

impl From<&FlakeError> for Diagnostic {
    fn from(error: &FlakeError) -> Self {
        match error {
            FlakeError::NotFound { .. } => Self::new(Code::FlakeNotFound, error.to_string()).with_hint(Remedy::NameFlake),
            FlakeError::Exposes { .. } => Self::new(Code::FlakeExposes, error.to_string()).with_hint(
                "make it a repository (`git init`) and `git add` the flake's files alone, or move them to a folder of \
                 their own",
            ),
            FlakeError::UnknownHost { name, nearest, count } => {
                Self::new(Code::UnknownHost, error.to_string())
                    .with_attr(format!("nixosConfigurations.{name}"))
                    .with_suggestions(nearest.clone())
                    .with_hint(Remedy::ListHosts { count: *count })
            }
            FlakeError::Evaluation(diagnostic) => (**diagnostic).clone(),
            FlakeError::Lock(error) => error.into(),
            FlakeError::GitSilent(_) => Self::new(Code::GitFailed, error.to_string()).with_hint(
                "try `git status` in the flake's folder: the repository may be damaged, or another user's",
            ),
            FlakeError::Nix(error) => error.into(),
        }
    }
}

/// Where else than in its folder a flake was looked for.
fn beyond(from: FlakeDiscovery) -> &'static str {
    match from {
        FlakeDiscovery::Named => "",
        FlakeDiscovery::Nearest | FlakeDiscovery::NotFound => " or any folder above it",
    }
}
