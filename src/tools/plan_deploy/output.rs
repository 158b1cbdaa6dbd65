//! The answer of `plan_deploy`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::planned_host::PlannedHost;
use crate::causes::GroupedEntry;
use crate::config::Action;
use crate::deploy::FlakeSource;
use crate::diagnostic::Diagnostic;
use crate::flake::select::{SelectError, UnreadHosts};
use crate::names::{HostName, PlanId};
use crate::text;
use crate::time::Timestamp;
use crate::tools::answer_limit;

/// Maximum number of uncommitted inputs in the answer; the plan has more.
const MAX_INPUTS: usize = 10;

/// The answer of `plan_deploy`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Absent if the plan of any host failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan_id: Option<PlanId>,
    /// The command with which a person reads and approves the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) approve_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
    pub(super) action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) asked_rev: Option<String>,
    pub(super) dirty: bool,
    /// Files with uncommitted changes, which are in the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) dirty_files: Vec<String>,
    /// Inputs that are not locked to one content; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) dirty_inputs: Vec<String>,
    /// Inputs that `--override-input` replaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) overrides: BTreeMap<String, String>,
    /// Number of further dirty files and inputs.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub(super) more_dirty_files: u64,
    pub(super) hosts: Vec<GroupedEntry<PlannedHost>>,
    /// Number of hosts left out; failed ones and those with blocking risks are kept first. The plan has all.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub(super) more_hosts: u64,
    /// Their names by state: `planned`, `blocking` (has blocking risks) or `failed`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) more_named: BTreeMap<String, Vec<String>>,
    /// Selected hosts that `except` leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) except: Vec<HostName>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub(super) more_except: u64,
    /// Hosts that do not evaluate, by cause; it is not known whether they have the tag.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unread: Vec<UnreadHosts>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub(super) more_unread: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Diagnostic>,
}

impl Output {
    /// An answer without a plan.
    pub(super) fn without_plan(action: Action) -> Self {
        Self {
            plan_id: None,
            approve_with: None,
            expires_at: None,
            action,
            revision: None,
            asked_rev: None,
            dirty: false,
            dirty_files: Vec::new(),
            dirty_inputs: Vec::new(),
            overrides: BTreeMap::new(),
            more_dirty_files: 0,
            hosts: Vec::new(),
            more_hosts: 0,
            more_named: BTreeMap::new(),
            except: Vec::new(),
            more_except: 0,
            unread: Vec::new(),
            more_unread: 0,
            error: None,
        }
    }

    /// Adds the source that is evaluated.
    pub(super) fn with_source(self, source: &FlakeSource) -> Self {
        Self {
            revision: source.revision.clone(),
            asked_rev: source.asked_rev.clone(),
            dirty: source.dirty,
            dirty_files: source.dirty_files.clone(),
            overrides: source.overrides.clone(),
            dirty_inputs: source.dirty_inputs.iter().take(MAX_INPUTS).cloned().collect(),
            more_dirty_files: source.more_dirty + source.dirty_inputs.len().saturating_sub(MAX_INPUTS) as u64,
            ..self
        }
    }

    /// The answer if the hosts with the tag could not be determined.
    pub(super) fn unselected(action: Action, error: &SelectError) -> Self {
        Self { unread: error.unread().to_vec(), error: Some(error.into()), ..Self::without_plan(action) }
    }

    /// The answer as text.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        if let (Some(id), Some(expires)) = (&self.plan_id, &self.expires_at) {
            lines.push(format!("{id}: {}, expires at {expires}", self.action));
            lines.extend(self.approve_with.iter().map(|command| format!("A person approves it: {command}")));
        } else {
            lines.push("No plan was made:".to_owned());
        }
        if let Some(error) = self.error.as_ref().filter(|_| self.hosts.is_empty()) {
            lines.push(error.to_string());
        }
        if let (Some(asked), Some(commit)) = (&self.asked_rev, &self.revision) {
            lines.push(format!("from {asked}, which is commit {commit}"));
        }
        for (name, reference) in &self.overrides {
            lines.push(format!(
                "the input {} is {}, not the locked one",
                text::word(name),
                text::word(reference)
            ));
        }
        if self.dirty {
            let more = self.more_dirty_files;
            let count = (self.dirty_files.len() + self.dirty_inputs.len()) as u64 + more;
            lines.push(format!("with uncommitted changes in {count} files and inputs:"));
            let files = self.dirty_files.iter().map(|file| text::line(file, 200));
            let inputs = self.dirty_inputs.iter().map(|name| format!("input {}", text::line(name, 200)));
            let mut names: Vec<String> = files.chain(inputs).collect();
            if more > 0 {
                names.push("…".to_owned());
            }
            lines.push(text::fenced(&names.join("\n")));
        }
        for cause in &self.unread {
            let names = text::words(cause.hosts.iter().map(String::as_str));
            lines.push(format!("✗ {names}{}: {}", more_suffix(cause.more_hosts), cause.error));
        }
        if !self.except.is_empty() {
            let names: Vec<&str> = self.except.iter().map(HostName::as_str).collect();
            let more = more_suffix(self.more_except);
            lines.push(format!("without {}{more}, left out by name", names.join(", ")));
        }
        if self.more_unread > 0 {
            lines.push(format!("✗ hosts that fail for {} more causes", self.more_unread));
        }
        for grouped in &self.hosts {
            let GroupedEntry { entry: host, same_as, .. } = grouped;
            match (&host.error, same_as) {
                (Some(error), _) => lines.push(format!("✗ {}: {error}", grouped.named(&host.host))),
                (None, Some(first)) => lines.push(format!("✗ {}: same error as {first}", host.host)),
                (None, None) => lines.extend(host.render()),
            }
        }
        lines.extend(answer_limit::describe_omitted("hosts", self.more_hosts, &self.more_named));
        lines.join("\n")
    }
}

pub(super) fn more_suffix(count: u64) -> String {
    if count > 0 { format!(" and {count} more") } else { String::new() }
}
