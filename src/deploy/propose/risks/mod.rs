//! What could go wrong when a system is deployed, by facts before and after; above all, losing the host.

use super::facts::Facts;
use crate::advice::Remedy;
use crate::deploy::host::HostState;
use crate::deploy::plan::{HostPlan, Risk, Severity};
use crate::flake::UnreadPart;
use crate::text;

mod login;
mod unread;

/// What is known when risks are judged.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What the new configuration says.
    pub facts: &'a Facts,
    /// What the configuration has of where the host is, and could not be read: the settings say it instead.
    pub unread_place: &'a [UnreadPart],
    /// What the configuration that runs said, where that is known.
    pub before: Option<&'a Facts>,
    /// What the machine says.
    pub state: &'a HostState,
    /// Who logs in to deploy.
    pub user: &'a str,
    /// The port that is used for it.
    pub port: u16,
    /// The fingerprint of the key that let us in, where it is known.
    pub key: Option<&'a str>,
    /// What has to be copied at most, in bytes.
    pub missing_bytes: u64,
    /// The boot devices and files of the new configuration that are not on the machine.
    pub missing_paths: &'a [String],
    /// Whether what forbids switching without a reboot differs (`switch-inhibitors`).
    pub inhibited: bool,
    /// Whether the flake has changes that no commit holds.
    pub dirty: bool,
    /// Whether the machine is started anew.
    pub reboot: bool,
}

/// Longest evidence of a risk, in characters.
pub const EVIDENCE_LIMIT: usize = 400;

fn risk(code: &str, severity: Severity, evidence: impl Into<String>, mend: &str) -> Risk {
    Risk {
        code: code.to_owned(),
        severity,
        evidence: text::bounded(&evidence.into(), EVIDENCE_LIMIT),
        mend: mend.to_owned(),
        file: None,
        line: None,
    }
}

/// Every risk of `plan`, the worst first.
#[must_use]
pub fn judge(plan: &HostPlan, evidence: Evidence<'_>) -> Vec<Risk> {
    let mut risks = Vec::new();
    unread::judge(plan, evidence, &mut risks);
    the_machine(plan, evidence, &mut risks);
    login::judge(evidence, &mut risks);
    the_disk(evidence, &mut risks);
    the_change(plan, evidence, &mut risks);
    risks.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.code.cmp(&other.code)));
    risks
}

fn the_machine(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let (facts, state) = (evidence.facts, evidence.state);
    for refusal in &facts.refusals {
        risks.push(risk(
            &refusal.code,
            Severity::Blocking,
            refusal.message.clone(),
            "the configuration itself refuses to be deployed: mend it there (pantheros.deploy.refusals)",
        ));
    }
    // An empty name is one that the network gives.
    if let (Some(wanted), Some(found)) = (&facts.host_name, &state.host_name)
        && !wanted.is_empty()
        && wanted != found
    {
        risks.push(risk(
            "wrong_host",
            Severity::Blocking,
            format!("the machine that answers calls itself `{found}`; the configuration is for `{wanted}`"),
            "check pantheros.deploy.targetHost; name this risk only where the machine is to be renamed",
        ));
    }
    if let Some(machine) = &state.machine {
        let wanted = plan.system.as_str().split('-').next().unwrap_or_default();
        if wanted != machine {
            risks.push(risk(
                "wrong_architecture",
                Severity::Blocking,
                format!("the machine is {machine}; the system is for {}", plan.system),
                "set nixpkgs.hostPlatform to what the machine is",
            ));
        }
    }
    if let Some(other) = &state.deploying {
        risks.push(risk(
            "deployment_under_way",
            Severity::Blocking,
            format!("{other} is being deployed there"),
            &Remedy::ShowStatus.after("wait until it is confirmed or undone; ").to_string(),
        ));
    }
}

/// Room that is left free beside what is copied: the profile, the boot menu and logs need some.
const SPARE: u64 = 64 * 1024 * 1024;

fn the_disk(evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let store =
        ["/nix", "/"].iter().find_map(|mount| evidence.state.room.iter().find(|room| room.mount == *mount));
    if let Some(store) = store
        && store.free < evidence.missing_bytes.saturating_add(SPARE)
    {
        risks.push(risk(
            "no_room",
            Severity::Blocking,
            format!(
                "{} has {} free, and up to {} have to be copied",
                store.mount,
                indicatif::HumanBytes(store.free),
                indicatif::HumanBytes(evidence.missing_bytes)
            ),
            "collect garbage on the host (nix-collect-garbage -d keeps the running system), or enlarge the disk",
        ));
    }
    for path in evidence.missing_paths {
        let facts = evidence.facts;
        let (code, severity, mend) = if facts.boot_devices.contains(path) {
            (
                "boot_device_missing",
                Severity::Blocking,
                "name the disk the machine starts from, as `ls -l /dev/disk/by-id` shows it",
            )
        } else if facts.file_systems.contains(path) {
            (
                "file_system_missing",
                Severity::Blocking,
                "name the device that is there (`lsblk -f`), make it first, or add `nofail` to its options: \
                 without it the machine does not start up whole",
            )
        } else {
            (
                "token_missing",
                Severity::Warning,
                "put the token there before secrets are needed: sudo opnix token set",
            )
        };
        risks.push(risk(code, severity, format!("{path} is not on the machine"), mend));
    }
}

fn the_change(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let state_version = |facts: &Facts| facts.state_version.clone();
    if let (Some(before), Some(after)) =
        (evidence.before.and_then(state_version), state_version(evidence.facts))
        && before != after
    {
        risks.push(risk(
            "state_version_changed",
            Severity::Blocking,
            format!("system.stateVersion goes from {before} to {after}: services would take their data for another version's"),
            "set it back; it says when the host was installed, not which NixOS it runs",
        ));
    }
    if plan.toplevel == plan.current {
        risks.push(risk(
            "nothing_changes",
            Severity::Note,
            "the machine runs this very system",
            "nothing to do",
        ));
    }
    if evidence.inhibited {
        risks.push(risk(
            "switch_inhibited",
            Severity::Warning,
            "what must not change while the system runs does change (switch-inhibitors): switching refuses",
            "plan the action `boot`, and reboot",
        ));
    }
    if evidence.reboot && !plan.boot_once {
        risks.push(risk(
            "boots_for_good",
            Severity::Blocking,
            "the boot loader cannot start an entry once: a system that does not come up has to be left by hand, in its menu",
            "use systemd-boot, or have the machine's console at hand",
        ));
    }
    if plan.needs_reboot && !evidence.reboot {
        risks.push(risk(
            "needs_reboot",
            Severity::Note,
            "kernel, initial RAM disk or modules differ from those the machine started with",
            "reboot when it suits",
        ));
    }
    if evidence.dirty {
        risks.push(risk(
            "uncommitted_changes",
            Severity::Note,
            "the flake, or an input of it, has changes that no commit holds",
            "commit them, so that what runs can be found again",
        ));
    }
}

#[cfg(test)]
mod tests;
