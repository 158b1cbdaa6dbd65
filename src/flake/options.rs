//! The options a host's modules declare.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::hosts::HOSTS;
use super::{Flake, FlakeError, Instantiate, Question};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::HostName;
use crate::progress::Call;

/// Most options of one host that are read: all of NixOS has about 20 000.
const MOST: usize = 100_000;

/// An option as its module declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostOption {
    /// Its full name, such as `services.openssh.enable`.
    pub name: String,
    /// Its type in words.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What it is for, cut short.
    pub description: String,
    /// Its default as text, cut short.
    pub default: Option<String>,
}

impl Flake {
    /// Every option of a host that is neither internal nor hidden.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn options(&self, host: &HostName, call: &Call) -> Result<Vec<HostOption>, FlakeError> {
        self.remembered(
            &format!("options {host}"),
            call,
            |_| true,
            || async {
                call.saying(format!("reading the options of {host}"));
                let question = Question::new([HOSTS, host.as_str()], "options").with(json!({ "most": MOST }));
                let answer = self.ask("hosts", vec![question], Instantiate::No, call).await?.pop();
                match answer {
                    Some(Ok(value)) => serde_json::from_value(value).map_err(|error| {
                        FlakeError::Evaluation(Box::new(Diagnostic::new(
                            Code::TypeMismatch,
                            format!("the host's options have unexpected types: {error}"),
                        )))
                    }),
                    Some(Err(diagnostic)) => self.explain(host, diagnostic, call).await,
                    None => Ok(Vec::new()),
                }
            },
        )
        .await
    }
}
