//! Runs programs on another machine over one connection.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::error::{COMMAND_NOT_FOUND, HostKey};
use super::login::Login;
use super::master::{self, Master};
use super::{RemoteLimits, RemoteOutput, SshError, SshSettings, SshTarget};
use crate::progress::Call;
use crate::scratch::ScratchFolder;

/// Most programs at once over one connection; sshd allows 10 by default (sshd_config(5), `MaxSessions`).
const CHANNEL_LIMIT: usize = 6;

/// A connection to one machine.
#[derive(Debug)]
pub struct SshSession {
    target: SshTarget,
    master: Master,
    channels: openssh::Session,
    channel_slots: Arc<Semaphore>,
    copy_options: Vec<String>,
}

impl SshSession {
    pub(super) async fn connect(
        settings: &SshSettings,
        sockets: Arc<ScratchFolder>,
        target: &SshTarget,
        call: &Call,
    ) -> Result<Self, SshError> {
        call.report_message(format!("connecting to {target}"));
        let master = Master::start(settings, sockets, target, call).await?;
        let channels = openssh::Session::resume_mux(master.socket().into(), None);
        let mut copy_options = master::options(settings);
        copy_options.extend(["-o".to_owned(), format!("ControlPath={}", master.socket().display())]);
        let channel_slots = Arc::new(Semaphore::new(CHANNEL_LIMIT));
        Ok(Self { target: target.clone(), master, channels, channel_slots, copy_options })
    }

    /// The machine.
    #[must_use]
    pub fn target(&self) -> &SshTarget {
        &self.target
    }

    /// The host key of the machine; `None` if `ssh` did not print it.
    #[must_use]
    pub fn host_key(&self) -> Option<HostKey> {
        self.master.login(Login::host_key)
    }

    /// The fingerprint of the key that the machine accepted; `None` if `ssh` did not print it.
    #[must_use]
    pub fn accepted_key(&self) -> Option<String> {
        self.master.login(Login::accepted_key)
    }

    /// The IP address of the machine, whose name may be an alias that only `ssh` knows; `None` if the connection goes
    /// through another machine.
    #[must_use]
    pub fn peer(&self) -> Option<std::net::IpAddr> {
        self.master.login(Login::peer)
    }

    /// Arguments by which another `ssh` uses this connection and the same options; for `NIX_SSHOPTS`.
    #[must_use]
    pub fn copy_options(&self) -> &[String] {
        &self.copy_options
    }

    /// Whether the machine still answers.
    pub async fn is_alive(&self, call: &Call) -> bool {
        self.master.ended().is_none() && self.run(&["true"], RemoteLimits::default(), call).await.is_ok()
    }

    /// Runs a program to its end. A program that fails is not an error: see [`RemoteOutput::code`].
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn run(
        &self,
        argv: &[&str],
        limits: RemoteLimits,
        call: &Call,
    ) -> Result<RemoteOutput, SshError> {
        self.run_with(argv, &[], limits, call).await
    }

    /// Runs a program and returns its standard output as text. A program that fails is an error.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn text(&self, argv: &[&str], limits: RemoteLimits, call: &Call) -> Result<String, SshError> {
        Ok(self.run_checked(argv, limits, call).await?.text())
    }

    /// Runs a program to its end. A program that fails is an error.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn run_checked(
        &self,
        argv: &[&str],
        limits: RemoteLimits,
        call: &Call,
    ) -> Result<RemoteOutput, SshError> {
        let output = self.run(argv, limits, call).await?;
        self.check_exit_code(argv, output)
    }

    /// Returns `output` if its exit code is 0; `argv` names the program in the error.
    ///
    /// # Errors
    /// [`SshError::Failed`] for any other exit code.
    pub fn check_exit_code(&self, argv: &[&str], output: RemoteOutput) -> Result<RemoteOutput, SshError> {
        if output.success() {
            return Ok(output);
        }
        Err(SshError::Failed {
            target: self.target.clone(),
            program: program(argv).to_owned(),
            code: output.code,
            said: crate::text::bounded(&output.errors(), 400),
        })
    }

    /// The command line to run the program as root: by `sudo`, which must not ask for a password, unless the user is
    /// root.
    #[must_use]
    pub fn as_root<'a>(&self, argv: &[&'a str]) -> Vec<&'a str> {
        let mut words =
            if self.target.user.as_str() == "root" { Vec::new() } else { vec!["sudo", "-n", "--"] };
        words.extend_from_slice(argv);
        words
    }

    /// Runs a program that reads `input`.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn run_with(
        &self,
        argv: &[&str],
        input: &[u8],
        limits: RemoteLimits,
        call: &Call,
    ) -> Result<RemoteOutput, SshError> {
        let program = argv.first().copied().unwrap_or_default();
        let running = async {
            let _place = self.channel_slots.acquire().await.map_err(|_| SshError::cancelled())?;
            self.run_in_channel(argv, input, limits).await
        };
        tokio::select! {
            output = running => output,
            () = call.cancel.cancelled() => Err(SshError::cancelled()),
            () = tokio::time::sleep(limits.time) => Err(SshError::TimedOut {
                target: self.target.clone(),
                program: program.to_owned(),
                limit: limits.time,
            }),
        }
    }

    async fn run_in_channel(
        &self,
        argv: &[&str],
        input: &[u8],
        limits: RemoteLimits,
    ) -> Result<RemoteOutput, SshError> {
        tracing::debug!(target = %self.target, program = argv.first(), "running");
        let (program, arguments) = argv.split_first().ok_or_else(|| self.broken("no program was named"))?;
        // `command` and `args` quote for the shell that sshd runs the line with.
        let mut command = self.channels.command(*program);
        command.args(arguments);
        command.stdout(openssh::Stdio::piped()).stderr(openssh::Stdio::piped());
        command.stdin(if input.is_empty() { openssh::Stdio::null() } else { openssh::Stdio::piped() });
        let mut child = command.spawn().await.map_err(|error| self.broken_by(&error))?;
        let (mut stdin, stdout, stderr) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(self.broken("the channel has no streams"));
        };
        let feeding = async {
            if let Some(mut stdin) = stdin.take() {
                // A program may end without reading all of its input. Its exit code and output then have the reason.
                let _as_far_as_it_reads = stdin.write_all(input).await;
                let _closed = stdin.shutdown().await;
            }
        };
        let reading = read_all(stdout, limits.output);
        let listening = read_last(stderr, limits.errors);
        let ((), stdout, stderr) = tokio::join!(feeding, reading, listening);
        let Some(stdout) = stdout.map_err(|error| self.broken(&error.to_string()))? else {
            return Err(SshError::OutputTooLarge {
                target: self.target.clone(),
                program: (*program).to_owned(),
                limit: limits.output,
            });
        };
        let stderr = stderr.map_err(|error| self.broken(&error.to_string()))?;
        let code = match child.wait().await {
            Ok(status) => status.code().ok_or_else(|| self.broken("a signal ended the program"))?,
            // The crate turns exit code 127 into this error. A shell uses it for a missing program, but any program
            // may.
            Err(openssh::Error::Remote(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                COMMAND_NOT_FOUND
            }
            Err(error) => return Err(self.broken_by(&error)),
        };
        Ok(RemoteOutput { code, stdout, stderr })
    }

    fn broken(&self, said: &str) -> SshError {
        let said = self.master.ended().unwrap_or_else(|| said.to_owned());
        SshError::Broken { target: self.target.clone(), said }
    }

    fn broken_by(&self, error: &openssh::Error) -> SshError {
        use std::error::Error as _;
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        self.broken(&format!("{error}{cause}"))
    }
}

/// The program of a command line, without `env` and the assignments before it.
fn program<'a>(argv: &[&'a str]) -> &'a str {
    let is_setting = |word: &&&str| **word == "env" || word.contains('=');
    argv.iter().find(|word| !is_setting(word)).copied().unwrap_or_default()
}

/// Reads to the end; `None` if there are more than `limit` bytes.
async fn read_all(mut pipe: impl AsyncRead + Unpin, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let count = pipe.read(&mut chunk).await?;
        if count == 0 {
            return Ok(Some(bytes));
        }
        if bytes.len() + count > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}

/// Reads to the end and keeps the last `limit` bytes.
async fn read_last(mut pipe: impl AsyncRead + Unpin, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let count = pipe.read(&mut chunk).await?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if bytes.len() > limit {
            bytes.drain(..bytes.len() - limit);
        }
    }
}
