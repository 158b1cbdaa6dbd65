//! `list_hosts`: the hosts of the flake.

use std::borrow::Cow;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::causes::{self, Failing, GroupedEntry};
use crate::diagnostic::Diagnostic;
use crate::flake::hosts::{FactsState, Host};
use crate::names::HostName;
use crate::text;

/// The tool `list_hosts`.
pub struct ListHosts;

/// The arguments of `list_hosts`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// Only this host.
    #[serde(default)]
    host: Option<HostName>,
    /// Wait for all facts.
    #[serde(default)]
    wait: Option<bool>,
    #[serde(flatten)]
    page: PageInput,
}

/// The answer of `list_hosts`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    hosts: Vec<GroupedEntry<Host>>,
    total: usize,
    /// Number of hosts whose facts are complete.
    known: usize,
    /// Number of hosts that are not evaluated yet; a later call returns their facts.
    pending: usize,
    failed: usize,
    /// A warning that the facts may be out of date.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Failing for Host {
    fn attr(&self) -> Cow<'_, str> {
        (&self.name).into()
    }

    fn words(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

impl Tool for ListHosts {
    const NAME: &'static str = "list_hosts";
    const TITLE: &'static str = "List hosts";
    const DESCRIPTION: &'static str = "Lists the flake's hosts with system, state version, deployment target and tags. Start here. \
        `facts` is `pending` until they are evaluated: call again, or set `wait`.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let (hosts, state, unnoticed) = match &input.host {
            Some(name) => (vec![context.flake().host(name, &context.call).await?], None, None),
            None => all_hosts(context, input.wait).await?,
        };
        let note = unnoticed.map(|age| {
            format!(
                "the flake reads submodules, or an input that is not locked to one content: changes there in the last \
                 {} s may be missing from the facts; call with `wait` to evaluate them now",
                age.as_secs() + 1
            )
        });
        let count = |facts| hosts.iter().filter(|host| host.facts == facts).count();
        let (known, pending, failed) =
            (count(FactsState::Known), count(FactsState::Pending), count(FactsState::Failed));
        let total = hosts.len();
        let mut hosts = causes::group_by_cause(hosts);
        // Sorted by name, because facts that arrive between two calls must not move a host to another page.
        hosts.sort_by(|one, other| one.entry.name.cmp(&other.entry.name));
        let page = match state {
            Some(state) => {
                // The facts include what the settings configure for hosts.
                let state = format!("{state} {}", context.settings().stamp());
                input.page.select_by_state(hosts, 100, &state, |host| &host.entry.name)?
            }
            None => input.page.select(hosts, 100)?,
        };
        Ok(Output { hosts: page.entries, total, known, pending, failed, note, next_cursor: page.next_cursor })
    }

    fn render(output: &Output) -> String {
        if output.total == 0 {
            return "The flake has no hosts (no `nixosConfigurations`).".to_owned();
        }
        let counts = [(output.pending, "pending"), (output.failed, "failed")];
        let counts: String = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, state)| format!(", {count} {state}"))
            .collect();
        let mut lines = vec![format!("{} hosts{counts}:", output.total)];
        for grouped in &output.hosts {
            let GroupedEntry { entry: host, same_as, .. } = grouped;
            let name = text::word(&host.name);
            lines.push(match (&host.error, same_as) {
                (Some(error), _) => format!("✗ {}: {error}", grouped.named(&host.name)),
                (None, Some(first)) => format!("✗ {name}: same error as {}", text::word(first)),
                (None, None) if host.facts == FactsState::Pending => format!("… {name}: pending"),
                (None, None) => format!("• {name}: {}", describe_facts(host)),
            });
            if !host.unread.is_empty() {
                lines.push(format!("  {name}: {} could not be read", host.unread.join(", ")));
                lines.extend(host.reasons.iter().map(|(fact, error)| format!("  {name}: {fact}: {error}")));
                let known = Some(describe_facts(host)).filter(|known| !known.is_empty());
                lines.extend(known.map(|known| format!("  {name}: {known}")));
            }
        }
        lines.extend(output.note.as_ref().map(|note| format!("! {note}")));
        if output.pending > 0 {
            lines.push("… call again for the pending facts, or set `wait` to wait for them".to_owned());
        }
        if output.next_cursor.is_some() {
            lines.push("… call again with `cursor` for more".to_owned());
        }
        lines.join("\n")
    }
}

/// The facts of a host, in one line.
fn describe_facts(host: &Host) -> String {
    let facts = [
        host.system.as_deref().map(|system| text::word(system).to_owned()),
        host.host_name
            .as_ref()
            .filter(|name| **name != host.name)
            .map(|name| format!("host name {}", text::word(name))),
        host.state_version.as_ref().map(|version| format!("state version {}", text::word(version))),
        host.target.as_ref().map(|target| format!("→ {}", text::word(target))),
        (!host.tags.is_empty()).then(|| format!("[{}]", text::words(host.tags.iter().map(String::as_str)))),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// All hosts. A server returns the facts that are known and evaluates the rest in the background, unless `wait` is true. A
/// process that ends after the call waits, unless `wait` is false.
///
/// Also returns the state of the flake that the facts belong to (`None` if it is unknown), and the age of the facts if later
/// changes may have gone unnoticed.
async fn all_hosts(
    context: &Context,
    wait: Option<bool>,
) -> Result<(Vec<Host>, Option<String>, Option<Duration>), ToolError> {
    let (flake, background) = (context.flake(), &context.services.background);
    let waits = wait.unwrap_or(!background.is_enabled());
    if !waits && let Some(fleet) = flake.fleet(&context.call).await? {
        if background.is_enabled()
            && let Some(rest) = flake.complete(&fleet, background.stop_token())
        {
            background.spawn(rest);
        }
        let state = fleet.state();
        return Ok((fleet.hosts, Some(state), fleet.unnoticed));
    }
    let (hosts, state) = flake.hosts_of_state(&context.call).await?;
    Ok((hosts, state, None))
}
