//! Who reaches a listener: its address and port against the firewall.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Reach, Row, UnknownPart, short};
use crate::flake::explain::{Places, ProbedPlace};

/// A service that listens on a port.
#[derive(Deserialize)]
pub(super) struct Listener {
    service: String,
    /// The name of one of several, such as that of a virtual host.
    #[serde(default)]
    instance: Option<String>,
    protocol: String,
    port: u16,
    /// `None` if it listens on every address.
    address: Option<String>,
    #[serde(flatten)]
    place: Option<ProbedPlace>,
}

/// The options of the firewall.
#[derive(Deserialize)]
pub(super) struct Firewall {
    enable: bool,
    place: Option<ProbedPlace>,
    #[serde(flatten)]
    everywhere: Openings,
    /// Interfaces whose traffic is not filtered.
    trusted: Vec<String>,
    interfaces: BTreeMap<String, Openings>,
}

/// The ports that the firewall opens.
#[derive(Deserialize)]
struct Openings {
    tcp: Vec<Opening>,
    udp: Vec<Opening>,
}

#[derive(Clone, Deserialize)]
struct Opening {
    from: u16,
    to: u16,
    #[serde(flatten)]
    place: Option<ProbedPlace>,
}

impl Openings {
    fn of(&self, protocol: &str) -> &[Opening] {
        if protocol == "udp" { &self.udp } else { &self.tcp }
    }

    fn find(&self, protocol: &str, port: u16) -> Option<&Opening> {
        self.of(protocol).iter().find(|opening| (opening.from..=opening.to).contains(&port))
    }
}

/// The loopback interface.
const LOOPBACK: &str = "lo";

/// Whether only programs on the machine reach the address (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3).
fn is_local(address: &str) -> bool {
    let address = address.trim_start_matches('[').trim_end_matches(']');
    address == "localhost"
        || address.starts_with('/')
        || address.starts_with("unix:")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_everywhere(address: &str) -> bool {
    matches!(address, "" | "*" | "0.0.0.0" | "::" | "[::]")
}

/// The row of a listener. With rules that are not read, a port that the options do not open may be open.
pub(super) fn row(
    listener: &Listener,
    firewall: Option<&Firewall>,
    has_rules: bool,
    places: &Places<'_>,
) -> Row {
    let mut row = Row {
        name: short(&listener.service),
        instance: listener.instance.as_deref().map(short),
        protocol: Some(short(&listener.protocol)),
        port: Some(listener.port),
        address: listener.address.as_deref().filter(|address| !is_everywhere(address)).map(short),
        place: listener.place.as_ref().map(|place| places.of(place)),
        ..Row::default()
    };
    let place = |place: &Option<ProbedPlace>| place.as_ref().map(|place| places.of(place).to_string());
    if listener.address.as_deref().is_some_and(is_local) {
        row.reach = Some(Reach::Machine);
        return row;
    }
    let Some(firewall) = firewall else {
        row.reach = Some(Reach::Unknown);
        return row;
    };
    if !firewall.enable {
        row.reach = Some(if has_rules { Reach::Unknown } else { Reach::Everyone });
        row.opened_in = place(&firewall.place);
        return row;
    }
    if let Some(opening) = firewall.everywhere.find(&listener.protocol, listener.port) {
        row.reach = Some(Reach::Everyone);
        row.opened_in = place(&opening.place);
        return row;
    }
    let found = firewall
        .interfaces
        .iter()
        .filter_map(|(name, openings)| Some((name, openings.find(&listener.protocol, listener.port)?)));
    for (name, opening) in found {
        row.interfaces.push(short(name));
        row.opened_in = row.opened_in.or_else(|| place(&opening.place));
    }
    row.interfaces.extend(firewall.trusted.iter().filter(|name| *name != LOOPBACK).map(|name| short(name)));
    row.reach = Some(match (row.interfaces.is_empty(), has_rules) {
        (_, true) => Reach::Unknown,
        (false, false) => Reach::Interfaces,
        (true, false) => Reach::Closed,
    });
    row
}

/// Ports that the firewall opens, although nothing is known to listen there.
pub(super) fn open_without_listener(
    firewall: &Firewall,
    listeners: &[Listener],
    places: &Places<'_>,
) -> Vec<UnknownPart> {
    if !firewall.enable {
        return Vec::new();
    }
    let everywhere = std::iter::once((None, &firewall.everywhere));
    let groups = everywhere.chain(firewall.interfaces.iter().map(|(name, openings)| (Some(name), openings)));
    let mut unknown = Vec::new();
    for (interface, openings) in groups {
        for protocol in ["tcp", "udp"] {
            for opening in openings.of(protocol) {
                let is_known = listeners.iter().any(|listener| {
                    listener.protocol == protocol && (opening.from..=opening.to).contains(&listener.port)
                });
                if is_known {
                    continue;
                }
                let ports = if opening.from == opening.to {
                    opening.from.to_string()
                } else {
                    format!("{}-{}", opening.from, opening.to)
                };
                unknown.push(UnknownPart {
                    name: format!("{ports}/{protocol}"),
                    interface: interface.map(|name| short(name)),
                    note: "open in the firewall, and no listener is known".to_owned(),
                    place: opening.place.as_ref().map(|place| places.of(place)),
                });
            }
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nix::diagnostics::SourceTree;
    use serde_json::json;

    fn reach(
        address: Option<&str>,
        port: u16,
        firewall: Option<serde_json::Value>,
        has_rules: bool,
    ) -> (Reach, Vec<String>) {
        let listener: Listener = serde_json::from_value(
            json!({"service": "x", "protocol": "tcp", "port": port, "address": address}),
        )
        .unwrap();
        let firewall: Option<Firewall> = firewall.map(|told| serde_json::from_value(told).unwrap());
        let folder = std::path::Path::new("/");
        let source = SourceTree { folder, store_path: None, commit: None };
        let row = row(&listener, firewall.as_ref(), has_rules, &Places::new(&source, None, Vec::new()));
        (row.reach.unwrap(), row.interfaces)
    }

    fn firewall(enable: bool) -> serde_json::Value {
        json!({
            "enable": enable, "place": null, "trusted": ["lo", "wg0"], "udp": [],
            "tcp": [{"from": 22, "to": 22}, {"from": 8000, "to": 8010}],
            "interfaces": {"eth1": {"tcp": [{"from": 5432, "to": 5432}], "udp": []}},
        })
    }

    #[test]
    fn who_reaches_a_port_is_decided_by_address_and_firewall() {
        let none: Vec<String> = Vec::new();
        let closed = || vec!["wg0".to_owned()];
        assert_eq!(reach(None, 22, Some(firewall(true)), false), (Reach::Everyone, none.clone()));
        assert_eq!(reach(Some("0.0.0.0"), 8005, Some(firewall(true)), false).0, Reach::Everyone);
        assert_eq!(reach(None, 8011, Some(firewall(true)), false), (Reach::Interfaces, closed()));
        let both = vec!["eth1".to_owned(), "wg0".to_owned()];
        assert_eq!(reach(None, 5432, Some(firewall(true)), false), (Reach::Interfaces, both));
        for local in ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "/run/x.sock", "unix:/run/x"] {
            assert_eq!(reach(Some(local), 22, None, true).0, Reach::Machine, "{local}");
        }
        assert_eq!(reach(None, 1, Some(firewall(false)), false).0, Reach::Everyone);
        let mut alone = firewall(true);
        alone["trusted"] = json!(["lo"]);
        assert_eq!(reach(None, 1, Some(alone.clone()), false).0, Reach::Closed);
        // Rules that are not read may open it.
        assert_eq!(reach(None, 1, Some(alone), true).0, Reach::Unknown);
        assert_eq!(reach(None, 1, None, false).0, Reach::Unknown);
    }

    #[test]
    fn open_ports_without_a_listener_are_named() {
        let firewall: Firewall = serde_json::from_value(firewall(true)).unwrap();
        let listener: Listener =
            serde_json::from_value(json!({"service": "x", "protocol": "tcp", "port": 22, "address": null}))
                .unwrap();
        let folder = std::path::Path::new("/");
        let source = SourceTree { folder, store_path: None, commit: None };
        let unknown = open_without_listener(&firewall, &[listener], &Places::new(&source, None, Vec::new()));
        let names: Vec<_> = unknown.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["8000-8010/tcp", "5432/tcp"]);
        assert_eq!(unknown[1].interface.as_deref(), Some("eth1"));
    }
}
