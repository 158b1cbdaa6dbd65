//! What is mounted where, by the layout and by the host's configuration.

use std::collections::BTreeMap;

use super::survey::{Place, Survey, is_in_memory, normal};
use super::{Code, Report, Severity};
use crate::disko::device::split_partition;
use crate::disko::facts::{FileSystem, Known};

pub(super) fn no_root(survey: &Survey<'_>, report: &mut Report) {
    let on_disk = survey.disks().next().is_some();
    if on_disk && survey.mounted("/").is_none() && !survey.may_be_mounted_by_host("/") {
        report.danger(
            Code::NoRoot,
            "/",
            "Neither the layout nor `fileSystems` mounts anything at /: the host has no root file system.",
            "Give the file system that is to hold the system `mountpoint = \"/\"`.",
        );
    }
}

pub(super) fn duplicate(survey: &Survey<'_>, report: &mut Report) {
    let mut at: BTreeMap<&str, Vec<Place<'_>>> = BTreeMap::new();
    for (mountpoint, place) in survey.mounts() {
        at.entry(mountpoint).or_default().push(place);
    }
    for (mountpoint, places) in at.into_iter().filter(|(_, places)| places.len() > 1) {
        let names: Vec<String> = places.into_iter().map(|place| survey.path(place)).collect();
        report.danger(
            Code::DuplicateMountpoint,
            mountpoint,
            format!(
                "{} are all mounted at {mountpoint}: one hides the others, and NixOS refuses to build \
                it where their devices differ.",
                super::survey::list(names.iter().map(String::as_str))
            ),
            "Give each a place of its own, or set `mountpoint = null` for those that are not to be \
             mounted.",
        );
    }
}

/// What is mounted there by the layout or the host is gone after switching the host off.
fn in_memory(survey: &Survey<'_>, path: &str) -> Option<bool> {
    let by_host = match &survey.facts.file_systems {
        Known::Said(entries) => entries
            .iter()
            .filter(|(mountpoint, _)| super::survey::is_within(path, normal(mountpoint)))
            .max_by_key(|(mountpoint, _)| normal(mountpoint).len()),
        Known::Unsaid => None,
        Known::Unknown => return None,
    };
    let ours =
        survey.mounts().filter(|(at, _)| super::survey::is_within(path, at)).max_by_key(|(at, _)| at.len());
    match (ours, by_host) {
        (Some((at, _)), Some((mountpoint, entry))) if normal(mountpoint).len() > at.len() => {
            Some(is_volatile(entry))
        }
        (Some((_, place)), _) => Some(is_in_memory(place.node)),
        (None, Some((_, entry))) => Some(is_volatile(entry)),
        (None, None) => None,
    }
}

fn is_volatile(entry: &FileSystem) -> bool {
    matches!(entry.kind.as_deref(), Some("tmpfs" | "ramfs"))
}

pub(super) fn system_in_memory(survey: &Survey<'_>, report: &mut Report) {
    if survey.disks().next().is_none() {
        return;
    }
    if in_memory(survey, "/nix/store") == Some(true) {
        report.danger(
            Code::SystemInMemory,
            "/nix",
            "/nix/store is in memory (tmpfs): the installed system is gone when the host is switched off \
             for the first time.",
            "Mount a file system that is on a disk at /nix.",
        );
    }
    if survey.facts.enabled_grub().is_some() && in_memory(survey, "/boot") == Some(true) {
        report.danger(
            Code::SystemInMemory,
            "/boot",
            "/boot is in memory (tmpfs): GRUB's menu and the kernels are gone when the host is switched \
             off for the first time.",
            "Mount a file system that is on a disk at /boot.",
        );
    }
}

pub(super) fn store_noexec(survey: &Survey<'_>, report: &mut Report) {
    let Some(place) = survey.holding("/nix/store") else { return };
    let noexec =
        place.node.options.iter().flat_map(|options| options.split(',')).fold(false, |now, option| {
            match option {
                "noexec" => true,
                "exec" => false,
                _ => now,
            }
        });
    if noexec {
        report.danger(
            Code::StoreNoexec,
            &survey.path(place),
            "The file system that holds /nix/store is mounted with `noexec`: no program of the system can \
             be run.",
            "Remove `noexec` from its `mountOptions`.",
        );
    }
}

/// With `disko.enableConfig = false`, or an entry removed by force.
pub(super) fn not_at_boot(survey: &Survey<'_>, report: &mut Report) {
    // A bare attribute set has no module that would turn the layout into entries.
    let Some(entries) = survey.facts.file_systems.said().filter(|_| survey.facts.enable_config.is_some())
    else {
        return;
    };
    for (mountpoint, place) in survey.mounts() {
        if entries.keys().any(|at| normal(at) == mountpoint) {
            continue;
        }
        let severity = if mountpoint == "/" { Severity::Danger } else { Severity::Warning };
        report.add(
            Code::NotMountedAtBoot,
            severity,
            mountpoint.to_owned(),
            format!(
                "The layout mounts {} at {mountpoint} while installing, but `fileSystems` of the host \
                has no such entry: it is not mounted when the host starts.",
                survey.path(place)
            ),
            "Leave `disko.enableConfig` on, or add the entry to `fileSystems`.",
        );
    }
}

pub(super) fn from_elsewhere(survey: &Survey<'_>, report: &mut Report) {
    let Some(entries) = survey.facts.file_systems.said() else { return };
    for (mountpoint, place) in survey.mounts() {
        let Some(entry) = entries.iter().find(|(at, _)| normal(at) == mountpoint).map(|(_, entry)| entry)
        else {
            continue;
        };
        let (Some(theirs), Some(ours)) = (entry.device.as_deref(), place.node.device.as_deref()) else {
            continue;
        };
        if theirs == ours
            || !theirs.starts_with("/dev/")
            || names_of(survey, place).iter().any(|name| name == theirs)
        {
            continue;
        }
        // Unless one of these was in the layout, it is read from what formatting replaces.
        let by_content =
            theirs.starts_with("/dev/disk/by-uuid/") || theirs.starts_with("/dev/disk/by-label/");
        if !by_content || place.node.kind == "bcachefs_filesystem" {
            continue;
        }
        report.warning(
            Code::MountedFromElsewhere,
            theirs,
            format!(
                "The host mounts {theirs} at {mountpoint}, while the layout formats {ours} for it: a \
                freshly formatted file system has another identifier, and the host does not find it."
            ),
            format!(
                "Remove `fileSystems.\"{mountpoint}\"` from the host's configuration \
                (hardware-configuration.nix): disko sets it."
            ),
        );
    }
}

/// The paths by which what is mounted there can be found.
fn names_of(survey: &Survey<'_>, place: Place<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for place in survey.upwards(place) {
        names.extend(place.node.device.clone());
        names.extend(place.node.label.as_deref().map(|label| format!("/dev/disk/by-label/{label}")));
        names.extend(
            place
                .node
                .hidden
                .partition_label
                .as_deref()
                .map(|label| format!("/dev/disk/by-partlabel/{label}")),
        );
        names.extend(
            place.node.hidden.partition_uuid.as_deref().map(|uuid| format!("/dev/disk/by-partuuid/{uuid}")),
        );
        // What follows is the device, not a part of the file system on it.
        if place.node.kind != "btrfs_subvol" && place.node.kind != "bcachefs_subvolume" {
            break;
        }
    }
    names
}

/// What the host uses of block devices beside the layout: on a disk of the layout, or not.
pub(super) fn outside_layout(survey: &Survey<'_>, report: &mut Report) {
    let mounts = survey.facts.file_systems.said().into_iter().flatten();
    let mounts = mounts
        .filter(|(at, _)| survey.mounted(at).is_none())
        .filter_map(|(at, entry)| Some((format!("mounts at {at}"), entry.device.as_deref()?)));
    let swap = survey.facts.swap.said().into_iter().flatten();
    let swap = swap.map(|swap| ("uses as swap".to_owned(), swap.device.as_str()));
    for (use_of_it, device) in mounts.chain(swap) {
        if !device.starts_with("/dev/") || is_known(survey, device) {
            continue;
        }
        let (drive, number) = split_partition(device);
        let wiped =
            survey.disks().find(|disk| number.is_some() && disk.node.device.as_deref() == Some(drive));
        match wiped {
            Some(disk) => {
                let parts = disk.node.children.len();
                // A partition the layout has as well, by the name the kernel gives it.
                if disk.node.hidden.table.is_some() && number.is_some_and(|number| number as usize <= parts) {
                    continue;
                }
                report.danger(
                    Code::MountOnWipedDisk,
                    device,
                    format!(
                        "{device}, which the host {use_of_it}, is on disk {:?}, and disko formats that without \
                         it. What is on it now is lost, and it is not there afterwards.",
                        disk.node.name
                    ),
                    "Add it to the layout, or remove the entry from the host's configuration.",
                );
            }
            None if device.starts_with("/dev/disk/by-") || number.is_some() => report.note(
                Code::MountOutsideLayout,
                device,
                format!(
                    "{device}, which the host {use_of_it}, is not in the layout: nothing here says whether \
                     formatting leaves it alone."
                ),
                "If it is on one of the layout's disks, add it to the layout.",
            ),
            None => {}
        }
    }
}

fn is_known(survey: &Survey<'_>, device: &str) -> bool {
    survey.all().any(|place| names_of(survey, place).iter().any(|name| name == device))
}
