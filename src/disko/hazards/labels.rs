//! Checks of labels and names by which devices are found.
//!
//! Limits: UEFI specification 2.10, 5.3.3 (36 characters of UTF-16 in a GPT entry); mke2fs(8) and
//! tune2fs(8) (16 bytes, longer labels are cut); mkfs.fat(8) (11); mkfs.xfs(8) (12); mkfs.btrfs
//! (`BTRFS_LABEL_SIZE`, 255 and a terminator).

use std::collections::BTreeMap;

use super::layout_index::{LayoutIndex, LocatedNode, list};
use super::{HazardCode, HazardReport, Severity};
use crate::disko::model::Node;

const PARTITION_NAME_LIMIT: usize = 36;

pub(super) fn duplicate_partition_name(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    // Partitions of arrays have links by the array's name and their number instead.
    let on_disks: Vec<LocatedNode<'_>> =
        layout.of_kind("partition").filter(|located| layout.root(*located).node.kind == "disk").collect();
    let names = shared(&on_disks, |node| node.hidden.partition_label.as_deref());
    let uuids = shared(&on_disks, |node| node.hidden.partition_uuid.as_deref());
    for (what, shared) in [("name", names), ("identifier", uuids)] {
        for (name, nodes) in shared {
            let paths: Vec<String> = nodes.iter().map(|located| layout.path(*located)).collect();
            report.danger(
                HazardCode::DuplicatePartitionName,
                name,
                format!(
                    "The partitions {} have the same {what}, {name}: they share one link below \
                    /dev/disk, so that disko formats one of them twice and the host may mount either.",
                    list(paths.iter().map(String::as_str))
                ),
                format!("Give each partition a {what} of its own, or leave it to disko."),
            );
        }
    }
}

/// The names that several nodes have, with these nodes.
fn shared<'a>(
    nodes: &[LocatedNode<'a>],
    name: impl Fn(&'a Node) -> Option<&'a str>,
) -> Vec<(&'a str, Vec<LocatedNode<'a>>)> {
    let mut by_name: BTreeMap<&str, Vec<LocatedNode<'a>>> = BTreeMap::new();
    for located in nodes {
        if let Some(name) = name(located.node) {
            by_name.entry(name).or_default().push(*located);
        }
    }
    by_name.into_iter().filter(|(_, nodes)| nodes.len() > 1).collect()
}

pub(super) fn partition_name_too_long(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.of_kind("partition") {
        let Some(name) = located.node.hidden.partition_label.as_deref() else { continue };
        if name.encode_utf16().count() > PARTITION_NAME_LIMIT {
            let path = layout.path(located);
            report.danger(
                HazardCode::PartitionNameTooLong,
                &path,
                format!(
                    "The name {name:?} of {path} is longer than the {PARTITION_NAME_LIMIT} characters \
                    a GPT holds: the name is cut, and disko waits in vain for the link \
                    with the long one."
                ),
                "Shorten its `label`, or leave it to disko.",
            );
        }
    }
}

pub(super) fn duplicate_label(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let all: Vec<LocatedNode<'_>> = layout.all().collect();
    for (label, nodes) in shared(&all, |node| node.label.as_deref()) {
        let paths: Vec<String> = nodes.iter().map(|located| layout.path(*located)).collect();
        report.warning(
            HazardCode::DuplicateLabel,
            label,
            format!(
                "{} have the same label, {label}: /dev/disk/by-label/{label} leads to the one that was found last.",
                list(paths.iter().map(String::as_str))
            ),
            "Give each file system a label of its own.",
        );
    }
}

pub(super) fn label_too_long(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.all() {
        let (Some(label), Some(format)) = (located.node.label.as_deref(), located.node.format.as_deref())
        else {
            continue;
        };
        let (limit, refused) = match format {
            "vfat" | "fat" | "msdos" => (11, true),
            "xfs" => (12, true),
            "btrfs" => (255, true),
            "ext2" | "ext3" | "ext4" => (16, false),
            _ => continue,
        };
        if label.len() <= limit {
            continue;
        }
        let (severity, comes_of_it) = if refused {
            (Severity::Danger, "the formatting program refuses it, and formatting stops half-way")
        } else {
            (Severity::Warning, "it is cut, and the long label finds no device")
        };
        report.add(
            HazardCode::LabelTooLong,
            severity,
            layout.path(located),
            format!("The label {label:?} has {} bytes, {format} holds {limit}: {comes_of_it}.", label.len()),
            "Shorten the label.",
        );
    }
}
