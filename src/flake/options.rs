//! The options a host's modules declare.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::hosts::HOSTS;
use super::{AskOptions, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;
use crate::text;

/// Most options read of one host. NixOS has about 15 000.
const MOST: usize = 100_000;

/// An option as its module declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostOption {
    /// Its full name, such as `services.openssh.enable`.
    pub name: String,
    /// Its type in words.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its description, cut short.
    pub description: String,
    /// Its default as text, cut short.
    pub default: Option<String>,
}

/// The options of a host, and those that could not be read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostOptions {
    /// Every option that is neither internal nor hidden; fields that could not be read are empty.
    pub options: Vec<HostOption>,
    /// The options and fields that could not be read.
    pub unread: Vec<UnreadPart>,
}

/// An option as the probe returns it.
#[derive(Deserialize)]
struct ProbedOption {
    name: String,
    /// The fields that throw; `option` if the option itself throws.
    #[serde(default)]
    thrown: Vec<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    default: Option<String>,
}

impl Flake {
    /// Every option of a host that is neither internal nor hidden.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn options(&self, host: &HostName, call: &Call) -> Result<HostOptions, FlakeError> {
        self.remembered(&format!("options {host}"), call, |flake| async move {
            call.report_message(format!("reading the options of {host}"));
            let question =
                Question::new([HOSTS, host.as_str()], "options").with(json!({ "most": MOST })).large();
            let options = AskOptions::new("hosts", Instantiate::No);
            let mut round = flake.ask_with(&options, vec![question], call).await?;
            // A field may throw because a download failed.
            if round.has_fetched {
                flake.mark_transient();
            }
            let answer = match round.answers.pop() {
                Some(Ok(answer)) => answer,
                Some(Err(diagnostic)) => return flake.explain(host, diagnostic, call).await,
                None => return Ok(HostOptions::default()),
            };
            let probed: Vec<ProbedOption> = serde_json::from_value(answer.value).map_err(|error| {
                FlakeError::Evaluation(Box::new(
                    Diagnostic::new(Code::TypeMismatch, "the host's options have unexpected types")
                        .with_said(&error.to_string()),
                ))
            })?;
            let mut found = HostOptions { options: Vec::with_capacity(probed.len()), unread: answer.unread };
            for part in &mut found.unread {
                let below = part.part.iter().map(String::from);
                let path = [HOSTS, host.as_str(), "options"].map(str::to_owned).into_iter().chain(below);
                part.error.attr.get_or_insert_with(|| AttrPath::new(path).to_string());
            }
            for option in probed {
                found.unread.extend(option.thrown.iter().map(|field| thrown(&option.name, field)));
                if option.thrown != ["option"] {
                    found.options.push(HostOption {
                        name: option.name,
                        kind: option.kind,
                        description: option.description.unwrap_or_default(),
                        default: option.default,
                    });
                }
            }
            Ok(found)
        })
        .await
    }
}

/// The error of a field that throws. `tryEval` catches it without its message.
fn thrown(option: &str, field: &str) -> UnreadPart {
    let (what, part) = match field {
        "option" => (String::new(), vec![option.to_owned()]),
        field => (format!("the {field} of "), vec![option.to_owned(), field.to_owned()]),
    };
    let message = format!("{what}{} throws an error or fails an assertion", text::word(option));
    let error = Diagnostic::new(Code::Throw, message).with_attr(option);
    UnreadPart::new(part, error)
}
