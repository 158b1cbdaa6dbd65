//! Assesses the risks of a deployment, by the facts of the old and the new system; above all, losing access.

use super::facts::Facts;
use crate::deploy::host::HostState;
use crate::deploy::plan::{HostPlan, Risk, Severity};
use crate::flake::UnreadPart;
use crate::text;

mod login;
mod unread;

/// The data by which risks are assessed.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Facts of the new configuration.
    pub facts: &'a Facts,
    /// Parts of the host's endpoint that could not be evaluated; the settings are used in their place.
    pub unread_place: &'a [UnreadPart],
    /// Facts of the running system; `None` if unknown.
    pub before: Option<&'a Facts>,
    /// The surveyed state of the machine.
    pub state: &'a HostState,
    /// The user that the deployment logs in as.
    pub user: &'a str,
    /// The SSH port of that login.
    pub port: u16,
    /// Fingerprint of the key that the host accepted; `None` if unknown.
    pub key: Option<&'a str>,
    /// Upper limit of the data to copy, in bytes.
    pub missing_bytes: u64,
    /// Devices and files that the new configuration needs and the machine lacks.
    pub missing_paths: &'a [String],
    /// Whether `switch-inhibitors` differs between the systems, which forbids switching without a reboot.
    pub inhibited: bool,
    /// Whether the flake has uncommitted changes.
    pub dirty: bool,
    /// Whether the machine is rebooted.
    pub reboot: bool,
    /// The time for the confirmation, in seconds, if the plan has a longer one; `None` if it has that time.
    pub raised_from: Option<u32>,
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

/// All risks of `plan`, the most severe first.
#[must_use]
pub fn assess(plan: &HostPlan, evidence: Evidence<'_>) -> Vec<Risk> {
    let mut risks = Vec::new();
    unread::assess(plan, evidence, &mut risks);
    push_machine_risks(plan, evidence, &mut risks);
    login::assess(evidence, &mut risks);
    push_disk_risks(evidence, &mut risks);
    push_change_risks(plan, evidence, &mut risks);
    risks.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.code.cmp(&other.code)));
    risks
}

fn push_machine_risks(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let (facts, state) = (evidence.facts, evidence.state);
    for refusal in &facts.refusals {
        risks.push(risk(
            &refusal.code,
            Severity::Blocking,
            refusal.message.clone(),
            "`pantheros.deploy.refusals` forbids this deployment (pantheros.deploy.refusals): correct it there",
        ));
    }
    // An empty name means that the network assigns it.
    if let (Some(wanted), Some(found)) = (&facts.host_name, &state.host_name)
        && !wanted.is_empty()
        && wanted != found
    {
        risks.push(risk(
            "wrong_host",
            Severity::Blocking,
            format!(
                "the machine that answers has the host name `{found}`; the configuration is for `{wanted}`"
            ),
            "check pantheros.deploy.targetHost; accept this risk only to rename the machine",
        ));
    }
    if let Some(machine) = &state.machine {
        let wanted = plan.system.as_str().split('-').next().unwrap_or_default();
        if wanted != machine {
            risks.push(risk(
                "wrong_architecture",
                Severity::Blocking,
                format!("the machine is {machine}; the system is for {}", plan.system),
                "set nixpkgs.hostPlatform to the platform of the machine",
            ));
        }
    }
    if let Some(other) = &state.deploying {
        risks.push(risk(
            "deployment_under_way",
            Severity::Blocking,
            format!("{other} is being deployed there"),
            "wait until it is confirmed or rolled back",
        ));
    }
}

/// Bytes that must stay free after the copy, for the profile, the boot menu and logs.
const SPARE: u64 = 64 * 1024 * 1024;

fn push_disk_risks(evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
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
                "name the disk that the machine boots from, as `ls -l /dev/disk/by-id` lists it",
            )
        } else if facts.file_systems.contains(path) {
            (
                "file_system_missing",
                Severity::Blocking,
                "name a device that exists (`lsblk -f`), create it first, or add `nofail` to its options: otherwise \
                 the machine does not boot completely",
            )
        } else {
            (
                "token_missing",
                Severity::Warning,
                "put the token there before secrets are needed: sudo opnix token set",
            )
        };
        risks.push(risk(code, severity, format!("{path} does not exist on the machine"), mend));
    }
}

fn push_change_risks(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let state_version = |facts: &Facts| facts.state_version.clone();
    if let (Some(before), Some(after)) =
        (evidence.before.and_then(state_version), state_version(evidence.facts))
        && before != after
    {
        risks.push(risk(
            "state_version_changed",
            Severity::Blocking,
            format!("system.stateVersion changes from {before} to {after}: services would treat their data as that of \
                another version"),
            "set it back: it is the NixOS version of the installation, not of the running system",
        ));
    }
    if plan.toplevel == plan.current {
        risks.push(risk(
            "nothing_changes",
            Severity::Note,
            "the machine already runs this system",
            "nothing to do",
        ));
    }
    if evidence.inhibited {
        risks.push(risk(
            "switch_inhibited",
            Severity::Warning,
            "a component changes that must not change while the system runs (switch-inhibitors): switching is refused",
            "plan the action `boot`, and reboot",
        ));
    }
    if evidence.reboot && !plan.boot_once {
        risks.push(risk(
            "boots_for_good",
            Severity::Blocking,
            "the boot loader cannot boot an entry only once: if the new system does not boot, a person has to select \
             the old one in the boot menu",
            "use systemd-boot, or make sure that you can reach the machine's console",
        ));
    }
    if plan.needs_reboot && !evidence.reboot {
        risks.push(risk(
            "needs_reboot",
            Severity::Note,
            "the kernel, the initial RAM disk or the kernel modules differ from those that the machine booted",
            "reboot at a convenient time",
        ));
    }
    if let Some(given) = evidence.raised_from {
        risks.push(risk(
            "rollback_timeout_raised",
            Severity::Note,
            format!(
                "the time for the confirmation is {given} s; watching the new system{} and confirming it take up to {} s",
                plan.settling_seconds.map(|seconds| format!(" for {seconds} s")).unwrap_or_default(),
                plan.rollback_timeout
            ),
            "set pantheros.deploy.rollbackTimeout to at least that time; this plan has it",
        ));
    }
    if evidence.dirty {
        risks.push(risk(
            "uncommitted_changes",
            Severity::Note,
            "the flake or an input of it has uncommitted changes",
            "commit them, so that the deployed system can be built again",
        ));
    }
}

#[cfg(test)]
mod tests;
