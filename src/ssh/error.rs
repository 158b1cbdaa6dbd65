//! Errors of connections to other machines and of programs on them.

use std::time::Duration;

use super::SshTarget;
use crate::advice::{Hint, Remedy};
use crate::diagnostic::{Code, Diagnostic};
use crate::process::ProcessError;
use crate::scratch::ScratchError;
use crate::text;

/// Exit code of a shell for a missing program (POSIX, "Exit Status for Commands").
pub(super) const COMMAND_NOT_FOUND: i32 = 127;

/// The host key that a machine presented.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostKey {
    /// Its type, such as `ssh-ed25519`.
    pub kind: String,
    /// `SHA256:` and the hash of the key in base64.
    pub fingerprint: String,
}

/// Why a machine was not reached, or a program on it gave no result.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// `ssh` itself could not be run, took too long, or the call was cancelled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No folder could be made for the connection's socket.
    #[error(transparent)]
    NoSocket(#[from] ScratchError),
    /// The server runs without a token, so it may not reach any machine.
    #[error("a server that requires no token does not connect to {target}")]
    Disabled {
        /// The machine.
        target: SshTarget,
    },
    /// The server runs offline, so it may not reach any machine.
    #[error("a server that runs offline does not connect to {target}")]
    Offline {
        /// The machine.
        target: SshTarget,
    },
    /// The machine's host key is in no file of known hosts.
    #[error("the host key of {target} is not known{}", shown(key.as_ref()))]
    UnknownHostKey {
        /// The machine.
        target: SshTarget,
        /// The key that it presented; `None` if `ssh` did not print it.
        key: Option<HostKey>,
    },
    /// The machine presents another host key than the known one.
    #[error("{target} presents another host key than the known one{}", shown(key.as_ref()))]
    ChangedHostKey {
        /// The machine.
        target: SshTarget,
        /// The key that it presented; `None` if `ssh` did not print it.
        key: Option<HostKey>,
    },
    /// The machine refuses the login.
    #[error("{target} accepts none of the offered keys")]
    Denied {
        /// The machine.
        target: SshTarget,
        /// Message of `ssh`.
        said: String,
    },
    /// The machine does not answer.
    #[error("{target} cannot be reached")]
    Unreachable {
        /// The machine.
        target: SshTarget,
        /// Message of `ssh`.
        said: String,
    },
    /// The connection broke while a program ran on the machine.
    #[error("the connection to {target} broke")]
    Broken {
        /// The machine.
        target: SshTarget,
        /// The known cause.
        said: String,
    },
    /// A program on the machine exceeded its time limit.
    #[error("`{program}` on {target} took longer than {limit:?}")]
    TimedOut {
        /// The machine.
        target: SshTarget,
        program: String,
        /// Its time limit.
        limit: Duration,
    },
    /// A program on the machine printed more than its limit.
    #[error("`{program}` on {target} printed more than {limit} bytes")]
    OutputTooLarge {
        /// The machine.
        target: SshTarget,
        program: String,
        /// Most bytes of standard output.
        limit: usize,
    },
    /// A program on the machine failed.
    #[error("`{program}` on {target} failed with exit code {code}")]
    Failed {
        /// The machine.
        target: SshTarget,
        program: String,
        /// Its exit code.
        code: i32,
        /// The end of its standard error.
        said: String,
    },
}

fn shown(key: Option<&HostKey>) -> String {
    key.map(|key| format!(": {} {}", key.kind, key.fingerprint)).unwrap_or_default()
}

impl SshError {
    /// Whether the machine answered and the login failed, or its host key is not the known one.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::UnknownHostKey { .. } | Self::ChangedHostKey { .. })
    }

    /// The message of `ssh` or of the program on the machine, which is text of others; `None` if there is none.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Denied { said, .. }
            | Self::Unreachable { said, .. }
            | Self::Broken { said, .. }
            | Self::Failed { said, .. } => Some(said),
            Self::Process(_)
            | Self::NoSocket(_)
            | Self::Disabled { .. }
            | Self::Offline { .. }
            | Self::UnknownHostKey { .. }
            | Self::ChangedHostKey { .. }
            | Self::TimedOut { .. }
            | Self::OutputTooLarge { .. } => None,
        }
    }

    /// The error of a cancelled call.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::Process(ProcessError::Cancelled)
    }

    /// The reason why a master ended, from the output of `ssh -v`.
    pub(super) fn from_log(target: &SshTarget, log: &[String]) -> Self {
        let target = target.clone();
        let key = log.iter().rev().find_map(|line| host_key(line));
        let has = |part: &str| log.iter().any(|line| line.contains(part));
        if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            return Self::ChangedHostKey { target, key };
        }
        if has("Host key verification failed") || has("host key is known for") {
            return Self::UnknownHostKey { target, key };
        }
        let said = said(log);
        if has("Permission denied (") || has("Too many authentication failures") {
            return Self::Denied { target, said };
        }
        Self::Unreachable { target, said }
    }
}

/// The host key in a line of `ssh -v`; `None` for other lines.
pub(super) fn host_key(line: &str) -> Option<HostKey> {
    let (_, key) = line.split_once("Server host key: ")?;
    let (kind, fingerprint) = key.split_once(' ')?;
    fingerprint.starts_with("SHA256:").then(|| HostKey {
        kind: text::word(kind).to_owned(),
        fingerprint: text::word(fingerprint).to_owned(),
    })
}

/// The last messages of `ssh` for people, without its debugging lines.
pub(super) fn said(log: &[String]) -> String {
    let lines: Vec<&str> = log
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with("debug") && !line.starts_with("OpenSSH_"))
        .collect();
    let last = lines.len().saturating_sub(3);
    match lines.get(last..) {
        Some(lines) if !lines.is_empty() => text::bounded(&lines.join("; "), 400),
        _ => "ssh gave no reason".to_owned(),
    }
}

impl From<&SshError> for Diagnostic {
    fn from(error: &SshError) -> Self {
        let (code, hint): (Code, Hint) = match error {
            SshError::Process(error) => return error.into(),
            SshError::NoSocket(error) => return error.into(),
            SshError::Disabled { .. } => {
                (Code::ToolDisabled, Remedy::SendToken.into())
            }
            SshError::Offline { .. } => (Code::NeedsNetwork, Remedy::GoOnline.into()),
            SshError::UnknownHostKey { target, .. } => (
                Code::UnknownHostKey,
                format!(
                    "a person has to compare the fingerprint with the one on the machine's console, and accept the key \
                     once: ssh -p {} {}@{}",
                    target.port, target.user, target.address
                ).into(),
            ),
            SshError::ChangedHostKey { target, .. } => (
                Code::ChangedHostKey,
                format!(
                    "the machine was reinstalled, or another machine answers; a person who knows that it was \
                     reinstalled can remove the old key: ssh-keygen -R {}",
                    match target.port.get() {
                        22 => target.address.to_string(),
                        port => format!("'[{}]:{port}'", target.address),
                    }
                ).into(),
            ),
            SshError::Denied { target, .. } => (
                Code::AccessDenied,
                format!(
                    "check that the machine accepts your key for `{}`, and that your agent has the key: ssh-add -l",
                    target.user
                ).into(),
            ),
            SshError::Unreachable { .. } => (
                Code::HostUnreachable,
                "check that the machine runs, and that pantheros.deploy.targetHost and port are correct".into(),
            ),
            SshError::Broken { .. } => (Code::HostUnreachable, Remedy::CallAgain.after("to make a new connection, ")),
            SshError::TimedOut { .. } => (Code::TimedOut, "the machine may be busy, or the program may hang".into()),
            SshError::OutputTooLarge { .. } => {
                (Code::OutputTooLarge, "run the program on the machine itself".into())
            }
            SshError::Failed { target, program, code: COMMAND_NOT_FOUND, .. } => (
                Code::RemoteFailed,
                format!(
                    "check with `ssh -p {} {}@{} command -v {program}` that the program is on the PATH of remote \
                     commands, which may differ from the PATH of a login shell",
                    target.port, target.user, target.address
                ).into(),
            ),
            SshError::Failed { .. } => {
                (Code::RemoteFailed, "run the program on the machine to see all of its output".into())
            }
        };
        Self::new(code, error.to_string()).with_said(error.said().unwrap_or_default()).with_hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> SshTarget {
        SshTarget {
            address: "web.example.org".parse().unwrap(),
            user: "deploy".parse().unwrap(),
            port: 22.try_into().unwrap(),
        }
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_path_that_is_too_long_is_not_the_machines_fault() {
        let wrong = "a path there has up to 130 bytes, but only 78 are possible".to_owned();
        let tried = vec![("/home/user/long".into(), wrong)];
        let diagnostic = Diagnostic::from(&SshError::from(ScratchError { tried }));
        assert_eq!(diagnostic.code, Code::ScratchUnusable);
        assert!(
            diagnostic
                .message
                .ends_with("/home/user/long: a path there has up to 130 bytes, but only 78 are possible")
        );
        assert!(diagnostic.hint.unwrap().to_string().contains("XDG_RUNTIME_DIR"));
    }

    #[test]
    fn an_unknown_key_is_shown() {
        let log = lines(
            "debug1: Server host key: ssh-ed25519 SHA256:abc\nNo ED25519 host key is known for web and you have requested strict checking.\nHost key verification failed.",
        );
        let error = SshError::from_log(&target(), &log);
        assert!(matches!(&error, SshError::UnknownHostKey { key: Some(_), .. }), "{error}");
        let diagnostic = Diagnostic::from(&error);
        assert!(diagnostic.message.contains("SHA256:abc"), "{diagnostic}");
        assert!(diagnostic.hint.unwrap().to_string().contains("ssh -p 22 deploy@web.example.org"));
    }

    #[test]
    fn a_changed_key_is_not_an_unknown_one() {
        let log = lines(
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
        );
        assert!(matches!(SshError::from_log(&target(), &log), SshError::ChangedHostKey { .. }));
    }

    #[test]
    fn what_ssh_says_for_people_is_kept() {
        let log =
            lines("OpenSSH_10.0\ndebug1: Connecting\nssh: connect to host web port 22: Connection refused");
        let error = SshError::from_log(&target(), &log);
        assert!(error.said().unwrap().ends_with("Connection refused"), "{error}");
        assert!(Diagnostic::from(&error).to_string().contains("\n│ ssh: connect to host web"), "{error}");
    }
}
