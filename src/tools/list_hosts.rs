//! `list_hosts`: the hosts of the flake.

use schemars::JsonSchema;
use serde::Serialize;

use super::causes::{self, Caused, Failing};
use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::diagnostic::Diagnostic;
use crate::flake::hosts::Host;

/// The tool.
pub struct ListHosts;

/// What it answers.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    hosts: Vec<Caused<Host>>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Failing for Host {
    fn attr(&self) -> &str {
        &self.name
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
    const DESCRIPTION: &'static str = "Lists the flake's hosts with system, state version, deployment target and \
        tags. Start here to learn their names.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = PageInput;
    type Output = Output;

    async fn run(context: &Context, input: PageInput) -> Result<Output, ToolError> {
        let hosts = context.flake().hosts(&context.call).await?;
        let total = hosts.len();
        let page = input.of(causes::group(hosts), 100)?;
        Ok(Output { hosts: page.entries, total, next_cursor: page.next_cursor })
    }

    fn render(output: &Output) -> String {
        if output.total == 0 {
            return "The flake has no hosts (no `nixosConfigurations`).".to_owned();
        }
        let mut lines = vec![format!("{} hosts:", output.total)];
        for Caused { of: host, breaks, same_as } in &output.hosts {
            lines.push(match (&host.error, same_as) {
                (Some(error), _) => format!("✗ {}: {error}", causes::named(&host.name, breaks)),
                (None, Some(first)) => format!("✗ {}: as {first}", host.name),
                (None, None) => {
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
