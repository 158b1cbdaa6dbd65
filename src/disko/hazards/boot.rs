//! Checks where the boot loader is installed and whether it can read its files.
//!
//! Facts: NixOS's options `boot.loader.grub.*` and its `install-grub.pl`, which installs for BIOS on every
//! device but `nodev` and for UEFI when `efiSupport` is set; the GRUB manual, "BIOS installation" (a GPT
//! needs a BIOS boot partition) and `GRUB_ENABLE_CRYPTODISK`; its NEWS for 2.14 (Argon2).

use super::devices::disk_list;
use super::layout_index::LayoutIndex;
use super::{HazardCode, HazardReport, Severity};
use crate::disko::device::{certainly_differ, split_partition};
use crate::disko::facts::Grub;
use crate::disko::model::{Node, Table};

/// The devices GRUB is installed on for BIOS.
fn bios_devices<'a>(layout: &LayoutIndex<'a>) -> impl Iterator<Item = &'a str> {
    let grub = layout.facts.enabled_grub().filter(|_| layout.facts.may_be_x86());
    grub.into_iter()
        .flat_map(|grub| &grub.boots)
        .flat_map(|boot| &boot.devices)
        .map(String::as_str)
        .filter(|device| *device != "nodev")
}

/// NixOS asserts "You must set the option `boot.loader.grub.devices` or `boot.loader.grub.mirroredBoots`".
pub(super) fn no_device(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    // In a bare attribute set disko's module is missing, which would set the device.
    let set_by_disko = layout.of_kind("partition").any(|located| is_bios_boot(located.node));
    if layout.facts.enabled_grub().is_some_and(|grub| grub.boots.is_empty()) && !set_by_disko {
        report.add(
            HazardCode::GrubNoDevice,
            Severity::Danger,
            None,
            "GRUB is enabled and has no device to be installed on: NixOS refuses to build the host.",
            "For BIOS give the disk a partition with `size = \"1M\"; type = \"EF02\";`, which makes disko set \
             the device; for UEFI use systemd-boot, or `boot.loader.grub.device = \"nodev\"` with `efiSupport`.",
        );
    }
}

pub(super) fn elsewhere(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    // A layout of data disks does not have to contain the disk of the boot loader.
    let Some(boot) = layout.mounted("/boot").or_else(|| layout.mounted("/")) else { return };
    if layout.lies_on(boot).is_none() {
        return;
    }
    for target in bios_devices(layout) {
        let disks = || layout.disks().filter_map(|located| located.node.device.as_deref());
        if disks().any(|disk| disk == target) || is_partition(layout, target) || disks().next().is_none() {
            continue;
        }
        let certain = disks().all(|disk| certainly_differ(disk, target));
        let (severity, doubt) = if certain {
            (Severity::Danger, "the host does not boot from the formatted disk")
        } else {
            (
                Severity::Warning,
                "unless both are names of one drive, the host does not boot from the formatted disk",
            )
        };
        report.add(
            HazardCode::BootLoaderElsewhere,
            severity,
            target.to_owned(),
            format!("GRUB is installed on {target}, while the layout formats {}: {doubt}.", disk_list(layout)),
            "Leave `boot.loader.grub.device` and `devices` unset: with a partition of type EF02 disko sets them. \
             Otherwise give GRUB the same path as the disk.",
        );
    }
}

/// NixOS asserts "You cannot have duplicated devices in mirroredBoots".
pub(super) fn device_repeated(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let mut seen = std::collections::BTreeSet::new();
    for target in bios_devices(layout) {
        if !seen.insert(target) {
            report.warning(
                HazardCode::GrubDeviceRepeated,
                target,
                format!(
                    "GRUB is told to install on {target} twice, which NixOS refuses to build: disko \
                    adds every disk with a partition of type EF02 by itself."
                ),
                "Remove `boot.loader.grub.device` and `devices` from the host's configuration.",
            );
        }
    }
}

/// `grub-install` refuses a partition unless it is forced, since a file system may use its first sectors.
pub(super) fn on_partition(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for target in bios_devices(layout).filter(|target| is_partition(layout, target)) {
        let (disk, number) = split_partition(target);
        let drive = if number.is_some() { disk } else { "the drive it is on" };
        report.danger(
            HazardCode::GrubOnPartition,
            target,
            format!(
                "GRUB is to be installed on {target}, a partition: `grub-install` refuses that, \
                    and the host has no boot loader."
            ),
            format!("Give GRUB the whole drive: {drive}."),
        );
    }
}

fn is_partition(layout: &LayoutIndex<'_>, target: &str) -> bool {
    split_partition(target).1.is_some()
        || layout.of_kind("partition").any(|located| located.node.device.as_deref() == Some(target))
}

pub(super) fn needs_bios_boot(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for target in bios_devices(layout) {
        let disk = layout.disks().find(|located| located.node.device.as_deref() == Some(target));
        let Some(disk) = disk.filter(|disk| disk.node.hidden.table.is_some_and(Table::is_gpt)) else {
            continue;
        };
        if disk.node.hidden.cut || disk.node.children.iter().any(is_bios_boot) {
            continue;
        }
        report.danger(
            HazardCode::GrubNeedsBiosBoot,
            target,
            format!(
                "GRUB is installed for BIOS on {target}, which has a GPT without a BIOS boot \
                partition: GRUB has no room there, and the host does not boot."
            ),
            "Add a partition with `size = \"1M\"; type = \"EF02\";`, or set `boot.loader.grub.device = \
             \"nodev\"` with `efiSupport = true` if the host boots by UEFI.",
        );
    }
}

fn is_bios_boot(partition: &Node) -> bool {
    partition.type_code.as_deref().is_some_and(|code| {
        code.eq_ignore_ascii_case("EF02") || code.eq_ignore_ascii_case("21686148-6449-6E6F-744E-656564454649")
    }) || partition.hidden.flags.iter().any(|flag| flag == "bios_grub")
}

/// The folders with GRUB's files and the kernels, which GRUB has to read.
fn boot_paths(grub: &Grub) -> impl Iterator<Item = &str> {
    grub.boots.iter().map(|boot| boot.path.as_deref().unwrap_or("/boot"))
}

pub(super) fn encrypted(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Some(grub) = layout.facts.enabled_grub() else { return };
    for path in boot_paths(grub) {
        let Some(boot) = layout
            .mount_above(path)
            .filter(|_| layout.mounted(path).is_some() || !layout.may_be_mounted_by_host(path))
        else {
            continue;
        };
        for luks in layout.luks_below(boot) {
            let name = layout.path(luks);
            if grub.cryptodisk == Some(false) {
                report.danger(
                    HazardCode::BootEncrypted,
                    &name,
                    format!(
                        "{path} lies on the encrypted {name}, and `boot.loader.grub.enableCryptodisk` \
                        is off: GRUB cannot read its own files, and `grub-install` fails."
                    ),
                    "Put /boot on a partition of its own that is not encrypted, or set \
                     `boot.loader.grub.enableCryptodisk = true`.",
                );
            } else if grub.cryptodisk == Some(true)
                && !luks.node.hidden.encryption.as_ref().is_some_and(|encryption| encryption.simple_kdf)
            {
                report.warning(
                    HazardCode::BootKeyDerivation,
                    &name,
                    format!(
                        "GRUB has to open {name}, which is formatted with cryptsetup's default of \
                        LUKS2 with Argon2id: GRUB before 2.14 cannot, and stops at its rescue prompt."
                    ),
                    "Add \"--pbkdf pbkdf2\" to its `extraFormatArgs`, or keep /boot off it.",
                );
            }
        }
    }
}

/// The GRUB manual's list of file systems, "Features", has no bcachefs.
pub(super) fn unreadable(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Some(grub) = layout.facts.enabled_grub() else { return };
    for path in boot_paths(grub) {
        let Some(boot) = layout
            .mount_above(path)
            .filter(|_| layout.mounted(path).is_some() || !layout.may_be_mounted_by_host(path))
        else {
            continue;
        };
        if boot.node.format.as_deref() == Some("bcachefs") {
            let name = layout.path(boot);
            report.danger(
                HazardCode::BootUnreadable,
                &name,
                format!("{path} is on bcachefs, which GRUB cannot read: the host does not boot."),
                "Put /boot on a partition of its own with ext4 or FAT.",
            );
        }
    }
}

/// `install-grub.pl` passes `--no-nvram` without `canTouchEfiVariables`, and `--removable` only if it is set.
pub(super) fn no_firmware_entry(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Some(grub) = layout.facts.enabled_grub().filter(|grub| grub.efi_support) else { return };
    if layout.facts.can_touch_efi_variables == Some(false) && grub.removable == Some(false) {
        report.add(
            HazardCode::NoFirmwareEntry,
            Severity::Warning,
            None,
            "GRUB is installed for UEFI, but neither into the firmware's list (`canTouchEfiVariables` is off) nor where every firmware looks \
             (`efiInstallAsRemovable` is off): on a freshly formatted disk the firmware finds no boot loader.",
            "Set `boot.loader.efi.canTouchEfiVariables = true`, or \
             `boot.loader.grub.efiInstallAsRemovable = true`.",
        );
    }
}
