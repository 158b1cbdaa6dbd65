//! Strict parsers for the `Host` and `Origin` headers: an ambiguous value is not accepted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host: an address, or a name in lower case.
///
/// Only the usual notation is an address: `0x7f.1` and `127.1` are names, which are never allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityHost {
    /// An address. An IPv4-mapped IPv6 address is an IPv4 address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

/// A host and an optional port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub host: AuthorityHost,
    /// The port; `None` if the header has none.
    pub port: Option<u16>,
}

/// The origin of a web page. If the scheme has a default port, the port is always set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    authority: Authority,
}

impl Authority {
    /// `host` or `host:port` (RFC 9110, section 7.2), without user information.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(text) => {
                let (address, rest) = text.split_once(']')?;
                (AuthorityHost::Address(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?).to_canonical()), rest)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, rest) = text.split_at_checked(end)?;
                (AuthorityHost::named(name)?, rest)
            }
        };
        let port = match rest {
            "" => None,
            rest => {
                let digits = rest.strip_prefix(':')?;
                if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                Some(digits.parse().ok()?)
            }
        };
        Some(Self { host, port })
    }
}

impl AuthorityHost {
    fn named(name: &str) -> Option<Self> {
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (!name.is_empty() && name.len() <= 253 && name.bytes().all(plain))
            .then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

impl WebOrigin {
    /// `scheme://host[:port]` (RFC 6454, section 6.2). `null`, and a value with a path, are not accepted.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let mut authority = Authority::parse(rest)?;
        authority.port = authority.port.or_else(|| default_port(&scheme));
        (!scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
            .then_some(Self { scheme, authority })
    }

    /// Whether the origin's host and port are `host`. The scheme may differ, because a proxy may terminate TLS.
    pub fn is_same_host(&self, host: &Authority) -> bool {
        let port = default_port(&self.scheme);
        port.is_some() && self.authority.host == host.host && self.authority.port == host.port.or(port)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (Authority::parse(&text), WebOrigin::parse(&text));
        }
    }
}
