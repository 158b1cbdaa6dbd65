//! The layout as tools report it: trees of devices, what is mounted where, and what is wrong.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hazards::Hazard;
use super::read::Attrs;
use super::{facts::ConfigFacts, hazards, parse};
use crate::diagnostic::{Code, Diagnostic};

/// What a probe's answer cannot be turned into a layout for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The probe gave something other than an attribute set with `devices`.
    #[error("the probe of the host's disk layout gave something else than an attribute set with `devices`")]
    NotAProbe,
}

impl From<&LayoutError> for Diagnostic {
    fn from(error: &LayoutError) -> Self {
        Self::new(Code::TypeMismatch, error.to_string())
            .with_hint("compare the host's `disko.devices` with disko's documentation")
    }
}

/// A host's disk layout.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = undocumented)]
pub struct Layout {
    /// A tree for every disk, then for every array, volume group, pool and mount without a device.
    pub disks: Vec<Node>,
    /// What the layout mounts, in the order of the mount points.
    pub mounts: Vec<Mount>,
    /// What is wrong with it, the worst first.
    pub hazards: Vec<Hazard>,
}

/// A device, or a part of one, and what it is divided into.
///
/// What is directly on a device is told on the device itself: a partition with an ext4 file system is
/// one node with `format` and `mountpoint`. An opened LUKS container, a subvolume, a dataset or a
/// logical volume has a name of its own and is a child.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = undocumented)]
pub struct Node {
    /// `disk`, `partition`, `luks`, `mdadm`, `lvm_vg`, `lv`, `zpool`, `zfs_fs`, `zfs_volume`,
    /// `btrfs_subvol`, `bcachefs_filesystem`, `bcachefs_subvolume`, `swapfile`, `nodev`, or the type
    /// the layout gives where it is none of these.
    pub kind: String,
    /// Its name in the layout.
    pub name: String,
    /// The path it has on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its size as the layout gives it: `500M`, `100%`, or `START..END`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The code of a partition's type (`EF00`), the level of an array, the mode of a pool.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_code: Option<String>,
    /// What is directly on it: a file system, `swap`, `luks`, a partition table (`gpt`, `msdos`), or
    /// what it is a member of (`mdraid`, `lvm_pv`, `zfs`, `bcachefs`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The array, volume group, pool or file system it is a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_of: Option<String>,
    /// Where it is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mountpoint: Option<String>,
    /// How it is mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub options: Vec<String>,
    /// The label of the file system on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it is divided into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub children: Vec<Node>,
    /// How many of its children come in later parts of the layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_children: Option<usize>,
    /// What only the hazards need.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) hidden: Hidden,
}

/// A place in the file system and what the layout mounts there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = undocumented)]
pub struct Mount {
    /// Where.
    pub mountpoint: String,
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// How.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub options: Vec<String>,
}

/// What disko is told about a node beside what is reported of it.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// The partition table on it.
    pub(super) table: Option<Table>,
    /// Where a partition or volume begins and ends, and its turn in being made.
    pub(super) extent: Extent,
    /// The name and the identifier in a partition's GPT entry, where the layout gives them.
    pub(super) partition_label: Option<String>,
    pub(super) partition_uuid: Option<String>,
    /// Flags of a partition in the older `table` type, and whether it was called bootable.
    pub(super) flags: Vec<String>,
    /// The kind of what it is a member of; the name is in [`Node::member_of`].
    pub(super) group: Option<Group>,
    /// The metadata version of an array.
    pub(super) metadata: Option<String>,
    /// How a pool is put together, where the layout spells it out.
    pub(super) topology: Option<Vec<Vdev>>,
    /// The segment type of a logical volume, its thin pool, and whether `lvcreate` is told more.
    pub(super) lvm_type: Option<String>,
    pub(super) thin_pool: Option<String>,
    pub(super) tuned: bool,
    /// Arguments of the program that makes the file system.
    pub(super) args: Vec<String>,
    /// How an encrypted node is opened.
    pub(super) encryption: Option<Encryption>,
    /// How swap is used.
    pub(super) swap: Option<Swap>,
    /// The probe could not evaluate it, or a part of it.
    pub(super) failed: bool,
    /// Its type is none this server knows.
    pub(super) unknown: bool,
    /// There is more below it than is kept.
    pub(super) cut: bool,
}

/// The kind of a partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// disko's `gpt`.
    Gpt,
    /// disko's older `table`, with a GPT.
    LegacyGpt,
    /// disko's older `table`, with an MBR.
    LegacyMbr,
}

impl Table {
    pub(super) fn is_gpt(self) -> bool {
        matches!(self, Self::Gpt | Self::LegacyGpt)
    }
}

/// Where a partition or volume begins and ends.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pub(super) size: Option<String>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) priority: Option<i64>,
}

/// What several devices can be members of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    Mdadm,
    Lvm,
    Zpool,
    Bcachefs,
}

impl Group {
    pub(super) const ALL: [Self; 4] = [Self::Mdadm, Self::Lvm, Self::Zpool, Self::Bcachefs];

    /// The kind of the node that is such a group; where it is not also the attribute of
    /// `disko.devices` that defines it, [`Self::attribute`] differs.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Mdadm => "mdadm",
            Self::Lvm => "lvm_vg",
            Self::Zpool => "zpool",
            Self::Bcachefs => "bcachefs_filesystem",
        }
    }

    /// The attribute of `disko.devices` such groups are defined in.
    pub(super) fn attribute(self) -> &'static str {
        match self {
            Self::Bcachefs => "bcachefs_filesystems",
            _ => self.kind(),
        }
    }

    /// What a person calls it.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Mdadm => "RAID array",
            Self::Lvm => "volume group",
            Self::Zpool => "ZFS pool",
            Self::Bcachefs => "bcachefs file system",
        }
    }
}

/// One virtual device of a pool's topology.
#[derive(Debug)]
pub(super) struct Vdev {
    /// `vdev`, `spare`, `log`, `dedup`, `special` or `cache`.
    pub(super) role: &'static str,
    /// Empty, `mirror`, `raidz`…
    pub(super) mode: String,
    pub(super) members: Vec<String>,
}

/// How an encrypted device, dataset or file system is opened.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    /// The file the initrd reads at every boot.
    pub(super) boot_key: Option<String>,
    /// Files that are read while formatting.
    pub(super) format_keys: Vec<String>,
    /// The initrd opens it.
    pub(super) at_boot: bool,
    /// The initrd asks when the file is missing.
    pub(super) falls_back: bool,
    /// Something else than a file or a passphrase may open it (TPM, FIDO2, commands).
    pub(super) other_ways: bool,
    /// LUKS1, or LUKS2 with PBKDF2: what GRUB before 2.14 can open.
    pub(super) simple_kdf: bool,
}

/// How swap is used.
#[derive(Debug, Default)]
pub(super) struct Swap {
    pub(super) random_encryption: bool,
    pub(super) resume: bool,
}

impl Layout {
    /// The layout in what evaluating [`PROBE`](super::PROBE) on a host's `config` gave.
    ///
    /// Whatever is in `devices`, there is a layout: what is not understood is kept by its name. A host
    /// without disko has an empty one.
    ///
    /// # Errors
    /// When `probe` is not an attribute set with `devices`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller has no further use of what can be megabytes"
    )]
    pub fn from_probe(probe: Value) -> Result<Self, LayoutError> {
        let attrs = Attrs::of(Some(&probe));
        let Some(devices) = probe.get("devices").filter(|devices| devices.is_object() || devices.is_null())
        else {
            return Err(LayoutError::NotAProbe);
        };
        let facts = ConfigFacts::read(attrs);
        let disks = parse::devices(Attrs::of(Some(devices)));
        let hazards = hazards::find(&disks, &facts, devices.is_object());
        let mounts = mounts(&disks);
        Ok(Self { disks, mounts, hazards })
    }
}

impl Node {
    /// The same without its children, and without what only the hazards need.
    pub(super) fn bare(&self) -> Self {
        Self {
            kind: self.kind.clone(),
            name: self.name.clone(),
            device: self.device.clone(),
            size: self.size.clone(),
            type_code: self.type_code.clone(),
            format: self.format.clone(),
            member_of: self.member_of.clone(),
            mountpoint: self.mountpoint.clone(),
            options: self.options.clone(),
            label: self.label.clone(),
            children: Vec::new(),
            more_children: None,
            hidden: Hidden::default(),
        }
    }
}

pub(super) fn mounts(roots: &[Node]) -> Vec<Mount> {
    fn collect(node: &Node, out: &mut Vec<Mount>) {
        if let Some(mountpoint) = &node.mountpoint {
            out.push(Mount {
                mountpoint: mountpoint.clone(),
                device: node.device.clone(),
                format: node.format.clone(),
                options: node.options.clone(),
            });
        }
        for child in &node.children {
            collect(child, out);
        }
    }
    let mut out = Vec::new();
    for root in roots {
        collect(root, &mut out);
    }
    out.sort_by(|a, b| a.mountpoint.cmp(&b.mountpoint));
    out
}

/// Leaves the descriptions out of a schema: a client pays for them in every session, and the names say it.
fn undocumented(schema: &mut Schema) {
    schema.remove("description");
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for property in properties.values_mut() {
        if let Value::Object(property) = property {
            property.remove("description");
            property.remove("default");
            // What is not there is left out, never null.
            if let Some(kind) = property.get("type").and_then(Value::as_array).and_then(|kinds| kinds.first())
            {
                let kind = kind.clone();
                property.insert("type".to_owned(), kind);
            }
        }
    }
}
