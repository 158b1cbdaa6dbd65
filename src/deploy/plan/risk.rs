//! Risks of deploying to a host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad a risk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Information; needs no action.
    Note,
    /// Should be looked at before the plan is approved.
    Warning,
    /// The approval counts only if it names the risk's code.
    Blocking,
}

/// A risk that evaluated or surveyed facts show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Stable name, such as `no_root_key`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// The fact that shows the risk.
    pub evidence: String,
    /// How to remove the risk; empty if there is no advice.
    pub mend: String,
    /// The file that causes the risk, relative to the flake's folder; `None` if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, counted from 1; `None` if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// Whether a person can type this risk code: it must be 1 to 64 lower-case letters, digits and `_`.
pub(in crate::deploy) fn is_risk_code(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !code.is_empty() && code.len() <= 64 && code.bytes().all(plain)
}
