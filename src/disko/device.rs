//! Properties of a device that follow from its path, without access to a machine.

/// How a path names a block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `/dev/sda`, `/dev/hda`: numbered in the order in which the kernel finds drives, so that a USB stick shifts them.
    Probed,
    /// `/dev/vda`, `/dev/xvda`, `/dev/nvme0n1`, `/dev/mmcblk0`, `/dev/disk/by-diskseq`: numbered, too, but few machines
    /// have more than one.
    Enumerated,
    /// `/dev/disk/by-uuid`, `by-label`, `by-partuuid`, `by-partlabel`: read from the content of the device, so that
    /// formatting removes it (udev's 60-persistent-storage.rules).
    Content,
    /// `/dev/disk/by-id` and `by-path`: the drive or the port it is connected to.
    Persistent,
    /// Other paths: mapper devices, files, links that a user made.
    Other,
}

/// How `path` names its device.
pub(super) fn naming(path: &str) -> Naming {
    if let Some(rest) = path.strip_prefix("/dev/disk/") {
        return match rest.split('/').next() {
            Some("by-id" | "by-path") => Naming::Persistent,
            Some("by-uuid" | "by-label" | "by-partuuid" | "by-partlabel") => Naming::Content,
            Some("by-diskseq") => Naming::Enumerated,
            _ => Naming::Other,
        };
    }
    let (disk, _) = split_partition(path);
    match kernel_family(disk) {
        Some("sd" | "hd") => Naming::Probed,
        Some(_) => Naming::Enumerated,
        None => Naming::Other,
    }
}

/// The prefix in the kernel name of a whole drive, such as `sd` in `/dev/sda`; `None` for other paths.
pub(super) fn kernel_family(disk: &str) -> Option<&'static str> {
    let name = disk.strip_prefix("/dev/")?;
    for family in ["sd", "hd", "vd", "xvd"] {
        if let Some(rest) = name.strip_prefix(family)
            && !rest.is_empty()
            && rest.bytes().all(|b| b.is_ascii_lowercase())
        {
            return Some(family);
        }
    }
    if let Some(rest) = name.strip_prefix("nvme")
        && let Some((controller, namespace)) = rest.split_once('n')
        && is_number(controller)
        && is_number(namespace)
    {
        return Some("nvme");
    }
    name.strip_prefix("mmcblk").is_some_and(is_number).then_some("mmcblk")
}

/// Splits the path of a partition into the path of its drive and the number; other paths have no number.
///
/// The kernel appends the number, after a `p` if the drive's name ends in a digit. udev's links by id, path and disk
/// sequence append `-partN`.
pub(super) fn split_partition(path: &str) -> (&str, Option<u32>) {
    if path.starts_with("/dev/disk/by-id/") || path.starts_with("/dev/disk/by-path/") {
        return match path.rsplit_once("-part") {
            Some((disk, number)) if is_number(number) => (disk, number.parse().ok()),
            _ => (path, None),
        };
    }
    if path.starts_with("/dev/disk/") {
        return match path.rsplit_once("-part") {
            Some((disk, number)) if path.starts_with("/dev/disk/by-diskseq/") && is_number(number) => {
                (disk, number.parse().ok())
            }
            _ => (path, None),
        };
    }
    let digits = path.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (head, number) = path.split_at(path.len() - digits);
    if digits == 0 {
        return (path, None);
    }
    let letters = matches!(kernel_family(head), Some("sd" | "hd" | "vd" | "xvd"));
    if letters {
        return (head, number.parse().ok());
    }
    if let Some(disk) = head.strip_suffix('p')
        && matches!(kernel_family(disk), Some("nvme" | "mmcblk"))
    {
        return (disk, number.parse().ok());
    }
    (path, None)
}

/// Whether two paths are certain to name different drives.
///
/// Different kernel names are. Different links may name one drive: it has several, by model, by WWN, by port.
pub(super) fn certainly_differ(a: &str, b: &str) -> bool {
    a != b && kernel_family(a).is_some() && kernel_family(b).is_some()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 9 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        assert_eq!(naming("/dev/sda"), Naming::Probed);
        assert_eq!(naming("/dev/sda3"), Naming::Probed);
        assert_eq!(naming("/dev/vda"), Naming::Enumerated);
        assert_eq!(naming("/dev/nvme0n1"), Naming::Enumerated);
        assert_eq!(naming("/dev/nvme0n1p2"), Naming::Enumerated);
        assert_eq!(naming("/dev/disk/by-diskseq/1"), Naming::Enumerated);
        assert_eq!(naming("/dev/disk/by-id/ata-X"), Naming::Persistent);
        assert_eq!(naming("/dev/disk/by-uuid/1234-ABCD"), Naming::Content);
        assert_eq!(naming("/dev/mapper/crypted"), Naming::Other);
        assert_eq!(naming("/dev/sd"), Naming::Other);
        assert_eq!(naming("/dev/nvme"), Naming::Other);
        assert_eq!(naming(""), Naming::Other);
    }

    #[test]
    fn partitions_know_their_drive() {
        assert_eq!(split_partition("/dev/sda12"), ("/dev/sda", Some(12)));
        assert_eq!(split_partition("/dev/nvme0n1p2"), ("/dev/nvme0n1", Some(2)));
        assert_eq!(split_partition("/dev/mmcblk0p1"), ("/dev/mmcblk0", Some(1)));
        assert_eq!(split_partition("/dev/nvme0n1"), ("/dev/nvme0n1", None));
        assert_eq!(split_partition("/dev/disk/by-id/ata-X-part3"), ("/dev/disk/by-id/ata-X", Some(3)));
        assert_eq!(
            split_partition("/dev/disk/by-partlabel/a-part3"),
            ("/dev/disk/by-partlabel/a-part3", None)
        );
        assert_eq!(split_partition("/dev/md0"), ("/dev/md0", None));
        assert_eq!(split_partition("/dev/sdé1"), ("/dev/sdé1", None));
    }
}
