//! What is wrong with a layout: a table of small checks, each of which is right or silent.
//!
//! A check speaks only of what the configuration says. Two paths that may lead to the same drive, a
//! fact that could not be evaluated, a device the layout does not name: about these there is nothing
//! to say, or a [`Severity::Note`] that leaves it open.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::model::Node;
use crate::text;

mod boot;
mod devices;
mod esp;
mod groups;
mod labels;
mod mounts;
mod partitions;
mod secrets;
mod survey;
mod swap;

use survey::Survey;

/// Most hazards reported of one layout.
pub const HAZARD_LIMIT: usize = 200;
/// Longest message or fix, in characters.
const TEXT_LIMIT: usize = 600;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Formatting fails, wipes something else, or leaves a host that does not start.
    Danger,
    /// It works today and will hurt some day, or it is very likely not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// The stable name of a kind of hazard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    // The layout as a whole
    /// The host has no disko configuration.
    NoDisko,
    /// disko is there but formats no disk.
    NoDisks,
    /// A part of the layout could not be evaluated.
    NotEvaluated,
    /// A content type this server does not know.
    UnknownType,
    /// The layout is larger than what is looked at.
    LayoutCut,

    // Disks
    /// A device path that was meant to be filled in.
    PlaceholderDevice,
    /// Two disks of the layout are one device.
    SameDeviceTwice,
    /// A partition table is put into a partition.
    DiskIsPartition,
    /// A device name that can move to another drive.
    UnstableDevice,
    /// A device found by what is on it, which formatting removes.
    DeviceNamedByContent,

    // Boot loader
    /// The boot loader goes onto a device the layout does not format.
    BootLoaderElsewhere,
    /// GRUB is told the same device twice.
    GrubDeviceRepeated,
    /// GRUB is to be installed into a partition.
    GrubOnPartition,
    /// GRUB for BIOS on a GPT without a BIOS boot partition.
    GrubNeedsBiosBoot,
    /// GRUB has to read an encrypted device and is not told so.
    BootEncrypted,
    /// GRUB has to open LUKS2 with a key derivation older versions cannot do.
    BootKeyDerivation,
    /// GRUB has no driver for the file system its files are on.
    BootUnreadable,
    /// GRUB for UEFI is installed where no firmware looks.
    NoFirmwareEntry,

    // EFI system partition
    /// A UEFI boot loader without an EFI system partition where it is expected.
    EspMissing,
    /// The EFI system partition has another file system than FAT.
    EspNotFat,
    /// The partition is not marked as an EFI system partition.
    EspWrongType,
    /// The firmware cannot read the EFI system partition where it is.
    EspUnreadable,
    /// Kernels do not fit.
    EspTooSmall,
    /// Everybody can read the boot loader's random seed.
    EspWorldReadable,
    /// The root survives a drive, the boot loader does not.
    SingleBootDisk,

    // Mounts
    /// Nothing is mounted at the root.
    NoRoot,
    /// Two things are mounted at the same place.
    DuplicateMountpoint,
    /// What the host starts from is in memory.
    SystemInMemory,
    /// Programs cannot be run from the store.
    StoreNoexec,
    /// The layout mounts it while installing, the host does not.
    NotMountedAtBoot,
    /// The host mounts another device there than the layout does.
    MountedFromElsewhere,
    /// The host mounts a device the layout does not have.
    MountOutsideLayout,
    /// The host mounts a partition of a disk that the layout wipes.
    MountOnWipedDisk,

    // Partitions and volumes
    /// A size that disko, LVM or ZFS does not take.
    SizeUnreadable,
    /// Something before it takes all the space.
    NoSpaceLeft,
    /// Two partitions are found by the same name or identifier.
    DuplicatePartitionName,
    /// A partition's name is longer than a GPT can hold.
    PartitionNameTooLong,
    /// Two file systems have the same label.
    DuplicateLabel,
    /// A label is longer than the file system can hold.
    LabelTooLong,

    // Arrays, volume groups, pools
    /// A member of something that is not defined.
    GroupUndefined,
    /// Something that has no members.
    GroupWithoutMembers,
    /// Fewer members than its level needs.
    TooFewMembers,
    /// Losing any one member loses everything.
    NoRedundancy,
    /// One part without redundancy makes the rest of it useless.
    MixedRedundancy,
    /// The copies are on one drive.
    MirrorOnOneDisk,
    /// The topology and the members are not the same devices.
    TopologyMismatch,
    /// A thin volume without its pool.
    ThinPoolUndefined,

    // Encryption
    /// A key that every user of the host can read.
    KeyInStore,
    /// A key file that is not there when the host starts.
    KeyNotAtBoot,
    /// Somebody has to type a passphrase at every start.
    PassphraseAtBoot,
    /// Two encrypted devices open under the same name.
    DuplicateLuksName,

    // Swap
    /// Memory of an encrypted host is written out in the clear.
    SwapUnencrypted,
    /// The host cannot come back from hibernation.
    ResumeFromRandomKey,
    /// Swap in a ZFS volume can lock up.
    SwapOnZvol,
}

/// One thing that is wrong with a layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hazard {
    /// Stable name of the kind of hazard.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what comes of it.
    pub message: String,
    /// The device it is about, or the place in the layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What to do about it.
    pub fix: String,
}

impl JsonSchema for Hazard {
    fn schema_name() -> Cow<'static, str> {
        "Hazard".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // By hand, because the list of codes would be the largest part of every list of tools.
        json_schema!({
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "severity": {"enum": ["danger", "warning", "note"]},
                "message": {"type": "string"},
                "device": {"type": "string"},
                "fix": {"type": "string"}
            },
            "required": ["code", "severity", "message", "fix"]
        })
    }
}

/// What a check reports to.
#[derive(Default)]
struct Report(Vec<Hazard>);

impl Report {
    fn add(
        &mut self,
        code: Code,
        severity: Severity,
        device: impl Into<Option<String>>,
        message: impl AsRef<str>,
        fix: impl AsRef<str>,
    ) {
        let hazard = Hazard {
            code,
            severity,
            message: text::bounded(message.as_ref(), TEXT_LIMIT),
            device: device.into(),
            fix: text::bounded(fix.as_ref(), TEXT_LIMIT),
        };
        if self.0.len() < 4 * HAZARD_LIMIT && !self.0.contains(&hazard) {
            self.0.push(hazard);
        }
    }

    fn danger(&mut self, code: Code, device: &str, message: impl AsRef<str>, fix: impl AsRef<str>) {
        self.add(code, Severity::Danger, device.to_owned(), message, fix);
    }

    fn warning(&mut self, code: Code, device: &str, message: impl AsRef<str>, fix: impl AsRef<str>) {
        self.add(code, Severity::Warning, device.to_owned(), message, fix);
    }

    fn note(&mut self, code: Code, device: &str, message: impl AsRef<str>, fix: impl AsRef<str>) {
        self.add(code, Severity::Note, device.to_owned(), message, fix);
    }
}

type Check = fn(&Survey<'_>, &mut Report);

/// Every check there is; a new one is a function and a line here.
const CHECKS: &[Check] = &[
    devices::no_disks,
    devices::not_evaluated,
    devices::unknown_type,
    devices::layout_cut,
    devices::placeholder,
    devices::same_device_twice,
    devices::disk_is_partition,
    devices::unstable,
    devices::named_by_content,
    boot::elsewhere,
    boot::device_repeated,
    boot::on_partition,
    boot::needs_bios_boot,
    boot::encrypted,
    boot::unreadable,
    boot::no_firmware_entry,
    esp::missing,
    esp::not_fat,
    esp::wrong_type,
    esp::unreadable,
    esp::too_small,
    esp::world_readable,
    esp::single_boot_disk,
    mounts::no_root,
    mounts::duplicate,
    mounts::system_in_memory,
    mounts::store_noexec,
    mounts::not_at_boot,
    mounts::from_elsewhere,
    mounts::outside_layout,
    partitions::size_unreadable,
    partitions::no_space_left,
    partitions::volume_space,
    labels::duplicate_partition_name,
    labels::partition_name_too_long,
    labels::duplicate_label,
    labels::label_too_long,
    groups::undefined,
    groups::without_members,
    groups::array_members,
    groups::pool_members,
    groups::volume_members,
    groups::mixed_redundancy,
    groups::mirror_on_one_disk,
    groups::topology_mismatch,
    groups::thin_pool_undefined,
    secrets::key_in_store,
    secrets::key_not_at_boot,
    secrets::passphrase_at_boot,
    secrets::duplicate_name,
    swap::unencrypted,
    swap::resume_from_random_key,
    swap::on_zvol,
];

/// What is wrong with the layout, the worst first.
pub(super) fn find(roots: &[Node], facts: &Facts, has_disko: bool) -> Vec<Hazard> {
    let mut report = Report::default();
    if has_disko {
        let survey = Survey::new(roots, facts);
        for check in CHECKS {
            check(&survey, &mut report);
        }
    } else {
        report.add(
            Code::NoDisko,
            Severity::Note,
            None,
            "This host has no `disko.devices`: its disks are set up by other means.",
            "Import disko's NixOS module and describe the disks, if this server is to install the host.",
        );
    }
    let mut hazards = report.0;
    // Stable: within a severity they stay in the order of the table.
    hazards.sort_by_key(|hazard| hazard.severity);
    hazards.truncate(HAZARD_LIMIT);
    hazards
}
