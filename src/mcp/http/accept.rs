//! The `Accept` header: which media types a client accepts.
//!
//! MCP requires clients to accept both JSON and event streams (2025-11-25, "Transports", "Sending Messages to the
//! Server"), and rmcp enforces it. Plain HTTP clients send `*/*` or no header, or name one type; they get that type.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, HeaderValue};

const JSON: &str = "application/json";
const STREAM: &str = "text/event-stream";

/// The media types that a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedTypes {
    /// A single JSON message.
    pub json: bool,
    /// An event stream.
    pub stream: bool,
}

impl AcceptedTypes {
    /// Reads the headers. Without `Accept`, every type is accepted (RFC 9110, section 12.5.1).
    pub fn from_headers(headers: &HeaderMap) -> Self {
        if !headers.contains_key(ACCEPT) {
            return Self { json: true, stream: true };
        }
        let ranges: Vec<MediaRange<'_>> = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(MediaRange::parse)
            .collect();
        // The most specific range counts (RFC 9110, section 12.5.1).
        let takes = |kind: &str| {
            let matching = ranges.iter().filter_map(|range| Some((range.precision_for(kind)?, range.wanted)));
            matching.max_by_key(|(precision, _)| *precision).is_some_and(|(_, wanted)| wanted)
        };
        Self { json: takes(JSON), stream: takes(STREAM) }
    }

    /// Sets the header to the value that rmcp requires.
    pub fn accept_both(headers: &mut HeaderMap) {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    }
}

/// A media range, and whether its types are accepted.
struct MediaRange<'a> {
    range: &'a str,
    wanted: bool,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        // A weight of 0 means "not acceptable" (RFC 9110, section 12.4.2).
        let excluded = parts.filter_map(|part| part.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
        });
        Self { range, wanted: !excluded }
    }

    /// How specific the range is for `kind`, from 0; `None` if it does not contain it.
    fn precision_for(&self, kind: &str) -> Option<u8> {
        if self.range.eq_ignore_ascii_case(kind) {
            return Some(2);
        }
        if self.range == "*/*" {
            return Some(0);
        }
        let (of, _) = kind.split_once('/')?;
        self.range.strip_suffix("/*").filter(|range| range.eq_ignore_ascii_case(of)).map(|_| 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(values: &[&str]) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        let AcceptedTypes { json, stream } = AcceptedTypes::from_headers(&headers);
        (json, stream)
    }

    #[test]
    fn a_client_takes_what_it_says() {
        for (values, expected) in [
            (&[] as &[&str], (true, true)),
            (&["*/*"], (true, true)),
            (&["application/json, text/event-stream"], (true, true)),
            (&["application/json", "text/event-stream;q=0.5"], (true, true)),
            (&["Application/JSON; charset=utf-8"], (true, false)),
            (&["application/*"], (true, false)),
            (&["text/*, text/html"], (false, true)),
            (&["text/event-stream"], (false, true)),
            (&["*/*, text/event-stream;q=0"], (true, false)),
            (&["*/*;q=0, application/json"], (true, false)),
            (&["text/html, application/xml;q=0.9"], (false, false)),
            (&[""], (false, false)),
        ] {
            assert_eq!(accepted(values), expected, "{values:?}");
        }
    }
}
