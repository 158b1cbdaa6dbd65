//! The options a host's modules declare.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::hosts::HOSTS;
use super::{AskOptions, Flake, FlakeError, Instantiate, PathStep, Question, UnreadPart};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;
use crate::text;

/// Most options read of one host. NixOS has about 25 000, those of submodules included.
const MOST: usize = 200_000;
/// The part of a path below which the probe reads the options of a submodule.
const MEMBERS: &str = "~";

/// An option as its module declares it. Texts are cut short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostOption {
    /// Its full path, such as `services.openssh.enable`. `<name>` stands for the name of an attribute and `*` for a position in
    /// a list.
    pub path: String,
    /// Its type in words.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its description; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its default as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// An example as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The files that declare it; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared_in: Vec<String>,
    /// The option that it is another name of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether it was removed: setting it is an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// Where the host sets it: its path, or paths with the names that the host chose for `<name>`; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<SetAt>,
}

/// A place at which a host sets an option.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAt {
    /// The path as it is written in a configuration.
    pub path: String,
    /// See [`SetValue`](super::set_values::SetValue).
    pub priority: i64,
    /// See [`SetValue`](super::set_values::SetValue).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// The options of a host, and those that could not be read.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// Every option that is not internal, and the hidden ones that were renamed or removed; fields that could not be read are
    /// empty.
    pub options: Vec<HostOption>,
    /// The options and fields that could not be read.
    pub unread: Vec<UnreadPart>,
    /// Whether Nix fetched something: a field may have failed because a download failed.
    pub has_fetched: bool,
}

/// An option as the probe returns it.
#[derive(Deserialize)]
struct ProbedOption {
    path: String,
    /// The fields that throw; `option` if the option itself throws.
    #[serde(default)]
    thrown: Vec<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    example: Option<String>,
    #[serde(default)]
    declared_in: Option<Vec<String>>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    removed: Option<bool>,
}

impl Flake {
    /// Every option of a host that is not internal. The answer is large and not cached: the search index keeps it.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn options(&self, host: &HostName, call: &Call) -> Result<HostOptions, FlakeError> {
        call.report_message(format!("reading the options of {host}"));
        let question = Question::new([HOSTS, host.as_str()], "options").with(json!({ "most": MOST })).large();
        let options = AskOptions::new("hosts", Instantiate::No);
        let mut round = self.ask_with(&options, vec![question], call).await?;
        let answer = match round.answers.pop() {
            Some(Ok(answer)) => answer,
            Some(Err(diagnostic)) => return self.explain(host, diagnostic, call).await,
            None => return Ok(HostOptions::default()),
        };
        let probed: Vec<ProbedOption> = serde_json::from_value(answer.value).map_err(|error| {
            FlakeError::Evaluation(Box::new(
                Diagnostic::new(Code::TypeMismatch, "the host's options have unexpected types")
                    .with_said(&error.to_string()),
            ))
        })?;
        let mut found = HostOptions {
            options: Vec::with_capacity(probed.len()),
            unread: answer.unread,
            has_fetched: round.has_fetched,
        };
        for part in &mut found.unread {
            part.part.retain(|step| *step != PathStep::from(MEMBERS));
            let below = part.part.iter().map(String::from);
            let path = [HOSTS, host.as_str(), "options"].map(str::to_owned).into_iter().chain(below);
            part.error.attr.get_or_insert_with(|| AttrPath::new(path).to_string());
        }
        for option in probed {
            found.unread.extend(option.thrown.iter().map(|field| thrown(&option.path, field)));
            if option.thrown != ["option"] {
                found.options.push(HostOption {
                    path: option.path,
                    kind: option.kind,
                    description: option.description.unwrap_or_default(),
                    default: option.default,
                    example: option.example,
                    declared_in: option.declared_in.unwrap_or_default(),
                    target: option.target,
                    removed: option.removed.unwrap_or_default(),
                    set: Vec::new(),
                });
            }
        }
        Ok(found)
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
