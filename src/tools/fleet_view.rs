//! `fleet_view`: what many options make together on hosts: open ports, enabled services, who has access.

mod output;

use schemars::JsonSchema;
use serde::Deserialize;

use self::output::{HostUnknown, Joined, Output};
use super::chosen_hosts::{ChosenHosts, ask_each};
use super::gap::Gaps;
use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::diagnostic::Diagnostic;
use crate::flake::view::View;

/// The tool `fleet_view`.
pub struct FleetView;

/// Rows on a page.
const ROWS: usize = 40;
/// Most unknown parts in an answer.
const UNKNOWN: usize = 40;

/// The arguments of `fleet_view`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    view: View,
    /// Without hosts and tag: the whole fleet.
    #[serde(flatten)]
    chosen: ChosenHosts,
    #[serde(flatten)]
    page: PageInput,
}

impl Tool for FleetView {
    const NAME: &'static str = "fleet_view";
    const TITLE: &'static str = "View ports, services or access";
    const DESCRIPTION: &'static str = "Listening ports against the firewall, enabled services, or who can log in and become root, of \
        hosts or the fleet, with file and line; `unknown` lists what it does not know.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let hosts = input.chosen.select_or_all(context).await?;
        let (flake, call, view) = (context.flake(), &context.call, input.view);
        let is_single = hosts.len() == 1;
        let answers =
            ask_each(context, hosts, |host| async move { flake.view(&host, view, call).await }).await?;
        let mut joined = Joined::default();
        for (host, answer) in answers {
            match answer {
                Ok(found) => joined.add(&host, found),
                Err(error) if is_single => return Err(error.into()),
                Err(error) => joined.add_failed(&host, Diagnostic::from(&error)),
            }
        }
        let Joined { hosts, mut rows, mut unknown, failed, unread } = joined;
        rows.sort_by_key(|known| known.row.rank());
        let shown = |on: &mut Vec<String>| {
            if *on == hosts {
                on.clear();
            }
        };
        rows.iter_mut().for_each(|known| shown(&mut known.hosts));
        unknown.iter_mut().for_each(|known| shown(&mut known.hosts));
        let is_first = input.page.cursor.is_none();
        let gaps = if is_first { Gaps::from_parts(unread) } else { Gaps::default() };
        let total = rows.len();
        let more_unknown = if is_first { unknown.len().saturating_sub(UNKNOWN) as u64 } else { 0 };
        unknown.truncate(if is_first { UNKNOWN } else { 0 });
        let unknown = HostUnknown::grouped(unknown);
        let beside = [serde_json::to_string(&unknown), serde_json::to_string(&hosts)];
        let beside: usize = beside.iter().flatten().map(String::len).sum();
        let taken = beside + gaps.bytes;
        let page = input.page.select_beside(rows, ROWS, taken)?;
        Ok(Output {
            view,
            hosts,
            more_hosts: 0,
            rows: page.entries,
            total,
            unknown,
            more_unknown,
            failed,
            more_failed: 0,
            unread: gaps.shown,
            unread_total: gaps.total,
            next_cursor: page.next_cursor,
        })
    }

    fn is_failure(output: &Output) -> bool {
        !output.failed.is_empty() && output.rows.is_empty() && output.unknown.is_empty()
    }

    fn render(output: &Output) -> String {
        output.text()
    }
}
