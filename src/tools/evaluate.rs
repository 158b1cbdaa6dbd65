//! `evaluate`: any value of the flake or of its hosts, read in isolation.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Context, Effect, Reach, Tool, ToolError};
use crate::causes::{self, Failing};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::select::Selection;
use crate::flake::value::{Cut, ShownValue, ValueRequest};
use crate::names::{AttrPath, HostName};
use crate::text;

/// The tool `evaluate`.
pub struct Evaluate;

/// Longest path and longest function, in bytes.
const LONGEST: (usize, usize) = (1_000, 8 * 1024);
/// Longest line of a list or set in the summary, in bytes, with its indent. What is longer has a line for each entry.
const LINE: usize = 120;
/// Most cuts that are listed.
const CUTS: usize = 20;

/// The arguments of `evaluate`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// An output of the flake; for hosts, below `config` (default), `options` or `pkgs`.
    attr: String,
    #[serde(default)]
    host: Option<HostName>,
    #[serde(default)]
    hosts: Vec<HostName>,
    #[serde(default)]
    tag: Option<String>,
    /// A Nix function of it.
    #[serde(default)]
    apply: Option<String>,
    /// File and line of each attribute.
    #[serde(default)]
    positions: bool,
}

/// The answer of `evaluate`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// What is no data is a text in `«»`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// By host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, Value>,
    /// By host or attribute.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, Diagnostic>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    positions: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    truncated: Vec<Cut>,
    /// Cuts that `truncated` does not list.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_truncated: usize,
}

/// A value that is `null` is there.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Tool for Evaluate {
    const NAME: &'static str = "evaluate";
    const TITLE: &'static str = "Evaluate an attribute";
    const DESCRIPTION: &'static str = "Evaluates any attribute of the flake or its hosts, optionally through a Nix \
        function. It builds and fetches nothing. Use it for what no other tool answers.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let (flake, call) = (context.flake(), &context.call);
        let Input { attr: given, host, hosts, tag, apply, positions } = input;
        let attr = attr(&given)?;
        if apply.as_ref().is_some_and(|apply| apply.len() > LONGEST.1) {
            return Err(ToolError::input("apply", format!("a function has at most {} bytes", LONGEST.1)));
        }
        if apply.as_ref().is_some_and(|apply| apply.trim().is_empty()) {
            return Err(ToolError::input("apply", "`apply` is empty: leave it out, or give a Nix function"));
        }
        let is_list = !hosts.is_empty() || tag.is_some();
        let hosts = match host {
            Some(_) if is_list => {
                return Err(ToolError::input("host", "give one of `host`, `hosts` and `tag`"));
            }
            Some(host) => Some(vec![host]),
            None if is_list => {
                let selection = Selection { hosts, tag, except: Vec::new() };
                Some(flake.select(&selection, call).await?.hosts)
            }
            None => None,
        };
        let request = ValueRequest { hosts, attr: attr.components().to_vec(), apply, positions };
        let mut results = flake.values(&request, call).await?;
        if let Some(hosts) = &request.hosts {
            for (host, result) in hosts.iter().zip(&mut results) {
                // Checked after the failure, so that a host that exists costs one evaluation.
                if let Err(error) = result
                    && matches!(error.code, Code::MissingAttribute | Code::UnknownOutput)
                    && let Err(unknown) = flake.require_host(host, call).await
                {
                    *error = Diagnostic::from(&unknown);
                }
            }
        }
        let mut output = Output {
            value: None,
            values: BTreeMap::new(),
            errors: BTreeMap::new(),
            positions: BTreeMap::new(),
            truncated: Vec::new(),
            more_truncated: 0,
        };
        let start = if request.apply.is_some() { String::new() } else { attr.to_string() };
        match &request.hosts {
            Some(hosts) if is_list => {
                let mut failed = Vec::new();
                for (host, result) in hosts.iter().zip(results) {
                    match result {
                        Ok(shown) => {
                            let value = output.take(shown, &format!("{host}:{start}"));
                            output.values.insert(host.to_string(), value);
                        }
                        Err(error) => failed.push(FailedHost { name: host.to_string(), error: Some(error) }),
                    }
                }
                output.errors.extend(by_host(failed));
            }
            _ => {
                let shown = results.into_iter().next().unwrap_or_else(|| Ok(ShownValue::default()))?;
                output.value = Some(output.take(shown, &start));
            }
        }
        output.more_truncated = output.truncated.len().saturating_sub(CUTS);
        output.truncated.truncate(CUTS);
        Ok(output)
    }

    fn is_failure(output: &Output) -> bool {
        output.value.is_none() && output.values.is_empty()
    }

    fn render(output: &Output) -> String {
        let json = |value: &Value| text::fenced(&broken_where_long(value, 0));
        let mut lines: Vec<String> = output.value.iter().map(json).collect();
        for (host, value) in &output.values {
            lines.push(format!("• {}\n{}", text::word(host), json(value)));
        }
        for (attr, error) in &output.errors {
            lines.push(format!("✗ {}: {error}", text::word(attr)));
        }
        for (attr, place) in &output.positions {
            lines.push(format!("  {} at {}", text::word(attr), text::word(place)));
        }
        for cut in &output.truncated {
            lines.push(format!("… {} are left out of {}", cut.left_out, text::word(&cut.attr)));
        }
        if output.more_truncated > 0 {
            lines.push(format!("… and in {} more places", output.more_truncated));
        }
        lines.join("\n")
    }
}

impl Output {
    /// Adds what belongs to a value, whose path is `start`. Returns the value.
    fn take(&mut self, shown: ShownValue, start: &str) -> Value {
        let at = |below: &str| match (start.is_empty() || start.ends_with(':'), below.is_empty()) {
            (true, _) => format!("{start}{below}"),
            (false, true) => start.to_owned(),
            (false, false) => format!("{start}.{below}"),
        };
        self.errors.extend(shown.errors.into_iter().map(|(attr, error)| (at(&attr), error)));
        self.positions.extend(shown.positions.into_iter().map(|(attr, place)| (at(&attr), place)));
        self.truncated.extend(shown.cuts.into_iter().map(|cut| Cut { attr: at(&cut.attr), ..cut }));
        shown.value
    }
}

/// A value as JSON: a list or set that fits a line is one line, because a line for each entry doubles what a model reads.
fn broken_where_long(value: &Value, indent: usize) -> String {
    let whole = value.to_string();
    if indent + whole.len() <= LINE {
        return whole;
    }
    let (open, close, entries): (char, char, Vec<String>) = match value {
        Value::Array(list) => {
            ('[', ']', list.iter().map(|entry| broken_where_long(entry, indent + 1)).collect())
        }
        Value::Object(set) => {
            let entry = |(name, value): (&String, &Value)| {
                format!("{}:{}", Value::from(name.as_str()), broken_where_long(value, indent + 1))
            };
            ('{', '}', set.iter().map(entry).collect())
        }
        _ => return whole,
    };
    let margin = " ".repeat(indent);
    let entries: Vec<String> = entries.into_iter().map(|entry| format!("{margin} {entry}")).collect();
    format!("{open}\n{}\n{margin}{close}", entries.join(",\n"))
}

fn attr(given: &str) -> Result<AttrPath, ToolError> {
    if given.len() > LONGEST.0 {
        return Err(ToolError::input("attr", format!("a path has at most {} bytes", LONGEST.0)));
    }
    AttrPath::parse(given).map_err(|wrong| {
        ToolError::input(
            "attr",
            format!("{wrong}; a path is like services.nginx.enable or fileSystems.\"/\""),
        )
    })
}

/// A host without a value.
struct FailedHost {
    name: String,
    error: Option<Diagnostic>,
}

impl Failing for FailedHost {
    fn attr(&self) -> std::borrow::Cow<'_, str> {
        (&self.name).into()
    }

    fn words(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

/// The errors by host. Of hosts that fail for one cause, the first has the whole error.
fn by_host(failed: Vec<FailedHost>) -> HashMap<String, Diagnostic> {
    let mut errors = HashMap::new();
    for group in causes::group_entries(failed) {
        let mut first: Option<(String, Code)> = None;
        for FailedHost { name, error } in group {
            let Some(error) = error else { continue };
            let error = match &first {
                Some((first, code)) => Diagnostic::new(*code, format!("same error as {}", text::word(first))),
                None => {
                    first = Some((name.clone(), error.code));
                    error
                }
            };
            errors.insert(name, error);
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_a_line_is_one_line_in_the_summary() {
        let ports = json!({"db1": [22], "web1": [22, 80, 443]});
        assert_eq!(broken_where_long(&ports, 0), r#"{"db1":[22],"web1":[22,80,443]}"#);
        let name = "x".repeat(60);
        let long = json!({"a \" b": [name, 1], "empty": [], "names": [name, name]});
        assert_eq!(
            broken_where_long(&long, 0),
            format!(
                "{{\n \"a \\\" b\":[\"{name}\",1],\n \"empty\":[],\n \"names\":[\n  \"{name}\",\n  \"{name}\"\n ]\n}}"
            )
        );
        assert_eq!(serde_json::from_str::<Value>(&broken_where_long(&long, 0)).unwrap(), long);
    }
}
