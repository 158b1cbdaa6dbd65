//! The answer of `explain_option`, and its text.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::flake::explain::{Condition, Definition, OptionFacts, Place, SetOption};
use crate::names::{HostName, OptionPath};
use crate::text;
use crate::tools::gap::{Gap, Gaps};

/// The answer of `explain_option`.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    pub option: String,
    /// The host, if it is a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The name that was asked for and is an alias of `option`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// In Nix's notation, shortened; a package is its name and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether it has no value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unset: bool,
    /// The values of several hosts on this page, by host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// The places that decide, hosts with equal values in one entry; and the hosts without a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_value: Vec<HostValue>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether no module declares it, and it has the type for such options.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub freeform: bool,
    /// The value if nobody sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The expression for the default in the documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared_in: Vec<Place>,
    /// Those that win first; those that only add an empty list or set to others come late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defined_in: Vec<Definition>,
    /// Whether definitions that lose could not be found: the module system of this flake does not tell its modules.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub losers_unknown: bool,
    /// Below a prefix: the options that are set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<SetRow>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_set: u64,
    /// The names right below a prefix, whether set or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_names: u64,
    /// Number of definitions, values or set options on all pages.
    pub total: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub unread_total: usize,
}

/// An option that is set.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SetRow {
    /// The hosts, if several were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    #[serde(flatten)]
    pub set: SetOption,
}

/// A value that one host or several have.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HostValue {
    pub hosts: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_hosts: u64,
    /// Only while a page is chosen, so that its size counts: an answer has it in `values`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unset: bool,
    /// The definitions that win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decided_in: Vec<Place>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
}

/// Most winning definitions of a value of several hosts.
const DECIDING: usize = 4;

impl SetRow {
    pub fn add_host(&mut self, host: &HostName) {
        self.hosts.push(host.to_string());
    }
}

impl HostValue {
    pub fn add_host(&mut self, host: &HostName) {
        self.hosts.push(host.to_string());
    }

    pub fn of(host: &HostName, facts: &OptionFacts) -> Self {
        let winners: Vec<_> = facts.definitions.iter().filter(|definition| definition.wins).collect();
        let adding = winners.iter().filter(|winner| !winner.is_empty()).count();
        let winners = winners.into_iter().filter(|winner| adding == 0 || !winner.is_empty()).take(DECIDING);
        Self {
            hosts: vec![host.to_string()],
            more_hosts: 0,
            value: facts.value.clone(),
            is_unset: !facts.is_set && facts.value.is_none(),
            decided_in: winners.map(|winner| winner.data.as_ref().unwrap_or(&winner.place).clone()).collect(),
            error: facts.unread.iter().find(|part| part.covers(["value"])).map(|part| part.error.clone()),
        }
    }

    pub fn failed(host: &HostName, error: Diagnostic) -> Self {
        Self {
            hosts: vec![host.to_string()],
            more_hosts: 0,
            value: None,
            is_unset: false,
            decided_in: Vec::new(),
            error: Some(error),
        }
    }

    /// Whether both are one entry. Errors are compared without the names of their hosts.
    pub fn is_like(&self, other: &Self) -> bool {
        let cause = |value: &Self| {
            let host = value.hosts.first().cloned().unwrap_or_default();
            value.error.as_ref().map(|error| (error.code, error.full_text().replace(&host, "")))
        };
        (&self.value, self.is_unset, &self.decided_in) == (&other.value, other.is_unset, &other.decided_in)
            && cause(self) == cause(other)
    }
}

impl Output {
    /// The fields that do not depend on the host.
    pub fn about(asked: &OptionPath, facts: &OptionFacts) -> Self {
        Self {
            option: facts.option.clone(),
            renamed_from: facts.renamed.then(|| asked.to_string()),
            kind: facts.kind.clone(),
            freeform: facts.freeform,
            default: facts.default.clone(),
            default_text: facts.default_text.clone(),
            example: facts.example.clone(),
            declared_in: facts.declared.clone(),
            ..Self::default()
        }
    }

    /// Sets the values of several hosts.
    pub fn set_values(&mut self, mut by_value: Vec<HostValue>) {
        for entry in &mut by_value {
            if let Some(value) = entry.value.take() {
                self.values.extend(entry.hosts.iter().map(|host| (host.clone(), value.clone())));
            }
        }
        self.by_value = by_value;
    }

    /// Whether there is nothing but errors.
    pub fn fails(&self) -> bool {
        !self.by_value.is_empty()
            && self.set.is_empty()
            && self.by_value.iter().all(|value| value.error.is_some())
    }

    /// The text for people.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        let option = text::word(&self.option);
        if let Some(alias) = &self.renamed_from {
            lines.push(format!("{} was renamed to {option}.", text::word(alias)));
        }
        if let Some(host) = &self.host {
            match &self.value {
                Some(value) => {
                    lines.push(format!("{option} on {}:", text::word(host)));
                    lines.push(text::fenced(value));
                }
                None if self.is_unset => {
                    lines.push(format!("{option} has no value on {}.", text::word(host)))
                }
                None => lines.push(format!("{option} on {}", text::word(host))),
            }
        } else if self.set.is_empty() {
            lines.push(format!("{option}:"));
        }
        let value = |entry: &HostValue| entry.hosts.first().and_then(|host| self.values.get(host));
        lines.extend(self.by_value.iter().flat_map(|entry| entry.lines(value(entry))));
        lines.extend(self.defined_in.iter().flat_map(definition_lines));
        if self.losers_unknown {
            lines.push(
                "  definitions that lose are not known: this module system does not tell its modules"
                    .to_owned(),
            );
        }
        let titles = [
            ("type", &self.kind),
            ("default", &self.default),
            ("default in the manual", &self.default_text),
            ("example", &self.example),
        ];
        for (title, said) in titles {
            if let Some(said) = said {
                lines.push(format!("{title}:"));
                lines.push(text::fenced(said));
            }
        }
        if self.freeform {
            lines.push("No module declares it: it has the type for undeclared options.".to_owned());
        }
        let declared: Vec<String> = self.declared_in.iter().map(Place::to_string).collect();
        if !declared.is_empty() {
            lines.push(format!("declared in {}", declared.join(", ")));
        }
        self.prefix_lines(&mut lines);
        lines.extend(Gaps::render(&self.unread, self.unread_total));
        if self.next_cursor.is_some() {
            lines.push(format!("… {} in total; call again with `cursor` for more", self.total));
        }
        lines.join("\n")
    }

    fn prefix_lines(&self, lines: &mut Vec<String>) {
        if self.names.is_empty() && self.set.is_empty() {
            return;
        }
        let option = text::word(&self.option);
        match self.total {
            0 => lines.push(format!("Nothing is set below {option}.")),
            total => lines.push(format!("{total} options are set below {option}:")),
        }
        for row in &self.set {
            let place = row.set.place.as_ref().map(|place| format!("  {place}")).unwrap_or_default();
            let more = match row.set.further {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let hosts = match row.hosts.as_slice() {
                [] => String::new(),
                hosts => format!(" ({})", text::words(hosts.iter().map(String::as_str))),
            };
            lines.push(format!("• {}{hosts}{place}{more}", text::word(&row.set.option)));
            match &row.set.value {
                Some(value) => lines.push(text::fenced(value)),
                None => lines.push("  its value could not be read".to_owned()),
            }
        }
        if self.total == 0 {
            let more =
                if self.more_names > 0 { format!(" and {} more", self.more_names) } else { String::new() };
            lines.push(format!(
                "names below it: {}{more}",
                text::words(self.names.iter().map(String::as_str))
            ));
        }
    }
}

impl HostValue {
    fn lines(&self, value: Option<&String>) -> Vec<String> {
        let more = if self.more_hosts > 0 { format!(" and {} more", self.more_hosts) } else { String::new() };
        let hosts = format!("{}{more}", text::words(self.hosts.iter().map(String::as_str)));
        let decided: Vec<String> = self.decided_in.iter().map(Place::to_string).collect();
        let decided = if decided.is_empty() { String::new() } else { format!(" ({})", decided.join(", ")) };
        match (value, &self.error) {
            (Some(value), _) => vec![format!("• {hosts}{decided}:"), text::fenced(value)],
            (None, Some(error)) => vec![format!("✗ {hosts}: {error}")],
            (None, None) => vec![format!("• {hosts}: no value")],
        }
    }
}

fn definition_lines(definition: &Definition) -> Vec<String> {
    let mark = if definition.wins { "✓" } else { "✗" };
    let mut line = format!("{mark} {}", definition.place);
    if let Some(data) = &definition.data {
        line.push_str(&format!(", from {data}"));
    }
    if let Some(priority) = definition.priority {
        let name = match priority {
            50 => " (mkForce)",
            1000 => " (mkDefault)",
            1500 => " (the option's default)",
            _ => "",
        };
        line.push_str(&format!(", priority {priority}{name}"));
    }
    match definition.condition {
        Some(Condition::False) => line.push_str(", its condition is false"),
        Some(Condition::Throws) => line.push_str(", its condition throws an error"),
        None => {}
    }
    if let Some(at) = &definition.lost_at {
        line.push_str(&format!(", loses at {}", text::word(at)));
    }
    std::iter::once(line).chain(definition.value.as_deref().map(text::fenced)).collect()
}
