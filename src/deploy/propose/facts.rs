//! What a host's configuration says that decides whether it can be reached once it runs.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::config::HostFile;
use crate::deploy::host::endpoint::Told;
use crate::deploy::plan::{BuildOn, HealthCheck, is_risk_code};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::hosts::HOSTS;
use crate::flake::{Answer, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;

/// The forms facts have had. A system's own may have been written by another `facts.nix` than ours; the first form did
/// not say what could not be read.
const VERSIONS: std::ops::RangeInclusive<u32> = 1..=2;

/// As `facts.nix` tells them; what a configuration does not say is not there, and nothing is
/// concluded from that. What could not be read is not there either, and is `unread`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Of their form.
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
    /// What the firewall lets in over TCP; not there where it is off.
    pub firewall: Option<Firewall>,
    /// Who may log in.
    pub users: Option<Vec<User>>,
    /// `boot.loader.grub.devices`.
    pub boot_devices: Vec<String>,
    /// The devices of file systems without which the machine does not start up whole.
    pub file_systems: Vec<String>,
    /// `services.onepassword-secrets.tokenFile`, where that is enabled.
    pub token_file: Option<String>,
    /// The places of what the configuration has and could not be read.
    pub unread: Vec<Vec<String>>,
    /// Why, as far as Nix said it.
    #[serde(skip)]
    pub(super) reasons: Vec<UnreadPart>,
}

/// Why the configuration itself must not be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// Stable name.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// How SSH would be reached, by the names of sshd_config(5). `None` is what nobody set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Ssh {
    /// Whether it runs.
    pub enable: bool,
    /// `Port`.
    pub ports: Vec<u16>,
    /// `ListenAddress`; all addresses where there is none.
    pub listens: Vec<Listen>,
    /// `PermitRootLogin`.
    pub root_login: Option<String>,
    /// `PubkeyAuthentication`.
    pub public_keys: Option<Choice>,
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
    /// Whether text of sshd_config(5), which nobody reads here, is about who may log in, and how.
    pub unread: bool,
    /// Whether `~/.ssh/authorized_keys` counts.
    pub home_keys: bool,
    /// Whether there may be keys that no list of a user's holds.
    pub other_keys: bool,
}

/// An address that sshd listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Listen {
    /// The address.
    pub address: String,
    /// Its port; each of `Port` where it has none.
    pub port: Option<u16>,
}

/// A yes or no of sshd's, which NixOS takes as text, too.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// As Nix has it.
    Bool(bool),
    /// As sshd_config(5) has it.
    Text(String),
}

impl Choice {
    /// Whether it is a no.
    #[must_use]
    pub fn is_no(&self) -> bool {
        match self {
            Self::Bool(yes) => !yes,
            Self::Text(text) => text == "no",
        }
    }
}

/// What the firewall lets in over TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Firewall {
    /// On every interface.
    #[serde(flatten)]
    pub everywhere: Open,
    /// On some more.
    pub interfaces: BTreeMap<String, Open>,
    /// Interfaces on which everything is let in.
    pub trusted: Vec<String>,
    /// Whether there are rules in text, which nobody reads here.
    pub rules: bool,
}

/// Ports that are open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Open {
    /// One by one.
    pub ports: Vec<u16>,
    /// From the first to the last.
    pub ranges: Vec<Range>,
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Range {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl Open {
    /// Whether this port is among them.
    #[must_use]
    pub fn has(&self, port: u16) -> bool {
        self.ports.contains(&port) || self.ranges.iter().any(|range| (range.from..=range.to).contains(&port))
    }
}

/// Somebody who could log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct User {
    /// The name.
    pub name: String,
    /// The names of all groups.
    pub groups: Vec<String>,
    /// Whether `sudo` does anything as root without a password; `None` where that is not known.
    pub becomes_root: Option<bool>,
    /// Public keys, one each, with options and comments as they are.
    pub keys: Vec<String>,
    /// Whether there are further keys in files, which nobody reads here.
    pub more_keys: bool,
}

impl User {
    /// Whether a key with this fingerprint (`SHA256:…`) is let in; `None` where files may have it.
    #[must_use]
    pub fn lets_in(&self, fingerprint: &str) -> Option<bool> {
        let mut lines =
            self.keys.iter().filter(|key| self::fingerprint(key).as_deref() == Some(fingerprint)).peekable();
        if lines.peek().is_none() {
            return if self.more_keys { None } else { Some(false) };
        }
        if lines.any(|line| !is_limited(line)) { Some(true) } else { None }
    }

    /// Whether any key is let in.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.more_keys || self.keys.iter().any(|key| fingerprint(key).is_some())
    }
}

/// Whether a key is good only from somewhere, for something, for some time, or for keys it signed (sshd(8),
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

/// The facts of a host.
///
/// # Errors
/// See [`FlakeError`].
pub async fn of(flake: &Flake, host: &HostName, call: &Call) -> Result<Facts, FlakeError> {
    let told = flake
        .remembered(&format!("facts {host}"), call, |flake| async move {
            call.report_message(format!("evaluating how {host} would be reached"));
            let question = Question::new([HOSTS, host.as_str()], "deploy_facts");
            match flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop() {
                Some(Ok(Answer { value, unread })) => Ok(Told { value, unread }),
                Some(Err(diagnostic)) => flake.explain(host, diagnostic, call).await,
                None => Ok(Told::default()),
            }
        })
        .await?;
    said(flake, host, told)
}

/// The facts of a host, of which the flake answered this.
pub(super) fn said(flake: &Flake, host: &HostName, told: Told) -> Result<Facts, FlakeError> {
    let mut facts: Facts = serde_json::from_value(told.value).map_err(|error| {
        let attr = AttrPath::new([HOSTS, host.as_str(), "config", "pantheros", "deploy"]);
        let message = format!("what {host} says of its deployment has unexpected types");
        FlakeError::Evaluation(Box::new(
            Diagnostic::new(Code::TypeMismatch, message)
                .with_said(&error.to_string())
                .with_attr(attr.to_string()),
        ))
    })?;
    if let Some(refusal) = facts.refusals.iter().find(|refusal| !is_risk_code(&refusal.code)) {
        let attr = AttrPath::new([HOSTS, host.as_str(), "config", "pantheros", "deploy", "refusals"]);
        let message = format!("a refusal in the configuration of {host} has no code that can be typed");
        return Err(FlakeError::Evaluation(Box::new(
            Diagnostic::new(Code::TypeMismatch, message)
                .with_said(&refusal.code)
                .with_attr(attr.to_string())
                .with_hint("a code has 1 to 64 lower-case letters, digits and `_`"),
        )));
    }
    facts.reasons = told.unread;
    if let Some(set) = flake.settings().hosts.get(host) {
        facts.fill(set);
    }
    Ok(facts)
}

/// Where a system that was made with `pantheros.deploy` says its own facts.
pub const FILE: &str = "etc/pantheros/facts.json";

impl Facts {
    /// The facts in the text of a system's own [`FILE`]; none where it is not that, or of another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|facts: &Self| VERSIONS.contains(&facts.version))
    }

    /// Takes over why parts could not be read: a system does not know that of its own facts, but its flake does.
    pub fn explained_by(&mut self, flake: Self) {
        self.reasons = flake.reasons;
    }

    /// Whether this part, or one of its own parts, could not be read.
    #[must_use]
    pub fn lacks(&self, part: &[&str]) -> bool {
        self.unread.iter().any(|unread| {
            unread.len() >= part.len() && unread.iter().zip(part).all(|(unread, part)| unread == part)
        })
    }

    /// Why a part could not be read, where that is known.
    #[must_use]
    pub fn reason(&self, part: &[String]) -> Option<&Diagnostic> {
        self.reasons.iter().find(|reason| reason.covers(part.iter().cloned())).map(|reason| &reason.error)
    }

    /// Takes from the settings what the configuration does not say.
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
        assert_eq!(user(&[&with_options]).lets_in(shown), None);
        assert_eq!(user(&[&with_options, &public]).lets_in(shown), Some(true));
        assert_eq!(user(&[&format!("restrict,pty {public}")]).lets_in(shown), Some(true));
        assert_eq!(user(&[]).lets_in(shown), Some(false));
        assert_eq!(fingerprint("ssh-ed25519 nonsense"), None);
        assert_eq!(fingerprint("ssh-ed25519 AAAA!"), None);
    }
}
