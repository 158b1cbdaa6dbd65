//! Checks of the mounts of the layout and of the host's configuration.

use std::collections::BTreeMap;

use super::layout_index::{LayoutIndex, LocatedNode, is_in_memory, without_trailing_slash};
use super::{HazardCode, HazardReport, Severity};
use crate::disko::device::split_partition;
use crate::disko::facts::{Fact, FileSystem};

pub(super) fn no_root(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let on_disk = layout.disks().next().is_some();
    if on_disk && layout.mounted("/").is_none() && !layout.may_be_mounted_by_host("/") {
        report.danger(
            HazardCode::NoRoot,
            "/",
            "Neither the layout nor `fileSystems` mounts anything at /: the host has no root file system.",
            "Set `mountpoint = \"/\"` for the file system of the system.",
        );
    }
}

pub(super) fn duplicate(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let mut at: BTreeMap<&str, Vec<LocatedNode<'_>>> = BTreeMap::new();
    for (mountpoint, located) in layout.mounts() {
        at.entry(mountpoint).or_default().push(located);
    }
    for (mountpoint, nodes) in at.into_iter().filter(|(_, nodes)| nodes.len() > 1) {
        let names: Vec<String> = nodes.into_iter().map(|located| layout.path(located)).collect();
        report.danger(
            HazardCode::DuplicateMountpoint,
            mountpoint,
            format!(
                "{} are all mounted at {mountpoint}: one hides the others, and NixOS refuses to build \
                the host if their devices differ.",
                super::layout_index::list(names.iter().map(String::as_str))
            ),
            "Give each a mount point of its own, or set `mountpoint = null` for those that are not to be \
             mounted.",
        );
    }
}

/// Whether the file system at `path`, of the layout or the host, is in memory; `None` if that is not known.
fn in_memory(layout: &LayoutIndex<'_>, path: &str) -> Option<bool> {
    let by_host = match &layout.facts.file_systems {
        Fact::Value(entries) => entries
            .iter()
            .filter(|(mountpoint, _)| {
                super::layout_index::is_within(path, without_trailing_slash(mountpoint))
            })
            .max_by_key(|(mountpoint, _)| without_trailing_slash(mountpoint).len()),
        Fact::Absent => None,
        Fact::Unreadable => return None,
    };
    let by_layout = layout
        .mounts()
        .filter(|(at, _)| super::layout_index::is_within(path, at))
        .max_by_key(|(at, _)| at.len());
    match (by_layout, by_host) {
        (Some((at, _)), Some((mountpoint, entry))) if without_trailing_slash(mountpoint).len() > at.len() => {
            Some(is_volatile(entry))
        }
        (Some((_, located)), _) => Some(is_in_memory(located.node)),
        (None, Some((_, entry))) => Some(is_volatile(entry)),
        (None, None) => None,
    }
}

fn is_volatile(entry: &FileSystem) -> bool {
    matches!(entry.kind.as_deref(), Some("tmpfs" | "ramfs"))
}

pub(super) fn system_in_memory(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    if layout.disks().next().is_none() {
        return;
    }
    if in_memory(layout, "/nix/store") == Some(true) {
        report.danger(
            HazardCode::SystemInMemory,
            "/nix",
            "/nix/store is in memory (tmpfs): the installed system is lost when the host is first \
             switched off.",
            "Mount a file system of a disk at /nix.",
        );
    }
    if layout.facts.enabled_grub().is_some() && in_memory(layout, "/boot") == Some(true) {
        report.danger(
            HazardCode::SystemInMemory,
            "/boot",
            "/boot is in memory (tmpfs): GRUB's menu and the kernels are lost when the host is first \
             switched off.",
            "Mount a file system of a disk at /boot.",
        );
    }
}

pub(super) fn store_noexec(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Some(located) = layout.mount_above("/nix/store") else { return };
    let noexec =
        located.node.options.iter().flat_map(|options| options.split(',')).fold(false, |now, option| {
            match option {
                "noexec" => true,
                "exec" => false,
                _ => now,
            }
        });
    if noexec {
        report.danger(
            HazardCode::StoreNoexec,
            &layout.path(located),
            "The file system that holds /nix/store is mounted with `noexec`: no program of the system \
             can run.",
            "Remove `noexec` from its `mountOptions`.",
        );
    }
}

/// Caused by `disko.enableConfig = false`, or by an entry removed with `mkForce`.
pub(super) fn not_at_boot(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    // A bare attribute set has no module that turns the layout into entries.
    let Some(entries) = layout.facts.file_systems.value().filter(|_| layout.facts.enable_config.is_some())
    else {
        return;
    };
    for (mountpoint, located) in layout.mounts() {
        if entries.keys().any(|at| without_trailing_slash(at) == mountpoint) {
            continue;
        }
        let severity = if mountpoint == "/" { Severity::Danger } else { Severity::Warning };
        report.add(
            HazardCode::NotMountedAtBoot,
            severity,
            mountpoint.to_owned(),
            format!(
                "The layout mounts {} at {mountpoint} while installing, but `fileSystems` of the host \
                has no such entry: it is not mounted when the host boots.",
                layout.path(located)
            ),
            "Leave `disko.enableConfig` on, or add the entry to `fileSystems`.",
        );
    }
}

pub(super) fn from_elsewhere(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Some(entries) = layout.facts.file_systems.value() else { return };
    for (mountpoint, located) in layout.mounts() {
        let Some(entry) =
            entries.iter().find(|(at, _)| without_trailing_slash(at) == mountpoint).map(|(_, entry)| entry)
        else {
            continue;
        };
        let (Some(by_host), Some(by_layout)) = (entry.device.as_deref(), located.node.device.as_deref())
        else {
            continue;
        };
        if by_host == by_layout
            || !by_host.starts_with("/dev/")
            || names_of(layout, located).iter().any(|name| name == by_host)
        {
            continue;
        }
        // Formatting replaces identifiers and labels that the layout does not set.
        let by_content =
            by_host.starts_with("/dev/disk/by-uuid/") || by_host.starts_with("/dev/disk/by-label/");
        if !by_content || located.node.kind == "bcachefs_filesystem" {
            continue;
        }
        report.warning(
            HazardCode::MountedFromElsewhere,
            by_host,
            format!(
                "The host mounts {by_host} at {mountpoint}, while the layout formats {by_layout} for it: a \
                freshly formatted file system has another identifier, and the host does not find it."
            ),
            format!(
                "Remove `fileSystems.\"{mountpoint}\"` from the host's configuration \
                (hardware-configuration.nix): disko sets it."
            ),
        );
    }
}

/// The paths by which the device of a mount can be found.
fn names_of(layout: &LayoutIndex<'_>, located: LocatedNode<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for located in layout.upwards(located) {
        names.extend(located.node.device.clone());
        names.extend(located.node.label.as_deref().map(|label| format!("/dev/disk/by-label/{label}")));
        names.extend(
            located
                .node
                .hidden
                .partition_label
                .as_deref()
                .map(|label| format!("/dev/disk/by-partlabel/{label}")),
        );
        names.extend(
            located.node.hidden.partition_uuid.as_deref().map(|uuid| format!("/dev/disk/by-partuuid/{uuid}")),
        );
        // Only subvolumes share the device with their parent.
        if located.node.kind != "btrfs_subvol" && located.node.kind != "bcachefs_subvolume" {
            break;
        }
    }
    names
}

/// Checks the block devices that the host mounts or swaps to and that are not in the layout.
pub(super) fn outside_layout(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let mounts = layout.facts.file_systems.value().into_iter().flatten();
    let mounts = mounts
        .filter(|(at, _)| layout.mounted(at).is_none())
        .filter_map(|(at, entry)| Some((format!("mounts at {at}"), entry.device.as_deref()?)));
    let swap = layout.facts.swap.value().into_iter().flatten();
    let swap = swap.map(|swap| ("uses as swap".to_owned(), swap.device.as_str()));
    for (use_of_it, device) in mounts.chain(swap) {
        if !device.starts_with("/dev/") || is_known(layout, device) {
            continue;
        }
        let (drive, number) = split_partition(device);
        let wiped =
            layout.disks().find(|disk| number.is_some() && disk.node.device.as_deref() == Some(drive));
        match wiped {
            // disko removes no partition of a disk that it keeps.
            Some(disk) if disk.node.hidden.destroy == Some(false) => {}
            Some(disk) => {
                let parts = disk.node.children.len();
                // The kernel's name of a partition that the layout has, too.
                if disk.node.hidden.table.is_some() && number.is_some_and(|number| number as usize <= parts) {
                    continue;
                }
                report.danger(
                    HazardCode::MountOnWipedDisk,
                    device,
                    format!(
                        "{device}, which the host {use_of_it}, is on disk {:?}, which disko formats without \
                         it: its data is lost, and the partition does not exist afterwards.",
                        disk.node.name
                    ),
                    "Add it to the layout, or remove the entry from the host's configuration.",
                );
            }
            None if device.starts_with("/dev/disk/by-") || number.is_some() => report.note(
                HazardCode::MountOutsideLayout,
                device,
                format!(
                    "{device}, which the host {use_of_it}, is not in the layout: it is not known whether \
                     formatting keeps it."
                ),
                "If it is on one of the layout's disks, add it to the layout.",
            ),
            None => {}
        }
    }
}

fn is_known(layout: &LayoutIndex<'_>, device: &str) -> bool {
    layout.all().any(|located| names_of(layout, located).iter().any(|name| name == device))
}
