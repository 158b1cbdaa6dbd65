//! Reads the host key, the accepted key and the address of a login from `ssh -v`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::error::{HostKey, host_key};

/// Facts about the login of a connection.
#[derive(Debug)]
pub(super) struct Login {
    /// The socket that `ssh` makes after the login.
    socket: PathBuf,
    complete: bool,
    host_key: Option<HostKey>,
    accepted_key: Option<String>,
    peer: Option<IpAddr>,
}

impl Login {
    /// A login that is complete once `ssh` listens at `socket`.
    pub(super) fn before(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), complete: false, host_key: None, accepted_key: None, peer: None }
    }

    /// Reads a line. Lines of a jump host come first and are replaced by those of the target. Lines after the login of
    /// the target, such as new session keys, are ignored.
    pub(super) fn read_line(&mut self, line: &str) {
        let Some(line) = line.strip_prefix("debug1: ").filter(|_| !self.complete) else {
            // Not a debugging line: `Authenticated to web ([192.0.2.7]:22) using "publickey".`
            if let Some(rest) = line.strip_prefix("Authenticated to ").filter(|_| !self.complete) {
                self.peer = rest
                    .split_once(" ([")
                    .and_then(|(_, address)| address.split_once(']'))
                    .and_then(|(address, _)| address.parse().ok());
            }
            return;
        };
        if let Some(key) = host_key(line) {
            self.host_key = Some(key);
        } else if let Some(accepted) = line.strip_prefix("Server accepts key: ") {
            self.accepted_key =
                accepted.split_ascii_whitespace().find(|word| word.starts_with("SHA256:")).map(str::to_owned);
        } else if line.starts_with("channel ") && self.socket.to_str().is_some_and(|path| line.contains(path))
        {
            self.complete = true;
        }
    }

    /// The host key of the machine.
    pub(super) fn host_key(&self) -> Option<HostKey> {
        self.host_key.clone()
    }

    /// The fingerprint of the accepted key.
    pub(super) fn accepted_key(&self) -> Option<String> {
        self.accepted_key.clone()
    }

    /// The IP address of the machine; `None` if the connection goes through another machine.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = "OpenSSH_10.0p2\n\
        debug1: Server host key: ssh-rsa SHA256:way\n\
        debug1: Server accepts key: /keys/way ED25519 SHA256:mine agent\n\
        Authenticated to way ([192.0.2.1]:22) using \"publickey\".\n\
        debug1: channel 0: new mux listener [/run/way] (inactive timeout: 0)\n\
        debug1: Server host key: ssh-ed25519 SHA256:web\n\
        debug1: Server accepts key: /keys/web ED25519 SHA256:deploys\n\
        Authenticated to web (via proxy) using \"publickey\".\n\
        debug1: channel 0: new mux listener [/tmp/x/s] (inactive timeout: 0)\n\
        debug1: Server host key: ssh-rsa SHA256:way\n\
        debug1: Server accepts key: x ED25519 SHA256:other\n";

    #[test]
    fn the_login_is_that_of_the_machine_that_is_meant() {
        let mut login = Login::before(Path::new("/tmp/x/s"));
        for line in LOGIN.lines() {
            login.read_line(line.trim());
        }
        let key = login.host_key().unwrap();
        assert_eq!((key.kind.as_str(), key.fingerprint.as_str()), ("ssh-ed25519", "SHA256:web"));
        assert_eq!(login.accepted_key().as_deref(), Some("SHA256:deploys"));
        assert_eq!(login.peer(), None);
    }

    #[test]
    fn an_address_is_that_which_was_connected_to() {
        let mut login = Login::before(Path::new("/tmp/x/s"));
        login.read_line("Authenticated to web ([2001:db8::7]:2222) using \"publickey\".");
        assert_eq!(login.peer(), Some("2001:db8::7".parse().unwrap()));
    }
}
