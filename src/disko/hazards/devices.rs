//! Checks of the layout as a whole, and of the device paths of its disks.

use super::layout_index::{LayoutIndex, list};
use super::{HazardCode, HazardReport, Severity};
use crate::disko::device::{Naming, naming, split_partition};

/// disko's scripts refuse to run without a disk ("No disks defined", `module.nix`).
pub(super) fn no_disks(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    if layout.disks().next().is_none() {
        report.add(
            HazardCode::NoDisks,
            Severity::Warning,
            None,
            "disko is set up for this host, but `disko.devices.disk` is empty: its scripts refuse to run, \
             and format and mount nothing.",
            "Import the file that defines the host's disks, or describe them in `disko.devices.disk`.",
        );
    }
}

pub(super) fn not_evaluated(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.all().filter(|located| located.node.hidden.failed) {
        let path = layout.path(located);
        report.warning(
            HazardCode::NotEvaluated,
            &path,
            format!(
                "{path} or its content could not be evaluated: this layout may be incomplete, and \
                hazards may be missing."
            ),
            "Check the host: the error that evaluation gives names the option.",
        );
    }
}

pub(super) fn unknown_type(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.all().filter(|located| located.node.hidden.unknown) {
        report.note(
            HazardCode::UnknownType,
            &layout.path(located),
            format!("This server does not know the type {:?}: it was not checked.", located.node.kind),
            "If it is a typing error, disko refuses it too; its types are listed in disko's documentation.",
        );
    }
}

pub(super) fn layout_cut(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.all().filter(|located| located.node.hidden.cut) {
        report.note(
            HazardCode::LayoutCut,
            &layout.path(located),
            "This part of the layout is larger than the server reads: hazards may be missing.",
            "Read this part of the layout yourself.",
        );
    }
}

/// Finds paths of examples in disko and nixos-anywhere, and other words that are meant to be replaced.
pub(super) fn placeholder(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.disks() {
        let Some(device) = located.node.device.as_deref().filter(|device| is_placeholder(device)) else {
            continue;
        };
        report.danger(
            HazardCode::PlaceholderDevice,
            device,
            format!("Disk {:?} still has a placeholder for its device: {device}.", located.node.name),
            "Look the drive up on the host with `ls -l /dev/disk/by-id` and write its path.",
        );
    }
}

fn is_placeholder(device: &str) -> bool {
    let lower = device.to_ascii_lowercase();
    let words = || lower.split(|c: char| !c.is_ascii_alphanumeric());
    let phrases = [
        "change-me",
        "change_me",
        "some-disk",
        "my-disk",
        "your-disk",
        "your_disk",
        "replace-me",
        "replace_me",
    ];
    phrases.iter().any(|phrase| lower.contains(phrase))
        || words().any(|word| {
            matches!(word, "changeme" | "replaceme" | "placeholder" | "todo" | "fixme" | "example")
                || word.len() >= 3 && word.bytes().all(|b| b == b'x')
        })
        || device.contains(['<', '>', '$', '@']) && !device.contains(':')
}

pub(super) fn same_device_twice(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let disks: Vec<_> =
        layout.disks().filter_map(|located| Some((located.node, located.node.device.as_deref()?))).collect();
    for (index, (first, device)) in disks.iter().enumerate() {
        for (second, other) in disks.iter().skip(index + 1) {
            let within = |a: &str, b: &str| a != b && split_partition(a) == (b, split_partition(a).1);
            if device == other {
                report.danger(
                    HazardCode::SameDeviceTwice,
                    device,
                    format!(
                        "Disks {:?} and {:?} are the same device, {device}: disko formats it twice, \
                        and the first is lost.",
                        first.name, second.name
                    ),
                    "Give each disk its own device, by its path below /dev/disk/by-id.",
                );
            } else if within(device, other) || within(other, device) {
                report.danger(
                    HazardCode::SameDeviceTwice,
                    device,
                    format!(
                        "Of the disks {:?} ({device}) and {:?} ({other}) one is a partition of the \
                        other: formatting the drive destroys the partition.",
                        first.name, second.name
                    ),
                    "Describe the drive once, with its partitions as its content.",
                );
            }
        }
    }
}

pub(super) fn disk_is_partition(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.disks().filter(|located| located.node.hidden.table.is_some()) {
        let Some(device) = located.node.device.as_deref() else { continue };
        let (disk, number) = split_partition(device);
        if number.is_some() {
            report.warning(
                HazardCode::DiskIsPartition,
                device,
                format!(
                    "Disk {:?} is {device}, a partition, and gets a partition table of its own: \
                    neither firmware nor boot loaders look inside it.",
                    located.node.name
                ),
                format!("Use the whole drive ({disk}), or put a file system on the partition directly."),
            );
        }
    }
}

/// The kernel names drives in the order it finds them (Linux `Documentation/admin-guide/devices.rst`).
pub(super) fn unstable(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (severity, kind) in [(Severity::Warning, Naming::Probed), (Severity::Note, Naming::Enumerated)] {
        let disks = || {
            layout
                .disks()
                .map(|located| located.node)
                .filter(|disk| disk.device.as_deref().is_some_and(|device| naming(device) == kind))
        };
        let devices: Vec<&str> = disks().filter_map(|disk| disk.device.as_deref()).collect();
        let does = if disks().all(|disk| disk.hidden.destroy == Some(false)) { "write to" } else { "wipe" };
        let Some(first) = devices.first() else { continue };
        report.add(
            HazardCode::UnstableDevice,
            severity,
            (devices.len() == 1).then(|| (*first).to_owned()),
            format!(
                "The layout formats {}, named in the order in which the kernel finds drives: with another drive \
                 connected, disko may {does} that one.",
                list(devices)
            ),
            "Use the drive's path below /dev/disk/by-id.",
        );
    }
}

pub(super) fn named_by_content(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.disks() {
        let Some(device) = located.node.device.as_deref() else { continue };
        if naming(device) == Naming::Content && located.node.hidden.destroy != Some(false) {
            report.warning(
                HazardCode::DeviceNamedByContent,
                device,
                format!(
                    "Disk {:?} is {device}, a link that depends on the content of the device: it \
                    disappears when the device is wiped, and formatting fails half-way.",
                    located.node.name
                ),
                "Use the drive's path below /dev/disk/by-id.",
            );
        }
    }
}

/// The devices of the layout's disks, for a sentence.
pub(super) fn disk_list(layout: &LayoutIndex<'_>) -> String {
    list(layout.disks().filter_map(|located| located.node.device.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::is_placeholder;

    #[test]
    fn placeholders_are_told_from_drives() {
        for device in [
            "/dev/disk/by-id/some-disk-id",
            "/dev/CHANGE-ME",
            "/dev/disk/by-id/XXXX",
            "/dev/my-disk",
            "/dev/disk/by-id/<disk>",
            "/dev/disk/by-id/nvme-TODO",
        ] {
            assert!(is_placeholder(device), "{device}");
        }
        for device in [
            "/dev/sda",
            "/dev/disk/by-id/ata-Samsung_SSD_860_EVO_500GB_S3Z1NB0K303456L",
            "/dev/nvme0n1",
            "/dev/disk/by-path/pci-0000:00:1f.2-ata-1",
            "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0",
        ] {
            assert!(!is_placeholder(device), "{device}");
        }
    }
}
