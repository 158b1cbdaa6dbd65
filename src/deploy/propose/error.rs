//! Errors of planning a deployment or a rollback for one host.

use std::path::PathBuf;

use crate::advice::Remedy;
use crate::deploy::host::SurveyError;
use crate::deploy::host::endpoint::EndpointError;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::FlakeError;
use crate::names::{HostName, StorePath};
use crate::nix::NixError;
use crate::ssh::SshError;

/// Why no plan could be made for a host.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The flake could not be evaluated.
    #[error(transparent)]
    Flake(#[from] FlakeError),
    /// The address of the host could not be determined.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The survey of the host failed.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The SSH connection failed.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The `nix` program could not be run.
    #[error(transparent)]
    Nix(#[from] NixError),
    /// The build of the system failed.
    #[error("{0}")]
    Build(Box<Diagnostic>),
    /// The machine runs no NixOS.
    #[error("{0} has no /run/current-system: it does not run NixOS")]
    NotNixos(String),
    /// The units of the new system could not be listed.
    #[error("the units of {toplevel} could not be listed: {said}")]
    Unlisted {
        /// The new system.
        toplevel: StorePath,
        /// Exit status or error output of the listing.
        said: String,
    },
    /// A file of the new system could not be read.
    #[error("{}: {cause}", path.display())]
    Unread {
        path: PathBuf,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// The flake changed during the build, so the built system is not the one that was assessed.
    #[error("the flake changed while {0} was built")]
    Changed(HostName),
    /// ssh did not report the host key, and a plan is bound to it.
    #[error("ssh did not report the host key of {0}")]
    NoHostKey(String),
    /// The host has no such generation.
    #[error("{host} has no {}", wanted.map_or("generation before the current one".to_owned(), |n| format!("generation {n}")))]
    NoGeneration {
        host: HostName,
        /// The requested generation; `None` for the one before the current.
        wanted: Option<u64>,
        /// The generations of the host, newest first.
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
                Self::new(Code::NixFailed, error.to_string())
                    .with_hint(Remedy::PlanAnew.after("`nix-store --verify` checks the store; "))
            }
            ProposeError::Changed(_) => {
                Self::new(Code::PlanOutdated, error.to_string()).with_hint(Remedy::PlanAnew)
            }
            ProposeError::NoHostKey(_) => Self::new(Code::RemoteFailed, error.to_string()).with_hint(
                Remedy::Set("ssh.program").after("check that `ssh -v` prints `Server host key:`, or "),
            ),
            ProposeError::NoGeneration { there, .. } => Self::new(Code::UnknownGeneration, error.to_string())
                .with_attr("generation")
                .with_suggestions(there.iter().take(5).map(u64::to_string))
                .with_hint(Remedy::ListGenerations),
        }
    }
}
