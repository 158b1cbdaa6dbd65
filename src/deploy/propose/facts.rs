//! The facts of a host's configuration that decide whether the host can be reached after a deployment.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::config::HostFile;
use crate::deploy::plan::{BuildOn, HealthCheck, is_risk_code};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::hosts::HOSTS;
use crate::flake::{Answer, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;

/// Supported versions of the facts. The facts inside a system may come from an older or newer `facts.nix`. Version 1
/// has no `unread`.
const VERSIONS: std::ops::RangeInclusive<u32> = 1..=2;

/// The output of `facts.nix`. A value that the configuration does not set is `None` or empty, and no risk follows from
/// that. A value that could not be evaluated is `None` or empty too, and its path is in `unread`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Version of the format, one of [`VERSIONS`].
    pub version: u32,
    /// `nixpkgs.hostPlatform`.
    pub system: Option<String>,
    /// `networking.hostName`.
    pub host_name: Option<String>,
    /// `system.stateVersion`.
    pub state_version: Option<String>,
    /// `pantheros.deploy.buildOn`.
    pub build_on: Option<BuildOn>,
    /// `pantheros.deploy.rollbackTimeout`, in seconds.
    pub rollback_timeout: Option<u32>,
    /// `pantheros.deploy.activationTimeout`, in seconds.
    pub activation_timeout: Option<u32>,
    /// `pantheros.deploy.substituteOnTarget`.
    pub substitute_on_target: Option<bool>,
    /// `pantheros.deploy.rebootOnFailure`.
    pub reboot_on_failure: Option<bool>,
    /// `pantheros.deploy.healthChecks`.
    pub health_checks: Vec<HealthCheck>,
    /// `pantheros.deploy.refusals`.
    pub refusals: Vec<Refusal>,
    /// `services.openssh`.
    pub ssh: Option<Ssh>,
    /// Open TCP ports; `None` if the firewall is disabled.
    pub firewall: Option<Firewall>,
    /// Users who may log in.
    pub users: Option<Vec<User>>,
    /// `boot.loader.grub.devices`.
    pub boot_devices: Vec<String>,
    /// Devices of the file systems that the machine must mount to boot completely (no `nofail`).
    pub file_systems: Vec<String>,
    /// `services.onepassword-secrets.tokenFile`; `None` if that service is disabled.
    pub token_file: Option<String>,
    /// Paths of facts that the configuration sets and that could not be evaluated.
    pub unread: Vec<Vec<String>>,
    /// The evaluation errors of the paths in `unread`, if known.
    #[serde(skip)]
    pub(super) reasons: Vec<UnreadPart>,
}

/// A reason, given by the configuration, why it must not be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// Stable name; becomes the code of the risk.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Settings of sshd, by their names in sshd_config(5). `None` if the configuration does not set them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Ssh {
    /// `services.openssh.enable`.
    pub enable: bool,
    /// `Port`.
    pub ports: Vec<u16>,
    /// `ListenAddress`; if empty, sshd listens on all addresses.
    pub listens: Vec<ListenAddress>,
    /// `PermitRootLogin`.
    pub root_login: Option<String>,
    /// `PubkeyAuthentication`.
    pub public_keys: Option<YesNo>,
    /// `AuthenticationMethods`.
    pub methods: Option<Vec<String>>,
    /// `AllowUsers`.
    pub allow_users: Option<Vec<String>>,
    /// `DenyUsers`.
    pub deny_users: Option<Vec<String>>,
    /// `AllowGroups`.
    pub allow_groups: Option<Vec<String>>,
    /// `DenyGroups`.
    pub deny_groups: Option<Vec<String>>,
    /// Whether `extraConfig`, which is not parsed, contains keywords that restrict logins.
    pub unread: bool,
    /// Whether sshd reads `~/.ssh/authorized_keys`.
    pub home_keys: bool,
    /// Whether sshd may accept keys from sources other than the users' lists.
    pub other_keys: bool,
}

/// An address that sshd listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ListenAddress {
    pub address: String,
    /// The port; `None` means every port in `Port`.
    pub port: Option<u16>,
}

/// A yes or no of sshd_config(5). NixOS accepts a boolean or the text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum YesNo {
    /// A Nix boolean.
    Bool(bool),
    /// The word as in sshd_config(5).
    Text(String),
}

impl YesNo {
    /// Whether the value means no.
    #[must_use]
    pub fn is_no(&self) -> bool {
        match self {
            Self::Bool(yes) => !yes,
            Self::Text(text) => text == "no",
        }
    }
}

/// TCP ports that the firewall opens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Firewall {
    /// Ports open on every interface.
    #[serde(flatten)]
    pub everywhere: OpenPorts,
    /// Additional ports by interface.
    pub interfaces: BTreeMap<String, OpenPorts>,
    /// Interfaces on which every port is open.
    pub trusted: Vec<String>,
    /// Whether there are custom rules as text, which are not parsed.
    pub rules: bool,
}

/// Open ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OpenPorts {
    /// Single ports.
    pub ports: Vec<u16>,
    /// Ranges of ports.
    pub ranges: Vec<Range>,
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Range {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl OpenPorts {
    /// Whether this port is among them.
    #[must_use]
    pub fn has(&self, port: u16) -> bool {
        self.ports.contains(&port) || self.ranges.iter().any(|range| (range.from..=range.to).contains(&port))
    }
}

/// A user who may log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct User {
    pub name: String,
    /// Names of all groups of the user.
    pub groups: Vec<String>,
    /// Whether the user may run every command as root by `sudo` without a password; `None` if unknown.
    pub becomes_root: Option<bool>,
    /// Lines of authorized keys, one key each, with their options and comments.
    pub keys: Vec<String>,
    /// Whether there are more keys in files, which are not read.
    pub more_keys: bool,
}

impl User {
    /// Whether the user may log in with the key of this fingerprint (`SHA256:…`); `None` if that is unknown.
    #[must_use]
    pub fn accepts_key(&self, fingerprint: &str) -> Option<bool> {
        let mut lines =
            self.keys.iter().filter(|key| self::fingerprint(key).as_deref() == Some(fingerprint)).peekable();
        if lines.peek().is_none() {
            return if self.more_keys { None } else { Some(false) };
        }
        if lines.any(|line| !is_limited(line)) { Some(true) } else { None }
    }

    /// Whether the user may have an authorized key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.more_keys || self.keys.iter().any(|key| fingerprint(key).is_some())
    }
}

/// Whether options restrict a key by source, command, time, or to certificates it signed (sshd(8),
/// AUTHORIZED_KEYS FILE FORMAT).
fn is_limited(line: &str) -> bool {
    let options = line.split("AAAA").next().unwrap_or_default();
    ["from=", "command=", "expiry-time=", "principals=", "cert-authority"]
        .iter()
        .any(|option| options.contains(option))
}

/// The fingerprint of an authorized key as `ssh-keygen -l` shows it; options may stand before it.
#[must_use]
pub fn fingerprint(line: &str) -> Option<String> {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
    let blob = line.split_ascii_whitespace().find(|word| word.starts_with("AAAA"))?;
    let blob = BASE64_STANDARD.decode(blob).ok()?;
    Some(format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob))))
}

/// Evaluates the facts of a host, or returns them from the cache.
///
/// # Errors
/// See [`FlakeError`].
pub async fn facts_of(flake: &Flake, host: &HostName, call: &Call) -> Result<Facts, FlakeError> {
    let answer = flake
        .remembered(&format!("facts {host}"), call, |flake| async move {
            call.report_message(format!("evaluating the deployment facts of {host}"));
            let question = Question::new([HOSTS, host.as_str()], "deploy_facts");
            match flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop() {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(diagnostic)) => flake.explain(host, diagnostic, call).await,
                None => Ok(Answer::default()),
            }
        })
        .await?;
    facts_from_answer(flake, host, answer)
}

/// Decodes the facts of a host from the answer of the evaluation.
pub(super) fn facts_from_answer(flake: &Flake, host: &HostName, answer: Answer) -> Result<Facts, FlakeError> {
    let mut facts: Facts = serde_json::from_value(answer.value).map_err(|error| {
        let attr = AttrPath::new([HOSTS, host.as_str(), "config", "pantheros", "deploy"]);
        let message = format!("the deployment facts of {host} have unexpected types");
        FlakeError::Evaluation(Box::new(
            Diagnostic::new(Code::TypeMismatch, message)
                .with_said(&error.to_string())
                .with_attr(attr.to_string()),
        ))
    })?;
    if let Some(refusal) = facts.refusals.iter().find(|refusal| !is_risk_code(&refusal.code)) {
        let attr = AttrPath::new([HOSTS, host.as_str(), "config", "pantheros", "deploy", "refusals"]);
        let message = format!("a refusal in the configuration of {host} has an invalid code");
        return Err(FlakeError::Evaluation(Box::new(
            Diagnostic::new(Code::TypeMismatch, message)
                .with_said(&refusal.code)
                .with_attr(attr.to_string())
                .with_hint("a code has 1 to 64 lower-case letters, digits and `_`"),
        )));
    }
    facts.reasons = answer.unread;
    if let Some(set) = flake.settings().hosts.get(host) {
        facts.fill(set);
    }
    Ok(facts)
}

/// Path of the facts inside a system that was built with `pantheros.deploy`, relative to its toplevel.
pub const FILE: &str = "etc/pantheros/facts.json";

impl Facts {
    /// Parses the text of a system's [`FILE`]; `None` if it is invalid or has an unsupported version.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|facts: &Self| VERSIONS.contains(&facts.version))
    }

    /// Takes over the evaluation errors from `flake`: the file inside a system lists the unread paths without them.
    pub fn explained_by(&mut self, flake: Self) {
        self.reasons = flake.reasons;
    }

    /// Whether this part, or one of its own parts, could not be read.
    #[must_use]
    pub fn is_unread(&self, part: &[&str]) -> bool {
        self.unread.iter().any(|unread| {
            unread.len() >= part.len() && unread.iter().zip(part).all(|(unread, part)| unread == part)
        })
    }

    /// Why a part could not be read; `None` if that is unknown.
    #[must_use]
    pub fn reason(&self, part: &[String]) -> Option<&Diagnostic> {
        self.reasons.iter().find(|reason| reason.covers(part.iter().cloned())).map(|reason| &reason.error)
    }

    /// Fills values that the configuration does not set from the settings of the host.
    pub fn fill(&mut self, set: &HostFile) {
        self.build_on = self.build_on.or(set.build_on);
        self.rollback_timeout = self.rollback_timeout.or(set.rollback_timeout);
        self.activation_timeout = self.activation_timeout.or(set.activation_timeout);
        self.substitute_on_target = self.substitute_on_target.or(set.substitute_on_target);
        self.reboot_on_failure = self.reboot_on_failure.or(set.reboot_on_failure);
        if self.health_checks.is_empty() {
            self.health_checks.clone_from(&set.health_checks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_another_version_made_is_understood_or_not_read_at_all() {
        for (text, unread) in [
            (r#"{"version": 1, "host_name": "web"}"#, Some(0)),
            (r#"{"version": 2, "host_name": null, "unread": [["host_name"]]}"#, Some(1)),
            (r#"{"version": 3, "host_name": "web"}"#, None),
            (r#"{"host_name": "web"}"#, None),
        ] {
            assert_eq!(Facts::parse(text).map(|facts| facts.unread.len()), unread, "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_that_of_ssh_keygen() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("key");
        let run = |arguments: &[&str]| {
            let output =
                std::process::Command::new("ssh-keygen").args(arguments).arg(&file).output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        run(&["-q", "-t", "ed25519", "-N", "", "-C", "AA comment", "-f"]);
        let shown = run(&["-l", "-f"]);
        let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        let with_options = format!("restrict,command=\"x y\" {public}");
        for line in [&public, &with_options] {
            assert_eq!(fingerprint(line).as_deref(), shown.split(' ').nth(1), "{line}");
        }
        let user = |keys: &[&str]| User {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            ..User::default()
        };
        let shown = shown.split(' ').nth(1).unwrap();
        assert_eq!(user(&[&with_options]).accepts_key(shown), None);
        assert_eq!(user(&[&with_options, &public]).accepts_key(shown), Some(true));
        assert_eq!(user(&[&format!("restrict,pty {public}")]).accepts_key(shown), Some(true));
        assert_eq!(user(&[]).accepts_key(shown), Some(false));
        assert_eq!(fingerprint("ssh-ed25519 nonsense"), None);
        assert_eq!(fingerprint("ssh-ed25519 AAAA!"), None);
    }
}
