//! Checks the entries of a log, and the chain of their hashes.

use std::io::{self, BufRead, BufReader, Read};

use serde_json::Value;

use super::{ChainLink, LARGEST_ENTRY};
use crate::canonical::{self, Digest};

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// The number of valid entries from the first on.
    pub entries: u64,
    /// The hash of the last valid entry, to note for a later check; `None` if there is none.
    pub last: Option<Digest>,
    /// The number, from 1, of the entry with the noted hash; `None` if it is missing or no hash was given.
    pub noted: Option<u64>,
    /// The first entry that is not valid; `None` if all are.
    pub broken: Option<BrokenEntry>,
    /// Bytes of an incomplete entry at the end, as after a crash. It is no sign of tampering.
    pub torn_bytes: u64,
}

/// An entry that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenEntry {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// The link of the entry in a line without its line feed. The hash is checked.
pub(super) fn parse_link(line: &[u8]) -> Result<ChainLink, String> {
    parse_entry(line).map(|(link, _)| link)
}

/// The link of an entry, and the hash of the entry before it.
fn parse_entry(line: &[u8]) -> Result<(ChainLink, Digest), String> {
    let mut value: Value =
        serde_json::from_slice(line).map_err(|error| format!("it is not JSON: {error}"))?;
    let form = canonical::form(&value).map_err(|error| error.to_string())?;
    if form.as_bytes() != line {
        return Err("it is not in canonical form".to_owned());
    }
    let missing = |error: serde_json::Error| format!("it is not an entry of an audit log: {error}");
    let link = ChainLink::deserialize_from(&value).map_err(missing)?;
    let previous = value
        .get("previous")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Digest>().ok())
        .ok_or_else(|| "it does not name the entry before it".to_owned())?;
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("hash");
    }
    let form = canonical::form(&value).map_err(|error| error.to_string())?;
    if Digest::sha256(form.as_bytes()) != link.hash {
        return Err("it was altered: its hash does not match".to_owned());
    }
    Ok((link, previous))
}

impl ChainLink {
    fn deserialize_from(value: &Value) -> Result<Self, serde_json::Error> {
        serde::Deserialize::deserialize(value)
    }
}

/// Checks a log to its end or to the first entry that is not valid, and looks for the entry with the hash `noted`.
pub(super) fn check_log(log: impl Read, noted: Option<&Digest>) -> io::Result<AuditReport> {
    let mut report = AuditReport::default();
    let mut reader = BufReader::new(log);
    let mut line = Vec::new();
    let limit = u64::try_from(LARGEST_ENTRY).unwrap_or(u64::MAX);
    loop {
        line.clear();
        reader.by_ref().take(limit + 1).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(report);
        }
        let number = report.entries + 1;
        let broken = |problem: String| Some(BrokenEntry { line: number, problem });
        if line.len() > LARGEST_ENTRY {
            report.broken = broken(format!("it is longer than {LARGEST_ENTRY} bytes"));
            return Ok(report);
        }
        let (text, whole) = match line.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (line.as_slice(), false),
        };
        let expected = report.last.clone().unwrap_or_else(Digest::zero);
        match parse_entry(text) {
            Err(_) if !whole => {
                report.torn_bytes = u64::try_from(line.len()).unwrap_or(u64::MAX);
                return Ok(report);
            }
            Err(problem) => report.broken = broken(problem),
            Ok((link, _)) if link.seq != number => {
                report.broken =
                    broken(format!("it is entry number {}: entries are missing or were moved", link.seq));
            }
            Ok((_, previous)) if previous != expected => {
                report.broken =
                    broken("it does not have the hash of the entry before it, which was replaced".to_owned());
            }
            Ok((link, _)) => {
                report.entries = number;
                if noted == Some(&link.hash) {
                    report.noted = Some(number);
                }
                report.last = Some(link.hash);
                continue;
            }
        }
        return Ok(report);
    }
}
