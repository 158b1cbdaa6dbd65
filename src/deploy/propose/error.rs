//! Why a host cannot be planned for.

use std::path::PathBuf;

use crate::advice::Remedy;
use crate::deploy::host::SurveyError;
use crate::deploy::host::endpoint::EndpointError;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::FlakeError;
use crate::names::{HostName, StorePath};
use crate::nix::NixError;
use crate::ssh::SshError;

/// Why a host cannot be planned for.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The flake.
    #[error(transparent)]
    Flake(#[from] FlakeError),
    /// Where the host is.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// What the host says.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The connection.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The `nix` program.
    #[error(transparent)]
    Nix(#[from] NixError),
    /// The system was not built.
    #[error("{0}")]
    Build(Box<Diagnostic>),
    /// The machine runs no NixOS.
    #[error("{0} has no /run/current-system: it does not run NixOS")]
    NotNixos(String),
    /// What the new system's units say is not known.
    #[error("the units of {toplevel} could not be listed: {said}")]
    Unlisted {
        /// The new system.
        toplevel: StorePath,
        /// How the program ended.
        said: String,
    },
    /// A file of the new system could not be read.
    #[error("{}: {cause}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Another state of the flake was built than the one that was judged.
    #[error("the flake was changed while {0} was built")]
    Changed(HostName),
    /// It is not known which key the machine showed, and a plan is for one.
    #[error("ssh did not tell which host key {0} showed")]
    NoHostKey(String),
    /// There is no such generation to go back to.
    #[error("{host} has no {}", wanted.map_or("generation before its own".to_owned(), |n| format!("generation {n}")))]
    NoGeneration {
        /// The host.
        host: HostName,
        /// The generation that was asked for; none for the one before.
        wanted: Option<u64>,
        /// Those there are, newest first.
        there: Vec<u64>,
    },
}

impl From<&ProposeError> for Diagnostic {
    fn from(error: &ProposeError) -> Self {
        match error {
            ProposeError::Flake(error) => error.into(),
            ProposeError::Endpoint(error) => error.into(),
            ProposeError::Survey(error) => error.into(),
            ProposeError::Ssh(error) => error.into(),
            ProposeError::Nix(error) => error.into(),
            ProposeError::Build(diagnostic) => (**diagnostic).clone(),
            ProposeError::NotNixos(_) => Self::new(Code::RemoteFailed, error.to_string())
                .with_hint("install NixOS there first: DEPLOYMENT.md, \"First installation\""),
            ProposeError::Unlisted { .. } | ProposeError::Unread { .. } => {
                Self::new(Code::NixFailed, error.to_string()).with_hint(
                    Remedy::PlanAnew.after("`nix-store --verify` finds what is wrong with a store; "),
                )
            }
            ProposeError::Changed(_) => {
                Self::new(Code::PlanOutdated, error.to_string()).with_hint(Remedy::PlanAnew)
            }
            ProposeError::NoHostKey(_) => Self::new(Code::RemoteFailed, error.to_string()).with_hint(
                Remedy::Set("ssh.program").after("check that `ssh -v` says `Server host key:`, or "),
            ),
            ProposeError::NoGeneration { there, .. } => Self::new(Code::UnknownGeneration, error.to_string())
                .with_attr("generation")
                .with_suggestions(there.iter().take(5).map(u64::to_string))
                .with_hint(Remedy::ListGenerations),
        }
    }
}
