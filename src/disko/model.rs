//! The layout as tools report it: trees of devices, mounts, and hazards.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hazards::Hazard;
use super::read::Attrs;
use super::{brief, facts::ConfigFacts, hazards, parse, place};
use crate::diagnostic::{Code, Diagnostic};

/// Why the result of a probe is no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The result is not an attribute set with `devices`.
    #[error("the probe of the host's disk layout did not return an attribute set with `devices`")]
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
    /// A tree for each disk, then for each array, volume group, pool, and mount without a device.
    pub disks: Vec<Node>,
    /// The mounts of the layout, sorted by mount point; their options are in `disks`.
    pub mounts: Vec<Mount>,
    /// The disks whose content disko wipes before it formats them.
    pub wiped: Vec<Fate>,
    /// The disks with `destroy = false`: disko wipes nothing on them, and adds what they lack.
    pub kept: Vec<Fate>,
    /// Its hazards, the most severe first.
    pub hazards: Vec<Hazard>,
}

/// A disk that is wiped or kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = undocumented)]
pub struct Fate {
    /// The host, if the answer is about several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its name in the layout.
    pub name: String,
    /// Its path on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Where it is defined.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// A place in the flake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = undocumented)]
pub struct Place {
    /// The file, relative to the flake if it belongs to it.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
}

/// A device or a part of one, with its children.
///
/// The content of a device is described by its own node: a partition with an ext4 file system is one node with `format`
/// and `mountpoint`. An opened LUKS container, a subvolume, a dataset and a logical volume have names of their own and
/// are children.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = undocumented)]
pub struct Node {
    /// The host, on the root of a tree if the answer is about several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `disk`, `partition`, `luks`, `mdadm`, `lvm_vg`, `lv`, `zpool`, `zfs_fs`, `zfs_volume`,
    /// `btrfs_subvol`, `bcachefs_filesystem`, `bcachefs_subvolume`, `swapfile`, `nodev`, or another type that
    /// the layout has.
    pub kind: String,
    /// Its name in the layout.
    pub name: String,
    /// Its path on the host; `None` if the layout does not determine it. An answer leaves it out if `mounts` or the parent
    /// has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its size as in the layout: `500M`, `100%`, or `START..END`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The type code of a partition (`EF00`), the level of an array, or the mode of a pool.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_code: Option<String>,
    /// Its content: a file system, `swap`, `luks`, a partition table (`gpt`, `msdos`), or a member of a group
    /// (`mdraid`, `lvm_pv`, `zfs`, `bcachefs`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The array, volume group, pool or file system it is a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_of: Option<String>,
    /// Its mount point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mountpoint: Option<String>,
    /// Its mount options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub options: Vec<String>,
    /// The label of the file system on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Partitions, volumes, subvolumes, or the opened device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub children: Vec<Node>,
    /// Where the root of a tree is defined.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// Number of its children in later parts of the layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_children: Option<usize>,
    /// Facts for the hazards that are not reported.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) hidden: UnreportedSettings,
}

/// A mount of the layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = undocumented)]
pub struct Mount {
    /// The host, if the answer is about several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its mount point.
    pub mountpoint: String,
    /// Path of the mounted device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// How it, or each device that it lies on, is encrypted: `luks`, `zfs` or `bcachefs`; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
}

/// Settings of a node that hazards need and that are not reported.
#[derive(Debug, Default)]
pub(super) struct UnreportedSettings {
    /// Where the node is defined.
    pub(super) place: Option<Place>,
    /// Whether disko wipes the disk before it formats it; `None` if that could not be evaluated, and for other nodes.
    pub(super) destroy: Option<bool>,
    /// The partition table on it.
    pub(super) table: Option<Table>,
    /// Size and position of a partition or volume, and its priority when disko creates it.
    pub(super) extent: Extent,
    /// Name and identifier in the GPT entry of a partition; `None` if the layout does not determine them.
    pub(super) partition_label: Option<String>,
    pub(super) partition_uuid: Option<String>,
    /// Flags of a partition of the older `table` type; `boot` if it is `bootable`.
    pub(super) flags: Vec<String>,
    /// Kind of the group it is a member of; [`Node::member_of`] has the name.
    pub(super) group: Option<Group>,
    /// The metadata version of an array.
    pub(super) metadata: Option<String>,
    /// The virtual devices of a pool; `None` if the layout has a mode instead.
    pub(super) topology: Option<Vec<Vdev>>,
    /// Segment type of a logical volume, its thin pool, and whether `lvcreate` gets further arguments.
    pub(super) lvm_type: Option<String>,
    pub(super) thin_pool: Option<String>,
    pub(super) tuned: bool,
    /// Arguments of the program that creates the file system.
    pub(super) args: Vec<String>,
    /// How an encrypted node is opened.
    pub(super) encryption: Option<Encryption>,
    /// How a mounted node, or each device that it lies on, is encrypted.
    pub(super) encrypted: Option<&'static str>,
    /// Settings of swap.
    pub(super) swap: Option<Swap>,
    /// Whether the probe could not evaluate it or a part of it.
    pub(super) failed: bool,
    /// Whether its type is unknown to this server.
    pub(super) unknown: bool,
    /// Whether children were left out because of a limit.
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

/// Size and position of a partition or volume, as in the layout.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pub(super) size: Option<String>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) priority: Option<i64>,
}

/// Kind of a group of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    Mdadm,
    Lvm,
    Zpool,
    Bcachefs,
}

impl Group {
    pub(super) const ALL: [Self; 4] = [Self::Mdadm, Self::Lvm, Self::Zpool, Self::Bcachefs];

    /// The kind of a group's node.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Mdadm => "mdadm",
            Self::Lvm => "lvm_vg",
            Self::Zpool => "zpool",
            Self::Bcachefs => "bcachefs_filesystem",
        }
    }

    /// The attribute of `disko.devices` that defines such groups.
    pub(super) fn attribute(self) -> &'static str {
        match self {
            Self::Bcachefs => "bcachefs_filesystems",
            _ => self.kind(),
        }
    }

    /// Its name in sentences.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Mdadm => "RAID array",
            Self::Lvm => "volume group",
            Self::Zpool => "ZFS pool",
            Self::Bcachefs => "bcachefs file system",
        }
    }
}

/// A virtual device of a pool.
#[derive(Debug)]
pub(super) struct Vdev {
    /// `vdev`, `spare`, `log`, `dedup`, `special` or `cache`.
    pub(super) role: &'static str,
    /// `mirror`, `raidz`…; empty for single devices.
    pub(super) mode: String,
    pub(super) members: Vec<String>,
}

/// How an encrypted device, dataset or file system is opened.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    /// Key file that the initrd reads at every boot; `None` if there is none.
    pub(super) boot_key: Option<String>,
    /// Key files that are read while formatting.
    pub(super) format_keys: Vec<String>,
    /// Whether the initrd opens it.
    pub(super) at_boot: bool,
    /// Whether the initrd asks for a passphrase if the key file is missing.
    pub(super) falls_back: bool,
    /// Whether something other than a file or a passphrase may open it (TPM, FIDO2, commands).
    pub(super) other_ways: bool,
    /// Whether it is LUKS1, or LUKS2 with PBKDF2, which GRUB before 2.14 can open.
    pub(super) simple_kdf: bool,
}

/// Settings of swap.
#[derive(Debug, Default)]
pub(super) struct Swap {
    pub(super) random_encryption: bool,
    pub(super) resume: bool,
}

impl Layout {
    /// Reads the result of [`PROBE`](super::PROBE) for a host's `config`.
    ///
    /// Unknown devices keep their names and become nodes. A host without disko has an empty layout.
    ///
    /// # Errors
    /// [`LayoutError::NotAProbe`] if `probe` is not an attribute set with `devices`.
    pub fn from_probe(mut probe: Value) -> Result<Self, LayoutError> {
        place::insert_places(&mut probe);
        let attrs = Attrs::of(Some(&probe));
        let Some(devices) = probe.get("devices").filter(|devices| devices.is_object() || devices.is_null())
        else {
            return Err(LayoutError::NotAProbe);
        };
        let facts = ConfigFacts::read(attrs);
        let mut disks = parse::devices(Attrs::of(Some(devices)));
        brief::note_encryption(&mut disks);
        let hazards = hazards::find(&disks, &facts, devices.is_object());
        let mounts = mounts(&disks);
        let with_fate = |wiped| {
            let of_fate = disks.iter().filter(move |root| root.hidden.destroy == Some(wiped));
            of_fate.map(Fate::of).collect()
        };
        Ok(Self { wiped: with_fate(true), kept: with_fate(false), disks, mounts, hazards })
    }
}

impl Fate {
    fn of(disk: &Node) -> Self {
        Self { host: None, name: disk.name.clone(), device: disk.device.clone(), place: disk.place.clone() }
    }
}

impl Node {
    /// A copy without its children, and without the hidden settings that hazards need.
    pub(super) fn bare(&self) -> Self {
        Self {
            host: self.host.clone(),
            place: self.place.clone(),
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
            hidden: UnreportedSettings {
                destroy: self.hidden.destroy,
                encrypted: self.hidden.encrypted,
                ..UnreportedSettings::default()
            },
        }
    }
}

pub(super) fn mounts(roots: &[Node]) -> Vec<Mount> {
    fn collect(node: &Node, out: &mut Vec<Mount>) {
        if let Some(mountpoint) = &node.mountpoint {
            out.push(Mount {
                host: None,
                mountpoint: mountpoint.clone(),
                device: node.device.clone(),
                format: node.format.clone(),
                encrypted: node.hidden.encrypted.map(str::to_owned),
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

/// Removes the descriptions from a schema: they cost tokens in every session, and the names are clear.
fn undocumented(schema: &mut Schema) {
    schema.remove("description");
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for property in properties.values_mut() {
        if let Value::Object(property) = property {
            property.remove("description");
            property.remove("default");
            // An absent value is left out and never null.
            if let Some(kind) = property.get("type").and_then(Value::as_array).and_then(|kinds| kinds.first())
            {
                let kind = kind.clone();
                property.insert("type".to_owned(), kind);
            }
        }
    }
}
