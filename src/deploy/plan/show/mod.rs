//! A plan as a person reads it in half a minute: which hosts, what changes, what could go wrong.
//!
//! Much of it was said by hosts, so each piece is made one plain line and cut short: nothing in it
//! can look like another line of the plan.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{
    Action, BuildOn, Change, Diff, FlakeSource, HealthCheck, HostPlan, PackageChange, Plan, Risk, Severity,
    SystemSource, UnitChanges,
};
use crate::text;
use crate::time::Timestamp;

/// How much of a plan is told.
#[derive(Clone, Copy)]
struct Room {
    /// Hosts told in full; of the others, what decides whether they are lost.
    hosts: usize,
    /// Files named that are not committed.
    files: usize,
    /// Changed packages named for one host.
    packages: usize,
    /// Units named for one host and change.
    units: usize,
    /// Notes and warnings told for one host; blocking risks always are.
    risks: usize,
}

/// What is read in a form.
const FORM: Room = Room { hosts: 8, files: 8, packages: 8, units: 6, risks: 8 };
/// Everything, for who can scroll.
const WHOLE: Room =
    Room { hosts: usize::MAX, files: usize::MAX, packages: usize::MAX, units: usize::MAX, risks: usize::MAX };
/// Longest health check, in characters. A longer one is not told in full, and says so.
const CHECK: usize = 1_000;

/// The plan at this moment, as lines without any control character, short enough for a form.
#[must_use]
pub fn plan(plan: &Plan, now: Timestamp) -> String {
    told(plan, now, FORM)
}

/// The same with all that it says.
#[must_use]
pub fn whole(plan: &Plan, now: Timestamp) -> String {
    told(plan, now, WHOLE)
}

fn told(plan: &Plan, now: Timestamp, room: Room) -> String {
    let mut lines = Vec::new();
    let commit = plan.flake.revision.as_deref().map_or_else(
        || "in no repository".to_owned(),
        |revision| format!("at {}", line(revision, 12).trim_end_matches('…')),
    );
    let dirty = if plan.flake.dirty { ", with uncommitted changes" } else { "" };
    let asked = plan.flake.asked_rev.as_deref();
    let asked = asked.map(|rev| format!(", asked for as {}", line(rev, 80))).unwrap_or_default();
    lines.push(format!("{} - {}", plan.id, headline(plan)));
    lines.push(format!("  from    {} {commit}{dirty}{asked}", line(&plan.flake.folder, 120)));
    if !plan.flake.dirty_files.is_empty() || !plan.flake.dirty_inputs.is_empty() {
        lines.push(format!("  changed {}", changed(&plan.flake, room)));
    }
    for (input, reference) in &plan.flake.overrides {
        lines.push(format!("  input   {} is {}, not as it is locked", line(input, 80), line(reference, 160)));
    }
    lines.push(format!(
        "  asked   by {}, as {}",
        line(&plan.requested_by.client, 80),
        line(&plan.requested_by.user, 80)
    ));
    lines.push(format!("  expires {} ({})", plan.expires, left(plan, now)));
    if plan.hosts.len() > 1 {
        let revert = if plan.revert_confirmed {
            "if one fails, those already confirmed go back too"
        } else {
            "if one fails, those already confirmed stay"
        };
        lines.push(format!("  order   {} first, then {} at a time; {revert}", plan.canary, plan.wave));
    }
    left_out(plan, &mut lines);
    for host in plan.hosts.iter().take(room.hosts) {
        lines.push(String::new());
        tell(host, plan, room, &mut lines);
    }
    let rest = plan.hosts.get(room.hosts..).unwrap_or_default();
    if !rest.is_empty() {
        lines.push(String::new());
        let all = format!("`pantheros-mcp plans {}` tells all of it", plan.id);
        lines.push(format!("and {} more, in short; {all}", rest.len()));
        in_short(rest, &mut lines);
    }
    lines.join("\n")
}

/// The files and inputs of the flake that no commit holds.
fn changed(flake: &FlakeSource, room: Room) -> String {
    let mut told: Vec<String> =
        flake.dirty_files.iter().take(room.files).map(|file| line(&text::joined(file), 120)).collect();
    let inputs = flake.dirty_inputs.iter().take(room.files);
    told.extend(inputs.map(|input| format!("the input {}", line(&text::joined(input), 120))));
    let rest = [&flake.dirty_files, &flake.dirty_inputs].map(|names| names.len().saturating_sub(room.files));
    let more = flake.more_dirty.saturating_add(rest.iter().sum::<usize>() as u64);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join(", ")
}

/// Hosts that were asked for, and are not in the plan.
fn left_out(plan: &Plan, lines: &mut Vec<String>) {
    if !plan.except.is_empty() {
        let names: Vec<_> = plan.except.iter().map(crate::names::HostName::as_str).collect();
        lines.push(format!("  without {}, left out by name", names.join(", ")));
    }
    for left in &plan.unreachable {
        lines.push(format!("  without {}, not reached", left.host));
        lines.push(format!("          {}{}", text::FENCE, line(&left.why, 160)));
    }
}

/// What is done to how many, in a line.
#[must_use]
pub fn headline(plan: &Plan) -> String {
    let hosts = match plan.hosts.as_slice() {
        [only] => only.host.to_string(),
        several => format!("{} hosts", several.len()),
    };
    match plan.action {
        Action::Switch => format!("switch {hosts} to a new system, now and for good"),
        Action::Boot if plan.reboot => {
            format!("restart {hosts} with a new system, and keep it if it is well")
        }
        Action::Boot => {
            format!("make a new system {hosts}'s default from the next start on; nothing runs yet")
        }
        Action::Test => format!("run a new system on {hosts} until the next start"),
        Action::DryActivate => format!("ask {hosts} what a new system would change; change nothing"),
    }
}

/// How long there is until a plan expires.
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

/// Hosts whose changes there is no room for: where and what they are, and, said once where it is the same for
/// several, what is run there and what could go wrong.
fn in_short(hosts: &[HostPlan], lines: &mut Vec<String>) {
    let mut said: BTreeMap<(Reverse<Severity>, Vec<String>), Vec<&str>> = BTreeMap::new();
    for host in hosts {
        let mut counts = vec![format!("{} packages", host.diff.packages.len())];
        if let Some(units) = &host.diff.units {
            let touched = [&units.stop, &units.start, &units.restart, &units.reload];
            counts.push(format!("{} units", touched.iter().map(|units| units.len()).sum::<usize>()));
            if !units.stop.is_empty() {
                counts.push(format!("stops {}", named(&units.stop, FORM.units)));
            }
        }
        lines.push(format!("{} ({}) gets {}: {}", host.host, place(host), host.toplevel, counts.join(", ")));
        let mut say = |severity, told: Vec<String>| {
            if !told.is_empty() {
                said.entry((Reverse(severity), told)).or_default().push(host.host.as_str());
            }
        };
        for risk in host.risks.iter().filter(|risk| risk.severity != Severity::Note) {
            let mut told = Vec::new();
            warn(risk, &mut told);
            say(risk.severity, told);
        }
        let mut told = Vec::new();
        checks(host, &mut told);
        say(Severity::Note, told);
    }
    for ((_, told), names) in said {
        let names = if names.len() == hosts.len() { "all of these".to_owned() } else { names.join(", ") };
        lines.push(format!("{names}:"));
        lines.extend(told);
    }
}

fn place(host: &HostPlan) -> String {
    let port = host.target.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}@{}{port}, {}", line(&host.target.user, 40), line(&host.target.address, 80), host.system)
}

/// Everything that is run to see whether it is well: it is run as who deploys.
fn checks(host: &HostPlan, lines: &mut Vec<String>) {
    for check in &host.health_checks {
        lines.push(match check {
            HealthCheck::Command(argv) => format!("  check   runs {}", line(&argv.join(" "), CHECK)),
            HealthCheck::Tcp(port) => format!("  check   TCP port {port}"),
            HealthCheck::Http(url) => format!("  check   {}", line(url, CHECK)),
        });
    }
}

fn tell(host: &HostPlan, plan: &Plan, room: Room, lines: &mut Vec<String>) {
    lines.push(format!("{} ({})", host.host, place(host)));
    for risk in host.risks.iter().filter(|risk| risk.severity == Severity::Blocking) {
        warn(risk, lines);
    }
    let generation = match (host.profile_generation, &host.profile_path) {
        (Some(number), Some(path)) if *path == host.current => format!(", generation {number}"),
        (Some(number), _) => format!(", which is not generation {number}, the newest there"),
        (None, _) => String::new(),
    };
    lines.push(format!("  now     {}{generation}", host.current));
    let source = match host.source {
        SystemSource::New => String::new(),
        SystemSource::Generation(number) => format!(", generation {number} again"),
        SystemSource::Present => ", which is there already".to_owned(),
    };
    let built = if host.build_on == BuildOn::Target { ", built there" } else { "" };
    lines.push(format!("  then    {}{source}{built}", host.toplevel));
    if host.toplevel == host.current {
        lines.push("  changes nothing: it runs this system".to_owned());
    } else {
        lines.push(format!("  changes {}", changes(&host.diff, room)));
    }
    match &host.diff.units {
        Some(changes) => {
            let units = units(changes, room);
            lines.push(format!("  units   {}", if units.is_empty() { "none are touched" } else { &units }));
        }
        None => lines.push("  units   not known before it is done".to_owned()),
    }
    if host.needs_reboot {
        lines.push("  reboot  needed for the new kernel, initrd or boot loader".to_owned());
    }
    if matches!(plan.action, Action::Switch | Action::Test) || plan.reboot {
        checks(host, lines);
        let mut undo = format!("by itself, unless confirmed within {} s", host.rollback_timeout);
        if host.reboot_on_failure {
            undo.push_str("; restarts itself where nobody reaches it after that");
        }
        lines.push(format!("  undo    {undo}"));
    }
    let others: Vec<&Risk> = host.risks.iter().filter(|risk| risk.severity != Severity::Blocking).collect();
    for risk in others.iter().take(room.risks) {
        warn(risk, lines);
    }
    if let Some(more) = others.len().checked_sub(room.risks).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more notes and warnings"));
    }
}

fn warn(risk: &Risk, lines: &mut Vec<String>) {
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
        lines.push(format!("          mend: {}", line(&risk.mend, 240)));
    }
}

fn changes(diff: &Diff, room: Room) -> String {
    let mut told: Vec<String> = diff.packages.iter().take(room.packages).map(package).collect();
    let rest = u64::try_from(diff.packages.len().saturating_sub(room.packages)).unwrap_or(u64::MAX);
    let more = diff.more_packages.saturating_add(rest);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    let sign = if diff.closure_delta_bytes < 0 { "-" } else { "+" };
    let delta = text::bytes(diff.closure_delta_bytes.unsigned_abs());
    let sizes = format!("closure {} ({sign}{delta})", text::bytes(diff.closure_bytes));
    if told.is_empty() { format!("no package; {sizes}") } else { format!("{}; {sizes}", told.join(", ")) }
}

fn package(change: &PackageChange) -> String {
    let name = line(&change.name, 60);
    let versions = |list: &[String]| line(&list.join("/"), 60);
    let (before, after) = (versions(&change.before), versions(&change.after));
    match change.change {
        Change::Added => format!("+{name} {after}"),
        Change::Removed => format!("-{name} {before}"),
        Change::Downgraded => format!("{name} {before} -> {after} (older)"),
        Change::Upgraded | Change::Changed if before == after => format!("{name} {after} (built otherwise)"),
        Change::Upgraded | Change::Changed => format!("{name} {before} -> {after}"),
    }
    .trim_end()
    .to_owned()
}

fn units(changes: &UnitChanges, room: Room) -> String {
    let mut told: Vec<String> = [
        ("stop", &changes.stop),
        ("start", &changes.start),
        ("restart", &changes.restart),
        ("reload", &changes.reload),
    ]
    .into_iter()
    .filter(|(_, units)| !units.is_empty())
    .map(|(verb, units)| format!("{verb} {}", named(units, room.units)))
    .collect();
    if changes.more > 0 {
        told.push(format!("and {} that are not listed", changes.more));
    }
    told.join("; ")
}

fn named(units: &[String], most: usize) -> String {
    let mut named: Vec<String> = units.iter().take(most).map(|unit| line(unit, 60)).collect();
    let more = units.len().saturating_sub(most);
    if more > 0
        && let Some(last) = named.last_mut()
    {
        last.push_str(&format!(" and {more} more"));
    }
    named.join(", ")
}

/// Any text as a piece of one line.
fn line(given: &str, limit: usize) -> String {
    let plain = text::plain(given);
    text::bounded(&plain.split_whitespace().collect::<Vec<_>>().join(" "), limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::plan::fixture;
    use proptest::prelude::*;

    #[test]
    fn a_plan_is_read_in_half_a_minute() {
        let mut one = fixture(&["web"]);
        one.id = format!("plan-{}", "a".repeat(26)).parse().unwrap();
        one.created = "2026-07-28T12:00:00Z".parse().unwrap();
        one.expires = "2026-07-28T12:30:00Z".parse().unwrap();
        one.hosts[0].needs_reboot = true;
        one.hosts[0].risks.push(Risk {
            code: "no_root_key".into(),
            severity: Severity::Blocking,
            evidence: "no user who can become root has an authorized key".into(),
            mend: "set users.users.deploy.openssh.authorizedKeys.keys".into(),
            file: Some("hosts/web.nix".into()),
            line: Some(12),
        });
        insta::assert_snapshot!(plan(&one, "2026-07-28T12:03:10Z".parse().unwrap()), @r"
        plan-aaaaaaaaaaaaaaaaaaaaaaaaaa - switch web to a new system, now and for good
          from    /fleet at 0a1b2c3d, with uncommitted changes
          changed hosts/web.nix, the input modules
          asked   by test 1.0, as alice (uid 1000)
          expires 2026-07-28T12:30:00Z (in 26 min)

        web (deploy@web.example.org:22, x86_64-linux)
          BLOCKING no_root_key (hosts/web.nix:12)
                  │ no user who can become root has an authorized key
                  mend: set users.users.deploy.openssh.authorizedKeys.keys
          now     /nix/store/00000000000000000000000000000000-nixos-system-old, generation 41
          then    /nix/store/00000000000000000000000000000000-nixos-system-new
          changes openssh 10.0 -> 10.1, and 3 more; closure 1.40 GiB (+1.91 MiB)
          units   restart sshd.service
          reboot  needed for the new kernel, initrd or boot loader
          check   TCP port 443
          check   runs true
          undo    by itself, unless confirmed within 60 s
          warning dirty_flake
                  │ 2 files differ from the commit
                  mend: commit them
        ");
    }

    #[test]
    fn many_hosts_are_named_and_every_blocking_risk_is_told() {
        let names: Vec<String> = (0..40).map(|number| format!("host{number}")).collect();
        let mut many = fixture(&names.iter().map(String::as_str).collect::<Vec<_>>());
        many.hosts[39].risks.push(Risk {
            code: "wrong_host".into(),
            severity: Severity::Blocking,
            evidence: "another machine answers".into(),
            mend: String::new(),
            file: None,
            line: None,
        });
        let text = plan(&many, many.created);
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        assert!(text.contains("\nhost39:\n  BLOCKING wrong_host"), "{text}");
        // What would be run is told of all, and everything where there is room.
        assert!(text.contains("all of these:\n  check   TCP port 443\n  check   runs true"), "{text}");
        let whole = whole(&many, many.created);
        assert_eq!(whole.matches("  now     ").count(), 40, "{whole}");
        assert!(text.lines().count() < 200, "{text}");
    }

    proptest! {
        #[test]
        fn nothing_a_host_says_looks_like_the_plan(said in "[\\s\\S]{0,400}") {
            let mut forged = fixture(&["web"]);
            let lines = plan(&forged, forged.created).lines().count();
            let host = &mut forged.hosts[0];
            host.risks[0].evidence = format!("x\n  BLOCKING{said}");
            host.risks[0].mend = format!("y{said}");
            host.target.user = said.clone();
            host.diff.packages[0].name = said.clone();
            host.diff.units = Some(UnitChanges { stop: vec![said.clone()], ..UnitChanges::default() });
            forged.flake.folder = said.clone();
            forged.requested_by.client = said;
            let text = plan(&forged, forged.created);
            prop_assert_eq!(text.lines().count(), lines);
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert!(!text.lines().any(|line| line.trim_start().starts_with("BLOCKING")));
        }
    }
}
