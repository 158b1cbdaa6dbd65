//! `list_hosts`: the hosts of the flake.

use schemars::JsonSchema;
use serde::Serialize;

use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::flake::hosts::Host;

/// The tool.
pub struct ListHosts;

/// What it answers.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    hosts: Vec<Host>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Tool for ListHosts {
    const NAME: &'static str = "list_hosts";
    const TITLE: &'static str = "List hosts";
    const DESCRIPTION: &'static str = "Lists the flake's hosts with system, state version, deployment target and \
        tags. Start here to learn their names.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = PageInput;
    type Output = Output;

    async fn run(context: &Context, input: PageInput) -> Result<Output, ToolError> {
        let hosts = context.flake().hosts(&context.call).await?;
        let total = hosts.len();
        let page = input.of(hosts, 100)?;
        Ok(Output { hosts: page.entries, total, next_cursor: page.next_cursor })
    }

    fn render(output: &Output) -> String {
        if output.total == 0 {
            return "The flake has no hosts (no `nixosConfigurations`).".to_owned();
        }
        let mut lines = vec![format!("{} hosts:", output.total)];
        for host in &output.hosts {
            lines.push(match &host.error {
                Some(error) => format!("✗ {}: {error}", host.name),
                None => {
                    let facts = [
                        host.system.clone(),
                        host.host_name
                            .as_ref()
                            .filter(|name| **name != host.name)
                            .map(|name| format!("host name {name}")),
                        host.state_version.as_ref().map(|version| format!("state version {version}")),
                        host.target.as_ref().map(|target| format!("→ {target}")),
                        (!host.tags.is_empty()).then(|| format!("[{}]", host.tags.join(", "))),
                    ];
                    format!("• {}: {}", host.name, facts.into_iter().flatten().collect::<Vec<_>>().join(", "))
                }
            });
        }
        if output.next_cursor.is_some() {
            lines.push("… more with `cursor`".to_owned());
        }
        lines.join("\n")
    }
}
