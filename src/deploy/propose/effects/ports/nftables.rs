//! The ruleset of `nftables.service`.

use super::{Protocol, Rules, Scope, interface, range};

/// The table of NixOS's firewall.
const TABLE: &str = "table inet nixos-fw {";

/// Lines that NixOS writes into that table. A `*` at the end stands for any ending.
const OWN: &[&str] = &[
    "set temp-ports {",
    "comment \"Temporarily opened ports\"",
    "type inet_proto . inet_service",
    "flags interval",
    "auto-merge",
    "chain rpfilter {",
    "type filter hook prerouting priority mangle + 10; policy drop;",
    "meta nfproto ipv4 udp sport . udp dport { 67 . 68, 68 . 67 } accept comment \"DHCPv4 client/server\"",
    "fib saddr . mark . iif oif exists accept",
    "fib saddr . mark oif exists accept",
    "jump rpfilter-allow",
    "chain rpfilter-allow {",
    "chain input {",
    "type filter hook input priority filter; policy drop;",
    "icmpv6 type echo-reply accept",
    "ct state vmap {",
    "ct state vmap { invalid : drop, established : accept, related : accept, new : jump input-allow, untracked: jump \
     input-allow }",
    "invalid : drop,",
    "established : accept,",
    "related : accept,",
    "new : jump input-allow,",
    "untracked: jump input-allow,",
    "tcp flags syn / fin,syn,rst,ack log level info prefix \"refused connection: \"",
    "log level info prefix \"rpfilter drop: \"",
    "pkttype broadcast log level info prefix \"refused broadcast: \"",
    "pkttype multicast log level info prefix \"refused multicast: \"",
    "pkttype host log level info prefix \"refused packet: \"",
    "meta l4proto tcp reject with tcp reset",
    "reject",
    "chain input-allow {",
    "meta l4proto . th dport @temp-ports accept",
    "icmp type echo-request accept comment \"allow ping\"",
    "icmpv6 type != { nd-redirect, 139 } accept comment *",
    "ip6 daddr fe80::/64 udp dport 546 accept comment \"DHCPv6 client\"",
    "chain forward {",
    "type filter hook forward priority filter; policy drop;",
    "new : jump forward-allow,",
    "untracked : jump forward-allow,",
    "chain forward-allow {",
    "icmpv6 type != { router-renumbering, 139 } accept comment *",
    "ct status dnat accept comment \"allow port forward\"",
];

/// Reads the lines of the ruleset; `None` if it lacks NixOS's firewall.
pub(super) fn read(ruleset: &str) -> Option<Rules> {
    let mut rules = Rules::default();
    let (mut depth, mut is_ours, mut was_ours) = (0_usize, false, false);
    let mut chain = "";
    for line in ruleset.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "}" {
            depth = depth.saturating_sub(1);
            is_ours &= depth > 0;
            continue;
        }
        let is_read = match depth {
            0 if line == TABLE => {
                (is_ours, was_ours) = (true, true);
                true
            }
            // What was loaded before is removed.
            0 => line.starts_with("include \"/") && line.ends_with("deletions.nft\"") || is_deletions(line),
            _ if is_ours => {
                if depth == 1 {
                    chain = line;
                }
                is_own(line) || is_accepted(line, chain, &mut rules)
            }
            _ => false,
        };
        if !is_read {
            rules.leave_unread(line);
        }
        if line.ends_with('{') {
            depth += 1;
        }
    }
    was_ours.then_some(rules)
}

fn is_deletions(line: &str) -> bool {
    line.starts_with("include \"/nix/store/") && line.ends_with("-nftables-deletions\"")
}

fn is_own(line: &str) -> bool {
    let is_ping = line
        .strip_prefix("icmp type echo-request limit rate ")
        .and_then(|rest| rest.strip_suffix(" accept comment \"allow ping\""))
        .is_some_and(|limit| limit.chars().all(|c| c.is_ascii_alphanumeric() || "/ ".contains(c)));
    is_ping
        || OWN.iter().any(|own| match own.strip_suffix('*') {
            // The comment is the end of the rule.
            Some(beginning) => line.strip_prefix(beginning).is_some_and(is_quoted),
            None => *own == line,
        })
}

fn is_quoted(text: &str) -> bool {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).is_some_and(|text| !text.contains('"'))
}

/// Reads a rule that accepts ports or interfaces; returns whether it is one.
fn is_accepted(line: &str, chain: &str, rules: &mut Rules) -> bool {
    let trusted = line
        .strip_prefix("iifname { ")
        .and_then(|rest| rest.strip_suffix(" } accept comment \"trusted interfaces\""))
        .filter(|_| chain == "chain input {");
    if let Some(names) = trusted {
        let names: Option<Vec<String>> = names.split(", ").map(interface).collect();
        for name in names.iter().flatten() {
            let scope = Scope { protocol: None, interface: Some(name.clone()), version: None };
            rules.accept(scope, (0, u16::MAX));
        }
        return names.is_some();
    }
    if chain != "chain input-allow {" {
        return false;
    }
    accepted_ports(line).is_some_and(|(scope, ranges)| {
        for range in ranges {
            rules.accept(scope.clone(), range);
        }
        true
    })
}

/// The ports of `[iifname X] (tcp|udp) dport { … } accept`.
fn accepted_ports(line: &str) -> Option<(Scope, Vec<(u16, u16)>)> {
    let (on, rest) = match line.strip_prefix("iifname ") {
        Some(rest) => {
            let (name, rest) = rest.split_once(' ')?;
            (Some(interface(name)?), rest)
        }
        None => (None, line),
    };
    let (protocol, rest) = rest.split_once(" dport ")?;
    let ports = rest.strip_suffix(" accept")?;
    let listed = ports.strip_prefix('{').and_then(|ports| ports.strip_suffix('}')).unwrap_or(ports);
    let ranges: Option<Vec<_>> = listed.split(',').map(|port| range(port.trim(), '-')).collect();
    let scope = Scope { protocol: Some(Protocol::parse(protocol)?), interface: on, version: None };
    Some((scope, ranges?))
}
