//! Health checks after an activation: the machine and its system are the planned ones, and no unit or check fails.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deploy::host::{self, HostState};
use crate::deploy::plan::{HealthCheck, HostPlan};
use crate::diagnostic::Diagnostic;
use crate::progress::Call;
use crate::ssh::{RemoteLimits, SshSession};
use crate::text;

/// Time limit of one check.
const LOOK: Duration = Duration::from_secs(10);

/// The result of one health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthResult {
    /// The check, in words.
    pub check: String,
    /// Whether the check passed.
    pub ok: bool,
    /// What was observed; `None` if the check passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl HealthResult {
    /// A passed check, or a failed one with its evidence.
    #[must_use]
    pub fn new(check: impl Into<String>, found: Result<(), String>) -> Self {
        Self {
            check: check.into(),
            ok: found.is_ok(),
            evidence: found.err().map(|said| text::bounded(&said, 300)),
        }
    }

    /// The check and its evidence in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        match &self.evidence {
            Some(evidence) => format!("{}: {evidence}", self.check),
            None => self.check.clone(),
        }
    }
}

/// One look at the host: the results of all checks, and the state that was surveyed; `None` if there was no answer. `before` is the
/// state before the activation.
pub(super) async fn look(
    session: &SshSession,
    plan: &HostPlan,
    before: &HostState,
    call: &Call,
) -> (Vec<HealthResult>, Option<HostState>) {
    match host::brief_survey(session, call).await {
        Ok(now) => (run_checks(session, plan, before, &now, call).await, Some(now)),
        Err(error) => {
            let error = Diagnostic::from(&error).full_text();
            (vec![HealthResult::new("the host answers", Err(error))], None)
        }
    }
}

async fn run_checks(
    session: &SshSession,
    plan: &HostPlan,
    before: &HostState,
    now: &HostState,
    call: &Call,
) -> Vec<HealthResult> {
    let same = |is: bool, evidence: String| if is { Ok(()) } else { Err(evidence) };
    let mut found = vec![
        HealthResult::new(
            "it is the same machine",
            same(
                now.machine_id.as_deref() == Some(plan.machine_id.as_str()),
                format!("its machine id is {}", now.machine_id.as_deref().unwrap_or("missing")),
            ),
        ),
        HealthResult::new(
            "it runs the planned system",
            same(
                now.running.as_ref() == Some(&plan.toplevel),
                format!("it runs {}", now.running.as_ref().map_or("nothing", |path| path.as_str())),
            ),
        ),
    ];
    if before.failed_units.is_some() && now.failed_units.is_none() {
        found.push(HealthResult::new(
            "systemd answers",
            Err("it answered before the deployment; now the failed units cannot be listed".to_owned()),
        ));
    }
    if let Some(failed) = &now.failed_units {
        let known = before.failed_units.as_deref().unwrap_or_default();
        let new: Vec<&str> = failed.iter().filter(|unit| !known.contains(unit)).map(String::as_str).collect();
        found.push(HealthResult::new(
            "no other unit failed",
            same(new.is_empty(), text::bounded(&new.join(", "), 4_000)),
        ));
    }
    let checks = plan.health_checks.iter().map(|check| run_check(session, plan, check, call));
    found.extend(futures::future::join_all(checks).await);
    found
}

async fn run_check(session: &SshSession, plan: &HostPlan, check: &HealthCheck, call: &Call) -> HealthResult {
    match check {
        HealthCheck::Command(argv) => {
            let words: Vec<&str> = argv.iter().map(String::as_str).collect();
            let found = match session.run(&words, RemoteLimits::with_time(LOOK), call).await {
                Ok(output) if output.success() => Ok(()),
                Ok(output) => Err(format!("exit code {}: {}", output.code, output.errors())),
                Err(error) => Err(Diagnostic::from(&error).full_text()),
            };
            HealthResult::new(format!("command {}", text::bounded(&argv.join(" "), 200)), found)
        }
        HealthCheck::Tcp(port) => {
            let address = session.peer().map_or_else(|| plan.target.address.clone(), |peer| peer.to_string());
            HealthResult::new(format!("TCP port {port}"), connects(&address, *port).await)
        }
        HealthCheck::Http(url) => HealthResult::new(text::bounded(url, 200), answers(url, call).await),
    }
}

async fn connects(address: &str, port: u16) -> Result<(), String> {
    match tokio::time::timeout(LOOK, tokio::net::TcpStream::connect((address, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {LOOK:?}")),
    }
}

/// Requests the URL with curl: operators can repeat the command, and it handles proxies and certificates.
async fn answers(url: &str, call: &Call) -> Result<(), String> {
    let finished = crate::process::Command::new(crate::process::Executable::Curl)
        .args([
            "--silent",
            "--show-error",
            "--fail",
            // Brackets in the URL are literal; curl must not expand them to several URLs.
            "--globoff",
            "--location",
            "--max-redirs",
            "5",
            "--output",
            "/dev/null",
        ])
        .args(["--max-time", "10", "--proto", "=http,https", "--proto-redir", "=http,https", "--"])
        .arg(url)
        .time_limit(LOOK * 2);
    let mut said = String::new();
    let finished = finished
        .run(&call.cancel, |line, _| {
            if said.len() < 400 {
                said.push_str(&text::plain(&String::from_utf8_lossy(line)));
            }
            crate::process::Flow::Continue
        })
        .await
        .map_err(|error| error.to_string())?;
    if finished.status.success() { Ok(()) } else { Err(said) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[tokio::test]
    async fn a_url_is_one_and_of_the_web() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = std::thread::spawn(move || {
            let mut lines = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 1_024];
                let count = stream.read(&mut bytes).unwrap();
                lines.push(
                    String::from_utf8_lossy(&bytes[..count]).lines().next().unwrap_or_default().to_owned(),
                );
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .unwrap();
            }
            lines
        });
        let call = Call::unattended();
        answers(&format!("http://{address}/[1-9]{{a,b}}"), &call).await.unwrap();
        answers(&format!("http://{address}/last"), &call).await.unwrap();
        let heard = heard.join().unwrap();
        assert!(heard[0].contains("[1-9]") && heard[1].contains("/last"), "{heard:?}");

        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        for url in
            [format!("file://{path}"), format!("FILE:///{path}"), format!("-K{path}"), format!("@{path}")]
        {
            assert!(answers(&url, &call).await.is_err(), "{url}");
        }
    }
}
