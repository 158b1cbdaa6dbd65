//! `audit`: check the audit log.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{FAILED, OK, exit_with_error};
use crate::audit::{AuditError, AuditLog, AuditReport};
use crate::canonical::Digest;
use crate::config::Settings;
use crate::deploy::PlanError;
use crate::diagnostic::{Code, Diagnostic};
use crate::state::StateFolder;

/// Check the audit log of deployments
///
/// The log is audit.jsonl in the state folder. Each line is a JSON object for a plan, an approval, a
/// deployment or an outcome, with the hash of the line before it.
#[derive(Args, Debug)]
pub struct AuditCommand {
    #[command(subcommand)]
    action: AuditAction,
}

#[derive(Debug, Subcommand)]
enum AuditAction {
    /// Check every entry, and that each follows the one before it
    ///
    /// Exits with 0 if the log is intact, and with 1 at the first entry that was altered, removed or
    /// moved. An incomplete entry at the end, as after a crash, is reported, and is not an error.
    ///
    /// A log whose last entries were removed looks intact. Keep the printed hash elsewhere, and pass
    /// it with --noted the next time: the check then fails if the log no longer has that entry.
    Verify {
        /// The hash that an earlier check printed; the log must have this entry
        #[arg(long, value_name = "HASH")]
        noted: Option<Digest>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl AuditCommand {
    /// Checks the log and prints the result.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let AuditAction::Verify { noted, json } = &self.action;
        let Some(path) = settings.deploy.state_folder.as_deref() else {
            return exit_with_error(&Diagnostic::from(&PlanError::NoFolder), FAILED);
        };
        let checked = StateFolder::open(path).map_err(AuditError::from).and_then(|folder| {
            let log = AuditLog::new(folder);
            log.verify(noted.as_ref()).map(|report| (log, report))
        });
        let (log, report) = match checked {
            Ok(checked) => checked,
            Err(error) => return exit_with_error(&Diagnostic::from(&error), FAILED),
        };
        let gone = noted.is_some() && report.noted.is_none();
        let whole = report.broken.is_none() && !gone;
        let path = log.path();
        let text = if *json {
            let broken =
                report.broken.as_ref().map(|broken| json!({"line": broken.line, "problem": broken.problem}));
            let value = json!({
                "ok": whole,
                "path": path,
                "entries": report.entries,
                "last": report.last,
                "noted": report.noted,
                "torn_bytes": report.torn_bytes,
                "broken": broken,
            });
            format!("{value:#}\n")
        } else {
            report_text(&report, &path.display().to_string(), gone)
        };
        match std::io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED)
            }
            _ => ExitCode::from(if whole { OK } else { FAILED }),
        }
    }
}

/// The report for a person.
fn report_text(report: &AuditReport, path: &str, gone: bool) -> String {
    let mut lines = Vec::new();
    match &report.broken {
        Some(broken) => {
            lines.push(format!("{path}: line {} is not valid: {}", broken.line, broken.problem));
            lines.push(format!("{} entries before it are valid", report.entries));
        }
        None => lines.push(format!("{path}: {} entries, all valid", report.entries)),
    }
    if gone {
        lines.push(
            "the log has no entry with the noted hash: its last entries were removed, or it was replaced"
                .to_owned(),
        );
    }
    if report.torn_bytes > 0 {
        lines.push(format!("the last {} bytes are an incomplete entry, as after a crash", report.torn_bytes));
    }
    if let Some(last) = &report.last {
        lines.push(format!("note this hash to check later that no entry was removed from the end: {last}"));
    }
    lines.join("\n") + "\n"
}
