//! Errors of the machine rather than of the configuration.

use super::NixProblem;
use super::phrase::{self, Phrase};
use crate::diagnostic::{Code, Diagnostic};

const DAEMON: &str = "Start the Nix daemon (`sudo systemctl start nix-daemon.socket`) and try again.";
const DISK: &str = "Make room: `nix-collect-garbage` removes unused paths from the store; \
                    `df -h /nix /tmp` shows which disk is full.";
const OFFLINE: &str = "Check the network and the address, then try again. `--offline` uses only what is in the store, and \
                       names what is missing.";

/// From `src/libstore` (`filetransfer.cc`, `sqlite.cc`, `uds-remote-store.cc`), `src/libutil` (`error.cc`,
/// `unix-domain-socket.cc`), and the error texts of curl and the C library.
const PHRASES: &[Phrase] = &[
    Phrase { template: "…No space left on device", code: Code::OutOfDisk, attr_gap: None, hint: DISK },
    Phrase { template: "…database or disk is full", code: Code::OutOfDisk, attr_gap: None, hint: DISK },
    Phrase { template: "…Disk quota exceeded", code: Code::OutOfDisk, attr_gap: None, hint: DISK },
    Phrase {
        template: "cannot connect to socket at '{}': Permission denied",
        code: Code::DaemonUnreachable,
        attr_gap: Some(0),
        hint: "This user is not allowed to use the Nix daemon: see `allowed-users` in nix.conf.",
    },
    Phrase {
        template: "cannot connect to socket at '{}'",
        code: Code::DaemonUnreachable,
        attr_gap: Some(0),
        hint: DAEMON,
    },
    Phrase {
        template: "cannot connect to daemon at '{}'",
        code: Code::DaemonUnreachable,
        attr_gap: Some(0),
        hint: DAEMON,
    },
    Phrase {
        template: "cannot open connection to remote store '{}'",
        code: Code::DaemonUnreachable,
        attr_gap: Some(0),
        hint: DAEMON,
    },
    Phrase {
        template: "Nix daemon disconnected unexpectedly",
        code: Code::DaemonUnreachable,
        attr_gap: None,
        hint: DAEMON,
    },
    Phrase {
        template: "cannot create Unix domain socket",
        code: Code::DaemonUnreachable,
        attr_gap: None,
        hint: DAEMON,
    },
    Phrase {
        template: "opening lock file '{}': Permission denied",
        code: Code::DaemonUnreachable,
        attr_gap: Some(0),
        hint: "The store belongs to another user and no daemon is used: start the Nix daemon, or set `NIX_REMOTE=daemon`.",
    },
    Phrase {
        template: "…unable to download '{}': HTTP error 401",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: "The server requires a login: put it into the netrc file, or an access token into `access-tokens` in nix.conf.",
    },
    Phrase {
        template: "…unable to download '{}': HTTP error 403",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: "The server refuses: for GitHub's rate limit or a private repository set `access-tokens` in nix.conf.",
    },
    Phrase {
        template: "…unable to download '{}': HTTP error 404",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: "Nothing is at that address: check it, the branch or the revision; a private repository needs `access-tokens` in nix.conf.",
    },
    Phrase {
        template: "…unable to download '{}': HTTP error",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: "The server answers with an error: try again later.",
    },
    Phrase {
        template: "…unable to download '{}'",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: OFFLINE,
    },
    Phrase {
        template: "…Could not resolve host",
        code: Code::NetworkUnreachable,
        attr_gap: None,
        hint: OFFLINE,
    },
    Phrase {
        template: "…Network is unreachable",
        code: Code::NetworkUnreachable,
        attr_gap: None,
        hint: OFFLINE,
    },
    Phrase {
        template: "…Connection timed out",
        code: Code::NetworkUnreachable,
        attr_gap: None,
        hint: OFFLINE,
    },
    Phrase {
        template: "…unable to access '{}'",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: OFFLINE,
    },
    Phrase {
        template: "cannot connect to '{}'",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: "Try `ssh {0} true` in a terminal: it must succeed without asking anything.",
    },
    Phrase {
        template: "failed to start SSH connection to '{}'",
        code: Code::NetworkUnreachable,
        attr_gap: Some(0),
        hint: "Try `ssh {0} true` in a terminal: it must succeed without asking anything.",
    },
    Phrase {
        template: "Could not find executable '{}'",
        code: Code::ProgramUnusable,
        attr_gap: Some(0),
        hint: "Nix itself looks for `{0}` on PATH, not in the settings: install it, or add its folder to PATH.",
    },
    Phrase {
        template: "out of memory",
        code: Code::NixFailed,
        attr_gap: None,
        hint: "Evaluate fewer hosts at once, or give the machine more memory or swap.",
    },
    Phrase { template: "interrupted by the user", code: Code::Cancelled, attr_gap: None, hint: "" },
    Phrase {
        template: "experimental Nix feature '{}' is disabled",
        code: Code::NixFailed,
        attr_gap: Some(0),
        hint: "Add `experimental-features = {0}` to nix.conf.",
    },
    Phrase {
        template: "unrecognised flag '{}'",
        code: Code::NixFailed,
        attr_gap: Some(0),
        hint: "This version of Nix does not have the flag: see `nix --version`.",
    },
];

pub(super) fn recognise(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    // If an input failed to download, the diagnostic names it.
    phrase::first(PHRASES, problem.message).map(|diagnostic| super::flakes::name_input(diagnostic, problem))
}

/// A failure of the machine that a line of a build's log reports.
pub(super) fn recognise_build_log_line(line: &str) -> Option<Diagnostic> {
    phrase::first(PHRASES, line)
        .filter(|diagnostic| matches!(diagnostic.code, Code::OutOfDisk | Code::NetworkUnreachable))
}
