//! The script `firewall-start`.

use super::{Protocol, Rules, Scope, interface, range};

/// Reads the commands of the script.
pub(super) fn read(script: &str) -> Rules {
    let mut rules = Rules::default();
    for line in script.replace("\\\n", " ").lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || is_helper(line) {
            continue;
        }
        if !command(line, &mut rules) {
            rules.leave_unread(line);
        }
    }
    rules
}

/// Whether the line is one of the shell's that NixOS writes around its commands.
fn is_helper(line: &str) -> bool {
    const LINES: [&str; 6] = [
        "ip46tables() {",
        "iptables -w \"$@\"",
        "ip6tables -w \"$@\"",
        "}",
        "done",
        "for chain in nixos-fw nixos-fw-accept nixos-fw-log-refuse nixos-fw-refuse; do",
    ];
    LINES.contains(&line)
}

/// Reads a command; returns whether it is one that NixOS writes.
fn command(line: &str, rules: &mut Rules) -> bool {
    let line = ["2>/dev/null||true", "2>/dev/null || true", "2> /dev/null || true", "2>/dev/null|| true"]
        .iter()
        .find_map(|ending| line.strip_suffix(ending))
        .unwrap_or(line);
    // A shell would do more with the line than run one program.
    if line.contains([';', '|', '&', '`', '<', '>', '(']) {
        return false;
    }
    let mut words = line.split_ascii_whitespace();
    let version = match words.next() {
        Some("ip46tables") => None,
        Some("iptables") => Some(4),
        Some("ip6tables") => Some(6),
        _ => return false,
    };
    let words: Vec<&str> = words.filter(|word| *word != "-w").collect();
    match words.as_slice() {
        ["-t", "mangle", "-D" | "-A" | "-F" | "-X" | "-N", chain, rest @ ..] => {
            *chain == "nixos-fw-rpfilter" || (*chain == "PREROUTING" && *rest == ["-j", "nixos-fw-rpfilter"])
        }
        // What the module for NAT removes before it adds its own rules.
        ["-t", "nat" | "filter", "-D", _, "-j", chain] | ["-t", "nat" | "filter", "-F" | "-X", chain] => {
            chain.starts_with("nixos-nat-") || *chain == "nixos-filter-forward"
        }
        ["-D", "INPUT", "-j", "nixos-fw"] | ["-A", "INPUT", "-j", "nixos-fw"] => true,
        ["-F" | "-X", "\"$chain\""] => true,
        ["-N", chain] => chain.starts_with("nixos-fw"),
        ["-A", "nixos-fw-accept", "-j", "ACCEPT"] => true,
        ["-A", "nixos-fw-refuse", rest @ ..] => {
            matches!(rest, ["-j", "DROP" | "REJECT"])
                || *rest == ["-p", "tcp", "!", "--syn", "-j", "REJECT", "--reject-with", "tcp-reset"]
        }
        ["-A", "nixos-fw-log-refuse", rest @ ..] => {
            rest.contains(&"LOG") || rest.ends_with(&["-j", "nixos-fw-refuse"])
        }
        ["-A", "nixos-fw", rest @ ..] => rule(rest, version, rules),
        _ => false,
    }
}

/// Reads a rule of the chain of incoming packets.
fn rule(words: &[&str], version: Option<u8>, rules: &mut Rules) -> bool {
    let (protocol, ports, on) = match words {
        ["-j", "nixos-fw-log-refuse"]
        | ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "nixos-fw-accept"] => return true,
        // Ping and the messages of IPv6 have no ports.
        ["-p", "icmp", "--icmp-type", "echo-request", .., "-j", "nixos-fw-accept"] if version == Some(4) => {
            return true;
        }
        ["-p", "icmpv6", "-j", "nixos-fw-accept"]
        | ["-p", "icmpv6", "--icmpv6-type", "redirect" | "139", "-j", "DROP"]
        | ["-d", "fe80::/64", "-p", "udp", "--dport", "546", "-j", "nixos-fw-accept"]
            if version == Some(6) =>
        {
            return true;
        }
        ["-i", on, "-j", "nixos-fw-accept"] => (None, "0:65535", Some(*on)),
        ["-p", protocol, "--dport", ports, "-j", "nixos-fw-accept"] => (Some(*protocol), *ports, None),
        ["-p", protocol, "--dport", ports, "-j", "nixos-fw-accept", "-i", on] => {
            (Some(*protocol), *ports, Some(*on))
        }
        _ => return false,
    };
    let (protocol, on) = (protocol.map(Protocol::parse), on.map(interface));
    match (protocol, on, range(ports, ':')) {
        (Some(None), _, _) | (_, Some(None), _) | (_, _, None) => false,
        (protocol, on, Some(range)) => {
            rules.accept(Scope { protocol: protocol.flatten(), interface: on.flatten(), version }, range);
            true
        }
    }
}
