//! What a new system changes on a host besides packages and units, as the files of both systems show it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::is_zero;

/// The changes by part. A part that is absent here and in `unknown` was compared and stays the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
// The schema leaves out its fields, which would double the schemas of three tools: `docs/effects.md` has them.
#[schemars(with = "serde_json::Map<String, serde_json::Value>")]
pub struct Effects {
    /// Ports that NixOS's firewall accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<PortChanges>,
    /// Declared users. Of a password, only the fact that it differs is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<ItemChanges>,
    /// Declared groups. Members are in the changes of users, unless they are not declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<ItemChanges>,
    /// `users.mutableUsers` of the new system, if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutable_users: Option<bool>,
    /// Authorized keys in `/etc/ssh/authorized_keys.d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyChanges>,
    /// Entries of `/etc/fstab` by mount point; swap as `swap:DEVICE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<ItemChanges>,
    /// Parameters of the kernel's command line, which take effect at the next boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_params: Option<ParamChanges>,
    /// Files below `/etc`, without `fstab`, authorized keys and system units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FileChanges>,
    /// Parts that were not read, or not completely. They may have changes that are not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<UnknownEffect>,
}

/// A part of the effects that was not read completely.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnknownEffect {
    /// The part.
    pub part: EffectPart,
    /// The system whose files do not show it.
    pub system: ComparedSystem,
    /// The reason.
    pub why: String,
}

/// A part of the effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectPart {
    /// All of them.
    All,
    /// [`Effects::ports`].
    Ports,
    /// [`Effects::users`], [`Effects::groups`] and [`Effects::mutable_users`].
    Users,
    /// [`Effects::keys`].
    Keys,
    /// [`Effects::mounts`].
    Mounts,
    /// [`Effects::kernel_params`].
    KernelParams,
    /// [`Effects::files`].
    Files,
}

/// One of the two systems that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedSystem {
    /// The one that runs, or the first of two generations.
    Before,
    /// The one to activate, or the second of two generations.
    After,
    /// Each of them.
    Both,
}

/// Changes to the ports that NixOS's firewall accepts, such as `tcp 443`, `udp 60000-61000`, `tcp 22 on eth0` and
/// `everything on wg0`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortChanges {
    /// Whether the firewall is enabled or disabled; absent if neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<FirewallChange>,
    /// Accepted only by the new system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<String>,
    /// Accepted only by the current system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
    /// Accepted by a firewall that gets enabled; all other ports are closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_open: Vec<String>,
    /// Number of ports that the lists leave out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// What happens to NixOS's firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirewallChange {
    /// Only the new system has it.
    Enabled,
    /// Only the current system has it: no port is closed any more.
    Disabled,
}

/// Changes to things that have names and properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemChanges {
    /// Only the new system has them; with their properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<NamedChange>,
    /// Only the current system has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Their properties differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<NamedChange>,
    /// Number of entries that the lists leave out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// Something that changes, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedChange {
    /// The name of a user or group, or a mount point.
    pub name: String,
    /// Its changes, such as `uid 1000 -> 1001`; its properties if it is added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// Changes to authorized keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChanges {
    /// Only the new system accepts them. A key with other options is in both lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<AuthorizedKey>,
    /// Only the current system accepts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<AuthorizedKey>,
    /// Number of keys that the lists leave out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// An authorized key of a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizedKey {
    /// The user who can log in with it.
    pub user: String,
    /// Its type and fingerprint, such as `ssh-ed25519 SHA256:…`.
    pub key: String,
    /// Its comment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether it has options, such as `command` and `from`, which restrict it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_options: bool,
}

/// Changes to the parameters of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamChanges {
    /// Only the new system has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Only the current system has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Whether both have the same ones in another order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reordered: bool,
    /// Number of parameters that the lists leave out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// Changes to files below `/etc`, by their paths relative to it. A folder in the store that `/etc` links to is one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileChanges {
    /// Only the new system has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Only the current system has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Their content, mode or owner differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Number of files that differ only in the hashes of store paths: they name other builds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rebuilt: u64,
    /// Number of files that the lists leave out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}
