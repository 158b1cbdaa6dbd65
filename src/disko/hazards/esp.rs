//! Checks of the EFI system partition: it exists, has the right type, and is readable and large enough.
//!
//! Facts: UEFI specification 2.10, 13.3 (FAT) and table 5.7 (the type's GUID; `EF00` is sgdisk's code for
//! it); `bootctl install`, which NixOS runs for systemd-boot and which refuses other partitions;
//! mdadm(8), `--metadata` (1.0 is at the end of the device, 1.1 and 1.2 at its start).

use std::collections::BTreeSet;

use super::layout_index::{LayoutIndex, LocatedNode, without_trailing_slash};
use super::{HazardCode, HazardReport, Severity};
use crate::disko::model::{Node, Table};
use crate::disko::size;

/// Two or three generations of kernels and initrds need more, in bytes.
const SMALLEST_FOR_KERNELS: u64 = 100 << 20;
const TYPE_GUID: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// A boot loader for UEFI and the mount point where it expects the system partition.
struct Expected<'a> {
    loader: &'static str,
    at: &'a str,
    /// Whether it copies kernels there.
    kernels: bool,
}

fn expected<'a>(layout: &LayoutIndex<'a>) -> Vec<Expected<'a>> {
    let facts = layout.facts;
    let default = facts.efi_mount_point.as_deref().map_or("/boot", without_trailing_slash);
    let mut out = Vec::new();
    if facts.systemd_boot == Some(true) {
        out.push(Expected {
            loader: "systemd-boot",
            at: default,
            kernels: facts.xbootldr_mount_point.is_none(),
        });
    }
    if let Some(grub) = facts.enabled_grub().filter(|grub| grub.efi_support) {
        let mut nodes: BTreeSet<&str> = grub
            .boots
            .iter()
            .map(|boot| {
                boot.efi_mount_point
                    .as_deref()
                    .or(boot.path.as_deref())
                    .map_or(default, without_trailing_slash)
            })
            .collect();
        if nodes.is_empty() {
            nodes.insert(default);
        }
        let kernels_at: BTreeSet<&str> = grub
            .boots
            .iter()
            .map(|boot| boot.path.as_deref().map_or("/boot", without_trailing_slash))
            .collect();
        out.extend(nodes.into_iter().map(|at| Expected {
            loader: "GRUB",
            at,
            kernels: kernels_at.contains(at) || at == "/boot",
        }));
    }
    out
}

/// The expected system partitions that the layout mounts.
fn found<'a>(layout: &LayoutIndex<'a>) -> Vec<(Expected<'a>, LocatedNode<'a>)> {
    expected(layout)
        .into_iter()
        .filter_map(|esp| Some((layout.mounted(esp.at)?, esp)))
        .map(|(located, esp)| (esp, located))
        .collect()
}

pub(super) fn missing(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    // A layout without the system does not have to contain the boot partition.
    let Some(root) = layout.mounted("/").or_else(|| layout.mounted("/nix")) else { return };
    for esp in expected(layout) {
        if layout.mounted(esp.at).is_some() || layout.may_be_mounted_by_host(esp.at) {
            continue;
        }
        let elsewhere = layout
            .mounts()
            .find(|(_, located)| is_marked(located.node))
            .map(|(at, located)| (at, layout.path(located)));
        let fix = match elsewhere {
            Some((at, name)) => format!(
                "The layout mounts {name} at {at}: mount it at {}, or set \
                 `boot.loader.efi.efiSysMountPoint = \"{at}\"`.",
                esp.at
            ),
            None => format!(
                "Add a partition with `size = \"1G\"; type = \"EF00\";` and a vfat file system mounted at \
                 {}.",
                esp.at
            ),
        };
        report.danger(
            HazardCode::EspMissing,
            esp.at,
            format!(
                "{} expects the EFI system partition at {}, where nothing is mounted, so that it would \
                 write to {}: firmware does not read that, and the host does not boot.",
                esp.loader,
                esp.at,
                layout.path(root)
            ),
            fix,
        );
    }
}

pub(super) fn not_fat(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (esp, located) in found(layout) {
        let Some(format) = located.node.format.as_deref() else { continue };
        if !matches!(format, "vfat" | "fat" | "msdos") {
            report.danger(
                HazardCode::EspNotFat,
                &layout.path(located),
                format!(
                    "{} expects the EFI system partition at {}, which is {format}: firmware reads \
                    only FAT, and the host does not boot.",
                    esp.loader, esp.at
                ),
                "Give that partition `format = \"vfat\"`.",
            );
        }
    }
}

pub(super) fn wrong_type(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (esp, located) in found(layout) {
        let partitions = layout.partitions_below(located);
        let known = |located: &LocatedNode<'_>| layout.root(*located).node.hidden.table == Some(Table::Gpt);
        if partitions.is_empty()
            || !partitions.iter().all(known)
            || partitions.iter().any(|located| is_marked(located.node))
        {
            continue;
        }
        // bootctl checks the type. GRUB does not, and some firmware boots from other types.
        let severity = if esp.loader == "GRUB" { Severity::Warning } else { Severity::Danger };
        report.add(
            HazardCode::EspWrongType,
            severity,
            layout.path(located),
            format!(
                "The partition at {} is not marked as an EFI system partition: {}.",
                esp.at,
                if esp.loader == "GRUB" {
                    "firmware may ignore it"
                } else {
                    "`bootctl install` refuses it, and firmware may ignore it"
                }
            ),
            "Give the partition `type = \"EF00\"`.",
        );
    }
}

fn is_marked(partition: &Node) -> bool {
    partition
        .type_code
        .as_deref()
        .is_some_and(|code| code.eq_ignore_ascii_case("EF00") || code.eq_ignore_ascii_case(TYPE_GUID))
        || partition.hidden.flags.iter().any(|flag| flag == "esp" || flag == "boot")
}

pub(super) fn unreadable(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (esp, located) in found(layout) {
        let name = layout.path(located);
        let root = layout.root(located).node;
        let within = layout
            .upwards(located)
            .find(|located| matches!(located.node.kind.as_str(), "luks" | "lv" | "zfs_volume"));
        if let Some(within) = within {
            let what = match within.node.kind.as_str() {
                "luks" => "an encrypted device",
                "lv" => "a logical volume",
                _ => "a ZFS volume",
            };
            report.danger(
                HazardCode::EspUnreadable,
                &name,
                format!(
                    "The EFI system partition at {} is inside {what}, which firmware cannot read: the \
                    host does not boot.",
                    esp.at
                ),
                "Make it a plain partition of type EF00.",
            );
        } else if root.kind == "mdadm" && located.node.format.as_deref() == Some("vfat") {
            let level = root.type_code.as_deref().unwrap_or_default();
            // Firmware reads the containers of its own RAID.
            let at_start =
                matches!(root.hidden.metadata.as_deref(), Some("1" | "1.1" | "1.2" | "default") | None);
            if level != "raid1" || at_start {
                report.danger(
                    HazardCode::EspUnreadable,
                    &name,
                    format!(
                        "The EFI system partition at {} is on the array {:?} ({level}, metadata {}): \
                        firmware cannot read arrays and finds no FAT at the start of the partition.",
                        esp.at,
                        root.name,
                        root.hidden.metadata.as_deref().unwrap_or("default")
                    ),
                    "Use `level = 1` and `metadata = \"1.0\"`, which puts the array's metadata at the end.",
                );
            }
        }
    }
}

pub(super) fn too_small(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (esp, located) in found(layout).into_iter().filter(|(esp, _)| esp.kernels) {
        for partition in layout.partitions_below(located) {
            let Some(bytes) = extent_bytes(partition.node).filter(|bytes| *bytes < SMALLEST_FOR_KERNELS)
            else {
                continue;
            };
            report.warning(
                HazardCode::EspTooSmall,
                &layout.path(partition),
                format!(
                    "{} copies kernels and initrds to {}, which is only {}: after a few generations \
                    it is full, and switching fails.",
                    esp.loader,
                    esp.at,
                    crate::text::bytes(bytes)
                ),
                "Make it 1G, and set `configurationLimit` for the boot loader.",
            );
        }
    }
}

fn extent_bytes(partition: &Node) -> Option<u64> {
    let extent = &partition.hidden.extent;
    match (&extent.size, &extent.start, &extent.end) {
        (Some(size), _, None) => size::bytes(size),
        (_, _, Some(end)) if end.starts_with('+') => size::bytes(end),
        (_, start, Some(end)) if !end.starts_with('-') => {
            let start = start.as_deref().map_or(Some(0), size::bytes)?;
            size::bytes(end)?.checked_sub(start)
        }
        _ => None,
    }
}

/// bootctl(1) warns of a random seed file that every user can read.
pub(super) fn world_readable(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (esp, located) in found(layout).into_iter().filter(|(esp, _)| esp.loader == "systemd-boot") {
        let is_fat = located.node.format.as_deref() == Some("vfat");
        let masked = located
            .node
            .options
            .iter()
            .flat_map(|options| options.split(','))
            .any(|option| ["umask=", "fmask=", "dmask="].iter().any(|mask| option.starts_with(mask)));
        if is_fat && !masked {
            report.note(
                HazardCode::EspWorldReadable,
                &layout.path(located),
                format!(
                    "Every user of the host can read {}, where systemd-boot keeps the seed of its \
                    random numbers.",
                    esp.at
                ),
                "Give it `mountOptions = [ \"umask=0077\" ]`.",
            );
        }
    }
}

/// Reports a mirrored root whose system partition is on one drive only.
pub(super) fn single_boot_disk(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Some(root) = layout.mounted("/") else { return };
    let owner = layout.root(root).node;
    let mirrored = match owner.kind.as_str() {
        "mdadm" => owner.type_code.as_deref() == Some("raid1"),
        "zpool" => owner.type_code.as_deref() == Some("mirror"),
        _ => false,
    };
    let drives = layout.lies_on(root).map_or(0, |disks| disks.len());
    let several_boots = layout.facts.enabled_grub().is_some_and(|grub| grub.boots.len() > 1);
    if !mirrored || drives < 2 || several_boots {
        return;
    }
    for (esp, located) in found(layout) {
        if layout.lies_on(located).is_some_and(|disks| disks.len() == 1) {
            report.note(
                HazardCode::SingleBootDisk,
                &layout.path(located),
                format!(
                    "The root is mirrored on {drives} drives, {} is on one: if that one fails, the \
                    data is safe, but the host does not boot.",
                    esp.at
                ),
                "Give each drive an EFI system partition and list both in \
                 `boot.loader.grub.mirroredBoots`, or mirror it with an mdadm array of level 1 and \
                 metadata 1.0.",
            );
        }
    }
}
