use super::*;

/// The commands of `firewall-start` of nixpkgs 26.11 for these rules, with `extra` as `extraCommands`.
fn script(rules: &str, extra: &str) -> String {
    format!(
        r##"#! /nix/store/zh1ijdhb6gng1509b1zrilb6xlzx60j6-bash-5.3p9/bin/bash -e
# Helper command to manipulate both the IPv4 and IPv6 tables.
ip46tables() {{
  iptables -w "$@"
  ip6tables -w "$@"

}}

# Flush the old firewall rules.
ip46tables -D INPUT -j nixos-fw 2> /dev/null || true
for chain in nixos-fw nixos-fw-accept nixos-fw-log-refuse nixos-fw-refuse; do
  ip46tables -F "$chain" 2> /dev/null || true
  ip46tables -X "$chain" 2> /dev/null || true
done

ip46tables -N nixos-fw-accept
ip46tables -A nixos-fw-accept -j ACCEPT
ip46tables -N nixos-fw-refuse
ip46tables -A nixos-fw-refuse -p tcp ! --syn -j REJECT --reject-with tcp-reset
ip46tables -A nixos-fw-refuse -j REJECT
ip46tables -N nixos-fw-log-refuse
ip46tables -A nixos-fw-log-refuse -p tcp --syn -j LOG --log-level info --log-prefix "refused connection: "
ip46tables -A nixos-fw-log-refuse -m pkttype --pkt-type broadcast \
  -j LOG --log-level info --log-prefix "refused broadcast: "
ip46tables -A nixos-fw-log-refuse -m pkttype ! --pkt-type unicast -j nixos-fw-refuse
ip46tables -A nixos-fw-log-refuse -j nixos-fw-refuse
ip46tables -N nixos-fw
ip46tables -t mangle -D PREROUTING -j nixos-fw-rpfilter 2> /dev/null || true
ip46tables -t mangle -F nixos-fw-rpfilter 2> /dev/null || true
ip46tables -t mangle -N nixos-fw-rpfilter 2> /dev/null || true
ip46tables -t mangle -A nixos-fw-rpfilter -m rpfilter --validmark  -j RETURN
iptables -t mangle -A nixos-fw-rpfilter -p udp --sport 67 --dport 68 -j RETURN
ip46tables -t mangle -A nixos-fw-rpfilter -j DROP
ip46tables -t mangle -A PREROUTING -j nixos-fw-rpfilter

# Accept all traffic on the trusted interfaces.
ip46tables -A nixos-fw -i lo -j nixos-fw-accept

ip46tables -A nixos-fw -m conntrack --ctstate ESTABLISHED,RELATED -j nixos-fw-accept
{rules}
iptables -w -A nixos-fw -p icmp --icmp-type echo-request -m limit --limit 1/minute -j nixos-fw-accept
ip6tables -A nixos-fw -p icmpv6 --icmpv6-type redirect -j DROP
ip6tables -A nixos-fw -p icmpv6 --icmpv6-type 139 -j DROP
ip6tables -A nixos-fw -p icmpv6 -j nixos-fw-accept
ip6tables -A nixos-fw -d fe80::/64 -p udp --dport 546 -j nixos-fw-accept

ip46tables -w -t nat -D PREROUTING -j nixos-nat-pre 2>/dev/null|| true
ip46tables -w -t nat -F nixos-nat-pre 2>/dev/null || true
ip46tables -w -t filter -D FORWARD -j nixos-filter-forward 2>/dev/null || true
ip46tables -w -t filter -X nixos-filter-forward 2>/dev/null || true
{extra}
# Reject/drop everything else.
ip46tables -A nixos-fw -j nixos-fw-log-refuse
ip46tables -A INPUT -j nixos-fw
"##
    )
}

/// The ruleset of `nftables.service` of nixpkgs 26.11 for these rules, with `extra` as `extraInputRules`.
fn ruleset(rules: &str, extra: &str) -> String {
    format!(
        r#"#! /nix/store/0w7yga0dygcrpcgb29naqwir3i43ldgd-nftables-1.1.6/bin/nft -f
# previous deletions, if any
include "/var/lib/nftables/deletions.nft"
# current deletions
include "/nix/store/43n2z8ln9x883zfx8pjw3q1jgfzsh5cw-nftables-deletions"
table inet nixos-fw {{
  set temp-ports {{
  comment "Temporarily opened ports"
  type inet_proto . inet_service
  flags interval
  auto-merge
}}

chain rpfilter {{
  type filter hook prerouting priority mangle + 10; policy drop;

  meta nfproto ipv4 udp sport . udp dport {{ 67 . 68, 68 . 67 }} accept comment "DHCPv4 client/server"
  fib saddr . mark . iif oif exists accept

  jump rpfilter-allow

  log level info prefix "rpfilter drop: "
}}

chain rpfilter-allow {{
}}

chain input {{
  type filter hook input priority filter; policy drop;

  iifname {{ "tailscale0", "lo" }} accept comment "trusted interfaces"

  # Multicast ICMPv6 echo replies get marked as invalid by conntrack.
  icmpv6 type echo-reply accept

  ct state vmap {{
    invalid : drop,
    established : accept,
    related : accept,
    new : jump input-allow,
    untracked: jump input-allow,
  }}

  meta l4proto tcp reject with tcp reset
reject
}}

chain input-allow {{

{rules}

  meta l4proto . th dport @temp-ports accept

  icmp type echo-request limit rate 2/second accept comment "allow ping"
  icmpv6 type != {{ nd-redirect, 139 }} accept comment "Accept all ICMPv6 messages except redirects and node information queries (type 139).  See RFC 4890, section 4.4."
  ip6 daddr fe80::/64 udp dport 546 accept comment "DHCPv6 client"

{extra}
}}

chain forward {{
  type filter hook forward priority filter; policy drop;

  ct state vmap {{
    invalid : drop,
    established : accept,
    related : accept,
    new : jump forward-allow,
    untracked : jump forward-allow,
  }}
}}

chain forward-allow {{
  icmpv6 type != {{ router-renumbering, 139 }} accept comment "Accept all ICMPv6 messages except renumbering and node information queries (type 139).  See RFC 4890, section 4.3."

  ct status dnat accept comment "allow port forward"
}}


}}
"#
    )
}

fn shown(rules: &Rules) -> Vec<String> {
    beyond(&rules.accepted, &Accepted::new())
}

#[test]
fn the_script_of_nixos_is_read_whole() {
    let rules = "ip46tables -A nixos-fw -p tcp --dport 22 -j nixos-fw-accept \n\
         ip46tables -A nixos-fw -p tcp --dport 443 -j nixos-fw-accept -i eth0\n\
         ip46tables -A nixos-fw -p udp --dport 60000:61000 -j nixos-fw-accept \n\
         iptables -A nixos-fw -p tcp --dport 25 -j nixos-fw-accept";
    let read = iptables::read(&script(rules, ""));
    assert_eq!(read.unread, BTreeSet::new());
    assert_eq!(
        shown(&read),
        ["everything on lo", "tcp 22", "tcp 25 over IPv4", "tcp 443 on eth0", "udp 60000-61000"]
    );
}

#[test]
fn commands_of_others_stay_unread() {
    for extra in [
        "iptables -A nixos-fw -p tcp --source 10.0.0.0/8 --dport 5432 -j nixos-fw-accept",
        "iptables -I INPUT -j ACCEPT",
        "iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to 10.0.0.2",
        "ip46tables -A nixos-fw -p tcp --dport 22 -j nixos-fw-accept; iptables -F",
        "ip46tables -A nixos-fw -p tcp --dport $(cat /port) -j nixos-fw-accept",
        "ip46tables -A nixos-fw -p tcp --dport 80,443 -j nixos-fw-accept",
        "ip46tables -A nixos-fw -p sctp --dport 80 -j nixos-fw-accept",
        "ip46tables -A nixos-fw -p tcp --dport 80:70 -j nixos-fw-accept",
        "/nix/store/0w7yga0dygcrpcgb29naqwir3i43ldgd-ipset/bin/ipset create x hash:ip",
        "ip46tables -P INPUT ACCEPT",
        "ip46tables -A nixos-fw-accept -j DROP",
        "exit 0",
    ] {
        let read = iptables::read(&script("", extra));
        assert_eq!(read.unread.len(), 1, "{extra}: {read:?}");
        assert_eq!(shown(&read), ["everything on lo"], "{extra}");
    }
}

#[test]
fn the_ruleset_of_nixos_is_read_whole() {
    let rules = "   tcp dport { 22, 80, 8000-8010 } accept\n udp dport { 60000-61000 } accept\n\
         iifname enp+ tcp dport { 9100 } accept\n\niifname \"wg0\" udp dport { 51820 } accept";
    let read = nftables::read(&ruleset(rules, "  tcp dport 25 accept")).unwrap();
    assert_eq!(read.unread, BTreeSet::new());
    assert_eq!(
        shown(&read),
        [
            "everything on lo",
            "everything on tailscale0",
            "tcp 22",
            "tcp 25",
            "tcp 80",
            "tcp 8000-8010",
            "tcp 9100 on enp+",
            "udp 60000-61000",
            "udp 51820 on wg0",
        ]
    );
}

#[test]
fn rules_of_others_stay_unread() {
    for extra in [
        "ip6 saddr { fc00::/7, fe80::/10 } tcp dport 24800 accept",
        "tcp dport 22 drop",
        "tcp dport @mine accept",
        "tcp dport 22 accept; accept",
        "accept",
        "}\n}\ntable ip mine {",
        "icmpv6 type != { nd-redirect, 139 } accept comment \"a\" accept comment \"b\"",
    ] {
        let read = nftables::read(&ruleset("", extra)).unwrap();
        assert!(!read.unread.is_empty(), "{extra}: {read:?}");
        assert_eq!(shown(&read), ["everything on lo", "everything on tailscale0"], "{extra}");
    }
    // Accepted in another chain, or in another table.
    let other = ruleset("", "").replace("ct status dnat", "tcp dport 22 accept\nct status dnat");
    assert_eq!(nftables::read(&other).unwrap().unread.len(), 1);
    let table = format!(
        "{}\ntable inet other {{\nchain input-allow {{\ntcp dport 1 accept\n}}\n}}\n",
        ruleset("", "")
    );
    let read = nftables::read(&table).unwrap();
    assert_eq!((read.unread.len(), shown(&read).len()), (3, 2), "{read:?}");
    assert_eq!(nftables::read("table inet mine {\n}\n"), None);
    assert_eq!(nftables::read(""), None);
}

#[test]
fn ranges_are_subtracted() {
    assert_eq!(
        merged(&[(80, 90), (22, 22), (91, 95), (85, 86), (65_535, 65_535)]),
        [(22, 22), (80, 95), (65_535, 65_535)]
    );
    assert_eq!(without(&[(80, 95)], &[(80, 90)]), [(91, 95)]);
    assert_eq!(without(&[(0, 65_535)], &[(22, 22), (80, 90)]), [(0, 21), (23, 79), (91, 65_535)]);
    assert_eq!(without(&[(22, 22), (80, 80)], &[(0, 65_535)]), []);
}

proptest::proptest! {
    #[test]
    fn no_firewall_makes_it_panic(text in "[\\s\\S]{0,300}", rule in "[-a-z0-9 {}:.,$]{0,60}") {
        let _ = iptables::read(&text);
        let _ = nftables::read(&text);
        let _ = iptables::read(&script(&rule, &text));
        let _ = nftables::read(&ruleset(&rule, &text));
    }

    #[test]
    fn a_port_is_in_the_rest_or_in_the_other(a in proptest::collection::vec((0u16..40, 0u16..8), 0..6), b in proptest::collection::vec((0u16..40, 0u16..8), 0..6)) {
        let ranges = |list: &[(u16, u16)]| list.iter().map(|(from, more)| (*from, from + more)).collect::<Vec<_>>();
        let has = |list: &[(u16, u16)], port: u16| list.iter().any(|(from, to)| (*from..=*to).contains(&port));
        let (a, b) = (ranges(&a), ranges(&b));
        let rest = without(&merged(&a), &merged(&b));
        for port in 0..60 {
            proptest::prop_assert_eq!(has(&rest, port), has(&a, port) && !has(&b, port));
        }
    }
}
