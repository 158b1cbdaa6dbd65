//! The EFI system partition: there, of the right kind, readable and large enough.
//!
//! Facts: UEFI specification 2.10, 13.3 (FAT) and table 5.7 (the type's GUID; `EF00` is sgdisk's code for
//! it); `bootctl install`, which NixOS runs for systemd-boot and which refuses other partitions;
//! mdadm(8), `--metadata` (1.0 is at the end of the device, 1.1 and 1.2 at its start).

use std::collections::BTreeSet;

use super::survey::{Place, Survey, normal};
use super::{Code, Report, Severity};
use crate::disko::model::{Node, Table};
use crate::disko::size;

/// With an initrd, two or three generations of kernels already need more.
const SMALLEST_FOR_KERNELS: u64 = 100 << 20;
const TYPE_GUID: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// A boot loader for UEFI and where it expects the system partition.
struct Expected<'a> {
    loader: &'static str,
    at: &'a str,
    /// Kernels are copied there.
    kernels: bool,
}

fn expected<'a>(survey: &Survey<'a>) -> Vec<Expected<'a>> {
    let facts = survey.facts;
    let default = facts.efi_mount_point.as_deref().map_or("/boot", normal);
    let mut out = Vec::new();
    if facts.systemd_boot == Some(true) {
        out.push(Expected {
            loader: "systemd-boot",
            at: default,
            kernels: facts.xbootldr_mount_point.is_none(),
        });
    }
    if let Some(grub) = facts.enabled_grub().filter(|grub| grub.efi_support) {
        let mut places: BTreeSet<&str> = grub
            .boots
            .iter()
            .map(|boot| boot.efi_mount_point.as_deref().or(boot.path.as_deref()).map_or(default, normal))
            .collect();
        if places.is_empty() {
            places.insert(default);
        }
        let kernels_at: BTreeSet<&str> =
            grub.boots.iter().map(|boot| boot.path.as_deref().map_or("/boot", normal)).collect();
        out.extend(places.into_iter().map(|at| Expected {
            loader: "GRUB",
            at,
            kernels: kernels_at.contains(at) || at == "/boot",
        }));
    }
    out
}

/// Each expected system partition that the layout mounts.
fn found<'a>(survey: &Survey<'a>) -> Vec<(Expected<'a>, Place<'a>)> {
    expected(survey)
        .into_iter()
        .filter_map(|esp| Some((survey.mounted(esp.at)?, esp)))
        .map(|(place, esp)| (esp, place))
        .collect()
}

pub(super) fn missing(survey: &Survey<'_>, report: &mut Report) {
    // Only a layout that has the system on it can be missing its boot partition.
    let Some(root) = survey.mounted("/").or_else(|| survey.mounted("/nix")) else { return };
    for esp in expected(survey) {
        if survey.mounted(esp.at).is_some() || survey.may_be_mounted_by_host(esp.at) {
            continue;
        }
        let elsewhere = survey
            .mounts()
            .find(|(_, place)| is_marked(place.node))
            .map(|(at, place)| (at, survey.path(place)));
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
            Code::EspMissing,
            esp.at,
            format!(
                "{} expects the EFI system partition at {}, where nothing is mounted, so that it would \
                 write to {}: firmware does not look there, and the host does not start.",
                esp.loader,
                esp.at,
                survey.path(root)
            ),
            fix,
        );
    }
}

pub(super) fn not_fat(survey: &Survey<'_>, report: &mut Report) {
    for (esp, place) in found(survey) {
        let Some(format) = place.node.format.as_deref() else { continue };
        if !matches!(format, "vfat" | "fat" | "msdos") {
            report.danger(
                Code::EspNotFat,
                &survey.path(place),
                format!(
                    "{} expects the EFI system partition at {}, which is {format}: firmware reads \
                    only FAT, and the host does not start.",
                    esp.loader, esp.at
                ),
                "Give that partition `format = \"vfat\"`.",
            );
        }
    }
}

pub(super) fn wrong_type(survey: &Survey<'_>, report: &mut Report) {
    for (esp, place) in found(survey) {
        let partitions = survey.partitions_below(place);
        let known = |place: &Place<'_>| survey.root(*place).node.hidden.table == Some(Table::Gpt);
        if partitions.is_empty()
            || !partitions.iter().all(known)
            || partitions.iter().any(|place| is_marked(place.node))
        {
            continue;
        }
        // bootctl checks the type; GRUB does not, and some firmware starts it all the same.
        let severity = if esp.loader == "GRUB" { Severity::Warning } else { Severity::Danger };
        report.add(
            Code::EspWrongType,
            severity,
            survey.path(place),
            format!(
                "The partition at {} is not marked as an EFI system partition: {}.",
                esp.at,
                if esp.loader == "GRUB" {
                    "firmware may not look at it"
                } else {
                    "`bootctl install` refuses it, and firmware may not look at it"
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

pub(super) fn unreadable(survey: &Survey<'_>, report: &mut Report) {
    for (esp, place) in found(survey) {
        let name = survey.path(place);
        let root = survey.root(place).node;
        let within = survey
            .upwards(place)
            .find(|place| matches!(place.node.kind.as_str(), "luks" | "lv" | "zfs_volume"));
        if let Some(within) = within {
            let what = match within.node.kind.as_str() {
                "luks" => "an encrypted device",
                "lv" => "a logical volume",
                _ => "a ZFS volume",
            };
            report.danger(
                Code::EspUnreadable,
                &name,
                format!(
                    "The EFI system partition at {} is inside {what}, which firmware cannot read: the \
                    host does not start.",
                    esp.at
                ),
                "Make it a plain partition of type EF00.",
            );
        } else if root.kind == "mdadm" && place.node.format.as_deref() == Some("vfat") {
            let level = root.type_code.as_deref().unwrap_or_default();
            // The containers of firmware RAID are read by the firmware that made them.
            let at_start =
                matches!(root.hidden.metadata.as_deref(), Some("1" | "1.1" | "1.2" | "default") | None);
            if level != "raid1" || at_start {
                report.danger(
                    Code::EspUnreadable,
                    &name,
                    format!(
                        "The EFI system partition at {} is on the array {:?} ({level}, metadata {}): \
                        firmware knows nothing of arrays and finds no FAT at the start of the partition.",
                        esp.at,
                        root.name,
                        root.hidden.metadata.as_deref().unwrap_or("default")
                    ),
                    "Use `level = 1` and `metadata = \"1.0\"`, which puts the array's own data at the end.",
                );
            }
        }
    }
}

pub(super) fn too_small(survey: &Survey<'_>, report: &mut Report) {
    for (esp, place) in found(survey).into_iter().filter(|(esp, _)| esp.kernels) {
        for partition in survey.partitions_below(place) {
            let Some(bytes) = extent_bytes(partition.node).filter(|bytes| *bytes < SMALLEST_FOR_KERNELS)
            else {
                continue;
            };
            report.warning(
                Code::EspTooSmall,
                &survey.path(partition),
                format!(
                    "{} copies kernels and initrds to {}, which is only {}: after a few generations \
                    there is no room, and switching fails.",
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

/// bootctl(1) warns of a random seed file that is world-accessible.
pub(super) fn world_readable(survey: &Survey<'_>, report: &mut Report) {
    for (esp, place) in found(survey).into_iter().filter(|(esp, _)| esp.loader == "systemd-boot") {
        let is_fat = place.node.format.as_deref() == Some("vfat");
        let masked = place
            .node
            .options
            .iter()
            .flat_map(|options| options.split(','))
            .any(|option| ["umask=", "fmask=", "dmask="].iter().any(|mask| option.starts_with(mask)));
        if is_fat && !masked {
            report.note(
                Code::EspWorldReadable,
                &survey.path(place),
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

/// Whether the root has a copy on another drive while the system partition has none.
pub(super) fn single_boot_disk(survey: &Survey<'_>, report: &mut Report) {
    let Some(root) = survey.mounted("/") else { return };
    let owner = survey.root(root).node;
    let mirrored = match owner.kind.as_str() {
        "mdadm" => owner.type_code.as_deref() == Some("raid1"),
        "zpool" => owner.type_code.as_deref() == Some("mirror"),
        _ => false,
    };
    let drives = survey.lies_on(root).map_or(0, |disks| disks.len());
    let several_boots = survey.facts.enabled_grub().is_some_and(|grub| grub.boots.len() > 1);
    if !mirrored || drives < 2 || several_boots {
        return;
    }
    for (esp, place) in found(survey) {
        if survey.lies_on(place).is_some_and(|disks| disks.len() == 1) {
            report.note(
                Code::SingleBootDisk,
                &survey.path(place),
                format!(
                    "The root is mirrored on {drives} drives, {} is on one: when that one fails, the \
                    data is safe and the host does not start.",
                    esp.at
                ),
                "Give each drive an EFI system partition and list both in \
                 `boot.loader.grub.mirroredBoots`, or mirror it with an mdadm array of level 1 and \
                 metadata 1.0.",
            );
        }
    }
}
