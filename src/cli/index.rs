//! `index`: build the search indexes.

use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::call::terminal_progress;
use super::prompt::cancel_on_signal;
use super::signals::Signals;
use super::{FAILED, OK, USAGE, clean_up, exit_with_error, runtime};
use crate::config::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::names::{HostName, NameError};
use crate::progress::Call;
use crate::search::index::{HostOptionsSource, IndexSource, IndexStore, PackageSource};
use crate::text;
use crate::tools::Services;

/// Build the search index of the packages, and of the options of hosts
///
/// Evaluates every package of the nixpkgs that the flake pins, or of the flake itself if it pins none.
/// A server does the same in the background at its first search. An index that exists is not built
/// again; its size and age are printed.
#[derive(Args, Debug)]
pub struct IndexCommand {
    /// Index the options of this host, too; can be repeated
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
}

impl IndexCommand {
    /// Builds the indexes.
    pub fn run(&self, settings: Settings) -> ExitCode {
        let hosts: Result<Vec<HostName>, NameError> = self.host.iter().map(|host| host.parse()).collect();
        let hosts = match hosts {
            Ok(hosts) => hosts,
            Err(error) => {
                let error = Diagnostic::new(Code::InvalidInput, error.to_string()).with_attr("host");
                return exit_with_error(&error, USAGE);
            }
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
            }
        };
        runtime.block_on(async {
            let services = Services::new(settings);
            let in_force = services.in_force();
            let flake = &in_force.flake;
            let done = cancel_on_signal(&mut Signals::catch(), async |cancel: &CancellationToken| {
                let call = Call::new(terminal_progress(), cancel.clone());
                let packages = PackageSource::of(flake).map_err(|error| Diagnostic::from(&error))?;
                let mut lines = vec![index("packages", &packages, flake, &call).await?];
                for host in hosts {
                    let name = format!("options of {host}");
                    lines.push(index(&name, &HostOptionsSource { host }, flake, &call).await?);
                }
                Ok(lines)
            })
            .await;
            clean_up().await;
            match done {
                Ok(lines) => {
                    for line in lines {
                        crate::stderr::print_line(line);
                    }
                    ExitCode::from(OK)
                }
                Err(error) => exit_with_error(&error, FAILED),
            }
        })
    }
}

/// Builds one index, and says in a line what it has.
async fn index<S: IndexSource>(
    what: &str,
    source: &S,
    flake: &Flake,
    call: &Call,
) -> Result<String, Diagnostic> {
    let store = IndexStore::new(flake);
    let obtained = store.obtain(source, flake, call).await.map_err(|error| Diagnostic::from(&error))?;
    let failed = |error| Diagnostic::from(&error);
    let count = obtained.index.count().map_err(failed)?;
    let unread = obtained.index.unread_count().map_err(failed)?;
    let content = source.identify(flake).await.map_err(|error| Diagnostic::from(&error))?;
    let kept = match (&obtained.not_kept, content.and_then(|content| store.size_and_time(&content))) {
        (Some(not_kept), _) => format!("not kept: {}", text::line(&not_kept.reason, 300)),
        (None, Some((size, built))) => {
            let age = SystemTime::now().duration_since(built).unwrap_or_default().as_secs();
            let age = if obtained.was_there {
                format!("built {} ago", duration(age))
            } else {
                format!("built in {}", duration(age))
            };
            format!("{}, {age}", text::bytes(size))
        }
        (None, None) => "not kept: the file is gone".to_owned(),
    };
    let unread = if unread > 0 { format!(", {unread} could not be read") } else { String::new() };
    Ok(format!("{count} {what}{unread}; {kept}"))
}

/// A number of seconds in one unit.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
