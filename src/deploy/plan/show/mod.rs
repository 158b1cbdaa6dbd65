//! A plan as a person reads it in half a minute: which hosts, what changes, what could go wrong.
//!
//! Hosts supply much of the text, so each piece becomes one plain line of limited length: no piece can
//! imitate another line of the plan.

mod effects;
mod host;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Action, FlakeSource, HostPlan, Plan, Severity};
use crate::advice::{Reader, Remedy};
use crate::text;
use crate::time::Timestamp;

pub use effects::{EffectStyle, effect_lines};
use host::{effect_style, host_address, push_checks, push_host, push_risk, unit_names};

/// How many items of each kind are shown.
#[derive(Clone, Copy)]
struct DetailLimits {
    /// Hosts shown in full; the others are shortened to their address, health checks and risks.
    hosts: usize,
    /// Uncommitted files, and as many unpinned inputs.
    files: usize,
    /// Changed packages of one host.
    packages: usize,
    /// Units of one host and one action.
    units: usize,
    /// Entries of one kind of effect.
    effects: usize,
    /// Files below `/etc` of one kind of change.
    etc_files: usize,
    /// Notes and warnings of one host; blocking risks are always shown.
    risks: usize,
}

/// For a form, which has to stay short.
const FORM: DetailLimits =
    DetailLimits { hosts: 8, files: 8, packages: 8, units: 6, effects: 6, etc_files: 4, risks: 8 };
/// For a terminal, which scrolls.
const WHOLE: DetailLimits = DetailLimits {
    hosts: usize::MAX,
    files: usize::MAX,
    packages: usize::MAX,
    units: usize::MAX,
    effects: usize::MAX,
    etc_files: usize::MAX,
    risks: usize::MAX,
};

/// The plan as lines without control characters, short enough for a form; `now` gives the time until it expires.
#[must_use]
pub fn plan(plan: &Plan, now: Timestamp) -> String {
    render(plan, now, FORM)
}

/// The same as [`plan`] without shortening the lists.
#[must_use]
pub fn whole(plan: &Plan, now: Timestamp) -> String {
    render(plan, now, WHOLE)
}

fn render(plan: &Plan, now: Timestamp, limits: DetailLimits) -> String {
    let mut lines = Vec::new();
    let commit = plan.flake.revision.as_deref().map_or_else(
        || "in no repository".to_owned(),
        |revision| format!("at {}", line(revision, 12).trim_end_matches('…')),
    );
    let dirty = if plan.flake.dirty { ", with uncommitted changes" } else { "" };
    let asked = plan.flake.asked_rev.as_deref();
    let asked = asked.map(|rev| format!(", requested as {}", line(rev, 80))).unwrap_or_default();
    lines.push(format!("{} - {}", plan.id, headline(plan)));
    lines.push(format!("  from    {} {commit}{dirty}{asked}", line(&plan.flake.folder, 120)));
    if !plan.flake.dirty_files.is_empty() || !plan.flake.dirty_inputs.is_empty() {
        lines.push(format!("  changed {}", changed(&plan.flake, limits)));
    }
    for (input, reference) in &plan.flake.overrides {
        lines.push(format!("  input   {} is {}, not the locked one", line(input, 80), line(reference, 160)));
    }
    lines.push(format!(
        "  asked   by {}, as {}",
        line(&plan.requested_by.client, 80),
        line(&plan.requested_by.user, 80)
    ));
    lines.push(format!("  expires {} ({})", plan.expires, left(plan, now)));
    if plan.hosts.len() > 1 {
        let revert = if plan.revert_confirmed {
            "if one fails or the rollout is stopped, confirmed hosts roll back too"
        } else {
            "if one fails or the rollout is stopped, confirmed hosts keep the new system"
        };
        lines.push(format!("  order   {} first, then {} at a time; {revert}", plan.canary, plan.wave));
    }
    push_left_out(plan, &mut lines);
    for host in plan.hosts.iter().take(limits.hosts) {
        lines.push(String::new());
        push_host(host, plan, limits, &mut lines);
    }
    let rest = plan.hosts.get(limits.hosts..).unwrap_or_default();
    if !rest.is_empty() {
        lines.push(String::new());
        let all = Remedy::ShowPlan { plan: plan.id.to_string() }.text(Reader::Person);
        lines.push(format!("and {} more hosts, shortened; {all}", rest.len()));
        push_short_hosts(rest, &mut lines);
    }
    lines.join("\n")
}

/// The uncommitted files and the unpinned inputs of the flake.
fn changed(flake: &FlakeSource, limits: DetailLimits) -> String {
    let mut names: Vec<String> =
        flake.dirty_files.iter().take(limits.files).map(|file| line(&text::joined(file), 120)).collect();
    let inputs = flake.dirty_inputs.iter().take(limits.files);
    names.extend(inputs.map(|input| format!("the input {}", line(&text::joined(input), 120))));
    let rest =
        [&flake.dirty_files, &flake.dirty_inputs].map(|names| names.len().saturating_sub(limits.files));
    let more = flake.more_dirty.saturating_add(rest.iter().sum::<usize>() as u64);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// Requested hosts that are not in the plan.
fn push_left_out(plan: &Plan, lines: &mut Vec<String>) {
    if !plan.except.is_empty() {
        let names: Vec<_> = plan.except.iter().map(crate::names::HostName::as_str).collect();
        lines.push(format!("  without {}, left out by name", names.join(", ")));
    }
    for left in &plan.unreachable {
        lines.push(format!("  without {}, not reached", left.host));
        lines.push(format!("          {}{}", text::FENCE, line(&left.why, 160)));
    }
}

/// The action and its hosts in one line.
#[must_use]
pub fn headline(plan: &Plan) -> String {
    let hosts = match plan.hosts.as_slice() {
        [only] => only.host.to_string(),
        several => format!("{} hosts", several.len()),
    };
    match plan.action {
        Action::Switch => format!("switch {hosts} to a new system now, and make it the boot default"),
        Action::Boot if plan.reboot => {
            format!("reboot {hosts} into a new system, and keep it if it is healthy")
        }
        Action::Boot => {
            format!("make a new system the boot default of {hosts}; it runs from the next boot on")
        }
        Action::Test => format!("run a new system on {hosts} until the next boot"),
        Action::DryActivate => format!("report what a new system would change on {hosts}; change nothing"),
    }
}

/// The time until the plan expires, or `expired`.
#[must_use]
pub fn left(plan: &Plan, now: Timestamp) -> String {
    if plan.is_expired(now) {
        return "expired".to_owned();
    }
    match plan.expires.since(now).as_secs() {
        seconds @ 0..60 => format!("in {seconds} s"),
        seconds => format!("in {} min", seconds / 60),
    }
}

/// Adds the hosts that exceed the limit: one line each, then their health checks and risks, which appear once for all
/// hosts that share them.
fn push_short_hosts(hosts: &[HostPlan], lines: &mut Vec<String>) {
    let mut hosts_by_lines: BTreeMap<(Reverse<Severity>, Vec<String>), Vec<&str>> = BTreeMap::new();
    for host in hosts {
        let mut counts = vec![format!("{} packages", host.diff.packages.len())];
        if let Some(units) = &host.diff.units {
            let touched = [&units.stop, &units.start, &units.restart, &units.reload];
            counts.push(format!("{} units", touched.iter().map(|units| units.len()).sum::<usize>()));
            if !units.stop.is_empty() {
                counts.push(format!("stops {}", unit_names(&units.stop, FORM.units)));
            }
        }
        match &host.diff.effects {
            Some(effects) => counts.extend(effects::effect_counts(effects, effect_style(FORM))),
            None => counts.push("unknown effects".to_owned()),
        }
        lines.push(format!(
            "{} ({}) gets {}: {}",
            host.host,
            host_address(host),
            host.toplevel,
            counts.join(", ")
        ));
        let mut add = |severity, host_lines: Vec<String>| {
            if !host_lines.is_empty() {
                hosts_by_lines.entry((Reverse(severity), host_lines)).or_default().push(host.host.as_str());
            }
        };
        for risk in host.risks.iter().filter(|risk| risk.severity != Severity::Note) {
            let mut host_lines = Vec::new();
            push_risk(risk, &mut host_lines);
            add(risk.severity, host_lines);
        }
        let mut host_lines = Vec::new();
        push_checks(host, &mut host_lines);
        add(Severity::Note, host_lines);
    }
    for ((_, host_lines), names) in hosts_by_lines {
        let names = if names.len() == hosts.len() { "all of these".to_owned() } else { names.join(", ") };
        lines.push(format!("{names}:"));
        lines.extend(host_lines);
    }
}

/// Reduces any text to one line of at most `limit` characters.
fn line(given: &str, limit: usize) -> String {
    let plain = text::plain(given);
    text::bounded(&plain.split_whitespace().collect::<Vec<_>>().join(" "), limit)
}

#[cfg(test)]
mod tests;
