//! Risks that could not be assessed because a fact could not be evaluated.

use super::{Evidence, risk};
use crate::deploy::plan::{HostPlan, Risk, Severity, SystemSource};
use crate::diagnostic::Diagnostic;
use crate::flake::UnreadPart;

/// The question that a fact decides, and the severity if the fact is unknown.
fn decided_by(fact: &str) -> (&'static str, Severity) {
    match fact {
        "boot_devices" => ("whether the machine has the disk that GRUB is installed on", Severity::Blocking),
        "file_systems" => ("whether the machine has all file systems that it boots from", Severity::Blocking),
        "host_name" => ("whether this is the intended machine", Severity::Blocking),
        "state_version" => ("whether system.stateVersion changes", Severity::Blocking),
        "system" => ("whether the machine has the architecture of the system", Severity::Blocking),
        "token_file" => ("whether the machine has the token for secrets", Severity::Warning),
        // `ssh`, `firewall`, `users` and `sudo`, and facts that a newer `facts.nix` may add.
        _ => ("whether the host could still be deployed to", Severity::Blocking),
    }
}

/// Adds a risk for each unread part of the new system's facts, the running system's facts, and the endpoint.
pub(super) fn assess(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    for part in &evidence.facts.unread {
        let (decides, severity) = decided_by(part.first().map_or("", String::as_str));
        // An existing generation cannot be corrected, and this must not prevent a rollback.
        let severity = if plan.source == SystemSource::New { severity } else { Severity::Warning };
        risks.push(unknown(&part.join("."), evidence.facts.reason(part), severity, decides));
    }
    let version = ["state_version".to_owned()];
    if let Some(before) = evidence.before.filter(|before| before.unread.contains(&version.to_vec())) {
        let decides = "whether system.stateVersion differs from that of the running system";
        risks.push(unknown("state_version", before.reason(&version), Severity::Warning, decides));
    }
    let says_where = |part: &&UnreadPart| ["target", "user", "port"].iter().any(|&name| part.covers([name]));
    for part in evidence.unread_place.iter().filter(says_where) {
        let decides = "whether the address, user and port in the settings agree with the configuration";
        risks.push(unknown(&part.place(), Some(&part.error), Severity::Warning, decides));
    }
}

fn unknown(part: &str, reason: Option<&Diagnostic>, severity: Severity, decides: &str) -> Risk {
    let why = reason.map(|reason| format!(": {}", reason.summary())).unwrap_or_default();
    let found = risk(
        "facts_unknown",
        severity,
        format!("it is not known {decides}: `{part}` could not be read{why}"),
        "correct the error in the configuration; accept this risk only if you know the answer by other means",
    );
    Risk {
        file: reason.and_then(|reason| reason.file.clone()),
        line: reason.and_then(|reason| reason.line),
        ..found
    }
}
