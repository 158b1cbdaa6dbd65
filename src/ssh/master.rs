//! A master connection: an `ssh` that runs nothing and lets others use its connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::said;
use super::login::Login;
use super::{SshError, SshSettings, Target};
use crate::process::{Command, Finished, Flow, ProcessError};
use crate::progress::Call;
use crate::text;

/// Most lines kept of what `ssh -v` says; the last ones tell why a connection ended.
const LOG_LINES: usize = 400;
/// What the folders of sockets are called, before the number of the process they are of.
const FOLDERS: &str = "pantheros-ssh-";
/// How often it is looked whether the connection is up.
const LOOK: Duration = Duration::from_millis(5);
/// How long a connection may stay up: until this program ends.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// What its `ssh` said.
#[derive(Debug)]
struct Heard {
    /// The last lines.
    log: Vec<String>,
    login: Login,
}

impl Heard {
    fn line(&mut self, line: String) {
        self.login.hear(&line);
        if self.log.len() >= LOG_LINES {
            self.log.drain(..LOG_LINES / 2);
        }
        self.log.push(line);
    }
}

/// The connection. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Master {
    target: Target,
    /// Holds the socket, readable by this user alone.
    folder: tempfile::TempDir,
    heard: Arc<Mutex<Heard>>,
    ending: CancellationToken,
    running: JoinHandle<Result<Finished, ProcessError>>,
}

impl Master {
    /// Connects and logs in.
    pub(super) async fn start(
        settings: &SshSettings,
        target: &Target,
        call: &Call,
    ) -> Result<Self, SshError> {
        static CLEARED: std::sync::Once = std::sync::Once::new();
        CLEARED.call_once(clear_folders);
        // A socket's path has room for 108 bytes (unix(7)), and ssh adds 17 to it while it makes it.
        let folder = tempfile::Builder::new()
            .prefix(&format!("{FOLDERS}{}-", std::process::id()))
            .tempdir()
            .map_err(|source| ProcessError::Io { program: settings.program.clone(), source })?;
        let socket = folder.path().join("s");
        let command = command(settings, target, &socket);
        let heard = Arc::new(Mutex::new(Heard { log: Vec::new(), login: Login::before(&socket) }));
        let ending = CancellationToken::new();
        tracing::debug!(argv = ?command.argv(), "connecting");
        let running = tokio::spawn({
            let (heard, ending) = (Arc::clone(&heard), ending.clone());
            async move {
                command
                    .run(&ending, |line, _| {
                        let line = text::bounded(&text::plain(&String::from_utf8_lossy(line)), 400);
                        heard.lock().unwrap_or_else(PoisonError::into_inner).line(line);
                        Flow::Continue
                    })
                    .await
            }
        });
        let master = Self { target: target.clone(), folder, heard, ending, running };
        master.come_up(settings.connect_time, call).await?;
        Ok(master)
    }

    /// Waits until the socket is there, which ssh makes once it is logged in.
    async fn come_up(&self, connect_time: Duration, call: &Call) -> Result<(), SshError> {
        // ConnectTimeout bounds each address; what hangs later than that is bounded here.
        let late = tokio::time::sleep(connect_time * 2 + Duration::from_secs(1));
        tokio::pin!(late);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = look.tick() => {
                    if self.socket().exists() {
                        return Ok(());
                    }
                    if self.running.is_finished() {
                        return Err(SshError::from_log(&self.target, &self.log()));
                    }
                }
                () = &mut late => {
                    let said = format!("no answer to the login within {:?}", connect_time * 2);
                    return Err(SshError::Unreachable { target: self.target.clone(), said });
                }
                () = call.cancel.cancelled() => return Err(SshError::cancelled()),
            }
        }
    }

    /// Where others find the connection.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Whether the connection has ended, and why.
    pub(super) fn ended(&self) -> Option<String> {
        self.running.is_finished().then(|| said(&self.log()))
    }

    /// What is known of the login.
    pub(super) fn login<T>(&self, told: impl FnOnce(&Login) -> T) -> T {
        told(&self.heard.lock().unwrap_or_else(PoisonError::into_inner).login)
    }

    fn log(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).log.clone()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

/// Removes what servers that were killed left behind.
fn clear_folders() {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|name| name.strip_prefix(FOLDERS)?.split_once('-')?.0.parse::<u32>().ok());
        let dead = pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists());
        let ours = entry.metadata().is_ok_and(|data| data.uid() == rustix::process::geteuid().as_raw());
        if dead
            && ours
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, "{} stays", entry.path().display());
        }
    }
}

/// The options every `ssh` of ours has, so that no configuration makes it ask, trust or forward.
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

fn command(settings: &SshSettings, target: &Target, socket: &Path) -> Command {
    Command::new(settings.program.clone())
        // -v tells which host key was shown.
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
        let target = Target {
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
