//! What could not be judged, because what decides it could not be read.

use super::{Evidence, risk};
use crate::deploy::plan::{HostPlan, Risk, Severity, SystemSource};
use crate::diagnostic::Diagnostic;
use crate::flake::UnreadPart;

/// What a part of the facts decides, and how bad it is not to know that.
fn decided_by(fact: &str) -> (&'static str, Severity) {
    match fact {
        "boot_devices" => {
            ("whether the disk that GRUB would be written to is on the machine", Severity::Blocking)
        }
        "file_systems" => ("whether all that the machine starts from is on it", Severity::Blocking),
        "host_name" => ("whether this is the machine that is meant", Severity::Blocking),
        "state_version" => ("whether system.stateVersion changes", Severity::Blocking),
        "system" => ("whether the machine is of the architecture", Severity::Blocking),
        "token_file" => ("whether the token for secrets is on the machine", Severity::Warning),
        // `ssh`, `firewall`, `users` and `sudo`, and what a newer `facts.nix` may say.
        _ => ("whether the host could still be deployed to", Severity::Blocking),
    }
}

/// What is not known of the new configuration, of the one that runs, and of where the host is.
pub(super) fn judge(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    for part in &evidence.facts.unread {
        let (decides, severity) = decided_by(part.first().map_or("", String::as_str));
        // There is no mending what was made before, and going back must not be the harder for it.
        let severity = if plan.source == SystemSource::New { severity } else { Severity::Warning };
        risks.push(unknown(&part.join("."), evidence.facts.reason(part), severity, decides));
    }
    let version = ["state_version".to_owned()];
    if let Some(before) = evidence.before.filter(|before| before.unread.contains(&version.to_vec())) {
        let decides = "whether system.stateVersion differs from that of the system that runs";
        risks.push(unknown("state_version", before.reason(&version), Severity::Warning, decides));
    }
    let says_where = |part: &&UnreadPart| ["target", "user", "port"].iter().any(|&name| part.covers([name]));
    for part in evidence.unread_place.iter().filter(says_where) {
        let decides = "whether the settings say the same of where the host is";
        risks.push(unknown(&part.place(), Some(&part.error), Severity::Warning, decides));
    }
}

fn unknown(part: &str, reason: Option<&Diagnostic>, severity: Severity, decides: &str) -> Risk {
    let why = reason.map(|reason| format!(": {}", reason.summary())).unwrap_or_default();
    let found = risk(
        "facts_unknown",
        severity,
        format!("it is not known {decides}: `{part}` could not be read{why}"),
        "mend what fails there in the configuration; name this risk only where you know it by other means",
    );
    Risk {
        file: reason.and_then(|reason| reason.file.clone()),
        line: reason.and_then(|reason| reason.line),
        ..found
    }
}
