//! Programs without a network.
//!
//! On Linux such a program gets a network namespace without interfaces, if the system allows it (network_namespaces(7)). Sockets
//! of the file system stay reachable, such as that of the Nix daemon; what the program asks of a daemon there has to be limited
//! in another way. So does a name service that answers over such a socket: it would resolve names on the program's behalf.
//!
//! The environment covers both, and systems without such namespaces: curl connects to a proxy that does not exist, and so
//! resolves no name (curl(1), "ENVIRONMENT"), and Git uses only repositories in the file system (git(1),
//! `GIT_ALLOW_PROTOCOL`).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::process::Command;

use crate::platform::{CAN_LEAVE_NETWORK, NETWORK_NOT_LEFT, NetworkExit};

/// A proxy on a port that is reserved for a service that discards everything and that systems do not run (RFC 863).
const CLOSED_PROXY: &str = "http://127.0.0.1:9";
/// The variables that name proxies. curl reads `http_proxy` in small letters only.
const PROXIES: [&str; 7] =
    ["http_proxy", "https_proxy", "HTTPS_PROXY", "ftp_proxy", "FTP_PROXY", "all_proxy", "ALL_PROXY"];
/// The variables that name hosts which are reached without a proxy.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// Whether the system has refused to let a program leave the network.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Takes the network away from a program that is about to start.
#[expect(unsafe_code, reason = "a namespace can only be left between fork and exec")]
pub(super) fn take_away(builder: &mut Command) {
    for name in PROXIES {
        builder.env(name, CLOSED_PROXY);
    }
    for name in EXCEPTIONS {
        builder.env_remove(name);
    }
    builder.env("GIT_ALLOW_PROTOCOL", "file");
    if !CAN_LEAVE_NETWORK {
        return;
    }
    let exit = NetworkExit::new();
    // SAFETY: the closure only makes system calls that are async-signal-safe and allocates nothing.
    unsafe {
        builder.pre_exec(move || match exit.leave() {
            Err(refused) if !REFUSED.load(Ordering::Relaxed) => Err(refused.into()),
            _ => Ok(()),
        });
    }
}

/// Whether a start failed because the program could not leave the network. The next start does not insist on it.
pub(super) fn must_stay(cause: &io::Error) -> bool {
    let stayed = cause.raw_os_error() == Some(NETWORK_NOT_LEFT.raw_os_error());
    if stayed && !REFUSED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "this system lets no program leave the network: evaluations without a network are stopped by settings of Nix, \
             curl and Git only"
        );
    }
    stayed
}
