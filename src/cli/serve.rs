//! `serve`: MCP over standard input and output, or over HTTP.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use super::{FAILED, OK, clean_up, exit_with_error, runtime};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::mcp;
use crate::state::writer;
use crate::tools::{ActiveRollouts, Services};

/// How long queued writes to the state folder may take at the end.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Serve MCP to an assistant
///
/// Without --http it uses standard input and output, as assistants start it.
#[derive(Args, Debug, Default)]
pub struct ServeCommand {
    /// Serve over HTTP: /mcp (Streamable HTTP), /sse and /messages (deprecated), /healthz, /metrics
    ///
    /// Clients need a bearer token for everything but /healthz. It is the one in PANTHEROS_HTTP_TOKEN,
    /// otherwise the one in the file `http.token_file`, otherwise a generated one. A token file in the
    /// machine's settings overrules PANTHEROS_HTTP_TOKEN. `pantheros-mcp token` prints where the token is.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Require no token, so that every user of this machine is served: on loopback only, and without
    /// tools that reach hosts; for tests
    #[arg(long, requires = "http")]
    without_token: bool,
}

impl ServeCommand {
    /// Serves until the client is gone or a signal comes. All programs that it started have ended when this returns.
    pub fn run(self, mut settings: Settings) -> ExitCode {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
            }
        };
        settings.policy.without_token = self.without_token;
        let services = Arc::new(Services::for_server(settings));
        let result = runtime.block_on(async {
            let stop = CancellationToken::new();
            // Not awaited: folders that a killed server left do no harm.
            drop(tokio::task::spawn_blocking(|| crate::scratch::remove_stale(&crate::scratch::candidate_folders())));
            let signals = tokio::spawn(stop_on_signals(stop.clone(), services.rollouts.clone()));
            let (rollouts, background) = (services.rollouts.clone(), services.background.clone());
            let result = match self.http {
                Some(address) => mcp::http::serve(services, address, stop).await,
                None => mcp::stdio::serve(services, stop).await.map_err(|error| {
                    Diagnostic::new(Code::Internal, format!("standard input or output failed: {error}"))
                }),
            };
            background.stop_all().await;
            rollouts.wait_for_all().await;
            signals.abort();
            clean_up().await;
            if let Err(left) = writer::drain(LAST_WRITES).await {
                crate::stderr::print_line(format_args!(
                    "pantheros-mcp: {left} changes to the state folder, which may include entries of the audit log, \
                     were not written: the folder or its lock did not respond in time"
                ));
            }
            result
        });
        // A read of standard input that is no pipe cannot be cancelled, so the runtime is not awaited.
        runtime.shutdown_background();
        match result {
            Ok(()) => ExitCode::from(OK),
            Err(diagnostic) => exit_with_error(&diagnostic, FAILED),
        }
    }
}

/// The first signal stops the server and cancels its calls. The second one ends running deployments without waiting for
/// their hosts.
async fn stop_on_signals(stop: CancellationToken, rollouts: ActiveRollouts) {
    let mut signals = Signals::catch();
    signals.next().await;
    rollouts.announce_stop();
    stop.cancel();
    signals.next().await;
    rollouts.abandon();
}
