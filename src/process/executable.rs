//! The programs that this crate runs, and how to install each.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::advice::{Hint, Remedy};
use crate::diagnostic::Code;

/// A program: a path, or a name that is searched on `PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executable {
    /// The `nix` of the settings.
    Nix(PathBuf),
    /// The `ssh` of the settings.
    Ssh(PathBuf),
    /// `ssh-keygen`.
    SshKeygen,
    /// `git`.
    Git,
    /// `sh`.
    Shell,
    /// `curl`.
    Curl,
    /// Any other.
    Other(PathBuf),
}

impl Executable {
    /// The path or name to start.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Nix(path) | Self::Ssh(path) | Self::Other(path) => path,
            Self::SshKeygen => Path::new("ssh-keygen"),
            Self::Git => Path::new("git"),
            Self::Shell => Path::new("sh"),
            Self::Curl => Path::new("curl"),
        }
    }

    /// The error code if the program does not exist.
    pub(super) fn missing_code(&self) -> Code {
        match self {
            Self::Nix(_) => Code::NixNotFound,
            Self::Ssh(_) => Code::SshNotFound,
            Self::SshKeygen | Self::Git | Self::Shell | Self::Curl | Self::Other(_) => Code::ProgramUnusable,
        }
    }

    /// How to install the program.
    pub(super) fn install_hint(&self) -> Hint {
        match self {
            Self::Nix(_) => Remedy::Set("nix.program").after("install Nix (https://nixos.org/download), or "),
            Self::Ssh(_) => Remedy::Set("ssh.program").after("install OpenSSH, or "),
            Self::SshKeygen => "install OpenSSH 8.2 or newer: its `ssh-keygen` has to be on PATH".into(),
            Self::Git => "install Git: its `git` has to be on PATH".into(),
            Self::Shell => "put the folder of `sh`, which is /bin on most systems, on PATH".into(),
            Self::Curl => "install curl: its `curl` has to be on PATH".into(),
            Self::Other(_) => "install it, or put its folder on PATH".into(),
        }
    }

    /// Whether it is a name that is searched on `PATH`.
    pub(super) fn is_name(&self) -> bool {
        self.path().components().count() == 1
    }
}

impl fmt::Display for Executable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

impl From<&str> for Executable {
    fn from(path: &str) -> Self {
        Self::Other(path.into())
    }
}

impl From<PathBuf> for Executable {
    fn from(path: PathBuf) -> Self {
        Self::Other(path)
    }
}
