//! The arguments by which a tool takes one host, several, or those with a tag.

use futures::{StreamExt, TryStreamExt};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Context, ToolError};
use crate::flake::FlakeError;
use crate::flake::select::{SelectError, Selection};
use crate::names::{HostName, NameError};

/// The arguments that choose hosts.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct ChosenHosts {
    #[serde(default)]
    pub host: Option<HostName>,
    #[serde(default)]
    pub hosts: Vec<HostName>,
    #[serde(default)]
    pub tag: Option<String>,
}

impl ChosenHosts {
    /// The hosts, each once. Without arguments, it is the flake's only host.
    ///
    /// # Errors
    /// If nothing, or both names and a tag are given, or no host has the tag; see [`SelectError`].
    pub async fn select(&self, context: &Context) -> Result<Vec<HostName>, ToolError> {
        let hosts: Vec<HostName> = self.host.iter().chain(&self.hosts).cloned().collect();
        let selection = Selection { hosts, tag: self.tag.clone(), except: Vec::new() };
        match context.flake().select(&selection, &context.call).await {
            Ok(selected) => Ok(selected.hosts),
            Err(SelectError::Nothing) => {
                let all = Self::all(context).await?;
                if all.len() == 1 { Ok(all) } else { Err(SelectError::Nothing.into()) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// As [`ChosenHosts::select`], but all hosts without arguments.
    ///
    /// # Errors
    /// As for [`ChosenHosts::select`].
    pub async fn select_or_all(&self, context: &Context) -> Result<Vec<HostName>, ToolError> {
        let has_tag = self.tag.as_deref().is_some_and(|tag| !tag.is_empty());
        let is_given = self.host.is_some() || !self.hosts.is_empty() || has_tag;
        if is_given { self.select(context).await } else { Self::all(context).await }
    }

    async fn all(context: &Context) -> Result<Vec<HostName>, ToolError> {
        let names = context.flake().host_names(&context.call).await?;
        let parsed: Result<Vec<HostName>, NameError> = names.iter().map(|name| name.parse()).collect();
        parsed.map_err(|error| SelectError::Unnamable(error).into())
    }
}

/// Asks about each host, several at a time; the answers are in the order of the hosts.
///
/// # Errors
/// If the call is cancelled. Other errors are those of a host.
pub async fn ask_each<T, F>(
    context: &Context,
    hosts: Vec<HostName>,
    ask: impl Fn(HostName) -> F,
) -> Result<Vec<(HostName, Result<T, FlakeError>)>, ToolError>
where
    F: Future<Output = Result<T, FlakeError>>,
{
    let ask = &ask;
    let workers = context.settings().evaluation_workers.max(1);
    futures::stream::iter(hosts)
        .map(|host| async move {
            let answer = ask(host.clone()).await;
            if context.call.cancel.is_cancelled()
                && let Err(error) = answer
            {
                return Err(ToolError::from(error));
            }
            Ok((host, answer))
        })
        .buffered(workers)
        .try_collect()
        .await
}
