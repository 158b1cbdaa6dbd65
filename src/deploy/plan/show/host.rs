//! The lines about one host of a plan.

use super::{DetailLimits, EffectStyle, effect_lines, line};
use crate::deploy::plan::{
    Action, BuildOn, Change, Diff, HealthCheck, HostPlan, PackageChange, Plan, Risk, Severity, SystemSource,
    UnitChanges,
};
use crate::text;

/// Maximum length of a health check, in characters; a longer one ends in an ellipsis.
const CHECK: usize = 1_000;
/// Maximum length of an entry of the effects, in characters.
const EFFECT: usize = 400;

pub(super) fn host_address(host: &HostPlan) -> String {
    let port = host.target.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}@{}{port}, {}", line(&host.target.user, 40), line(&host.target.address, 80), host.system)
}

/// Adds the health checks, which run with the rights of the deploying user.
pub(super) fn push_checks(host: &HostPlan, lines: &mut Vec<String>) {
    for check in &host.health_checks {
        lines.push(match check {
            HealthCheck::Command(argv) => format!("  check   runs {}", line(&argv.join(" "), CHECK)),
            HealthCheck::Tcp(port) => format!("  check   TCP port {port}"),
            HealthCheck::Http(url) => format!("  check   {}", line(url, CHECK)),
        });
    }
}

pub(super) fn push_host(host: &HostPlan, plan: &Plan, limits: DetailLimits, lines: &mut Vec<String>) {
    lines.push(format!("{} ({})", host.host, host_address(host)));
    for risk in host.risks.iter().filter(|risk| risk.severity == Severity::Blocking) {
        push_risk(risk, lines);
    }
    let generation = match (host.profile_generation, &host.profile_path) {
        (Some(number), Some(path)) if *path == host.current => format!(", generation {number}"),
        (Some(number), _) => format!(", which is not the boot default, generation {number}"),
        (None, _) => String::new(),
    };
    lines.push(format!("  now     {}{generation}", host.current));
    let source = match host.source {
        SystemSource::New => String::new(),
        SystemSource::Generation(number) => format!(", which is generation {number}"),
        SystemSource::Present => ", already in its store".to_owned(),
    };
    let built = if host.build_on == BuildOn::Target { ", built on the host" } else { "" };
    lines.push(format!("  then    {}{source}{built}", host.toplevel));
    if host.toplevel == host.current {
        lines.push("  changes nothing: the host runs this system".to_owned());
    } else {
        lines.push(format!("  changes {}", changes(&host.diff, limits)));
    }
    match &host.diff.units {
        Some(changes) => {
            let units = units(changes, limits);
            lines.push(format!("  units   {}", if units.is_empty() { "none change" } else { &units }));
        }
        None => lines.push("  units   not known before the activation".to_owned()),
    }
    push_effects(host, limits, lines);
    if host.needs_reboot {
        lines.push("  reboot  needed for the new kernel, initrd or kernel modules".to_owned());
    }
    if matches!(plan.action, Action::Switch | Action::Test) || plan.reboot {
        push_checks(host, lines);
        lines.push(match host.settling_seconds {
            Some(seconds) => format!("  watch   {seconds} s without a failure before the confirmation"),
            None => "  watch   one look before the confirmation".to_owned(),
        });
        let mut undo = format!("rolls back by itself unless confirmed within {} s", host.rollback_timeout);
        if host.reboot_on_failure {
            undo.push_str("; reboots if no connection reaches it after that");
        }
        lines.push(format!("  undo    {undo}"));
    }
    let others: Vec<&Risk> = host.risks.iter().filter(|risk| risk.severity != Severity::Blocking).collect();
    for risk in others.iter().take(limits.risks) {
        push_risk(risk, lines);
    }
    if let Some(more) = others.len().checked_sub(limits.risks).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more notes and warnings"));
    }
}

pub(super) fn effect_style(limits: DetailLimits) -> EffectStyle {
    EffectStyle { most: limits.effects, most_files: limits.etc_files, clean: |said| line(said, EFFECT) }
}

/// Adds the effects besides packages and units.
fn push_effects(host: &HostPlan, limits: DetailLimits, lines: &mut Vec<String>) {
    match &host.diff.effects {
        Some(effects) => {
            let said = effect_lines(effects, effect_style(limits));
            lines.extend(said.into_iter().map(|(label, said)| format!("  {label:<7} {said}")));
        }
        None => lines
            .push("  unknown ports, users, keys, mounts, kernel parameters and files below /etc".to_owned()),
    }
}

pub(super) fn push_risk(risk: &Risk, lines: &mut Vec<String>) {
    let severity = match risk.severity {
        Severity::Note => "note   ",
        Severity::Warning => "warning",
        Severity::Blocking => "BLOCKING",
    };
    let place = risk.file.as_deref().map(|file| {
        let number = risk.line.map(|number| format!(":{number}")).unwrap_or_default();
        format!(" ({}{number})", line(file, 160))
    });
    let (code, place) = (line(&risk.code, 64), place.unwrap_or_default());
    lines.push(format!("  {severity} {code}{place}"));
    lines.push(format!("          {}{}", text::FENCE, line(&risk.evidence, 240)));
    if !risk.mend.is_empty() {
        lines.push(format!("          fix: {}", line(&risk.mend, 240)));
    }
}

fn changes(diff: &Diff, limits: DetailLimits) -> String {
    let mut parts: Vec<String> = diff.packages.iter().take(limits.packages).map(package).collect();
    let rest = u64::try_from(diff.packages.len().saturating_sub(limits.packages)).unwrap_or(u64::MAX);
    let more = diff.more_packages.saturating_add(rest);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    let sign = if diff.closure_delta_bytes < 0 { "-" } else { "+" };
    let delta = text::bytes(diff.closure_delta_bytes.unsigned_abs());
    let sizes = format!("closure {} ({sign}{delta})", text::bytes(diff.closure_bytes));
    if parts.is_empty() { format!("no packages; {sizes}") } else { format!("{}; {sizes}", parts.join(", ")) }
}

fn package(change: &PackageChange) -> String {
    let name = line(&change.name, 60);
    let versions = |list: &[String]| line(&list.join("/"), 60);
    let (before, after) = (versions(&change.before), versions(&change.after));
    match change.change {
        Change::Added => format!("+{name} {after}"),
        Change::Removed => format!("-{name} {before}"),
        Change::Downgraded => format!("{name} {before} -> {after} (older)"),
        Change::Upgraded | Change::Changed if before == after => format!("{name} {after} (rebuilt)"),
        Change::Upgraded | Change::Changed => format!("{name} {before} -> {after}"),
    }
    .trim_end()
    .to_owned()
}

fn units(changes: &UnitChanges, limits: DetailLimits) -> String {
    let mut parts: Vec<String> = [
        ("stop", &changes.stop),
        ("start", &changes.start),
        ("restart", &changes.restart),
        ("reload", &changes.reload),
    ]
    .into_iter()
    .filter(|(_, units)| !units.is_empty())
    .map(|(verb, units)| format!("{verb} {}", unit_names(units, limits.units)))
    .collect();
    if changes.more > 0 {
        parts.push(format!("and {} more", changes.more));
    }
    parts.join("; ")
}

pub(super) fn unit_names(units: &[String], most: usize) -> String {
    let mut named: Vec<String> = units.iter().take(most).map(|unit| line(unit, 60)).collect();
    let more = units.len().saturating_sub(most);
    if more > 0
        && let Some(last) = named.last_mut()
    {
        last.push_str(&format!(" and {more} more"));
    }
    named.join(", ")
}
