//! A plan as a person reads it in half a minute: which hosts, what changes, what could go wrong.
//!
//! Much of it was said by hosts, so each piece is made one plain line and cut short: nothing in it
//! can look like another line of the plan.

use super::plan::{
    Action, BuildOn, Change, Diff, HostPlan, PackageChange, Plan, Risk, Severity, SystemSource, UnitChanges,
};
use crate::text;
use crate::time::Timestamp;

/// Most hosts told in full; of the others, name and blocking risks.
const HOSTS: usize = 8;
/// Most changed packages named for one host.
const PACKAGES: usize = 8;
/// Most units named for one host and change.
const UNITS: usize = 6;
/// Most risks told for one host below blocking; those are always told.
const RISKS: usize = 8;

/// The plan at this moment, as lines without any control character.
#[must_use]
pub fn plan(plan: &Plan, now: Timestamp) -> String {
    let mut lines = Vec::new();
    let commit = plan.flake.revision.as_deref().map_or_else(
        || "in no repository".to_owned(),
        |revision| format!("at {}", line(revision, 12).trim_end_matches('…')),
    );
    let dirty = if plan.flake.dirty { ", with uncommitted changes" } else { "" };
    lines.push(format!("{} - {}", plan.id, headline(plan)));
    lines.push(format!("  from    {} {commit}{dirty}", line(&plan.flake.folder, 120)));
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
    for host in plan.hosts.iter().take(HOSTS) {
        lines.push(String::new());
        tell(host, plan.action, &mut lines);
    }
    let rest = plan.hosts.get(HOSTS..).unwrap_or_default();
    if !rest.is_empty() {
        lines.push(String::new());
        let names: Vec<&str> = rest.iter().map(|host| host.host.as_str()).collect();
        lines.push(format!("and {} more: {}", rest.len(), names.join(", ")));
        for host in rest {
            for risk in host.risks.iter().filter(|risk| risk.severity == Severity::Blocking) {
                lines.push(host.host.to_string());
                warn(risk, &mut lines);
            }
        }
    }
    lines.join("\n")
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

fn tell(host: &HostPlan, action: Action, lines: &mut Vec<String>) {
    let port = host.target.port.map(|port| format!(":{port}")).unwrap_or_default();
    let place = format!("{}@{}{port}", line(&host.target.user, 40), line(&host.target.address, 80));
    lines.push(format!("{} ({place}, {})", host.host, host.system));
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
        lines.push(format!("  changes {}", changes(&host.diff)));
    }
    match &host.diff.units {
        Some(changes) => {
            let units = units(changes);
            lines.push(format!("  units   {}", if units.is_empty() { "none are touched" } else { &units }));
        }
        None => lines.push("  units   not known before it is done".to_owned()),
    }
    if host.needs_reboot {
        lines.push("  reboot  needed for the new kernel, initrd or boot loader".to_owned());
    }
    if matches!(action, Action::Switch | Action::Test) {
        lines.push(format!("  undo    by itself, unless confirmed within {} s", host.rollback_timeout));
    }
    let others: Vec<&Risk> = host.risks.iter().filter(|risk| risk.severity != Severity::Blocking).collect();
    for risk in others.iter().take(RISKS) {
        warn(risk, lines);
    }
    if let Some(more) = others.len().checked_sub(RISKS).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more notes and warnings"));
    }
}

fn warn(risk: &Risk, lines: &mut Vec<String>) {
    let severity = match risk.severity {
        Severity::Note => "note   ",
        Severity::Warning => "warning",
        Severity::Blocking => "BLOCKING",
    };
    lines.push(format!("  {severity} {}: {}", line(&risk.code, 64), line(&risk.evidence, 240)));
    if !risk.mend.is_empty() {
        lines.push(format!("          mend: {}", line(&risk.mend, 240)));
    }
}

fn changes(diff: &Diff) -> String {
    let mut told: Vec<String> = diff.packages.iter().take(PACKAGES).map(package).collect();
    let rest = u64::try_from(diff.packages.len().saturating_sub(PACKAGES)).unwrap_or(u64::MAX);
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

fn units(changes: &UnitChanges) -> String {
    [
        ("stop", &changes.stop),
        ("start", &changes.start),
        ("restart", &changes.restart),
        ("reload", &changes.reload),
    ]
    .into_iter()
    .filter(|(_, units)| !units.is_empty())
    .map(|(verb, units)| {
        let named: Vec<String> = units.iter().take(UNITS).map(|unit| line(unit, 60)).collect();
        let more = units.len().saturating_sub(UNITS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{verb} {}{more}", named.join(", "))
    })
    .collect::<Vec<_>>()
    .join("; ")
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
        });
        insta::assert_snapshot!(plan(&one, "2026-07-28T12:03:10Z".parse().unwrap()), @r"
        plan-aaaaaaaaaaaaaaaaaaaaaaaaaa - switch web to a new system, now and for good
          from    /fleet at 0a1b2c3d, with uncommitted changes
          asked   by test 1.0, as alice (uid 1000)
          expires 2026-07-28T12:30:00Z (in 26 min)

        web (deploy@web.example.org:22, x86_64-linux)
          BLOCKING no_root_key: no user who can become root has an authorized key
                  mend: set users.users.deploy.openssh.authorizedKeys.keys
          now     /nix/store/00000000000000000000000000000000-nixos-system-old, generation 41
          then    /nix/store/00000000000000000000000000000000-nixos-system-new
          changes openssh 10.0 -> 10.1, and 3 more; closure 1.40 GiB (+1.91 MiB)
          units   restart sshd.service
          reboot  needed for the new kernel, initrd or boot loader
          undo    by itself, unless confirmed within 60 s
          warning dirty_flake: 2 files differ from the commit
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
        });
        let text = plan(&many, many.created);
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        assert!(text.contains("BLOCKING wrong_host"), "{text}");
        assert!(text.lines().count() < 100, "{text}");
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
