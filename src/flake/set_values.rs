//! The options that a host sets, with their values.

use serde::Deserialize;
use serde_json::{Value, json};

use super::explain::with_library;
use super::hosts::HOSTS;
use super::value::Secrets;
use super::{AskOptions, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, HostName, OptionPath};
use crate::progress::Call;
use crate::redact::REDACTED;

/// The probe: a function from the readers of parts, its argument and a host.
pub const SET_VALUES: &str = with_library!("explain/set_values.nix");

/// Largest value, in bytes of JSON.
const VALUE_BYTES: usize = 200;
/// Most failures: each costs another evaluation of the host's options, and the values are not worth many.
const FAILURES: usize = 4;
/// The part of a row that is its value.
const VALUE: &str = "value";

/// An option that a host sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetValue {
    /// The names of its path, such as `services`, `openssh`, `enable`.
    pub at: Vec<String>,
    /// The priority of the definitions that count: 50 is `mkForce`, 100 none, 1000 `mkDefault`.
    pub priority: i64,
    /// Its value as JSON without secrets; `None` if it is large, of another type than text, number, boolean or a list of these,
    /// or could not be read.
    pub value: Option<String>,
}

/// The options that a host sets, and those that could not be read.
#[derive(Debug, Default)]
pub struct SetValues {
    pub set: Vec<SetValue>,
    pub unread: Vec<UnreadPart>,
}

/// A row of the probe.
#[derive(Deserialize)]
struct Row {
    at: Vec<String>,
    priority: i64,
    value: Option<String>,
}

impl Flake {
    /// The options that the modules of a host set, those of NixOS included, in the order of their paths. An option without a
    /// definition besides its default is not set. Nothing is built, and a failure is an unread part.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn set_values(&self, host: &HostName, call: &Call) -> Result<SetValues, FlakeError> {
        call.report_message(format!("reading what {host} sets"));
        let question = Question::in_parts([HOSTS, host.as_str()], SET_VALUES)
            .with(json!({ "bytes": VALUE_BYTES }))
            .large()
            .failing_at_most(FAILURES);
        let options = AskOptions::new("hosts", Instantiate::Never);
        let answer = match self.ask_with(&options, vec![question], call).await?.answers.pop() {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                let unread = vec![UnreadPart { rest: true, ..UnreadPart::new(["values"], error) }];
                return Ok(SetValues { unread, ..SetValues::default() });
            }
            None => return Ok(SetValues::default()),
        };
        let rows: Vec<Row> = serde_json::from_value(answer.value).map_err(|error| {
            let message = "the values of the host's options have unexpected types";
            let error = Diagnostic::new(Code::TypeMismatch, message).with_said(&error.to_string());
            FlakeError::Evaluation(Box::new(error))
        })?;
        let mut unread = answer.unread;
        for part in &mut unread {
            let path: Vec<String> = part.part.iter().map(String::from).collect();
            let names =
                path.split_last().filter(|(last, _)| *last == VALUE).map_or(&*path, |(_, above)| above);
            part.error.attr.get_or_insert_with(|| {
                let at = [HOSTS, host.as_str(), "config"].map(str::to_owned);
                AttrPath::new(at.into_iter().chain(names.iter().cloned())).to_string()
            });
            part.part = vec![OptionPath::new(names.to_vec()).to_string().into(), VALUE.into()];
        }
        let set = rows
            .into_iter()
            .map(|Row { at, priority, value }| {
                let value = value.and_then(|text| without_secrets(&at, &text));
                SetValue { at, priority, value }
            })
            .collect();
        Ok(SetValues { set, unread })
    }
}

/// A value without secrets, as JSON.
fn without_secrets(at: &[String], text: &str) -> Option<String> {
    let secrets = Secrets::new(at, true);
    let mut value: Value = serde_json::from_str(text).ok()?;
    match &mut value {
        Value::String(text) => *text = secrets.hide(text, &[]),
        Value::Array(items) => {
            let mut is_announced = false;
            for item in items {
                let Value::String(text) = item else { continue };
                let announces = secrets.announces(text);
                *text = if is_announced { REDACTED.to_owned() } else { secrets.hide(text, &[]) };
                is_announced = announces;
            }
        }
        _ => {}
    }
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_no_secrets() {
        for (name, text, expected) in [
            ("port", "22", "22"),
            ("domain", r#""example.org""#, r#""example.org""#),
            ("initialPassword", r#""hunter2""#, r#""[redacted]""#),
            ("authToken", r#"["hunter2"]"#, r#"["[redacted]"]"#),
            ("url", r#""https://me:hunter2@example.org""#, r#""https://[redacted]@example.org""#),
            ("flags", r#"["--token","hunter2","--all"]"#, r#"["--token","[redacted]","--all"]"#),
        ] {
            let at = ["services".to_owned(), name.to_owned()];
            assert_eq!(without_secrets(&at, text).as_deref(), Some(expected), "{name}");
        }
    }
}
