//! The ports that NixOS's firewall accepts, from the rules which its two modules write
//! (`nixos/modules/services/networking/firewall-iptables.nix` and `firewall-nftables.nix` of nixpkgs).

mod iptables;
mod nftables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::listing::{Content, SystemFiles};
use super::{Gaps, bound};
use crate::deploy::plan::{EffectPart, FirewallChange, PortChanges};

/// What a system's firewall accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rules {
    accepted: Accepted,
    /// Lines that NixOS does not write by itself. They can accept and refuse anything.
    unread: BTreeSet<String>,
}

/// What is accepted, by protocol, interface and IP version; ranges of ports, in any order.
type Accepted = BTreeMap<Scope, Vec<(u16, u16)>>;

/// What a rule applies to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    /// `None` for an interface on which everything is accepted.
    protocol: Option<Protocol>,
    /// `None` for all interfaces.
    interface: Option<String>,
    /// `None` for both versions of IP.
    version: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interface) = &self.interface {
            write!(f, " on {interface}")?;
        }
        if let Some(version) = self.version {
            write!(f, " over IPv{version}")?;
        }
        Ok(())
    }
}

impl Rules {
    fn accept(&mut self, scope: Scope, range: (u16, u16)) {
        self.accepted.entry(scope).or_default().push(range);
    }

    fn leave_unread(&mut self, line: &str) {
        // A rebuilt program in the same command is no change.
        self.unread.insert(super::without_hashes(line));
    }
}

/// The name of a network interface, also with a final `+` or `*` for any ending; `None` for other words.
fn interface(word: &str) -> Option<String> {
    let word = word.trim_matches('"');
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "_.:@-+*".contains(c);
    // Names have up to 15 bytes (`IFNAMSIZ`, netdevice(7)).
    (!word.is_empty() && word.len() <= 16 && word.chars().all(is_valid)).then(|| word.to_owned())
}

/// A port or a range of ports, whose ends `between` separates.
fn range(word: &str, between: char) -> Option<(u16, u16)> {
    let (from, to) = word.split_once(between).unwrap_or((word, word));
    let range = (from.parse().ok()?, to.parse().ok()?);
    (range.0 <= range.1).then_some(range)
}

/// The rules of the system's firewall; `None` if it has none.
fn rules(files: &SystemFiles) -> Result<Option<Rules>, &'static str> {
    if files.has_firewalld {
        return Err("its firewall is firewalld, whose zones are not read");
    }
    match (files.content("firewall"), files.content("nftables")) {
        (Content::Absent, Content::Absent) => Ok(None),
        (Content::Unread(why), _) | (_, Content::Unread(why)) => Err(why),
        (Content::Text(script), Content::Absent) => Ok(Some(iptables::read(script))),
        (Content::Absent, Content::Text(ruleset)) => nftables::read(ruleset)
            .map(Some)
            .ok_or("its nftables ruleset has no firewall of NixOS, and other rules are not read"),
        (Content::Text(_), Content::Text(_)) => Err("it has two firewalls, iptables and nftables"),
    }
}

pub(super) fn compare(before: &SystemFiles, after: &SystemFiles, gaps: &mut Gaps) -> Option<PortChanges> {
    let (before, after) = gaps.both(EffectPart::Ports, rules(before), rules(after))?;
    let unread = |rules: &Option<Rules>| rules.as_ref().map(|rules| rules.unread.clone()).unwrap_or_default();
    let (unread_before, unread_after) = (unread(&before), unread(&after));
    if unread_before == unread_after && !unread_after.is_empty() {
        let why = "both have the same further firewall rules, which are not read";
        gaps.add_both(EffectPart::Ports, why);
    } else {
        for (rules, is_after) in [(&unread_before, false), (&unread_after, true)] {
            if !rules.is_empty() {
                let why = format!("lines of further firewall rules, which are not read: {}", rules.len());
                gaps.add(EffectPart::Ports, is_after, why);
            }
        }
    }
    let mut changes = PortChanges::default();
    match (before, after) {
        (None, None) => {}
        (Some(_), None) => changes.firewall = Some(FirewallChange::Disabled),
        (None, Some(after)) => {
            changes.firewall = Some(FirewallChange::Enabled);
            changes.kept_open = beyond(&after.accepted, &Accepted::new());
        }
        (Some(before), Some(after)) => {
            changes.opened = beyond(&after.accepted, &before.accepted);
            changes.closed = beyond(&before.accepted, &after.accepted);
        }
    }
    let lists = [&mut changes.opened, &mut changes.closed, &mut changes.kept_open];
    changes.more = lists.into_iter().map(bound).sum();
    (changes != PortChanges::default()).then_some(changes)
}

/// What `these` accept and `others` do not, for people.
fn beyond(these: &Accepted, others: &Accepted) -> Vec<String> {
    let mut found = Vec::new();
    for (scope, ranges) in these {
        let others = others.get(scope).map(|ranges| merged(ranges)).unwrap_or_default();
        for (from, to) in without(&merged(ranges), &others) {
            found.push(match scope.protocol {
                None => format!("everything{scope}"),
                Some(protocol) => {
                    let name = if protocol == Protocol::Tcp { "tcp" } else { "udp" };
                    let ports = if from == to { from.to_string() } else { format!("{from}-{to}") };
                    format!("{name} {ports}{scope}")
                }
            });
        }
    }
    found
}

/// The same ports as disjoint ranges, in order.
fn merged(ranges: &[(u16, u16)]) -> Vec<(u16, u16)> {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (from, to) in ranges {
        match merged.last_mut() {
            Some(last) if u32::from(from) <= u32::from(last.1) + 1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// The ports of `ranges` that are not in `others`; both are disjoint and in order.
fn without(ranges: &[(u16, u16)], others: &[(u16, u16)]) -> Vec<(u16, u16)> {
    let mut left = Vec::new();
    for (from, to) in ranges {
        let (mut next, end) = (u32::from(*from), u32::from(*to));
        for (begin, last) in others.iter().map(|(begin, last)| (u32::from(*begin), u32::from(*last))) {
            if last < next || begin > end {
                continue;
            }
            if begin > next {
                left.push((next, begin - 1));
            }
            next = last + 1;
        }
        if next <= end {
            left.push((next, end));
        }
    }
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    left.into_iter().map(|(from, to)| (port(from), port(to))).collect()
}

#[cfg(test)]
mod tests;
