//! Selects hosts by name or by tag, except some by name.
//!
//! An empty selection never means all hosts. A host whose tags are not known never counts as one without the tag.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hosts::Host;
use super::{Flake, FlakeError};
use crate::advice::Remedy;
use crate::causes::{self, Failing};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{HostName, NameError};
use crate::progress::Call;
use crate::text;

/// Most characters of host names in a message.
const NAMED: usize = 1_200;
/// Most causes reported; hosts that fail for further causes form one group.
const CAUSES: usize = 20;
/// Most characters of a cause's text.
const CAUSE: usize = 400;

/// The hosts that a call asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Hosts by name.
    pub hosts: Vec<HostName>,
    /// All hosts with this tag, instead of `hosts`. An empty tag means `None`.
    pub tag: Option<String>,
    /// Hosts to leave out.
    pub except: Vec<HostName>,
}

/// The hosts that a selection means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedHosts {
    /// Each host once, in the order of the selection; for a tag, in the order of the flake.
    pub hosts: Vec<HostName>,
    /// Hosts that `except` leaves out and that would otherwise be selected, or may be.
    pub except: Vec<HostName>,
}

/// Hosts that fail to evaluate for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnreadHosts {
    /// The cause.
    pub error: Diagnostic,
    /// The hosts.
    pub hosts: Vec<String>,
    /// Number of hosts that were left out of the answer for its size.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_hosts: u64,
}

/// Why a selection is refused.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The flake could not be evaluated.
    #[error(transparent)]
    Flake(#[from] FlakeError),
    /// The selection has neither hosts nor a tag.
    #[error("neither a host nor a tag is named")]
    Nothing,
    /// The selection has both hosts and a tag.
    #[error("give `hosts` or `tag`, not both")]
    Both,
    /// `except` has a host that the flake does not have.
    #[error("`except` names the host `{name}`, which the flake does not have")]
    UnknownException {
        /// The name in `except`.
        name: HostName,
        /// Hosts with similar names.
        nearest: Vec<String>,
        /// Number of hosts.
        count: usize,
    },
    /// No host has the tag.
    #[error("no host has the tag `{tag}`{}", tags_clause(there))]
    UnknownTag {
        /// The tag, cut short.
        tag: String,
        /// Tags with similar names.
        nearest: Vec<String>,
        /// All tags of the flake's hosts.
        there: Vec<String>,
    },
    /// Some hosts do not evaluate, so it is not known whether they have the tag.
    #[error(
        "{} of {count} hosts do not evaluate, so it is not known whether they have the tag `{tag}`: {}",
        hosts(unread).count(),
        named(hosts(unread))
    )]
    Unread {
        /// The tag, cut short.
        tag: String,
        /// The hosts, by cause.
        unread: Vec<UnreadHosts>,
        /// Number of hosts.
        count: usize,
    },
    /// A host with the tag has a name that is no valid [`HostName`].
    #[error("a host with this tag has a name that this program does not accept")]
    Unnamable(NameError),
    /// `except` leaves no host.
    #[error("`except` leaves out every selected host: {}", named(except.iter().map(HostName::as_str)))]
    Emptied {
        /// The hosts that were left out.
        except: Vec<HostName>,
    },
}

impl From<&SelectError> for Diagnostic {
    fn from(error: &SelectError) -> Self {
        let about = |code, attr: &str| Self::new(code, error.to_string()).with_attr(attr);
        match error {
            SelectError::Flake(error) => error.into(),
            SelectError::Nothing => about(Code::InvalidInput, "hosts").with_hint(Remedy::NameHostsOrTag),
            SelectError::Both => about(Code::InvalidInput, "tag").with_hint(Remedy::NameHostsOrTagAlone),
            SelectError::UnknownException { nearest, count, .. } => about(Code::UnknownHost, "except")
                .with_suggestions(nearest.clone())
                .with_hint(Remedy::ListHosts { count: *count }),
            SelectError::UnknownTag { nearest, .. } => {
                about(Code::InvalidInput, "tag").with_suggestions(nearest.clone()).with_hint(Remedy::ListTags)
            }
            SelectError::Unread { .. } => {
                about(Code::EvaluationFailed, "tag").with_hint(Remedy::LeaveOutUnreadHosts)
            }
            SelectError::Unnamable(wrong) => about(Code::InvalidInput, "tag")
                .with_said(&wrong.to_string())
                .with_hint("rename the host in the flake, or remove the tag from it"),
            SelectError::Emptied { .. } => {
                about(Code::InvalidInput, "except").with_hint(Remedy::LeaveOutFewerHosts)
            }
        }
    }
}

impl SelectError {
    /// The hosts that do not evaluate, by cause; empty for other errors.
    #[must_use]
    pub fn unread(&self) -> &[UnreadHosts] {
        match self {
            Self::Unread { unread, .. } => unread,
            _ => &[],
        }
    }
}

impl Flake {
    /// The hosts of a selection.
    ///
    /// # Errors
    /// See [`SelectError`].
    pub async fn select(&self, selection: &Selection, call: &Call) -> Result<SelectedHosts, SelectError> {
        let tag = selection.tag.as_deref().map(str::trim).filter(|tag| !tag.is_empty());
        let asked = match (tag, selection.hosts.as_slice()) {
            (Some(_), [_, ..]) => return Err(SelectError::Both),
            (None, []) => return Err(SelectError::Nothing),
            (Some(tag), []) => {
                self.require_exceptions(&selection.except, call).await?;
                with_tag(tag, &self.hosts(call).await?, &selection.except)?
            }
            (None, named) => {
                self.require_exceptions(&selection.except, call).await?;
                once(named.iter().cloned())
            }
        };
        let (except, hosts): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|host| selection.except.contains(host));
        if hosts.is_empty() {
            return Err(SelectError::Emptied { except });
        }
        Ok(SelectedHosts { hosts, except })
    }

    /// Requires that the flake has every host of `except`: a misspelt name would not exclude the host that was meant.
    async fn require_exceptions(&self, except: &[HostName], call: &Call) -> Result<(), SelectError> {
        if except.is_empty() {
            return Ok(());
        }
        let names = self.host_names(call).await?;
        match except.iter().find(|name| names.iter().all(|known| known != name.as_str())) {
            None => Ok(()),
            Some(name) => Err(SelectError::UnknownException {
                name: name.clone(),
                nearest: text::nearest(name.as_str(), names.iter().map(String::as_str), 3),
                count: names.len(),
            }),
        }
    }
}

/// The hosts with the tag, and those in `except` that may have it.
fn with_tag(tag: &str, all: &[Host], except: &[HostName]) -> Result<Vec<HostName>, SelectError> {
    let is_left_out = |host: &&Host| except.iter().any(|name| name.as_str() == host.name);
    let short = || text::line(tag, 80);
    let unread: Vec<&Host> =
        all.iter().filter(|host| host.tags_error().is_some() && !is_left_out(host)).collect();
    if !unread.is_empty() {
        return Err(SelectError::Unread { tag: short(), unread: by_cause(&unread), count: all.len() });
    }
    let may_have = |host: &&Host| host.tags_error().is_some() || host.tags.iter().any(|known| known == tag);
    let found = all.iter().filter(may_have);
    let found = found.map(|host| host.name.parse()).collect::<Result<Vec<HostName>, _>>();
    let found = found.map_err(SelectError::Unnamable)?;
    if found
        .iter()
        .any(|name| all.iter().any(|host| host.name == name.as_str() && host.tags_error().is_none()))
    {
        return Ok(found);
    }
    let there: BTreeSet<&str> = all.iter().flat_map(|host| &host.tags).map(String::as_str).collect();
    Err(SelectError::UnknownTag {
        tag: short(),
        nearest: text::nearest(tag, there.iter().copied(), 3),
        there: there.into_iter().map(str::to_owned).collect(),
    })
}

/// A host that does not evaluate, with its error.
struct FailedHost<'a> {
    name: &'a str,
    error: Option<Diagnostic>,
}

impl Failing for FailedHost<'_> {
    fn attr(&self) -> Cow<'_, str> {
        self.name.into()
    }

    fn words(&self) -> Vec<&str> {
        vec![self.name]
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

/// Groups the hosts that do not evaluate by cause; each cause is shortened.
fn by_cause(unread: &[&Host]) -> Vec<UnreadHosts> {
    let failed = unread.iter().map(|host| FailedHost { name: &host.name, error: host.tags_error().cloned() });
    let mut causes: Vec<UnreadHosts> = Vec::new();
    for group in causes::group_entries(failed.collect()) {
        let hosts = group.iter().map(|failed| failed.name.to_owned());
        let Some(error) = group.first().and_then(|failed| failed.error.as_ref()) else { continue };
        if let Some(rest) = causes.get_mut(CAUSES) {
            rest.hosts.extend(hosts);
        } else if causes.len() == CAUSES {
            let rest =
                Diagnostic::new(Code::EvaluationFailed, "each of these hosts fails for a different cause")
                    .with_hint(Remedy::CheckHost);
            causes.push(UnreadHosts { error: rest, hosts: hosts.collect(), more_hosts: 0 });
        } else {
            causes.push(UnreadHosts { error: shortened(error), hosts: hosts.collect(), more_hosts: 0 });
        }
    }
    causes
}

fn shortened(error: &Diagnostic) -> Diagnostic {
    let short = |text: &Option<String>| text.as_deref().map(|text| text::bounded(text, CAUSE));
    Diagnostic {
        said: short(&error.said),
        hint: error.hint.as_ref().map(|hint| hint.shortened(CAUSE)),
        suggestions: Vec::new(),
        trace: Vec::new(),
        attr: None,
        ..error.clone()
    }
}

fn hosts(unread: &[UnreadHosts]) -> impl Iterator<Item = &str> {
    unread.iter().flat_map(|cause| &cause.hosts).map(String::as_str)
}

fn once(names: impl Iterator<Item = HostName>) -> Vec<HostName> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// Names separated by commas, up to [`NAMED`] characters, and the number of the rest.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let (mut named, mut more) = (String::new(), 0_usize);
    for name in names {
        if named.len() + name.len() > NAMED {
            more += 1;
        } else {
            let comma = if named.is_empty() { "" } else { ", " };
            named.push_str(comma);
            named.push_str(text::word(name));
        }
    }
    if more > 0 { format!("{named} and {more} more") } else { named }
}

fn tags_clause(there: &[String]) -> String {
    match there {
        [] => "; no host has a tag".to_owned(),
        tags => format!("; the tags are {}", named(tags.iter().map(String::as_str))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, tags: &[&str], error: Option<&str>) -> Host {
        let mut host: Host =
            serde_json::from_value(serde_json::json!({ "name": name, "facts": "known", "tags": tags }))
                .unwrap();
        host.error = error.map(|said| Diagnostic::quoting(Code::Throw, said));
        host
    }

    fn names(list: &[&str]) -> Vec<HostName> {
        list.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn who_cannot_be_read_is_named_unless_left_out() {
        let all = [host("a", &["edge"], None), host("b", &[], Some("x")), host("c", &["core"], None)];
        let error = with_tag("edge", &all, &[]).unwrap_err();
        assert_eq!(error.unread()[0].hosts, ["b"]);
        assert_eq!(with_tag("edge", &all, &names(&["b"])).unwrap(), names(&["a", "b"]));
        // The tags of hosts in `except` need not be known.
        let error = with_tag("none", &all, &names(&["b"])).unwrap_err().to_string();
        assert!(error.contains("core, edge"), "{error}");
    }

    #[test]
    fn a_cause_is_one_though_each_host_is_named_in_it() {
        let all = [host("a", &[], Some("a has no disk")), host("b", &[], Some("b has no disk"))];
        let error = with_tag("edge", &all, &[]).unwrap_err();
        assert_eq!(error.unread().iter().map(|cause| &cause.hosts).collect::<Vec<_>>(), [&["a", "b"]]);
    }

    #[test]
    fn many_that_cannot_be_read_are_all_named_and_told_in_little_room() {
        let long = "something that is wrong ".repeat(80);
        for distinct in [false, true] {
            let all: Vec<Host> = (0..500)
                .map(|number| {
                    let message = if distinct { format!("{number} {long}") } else { long.clone() };
                    host(&format!("host-{number:03}"), &[], Some(&message))
                })
                .collect();
            let error = with_tag("edge", &all, &[]).unwrap_err();
            assert_eq!(hosts(error.unread()).count(), 500);
            assert_eq!(error.unread().len(), if distinct { CAUSES + 1 } else { 1 });
            let named = serde_json::to_string(error.unread()).unwrap().len();
            assert!(named < 20_000, "{named}");
            assert!(error.to_string().contains("host-099") && error.to_string().contains("more"));
        }
    }
}
