//! Errors about the flake.

use std::path::PathBuf;

use super::LockError;
use crate::advice::Remedy;
use crate::config::FlakeDiscovery;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::InputName;
use crate::nix::NixError;

/// An error about the flake.
#[derive(Debug, thiserror::Error)]
pub enum FlakeError {
    /// There is no `flake.nix` in the folder.
    #[error("there is no flake.nix in {}{}: {problem}", folder.display(), searched_folders(*from))]
    NotFound {
        folder: PathBuf,
        /// How the folder was found.
        from: FlakeDiscovery,
        /// The error of the system.
        problem: String,
    },
    /// Nix would copy a private file into its store, which every user can read.
    #[error(
        "the flake in {} is not in a Git repository, so Nix would copy the whole folder, with {}, to its store, which every user \
         can read", folder.display(), private.display()
    )]
    Exposes {
        /// The flake's folder.
        folder: PathBuf,
        /// The private file or folder in it.
        private: PathBuf,
    },
    /// The flake has no such host.
    #[error("the flake has no host `{name}`")]
    UnknownHost {
        /// The name given.
        name: String,
        /// Hosts with similar names.
        nearest: Vec<String>,
        /// Number of hosts.
        count: usize,
    },
    /// The flake has no such input, so it cannot be replaced.
    #[error("the flake has no input {0}, which the settings replace")]
    NoInput(InputName),
    /// `nixpkgs` is an input of an input that is replaced, so its content is in no lock file here.
    #[error(
        "nixpkgs is {nixpkgs}, and {input} is replaced, so flake.lock does not tell which nixpkgs is meant"
    )]
    ReplacedNixpkgs {
        input: InputName,
        /// The path of the input that `nixpkgs` follows.
        nixpkgs: String,
    },
    /// The evaluation failed.
    #[error("{0}")]
    Evaluation(Box<Diagnostic>),
    /// The lock file cannot be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Git failed, so it is not known which files are committed.
    #[error("git failed, so it is not known which files of {} are committed", .0.display())]
    GitSilent(PathBuf),
    /// `nix` could not be run, or its answer could not be understood.
    #[error(transparent)]
    Nix(#[from] NixError),
}

impl From<&FlakeError> for Diagnostic {
    fn from(error: &FlakeError) -> Self {
        match error {
            FlakeError::NotFound { .. } => Self::new(Code::FlakeNotFound, error.to_string()).with_hint(Remedy::NameFlake),
            FlakeError::Exposes { .. } => Self::new(Code::FlakeExposes, error.to_string()).with_hint(
                "make the folder a repository (`git init`) and `git add` only the flake's files, or move the flake's \
                 files to a separate folder",
            ),
            FlakeError::UnknownHost { name, nearest, count } => {
                Self::new(Code::UnknownHost, error.to_string())
                    .with_attr(format!("nixosConfigurations.{name}"))
                    .with_suggestions(nearest.clone())
                    .with_hint(Remedy::ListHosts { count: *count })
            }
            FlakeError::NoInput(_) => Self::new(Code::InvalidSettings, error.to_string()).with_hint(
                "flake.lock names the inputs; correct `--override-input`, PANTHEROS_OVERRIDE_INPUT or `nix.override_inputs`",
            ),
            FlakeError::ReplacedNixpkgs { nixpkgs, .. } => Self::new(Code::InvalidSettings, error.to_string()).with_hint(
                format!("replace it too: `--override-input {nixpkgs}=REFERENCE`, with the reference that {nixpkgs} has in the new input"),
            ),
            FlakeError::Evaluation(diagnostic) => (**diagnostic).clone(),
            FlakeError::Lock(error) => error.into(),
            FlakeError::GitSilent(_) => Self::new(Code::GitFailed, error.to_string()).with_hint(
                "run `git status` in the flake's folder: the repository may be damaged, or may belong to another user",
            ),
            FlakeError::Nix(error) => error.into(),
        }
    }
}

/// The part of the message that names the other folders searched.
fn searched_folders(from: FlakeDiscovery) -> &'static str {
    match from {
        FlakeDiscovery::Named => "",
        FlakeDiscovery::Nearest | FlakeDiscovery::NotFound => " or any folder above it",
    }
}
