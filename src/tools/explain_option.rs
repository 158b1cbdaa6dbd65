//! `explain_option`: the value of an option, and every definition of it.

mod output;

use schemars::JsonSchema;
use serde::Deserialize;

use self::output::{HostValue, Output, SetRow};
use super::chosen_hosts::{ChosenHosts, ask_each};
use super::gap::Gaps;
use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::FlakeError;
use crate::flake::explain::{Condition, Definition, Explanation, OptionFacts, SetOptions};
use crate::names::{HostName, OptionPath};
use crate::text;

/// The tool `explain_option`.
pub struct ExplainOption;

/// Definitions on a page.
const DEFINITIONS: usize = 12;
/// Options below a prefix on a page.
const SET: usize = 40;
/// Values of hosts on a page.
const VALUES: usize = 50;
/// Most names below a prefix in an answer.
const NAMES: usize = 60;
/// Bytes of a page that the fields beside its list may need.
const BESIDE: usize = 4 * 1024;

/// The arguments of `explain_option`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    #[serde(flatten)]
    chosen: ChosenHosts,
    /// Or a prefix: all that is set below it.
    option: OptionPath,
    #[serde(flatten)]
    page: PageInput,
}

/// Why an option cannot be explained.
#[derive(Debug, thiserror::Error)]
enum NoSuchOption {
    #[error("{host} has no option `{}`{}", text::word(option), exists_clause(exists))]
    Missing { host: HostName, option: String, exists: String, nearest: Vec<String> },
    #[error("the option `{}` was removed", text::word(option))]
    Removed { option: String, said: String },
}

fn exists_clause(exists: &str) -> String {
    if exists.is_empty() { String::new() } else { format!("; `{}` has other options", text::word(exists)) }
}

impl From<&NoSuchOption> for Diagnostic {
    fn from(error: &NoSuchOption) -> Self {
        let about = Self::new(Code::UnknownOption, error.to_string());
        match error {
            NoSuchOption::Missing { nearest, option, exists, .. } => {
                let hint = match (nearest.is_empty(), exists.is_empty()) {
                    (false, _) => "ask for one of the suggestions",
                    (true, false) => {
                        "ask for the part that has other options, and write a name with dots in quotation marks"
                    }
                    (true, true) => "check that the module which declares it is imported",
                };
                about.with_attr(option.clone()).with_suggestions(nearest.clone()).with_hint(hint)
            }
            NoSuchOption::Removed { option, said } => about
                .with_said(said)
                .with_attr(option.clone())
                .with_hint("`said` names its replacement, if there is one"),
        }
    }
}

/// What an option or a prefix is on a host.
enum Found {
    Option(Box<OptionFacts>),
    Prefix(SetOptions),
}

impl Found {
    fn of(
        host: &HostName,
        option: &OptionPath,
        answer: Result<Explanation, FlakeError>,
    ) -> Result<Self, ToolError> {
        let option = option.to_string();
        match answer? {
            Explanation::Missing { nearest, exists } => {
                Err(NoSuchOption::Missing { host: host.clone(), option, exists, nearest }.into())
            }
            Explanation::Removed { said } => Err(NoSuchOption::Removed { option, said }.into()),
            Explanation::Option(facts) => Ok(Self::Option(facts)),
            Explanation::Prefix(set) => Ok(Self::Prefix(set)),
        }
    }
}

impl Tool for ExplainOption {
    const NAME: &'static str = "explain_option";
    const TITLE: &'static str = "Explain an option";
    const DESCRIPTION: &'static str = "A NixOS option on a host or all: its value, type, default and each definition with file and \
        line: which wins, which lose and why.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let hosts = input.chosen.select_or_all(context).await?;
        let (flake, call, option) = (context.flake(), &context.call, &input.option);
        let answers =
            ask_each(context, hosts, |host| async move { flake.explain_option(&host, option, call).await })
                .await?;
        let mut found: Vec<(HostName, Result<Found, ToolError>)> = answers
            .into_iter()
            .map(|(host, answer)| (host.clone(), Found::of(&host, option, answer)))
            .collect();
        if found.len() == 1
            && let Some((host, answer)) = found.pop()
        {
            return match answer? {
                Found::Option(facts) => one_host(&host, option, *facts, &input.page),
                Found::Prefix(set) => {
                    let rows =
                        set.set.iter().map(|set| SetRow { hosts: Vec::new(), set: set.clone() }).collect();
                    below_prefix(set, rows, &input.page)
                }
            };
        }
        several_hosts(option, found, &input.page)
    }

    fn is_failure(output: &Output) -> bool {
        output.fails()
    }

    fn render(output: &Output) -> String {
        output.text()
    }
}

fn one_host(
    host: &HostName,
    asked: &OptionPath,
    facts: OptionFacts,
    page: &PageInput,
) -> Result<Output, ToolError> {
    let mut output = Output::about(asked, &facts);
    output.host = Some(host.to_string());
    let gaps = Gaps::from_parts(facts.unread);
    output.total = facts.definitions.len();
    output.losers_unknown = !facts.has_losers;
    output.value = facts.value;
    output.is_unset = !facts.is_set && output.value.is_none();
    let mut definitions = facts.definitions;
    // Hundreds of nixpkgs' modules open ports if they are in use: those that are not decide nothing.
    let is_merged = definitions.iter().any(|definition| definition.wins && !definition.is_empty());
    let adds_nothing = |definition: &Definition| is_merged && definition.wins && definition.is_empty();
    definitions.sort_by_key(|definition| (is_idle(definition), adds_nothing(definition)));
    let decides = |definition: &&Definition| !is_idle(definition) && !adds_nothing(definition);
    let read = definitions.iter().filter(decides).count();
    let page = page.select_beside(definitions, read.clamp(1, DEFINITIONS), gaps.bytes + BESIDE)?;
    output.defined_in = page.entries;
    output.next_cursor = page.next_cursor;
    output.unread = gaps.shown;
    output.unread_total = gaps.total;
    Ok(output)
}

/// Whether it is a definition of a module that is not in use: its condition does not hold, and its value is not read. They come
/// last.
fn is_idle(definition: &Definition) -> bool {
    definition.value.is_none() && definition.condition == Some(Condition::False)
}

fn below_prefix(found: SetOptions, rows: Vec<SetRow>, page: &PageInput) -> Result<Output, ToolError> {
    let gaps = Gaps::from_parts(found.unread);
    let mut output = Output { option: found.option, total: found.total, ..Output::default() };
    let listed = rows.len();
    output.more_set = found.total.saturating_sub(listed) as u64;
    output.more_names = found.names.len().saturating_sub(NAMES) as u64;
    output.names = found.names.into_iter().take(NAMES).collect();
    let page = page.select_beside(rows, SET, gaps.bytes + BESIDE)?;
    output.set = page.entries;
    output.next_cursor = page.next_cursor;
    output.unread = gaps.shown;
    output.unread_total = gaps.total;
    Ok(output)
}

/// One answer for several hosts; equal values are one entry.
fn several_hosts(
    asked: &OptionPath,
    found: Vec<(HostName, Result<Found, ToolError>)>,
    page: &PageInput,
) -> Result<Output, ToolError> {
    if found.iter().any(|(_, found)| matches!(found, Ok(Found::Prefix(_)))) {
        return several_prefixes(found, page);
    }
    let mut output: Option<Output> = None;
    let mut values: Vec<HostValue> = Vec::new();
    for (host, found) in found {
        let value = match found {
            Ok(Found::Option(facts)) => {
                output.get_or_insert_with(|| Output::about(asked, &facts));
                HostValue::of(&host, &facts)
            }
            Ok(Found::Prefix(_)) => continue,
            Err(error) => HostValue::failed(&host, error.into()),
        };
        match values.iter_mut().find(|known| known.is_like(&value)) {
            Some(known) => known.add_host(&host),
            None => values.push(value),
        }
    }
    let mut output = output.unwrap_or_else(|| Output { option: asked.to_string(), ..Output::default() });
    // Who compares hosts asks for values.
    (output.default_text, output.example) = (None, None);
    output.total = values.len();
    let page = page.select_beside(values, VALUES, BESIDE)?;
    output.set_values(page.entries);
    output.next_cursor = page.next_cursor;
    Ok(output)
}

fn several_prefixes(
    found: Vec<(HostName, Result<Found, ToolError>)>,
    page: &PageInput,
) -> Result<Output, ToolError> {
    let mut whole: Option<SetOptions> = None;
    let mut rows: Vec<SetRow> = Vec::new();
    let mut failed: Vec<HostValue> = Vec::new();
    for (host, found) in found {
        match found {
            Ok(Found::Prefix(set)) => {
                for option in &set.set {
                    match rows.iter_mut().find(|row| row.set == *option) {
                        Some(row) => row.add_host(&host),
                        None => rows.push(SetRow { hosts: vec![host.to_string()], set: option.clone() }),
                    }
                }
                match &mut whole {
                    None => whole = Some(set),
                    Some(whole) => {
                        whole.unread.extend(set.unread);
                        whole.total = whole.total.max(set.total);
                    }
                }
            }
            Ok(Found::Option(facts)) => failed.push(HostValue::of(&host, &facts)),
            Err(error) => failed.push(HostValue::failed(&host, error.into())),
        }
    }
    rows.sort_by(|a, b| a.set.option.cmp(&b.set.option));
    let Some(mut whole) = whole else {
        let mut output = Output::default();
        output.set_values(failed);
        return Ok(output);
    };
    let beyond = whole.total.saturating_sub(whole.set.len());
    whole.total = rows.len() + beyond;
    let mut output = below_prefix(whole, rows, page)?;
    output.set_values(failed);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flake::explain::Place;

    fn definition(file: &str, wins: bool, priority: i64, value: &str) -> Definition {
        Definition {
            place: Place { file: file.to_owned(), line: Some(1) },
            wins,
            priority: Some(priority),
            value: Some(value.to_owned()),
            condition: None,
            lost_at: None,
            data: None,
        }
    }

    fn facts(definitions: Vec<Definition>) -> OptionFacts {
        OptionFacts {
            option: "ports".to_owned(),
            renamed: false,
            freeform: false,
            value: Some("[ 22 80 ]".to_owned()),
            is_set: true,
            kind: None,
            default: Some("[ ]".to_owned()),
            default_text: None,
            example: Some("[ 1 ]".to_owned()),
            declared: Vec::new(),
            definitions,
            has_losers: true,
            unread: Vec::new(),
        }
    }

    fn shown(definitions: Vec<Definition>) -> (Vec<String>, bool) {
        let (host, option) = ("web".parse().unwrap(), "ports".parse().unwrap());
        let output = one_host(&host, &option, facts(definitions), &PageInput::default()).unwrap();
        let files = output.defined_in.iter().map(|known| known.place.file.clone()).collect();
        (files, output.next_cursor.is_some())
    }

    #[test]
    fn what_adds_nothing_is_on_a_later_page_if_something_else_does() {
        let merged = vec![
            definition("idle.nix", true, 100, "[ ]"),
            definition("web.nix", true, 100, "[ 80 ]"),
            definition("sshd.nix", true, 100, "[ 22 ]"),
            definition("lost.nix", false, 1000, "[ 1 ]"),
        ];
        let (files, has_more) = shown(merged.clone());
        assert_eq!((files, has_more), (vec!["web.nix".into(), "sshd.nix".into(), "lost.nix".into()], true));
        let value = HostValue::of(&"web".parse().unwrap(), &facts(merged));
        let decided: Vec<&str> = value.decided_in.iter().map(|place| place.file.as_str()).collect();
        assert_eq!(decided, ["web.nix", "sshd.nix"]);
        // An empty list that wins alone decides.
        let (files, has_more) = shown(vec![
            definition("forced.nix", true, 50, "[ ]"),
            definition("lost.nix", false, 100, "[ 1 ]"),
        ]);
        assert_eq!((files, has_more), (vec!["forced.nix".into(), "lost.nix".into()], false));
    }
}
