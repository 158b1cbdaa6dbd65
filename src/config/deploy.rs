//! The `[deploy]` section: what may be deployed, and who may approve it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paths;
use crate::names::HostName;
use crate::{reading, text};

/// Largest file of allowed signers that is read, in bytes.
const LARGEST_SIGNERS_FILE: u64 = 1024 * 1024;

/// What a deployment does with a new system.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Activate it now and make it the boot default.
    #[default]
    Switch,
    /// Make it the boot default without activating it.
    Boot,
    /// Activate it now; the boot default stays the old one.
    Test,
    /// Only report what activation would do to the units.
    DryActivate,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Switch => "switch",
            Self::Boot => "boot",
            Self::Test => "test",
            Self::DryActivate => "dry-activate",
        })
    }
}

/// How a person approves a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalMethod {
    /// In a form that the assistant's client shows.
    Elicitation,
    /// With `pantheros-mcp approve` in a terminal.
    Terminal,
    /// With a signature over the plan.
    Signature,
}

impl fmt::Display for ApprovalMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elicitation => "elicitation",
            Self::Terminal => "terminal",
            Self::Signature => "signature",
        })
    }
}

/// What one signer may approve. A list that is not set allows all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignerScope {
    /// Only these hosts.
    pub hosts: Option<BTreeSet<HostName>>,
    /// Only these actions.
    pub actions: Option<BTreeSet<Action>>,
}

/// Deployments: which plans may be made, how long they are valid, and who may approve them in which way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DeployFile {
    /// Folder of plans, approvals and the audit log. Default: `pantheros` in the user's state folder.
    pub state_folder: Option<PathBuf>,
    /// Lifetime of a plan, in minutes. An expired plan can be neither approved nor deployed.
    pub plan_minutes: u64,
    /// Whether plans are made only from committed files: from a `rev`, or from a tree without uncommitted changes whose
    /// inputs are all locked to their contents.
    pub clean: bool,
    /// Accepted ways of approval: `elicitation` (a form in the assistant's client), `terminal` (`pantheros-mcp
    /// approve`), `signature`. Default: `elicitation` and `terminal`, or only `signature` if `approvers` is set.
    pub approve_by: Option<BTreeSet<ApprovalMethod>>,
    /// Whether the answer to a form is accepted as an approval over HTTP. Any program that has the token can answer
    /// such a form, not only a person.
    pub approve_over_http: bool,
    /// File of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), relative to this file's folder. Put it in a folder that an assistant cannot write to.
    pub approvers: Option<PathBuf>,
    /// The command that runs this program, without the subcommand. It is shown when a person has to approve a plan.
    /// Default: the program's name, with the switches that find these settings from any folder.
    pub command: Option<String>,
    /// The hosts and actions that each signer in `approvers` may approve: by name, a table with the lists `hosts` and
    /// `actions`. A list that is not set allows all. A signer without a scope may approve anything. The server enforces
    /// scopes; a host checks only who signed.
    pub scopes: BTreeMap<String, SignerScope>,
}

impl Default for DeployFile {
    fn default() -> Self {
        Self {
            state_folder: None,
            plan_minutes: 30,
            clean: false,
            approve_by: None,
            approve_over_http: false,
            approvers: None,
            command: None,
            scopes: BTreeMap::new(),
        }
    }
}

/// The checked settings of deployments.
#[derive(Clone, Debug)]
pub struct DeploySettings {
    /// Folder of plans, approvals and the audit log; `None` if there is neither a setting nor a home folder.
    pub state_folder: Option<PathBuf>,
    /// How long a plan can be approved and deployed after it was made.
    pub plan_lifetime: Duration,
    /// Whether plans are made only from committed files.
    pub clean: bool,
    /// The accepted ways to approve.
    pub approve_by: BTreeSet<ApprovalMethod>,
    /// Whether a client's form counts as approval over HTTP.
    pub approve_over_http: bool,
    /// The file of allowed signers.
    pub approvers: Option<PathBuf>,
    /// The command that runs this program with these settings from any folder, quoted for a shell.
    pub command: String,
    /// What each signer may approve, by name.
    pub scopes: BTreeMap<String, SignerScope>,
    /// The settings that guard deployments in a file beside the flake that is not trusted; `None` if there are none.
    pub untrusted: Option<UntrustedGuards>,
}

/// Settings that guard deployments, in a file that is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedGuards {
    pub path: PathBuf,
    /// The settings, as `section.key`.
    pub keys: Vec<&'static str>,
}

/// Longest life of a plan, in minutes: a day. The state of a host that a plan describes gets out of date.
pub(super) const LONGEST_PLAN_MINUTES: u64 = 24 * 60;

impl DeploySettings {
    /// Checks the section of a file in `folder`.
    ///
    /// # Errors
    /// A sentence that names the setting and the allowed values.
    pub(super) fn from_file(file: DeployFile, folder: &Path) -> Result<Self, String> {
        let approve_by = file.approve_by.unwrap_or_else(|| match file.approvers {
            Some(_) => BTreeSet::from([ApprovalMethod::Signature]),
            None => BTreeSet::from([ApprovalMethod::Elicitation, ApprovalMethod::Terminal]),
        });
        if approve_by.contains(&ApprovalMethod::Signature) && file.approvers.is_none() {
            return Err("`deploy.approve_by` has `signature`, but `deploy.approvers` is not set".to_owned());
        }
        if !file.scopes.is_empty() && file.approvers.is_none() {
            return Err("`deploy.scopes` is set, but `deploy.approvers` is not".to_owned());
        }
        let approvers = file.approvers.map(|path| folder.join(path));
        // A scope for a misspelt name would leave that signer without one. A file that cannot be read is reported when
        // a plan is approved.
        if let Some(signers) =
            approvers.as_ref().and_then(|path| reading::text(path, LARGEST_SIGNERS_FILE).ok())
            && let Some(unknown) =
                file.scopes.keys().find(|name| !principals(&signers).any(|known| known == *name))
        {
            return Err(format!(
                "`deploy.scopes.{}` names a signer that is not in the file `deploy.approvers`",
                text::word(unknown)
            ));
        }
        let state_folder = file.state_folder.map(|path| folder.join(path)).or_else(paths::state_folder);
        Ok(Self {
            state_folder,
            plan_lifetime: Duration::from_secs(file.plan_minutes * 60),
            clean: file.clean,
            approve_by,
            approve_over_http: file.approve_over_http,
            approvers,
            command: file.command.unwrap_or_else(|| "pantheros-mcp".to_owned()),
            scopes: file.scopes,
            untrusted: None,
        })
    }
}

/// The names in a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS).
fn principals(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_ascii_whitespace().next())
        .flat_map(|names| names.trim_matches('"').split(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<DeploySettings, String> {
        let file = toml::from_str(text).map_err(|error| error.to_string())?;
        DeploySettings::from_file(file, Path::new("/fleet"))
    }

    #[test]
    fn approvers_leave_only_signatures() {
        let plain = settings("").unwrap();
        assert_eq!(plain.approve_by, BTreeSet::from([ApprovalMethod::Elicitation, ApprovalMethod::Terminal]));
        assert_eq!(plain.plan_lifetime, Duration::from_secs(1_800));
        let signed = settings("approvers = \"approvers\"").unwrap();
        assert_eq!(signed.approve_by, BTreeSet::from([ApprovalMethod::Signature]));
        assert_eq!(signed.approvers.as_deref(), Some(Path::new("/fleet/approvers")));
        let both = settings("approvers = \"/etc/a\"\napprove_by = [\"terminal\", \"signature\"]").unwrap();
        assert_eq!(both.approve_by, BTreeSet::from([ApprovalMethod::Terminal, ApprovalMethod::Signature]));
        assert_eq!(both.approvers.as_deref(), Some(Path::new("/etc/a")));
    }

    #[test]
    fn a_scope_is_somebodys() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("approvers"),
            "# who\nalice,bob namespaces=\"x\" ssh-ed25519 AAAA\n",
        )
        .unwrap();
        let read = |name: &str| {
            let text = format!("approvers = \"approvers\"\n[scopes.{name}]\nhosts = [\"web\"]");
            DeploySettings::from_file(toml::from_str(&text).unwrap(), folder.path())
        };
        assert!(read("bob").is_ok());
        assert!(read("who").unwrap_err().contains("deploy.scopes.who"));
    }

    #[test]
    fn what_could_not_work_is_refused() {
        for (text, named) in [
            ("approve_by = [\"signature\"]", "approvers"),
            ("approve_by = [\"model\"]", "model"),
            ("[scopes.ci]\nhosts = [\"web\"]", "approvers"),
            ("approvers = \"a\"\n[scopes.ci]\nhost = [\"web\"]", "host"),
            ("approvers = \"a\"\n[scopes.ci]\nhosts = [\"../web\"]", "host name"),
            ("approvers = \"a\"\n[scopes.ci]\nactions = [\"dry_activate\"]", "dry-activate"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
