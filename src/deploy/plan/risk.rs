//! What could go wrong on a host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad a risk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Worth a look before saying yes.
    Warning,
    /// Cannot be approved without naming it.
    Blocking,
}

/// Something that could go wrong, by evaluated facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Stable name, such as `no_root_key`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub evidence: String,
    /// What to do about it.
    pub mend: String,
    /// The file of the flake that says so, relative to its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// Whether a code of a risk can be typed by a person: 1 to 64 lower-case letters, digits and `_`.
pub(in crate::deploy) fn is_risk_code(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !code.is_empty() && code.len() <= 64 && code.bytes().all(plain)
}
