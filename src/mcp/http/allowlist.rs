//! The allowed values of the `Host`, `Origin` and `Sec-Fetch-Site` headers.
//!
//! Any web page can make its host name resolve to 127.0.0.1 and then call a server on the reader's machine (DNS
//! rebinding). Two checks on every route prevent this: `Host` must be a name of this server, and `Origin`, which browsers
//! add and programs do not, must be allowed (MCP 2025-11-25, "Transports", security warning: an invalid one MUST get 403).
//!
//! A page on `http://localhost:3000` has another origin than this server and is refused unless `http.allowed_origins`
//! has it. An origin that equals the `Host` is this server's own: the host passed the first check.
//!
//! Browsers send no `Origin` if a page loads an image or a script, or if a link is followed. Then `Sec-Fetch-Site` has
//! the relation to the page's site (Fetch Metadata Request Headers, section 2.4).

use std::net::SocketAddr;

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Uri};

use super::authority::{Authority, AuthorityHost, WebOrigin};
use super::refusal::HttpRefusal;
use crate::config::HttpFile;
use crate::diagnostic::{Code, Diagnostic};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The allowed hosts and origins.
#[derive(Debug)]
pub struct Allowlist {
    hosts: Vec<Authority>,
    origins: Vec<WebOrigin>,
}

/// An entry of the settings is not a host or not an origin.
#[derive(Debug, thiserror::Error)]
#[error("`{entry}` in `{setting}` is not valid")]
pub struct AllowlistError {
    setting: &'static str,
    entry: String,
    example: &'static str,
}

impl From<&AllowlistError> for Diagnostic {
    fn from(error: &AllowlistError) -> Self {
        Self::new(Code::InvalidSettings, error.to_string())
            .with_attr(error.setting)
            .with_hint(format!("write it like {}", error.example))
    }
}

impl Allowlist {
    /// The hosts and origins in the settings; loopback names are always allowed.
    ///
    /// # Errors
    /// An entry is not a host or not an origin.
    pub fn new(settings: &HttpFile) -> Result<Self, AllowlistError> {
        let wrong =
            |setting, entry: &String, example| AllowlistError { setting, entry: entry.clone(), example };
        let hosts = settings.allowed_hosts.iter().map(|entry| {
            let example = "fleet.example.org or fleet.example.org:8750";
            Authority::parse(entry).ok_or_else(|| wrong("http.allowed_hosts", entry, example))
        });
        let origins = settings.allowed_origins.iter().map(|entry| {
            let example = "https://app.example.org";
            WebOrigin::parse(entry).ok_or_else(|| wrong("http.allowed_origins", entry, example))
        });
        Ok(Self { hosts: hosts.collect::<Result<_, _>>()?, origins: origins.collect::<Result<_, _>>()? })
    }

    /// Checks the headers of a request to the address `local`.
    ///
    /// Returns the origin if it is an allowed foreign one: the response needs CORS headers for it.
    pub fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        local: SocketAddr,
    ) -> Result<Option<HeaderValue>, HttpRefusal> {
        let written = single(headers, HOST)
            .map_err(|()| HttpRefusal::no_host("more than one Host header"))?
            .ok_or_else(|| HttpRefusal::no_host("the Host header is missing"))?;
        let written = written.to_str().map_err(|_| HttpRefusal::no_host("the Host header is not text"))?;
        let host =
            Authority::parse(written).ok_or_else(|| HttpRefusal::no_host("the Host header is malformed"))?;
        if !self.serves_host(&host, local) {
            return Err(HttpRefusal::host(written));
        }
        // A target in absolute form overrules the header (RFC 9112, section 3.2.2), so it is checked as well.
        if let Some(target) = uri.authority()
            && Authority::parse(target.as_str()).is_none_or(|target| !self.serves_host(&target, local))
        {
            return Err(HttpRefusal::host(target.as_str()));
        }
        let Some(value) = single(headers, ORIGIN).map_err(|()| HttpRefusal::origin("more than one"))? else {
            return if is_of_another_site(headers) { Err(HttpRefusal::site()) } else { Ok(None) };
        };
        let written = value.to_str().unwrap_or("not text");
        let Some(origin) = WebOrigin::parse(written) else { return Err(HttpRefusal::origin(written)) };
        if self.origins.contains(&origin) {
            Ok(Some(value.clone()))
        } else if origin.is_same_host(&host) {
            Ok(None)
        } else {
            Err(HttpRefusal::origin(written))
        }
    }

    /// Whether requests for this host are served: loopback addresses and `localhost` with any port (it may be forwarded),
    /// the address of the connection, and the hosts in the settings. Other names may be rebound; addresses cannot.
    fn serves_host(&self, asked: &Authority, local: SocketAddr) -> bool {
        let by_itself = match &asked.host {
            AuthorityHost::Address(address) => address.is_loopback() || *address == local.ip().to_canonical(),
            AuthorityHost::Name(name) => name == "localhost",
        };
        by_itself
            || self.hosts.iter().any(|allowed| {
                allowed.host == asked.host && allowed.port.is_none_or(|port| port == asked.port.unwrap_or(80))
            })
    }
}

/// Whether the request comes from a page of another site: `same-origin` is this server's own page, and `none` is the
/// user's own action.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_SITE).iter().any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Allowlist {
        Allowlist::new(&HttpFile {
            allowed_hosts: vec!["Fleet.example.org".into(), "other.example.org:8750".into()],
            allowed_origins: vec!["https://app.example.org".into()],
            ..HttpFile::default()
        })
        .unwrap()
    }

    fn check(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        names().check(&Uri::from_static("/mcp"), &headers, "192.0.2.7:8750".parse().unwrap()).is_ok()
    }

    #[test]
    fn only_known_hosts_are_served() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8750",
            "127.8.9.1",
            "[::1]",
            "[::1]:8750",
            "192.0.2.7:8750",
            "[::ffff:127.0.0.1]:8750",
            "fleet.EXAMPLE.org:99",
            "other.example.org:8750",
        ] {
            assert!(check(host, None), "{host}");
        }
        for host in [
            "localhost.evil.com",
            "127.0.0.1.nip.io",
            "evil.com",
            "localhost.",
            "user@localhost",
            "127.1",
            "0x7f.0.0.1",
            "127.0.0.01",
            "2130706433",
            "[::1",
            "::1",
            "[::1]x",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "localhost:+80",
            "other.example.org",
            "192.0.2.8",
            "0.0.0.0",
            "[::]",
            "[fe80::1%25lo]",
            "",
        ] {
            assert!(!check(host, None), "{host}");
        }
    }

    #[test]
    fn only_known_origins_may_call() {
        assert!(check("localhost:8750", Some("http://localhost:8750")));
        assert!(check("localhost", Some("HTTP://LocalHost:80")));
        assert!(check("localhost:8750", Some("https://app.example.org")));
        assert!(check("localhost:8750", Some("https://app.example.org:443")));
        for origin in [
            "null",
            "http://localhost:3000",
            "http://127.0.0.1:8750",
            "https://localhost:8751",
            "http://evil.com",
            "https://app.example.org.evil.com",
            "http://app.example.org",
            "https://app.example.org:444",
            "https://app.example.org/",
            "file://",
            "",
            "localhost:8750",
            "http://u@localhost:8750",
        ] {
            assert!(!check("localhost:8750", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn what_another_sites_page_loads_is_refused() {
        let check = |sites: &[&str], origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "localhost:8750".parse().unwrap());
            for site in sites {
                headers.append(SEC_FETCH_SITE, site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            names().check(&Uri::from_static("/sse"), &headers, "127.0.0.1:8750".parse().unwrap()).is_ok()
        };
        for sites in [&[] as &[&str], &["none"], &["same-origin"]] {
            assert!(check(sites, None), "{sites:?}");
        }
        for sites in
            [&["cross-site"] as &[&str], &["same-site"], &["none", "cross-site"], &["a-new-word"], &[""]]
        {
            assert!(!check(sites, None), "{sites:?}");
        }
        // An origin that the settings name is of another site as a rule.
        assert!(check(&["cross-site"], Some("https://app.example.org")));
        assert!(!check(&["same-origin"], Some("https://evil.com")));
    }

    #[test]
    fn a_malformed_entry_is_no_riddle() {
        let settings = HttpFile { allowed_origins: vec!["app.example.org".into()], ..HttpFile::default() };
        assert_eq!(Allowlist::new(&settings).unwrap_err().setting, "http.allowed_origins");
    }
}
