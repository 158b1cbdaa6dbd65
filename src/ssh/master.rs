//! A master connection: an `ssh` that runs no command and shares its connection.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::said;
use super::login::Login;
use super::{SshError, SshSettings, SshTarget};
use crate::platform;
use crate::process::{Command, Executable, FinishedProcess, Flow, ProcessError};
use crate::progress::Call;
use crate::scratch::{self, ScratchError, ScratchFolder};
use crate::text;

/// Most lines kept of the output of `ssh -v`; the last ones have the reason why a connection ended.
const LOG_LINES: usize = 400;
/// Bytes that `ssh` adds to the path while it makes the socket: a dot and 16 letters (OpenSSH, `muxserver_listen`).
const SUFFIX: usize = 17;
/// Most bytes of a socket's name in its folder: a slash and a number.
const SOCKET_NAME: usize = "/4294967295".len();
/// How often the socket is looked for while the connection is made.
const SOCKET_INTERVAL: Duration = Duration::from_millis(5);
/// Time limit of a connection: it lasts until this program ends.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The output of the master's `ssh`.
#[derive(Debug)]
struct MasterLog {
    /// The last lines.
    lines: Vec<String>,
    login: Login,
}

impl MasterLog {
    fn push(&mut self, line: String) {
        self.login.read_line(&line);
        if self.lines.len() >= LOG_LINES {
            self.lines.drain(..LOG_LINES / 2);
        }
        self.lines.push(line);
    }
}

/// The connection. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Master {
    target: SshTarget,
    /// Holds the socket, readable by this user alone.
    _folder: Arc<ScratchFolder>,
    socket: PathBuf,
    log: Arc<Mutex<MasterLog>>,
    stop: CancellationToken,
    running: JoinHandle<Result<FinishedProcess, ProcessError>>,
}

impl Master {
    /// Connects and logs in.
    pub(super) async fn start(
        settings: &SshSettings,
        folder: Arc<ScratchFolder>,
        target: &SshTarget,
        call: &Call,
    ) -> Result<Self, SshError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let socket = folder.path().join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let command = command(settings, target, &socket);
        let log = Arc::new(Mutex::new(MasterLog { lines: Vec::new(), login: Login::before(&socket) }));
        let stop = CancellationToken::new();
        tracing::debug!(argv = ?command.argv(), "connecting");
        let running = tokio::spawn({
            let (log, stop) = (Arc::clone(&log), stop.clone());
            async move {
                command
                    .run(&stop, |line, _| {
                        let line = text::bounded(&text::plain(&String::from_utf8_lossy(line)), 400);
                        log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                        Flow::Continue
                    })
                    .await
            }
        });
        let mut master = Self { target: target.clone(), _folder: folder, socket, log, stop, running };
        master.wait_for_socket(settings.connect_time, call).await?;
        Ok(master)
    }

    /// Waits for the socket, which `ssh` makes after the login.
    async fn wait_for_socket(&mut self, connect_time: Duration, call: &Call) -> Result<(), SshError> {
        // ConnectTimeout bounds the connection to each address; this bounds the login, too.
        let late = tokio::time::sleep(connect_time * 2 + Duration::from_secs(1));
        tokio::pin!(late);
        let mut look = tokio::time::interval(SOCKET_INTERVAL);
        loop {
            tokio::select! {
                _ = look.tick() => {
                    if self.socket.exists() {
                        return Ok(());
                    }
                }
                ended = &mut self.running => {
                    return Err(match ended {
                        // `ssh` could not be run: the machine is not the cause.
                        Ok(Err(error)) => error.into(),
                        Ok(Ok(_)) | Err(_) => SshError::from_log(&self.target, &self.log()),
                    });
                }
                () = &mut late => {
                    let said = format!("the login did not finish within {:?}", connect_time * 2);
                    return Err(SshError::Unreachable { target: self.target.clone(), said });
                }
                () = call.cancel.cancelled() => return Err(SshError::cancelled()),
            }
        }
    }

    /// Path of the socket by which others use the connection.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The reason why the connection ended; `None` while it is up.
    pub(super) fn ended(&self) -> Option<String> {
        self.running.is_finished().then(|| said(&self.log()))
    }

    /// Reads a fact about the login.
    pub(super) fn login<T>(&self, read: impl FnOnce(&Login) -> T) -> T {
        read(&self.log.lock().unwrap_or_else(PoisonError::into_inner).login)
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Makes the folder for the sockets of all connections, in a place where their paths are short enough.
pub(super) fn folder() -> Result<ScratchFolder, ScratchError> {
    ScratchFolder::make(&scratch::candidate_folders(), platform::SOCKET_PATH - SUFFIX - SOCKET_NAME)
}

/// The options of every `ssh`: no configuration makes it ask a question, accept a host key, or forward anything.
pub(super) fn options(settings: &SshSettings) -> Vec<String> {
    let mut options = Vec::new();
    if let Some(config) = &settings.config {
        options.extend(["-F".to_owned(), config.display().to_string()]);
    }
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "ForwardAgent=no",
        "ForwardX11=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RequestTTY=no",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
    ] {
        options.extend(["-o".to_owned(), option.to_owned()]);
    }
    if let Some(identity) = &settings.identity {
        let identity = identity.display().to_string();
        options.extend(["-o".to_owned(), "IdentitiesOnly=yes".to_owned(), "-i".to_owned(), identity]);
    }
    if let Some(known_hosts) = &settings.known_hosts {
        let known_hosts = format!("UserKnownHostsFile={}", known_hosts.display());
        let only = "GlobalKnownHostsFile=/dev/null".to_owned();
        options.extend(["-o".to_owned(), known_hosts, "-o".to_owned(), only]);
    }
    options.extend(["-o".to_owned(), format!("ConnectTimeout={}", settings.connect_time.as_secs().max(1))]);
    options
}

fn command(settings: &SshSettings, target: &SshTarget, socket: &Path) -> Command {
    Command::new(Executable::Ssh(settings.program.clone()))
        // -v prints the host key of the machine.
        .args(["-v", "-N", "-M", "-S"])
        .arg(socket)
        .args(options(settings))
        .args(["-o", "ControlPersist=no", "-p"])
        .arg(target.port.to_string())
        .arg("-l")
        .arg(target.user.as_str())
        .arg("--")
        .arg(target.address.as_str())
        .time_limit(FOR_EVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_are_checked_whatever_the_configuration_says() {
        let settings = SshSettings {
            program: "ssh".into(),
            config: Some("/etc/fleet/ssh config".into()),
            identity: Some("/keys/fleet".into()),
            known_hosts: Some("/keys/known_hosts".into()),
            connect_time: Duration::from_secs(7),
        };
        let target = SshTarget {
            address: "web".parse().unwrap(),
            user: "deploy".parse().unwrap(),
            port: 2222.try_into().unwrap(),
        };
        let command = command(&settings, &target, Path::new("/tmp/x/s"));
        let argv: Vec<_> = command.argv().into_iter().map(|word| word.to_str().unwrap().to_owned()).collect();
        assert_eq!(argv.first().unwrap(), "ssh");
        assert_eq!(argv[argv.len() - 6..], ["-p", "2222", "-l", "deploy", "--", "web"]);
        for option in
            ["StrictHostKeyChecking=yes", "BatchMode=yes", "ConnectTimeout=7", "/etc/fleet/ssh config"]
                .into_iter()
                .chain(["IdentitiesOnly=yes", "/keys/fleet", "UserKnownHostsFile=/keys/known_hosts"])
        {
            assert!(argv.iter().any(|word| word == option), "{option} in {argv:?}");
        }
    }
}
