//! Checks that sizes are valid and that partitions and volumes fit.

use super::layout_index::{LayoutIndex, LocatedNode};
use super::{HazardCode, HazardReport};
use crate::disko::model::Table;
use crate::disko::size;

pub(super) fn size_unreadable(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.all() {
        let Some(given) = located.node.hidden.extent.size.as_deref() else { continue };
        let thin = located.node.hidden.lvm_type.as_deref() == Some("thinlv");
        let (good, takes) = match located.node.kind.as_str() {
            "partition" => (
                size::is_partition_size(given),
                "disko takes a whole number with K, M, G, T or P, or \"100%\" for the rest of the disk",
            ),
            // lvcreate(8): -V takes a size, only -l takes percentages.
            "lv" if thin => (
                size::is_volume_size(given) && !given.contains('%'),
                "a thin volume has a size of its own, like \"20G\", and not a part of anything",
            ),
            "lv" => {
                (size::is_volume_size(given), "LVM takes a size like \"20G\" or a part like \"100%FREE\"")
            }
            "zfs_volume" => (size::is_zvol_size(given), "ZFS takes a size like \"20G\""),
            "swapfile" => (
                size::is_partition_size(given) && given != "100%",
                "disko takes a whole number with K, M, G, T or P",
            ),
            _ => continue,
        };
        if !good {
            let path = layout.path(located);
            report.danger(
                HazardCode::SizeUnreadable,
                &path,
                format!("The size {given:?} of {path} is not valid: {takes}."),
                "Write the size in that form.",
            );
        }
    }
}

/// sgdisk(8) counts sectors if there is no unit, and disko passes the number as it is.
pub(super) fn size_without_unit(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for located in layout.of_kind("partition") {
        let Some(sectors) =
            located.node.hidden.extent.size.as_deref().and_then(|size| size.parse::<u64>().ok())
        else {
            continue;
        };
        let path = layout.path(located);
        report.warning(
            HazardCode::SizeWithoutUnit,
            &path,
            format!(
                "The size of {path} is {sectors} without a unit, which means sectors: {} on most \
                 drives.",
                crate::text::bytes(sectors.saturating_mul(512))
            ),
            format!("Write the unit: \"{sectors}M\" or \"{sectors}G\"."),
        );
    }
}

/// A partition or volume, in the order of creation.
struct SizedNode<'a> {
    located: LocatedNode<'a>,
    /// Whether it takes all remaining space.
    fills: bool,
    /// Whether it takes its space from the remaining space, and has no fixed start.
    floats: bool,
}

/// disko creates partitions by priority, and `sgdisk --new` without an end takes all remaining space.
///
/// Observed with sgdisk 1.0.9: after such a partition, one with a size fails ("Could not create partition"), and one
/// without a size gets the rest of the alignment, less than 1 MiB.
pub(super) fn no_space_left(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for table in layout.all().filter(|located| located.node.hidden.table == Some(Table::Gpt)) {
        let parts = layout.children(table).map(|located| {
            let extent = &located.node.hidden.extent;
            // disko's default size is "0", which means the largest possible size to sgdisk.
            let fills = match (extent.size.as_deref(), extent.end.as_deref()) {
                (_, Some(end)) => end == "-0" || end == "0",
                (size, None) => matches!(size, None | Some("100%")),
            };
            SizedNode { located, fills, floats: extent.start.is_none() }
        });
        report_starved(layout, parts, "disk", report);
    }
}

/// `lvcreate -l 100%FREE` leaves no space for the next volume. A thin volume takes its space from its pool.
pub(super) fn volume_space(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for group in layout.of_kind("lvm_vg") {
        let parts = layout.children(group).map(|located| {
            let thin = located.node.hidden.lvm_type.as_deref() == Some("thinlv");
            let given = located.node.hidden.extent.size.as_deref();
            SizedNode { located, fills: !thin && matches!(given, Some("100%" | "100%FREE")), floats: !thin }
        });
        report_starved(layout, parts, "volume group", report);
    }
}

fn report_starved<'a>(
    layout: &LayoutIndex<'a>,
    parts: impl Iterator<Item = SizedNode<'a>>,
    of: &str,
    report: &mut HazardReport,
) {
    let mut filled_by: Option<LocatedNode<'_>> = None;
    for part in parts {
        if let Some(first) = filled_by.filter(|_| part.floats) {
            let sizeless = first.node.hidden.extent.size.is_none();
            let (path, first) = (layout.path(part.located), layout.path(first));
            let comes_of_it = if part.fills && of == "disk" {
                "gets the rest, less than 1 MiB"
            } else {
                "cannot be created, and formatting stops half-way"
            };
            let fix = if sizeless {
                "Give the first a size."
            } else if part.fills {
                "Only one can take the rest: give the other a size."
            } else {
                "Give the first a size, or remove `priority`: disko then creates last what takes the rest."
            };
            report.danger(
                HazardCode::NoSpaceLeft,
                &path,
                format!(
                    "{first} is created first and takes all remaining space of the {of}: {path} {comes_of_it}."
                ),
                fix,
            );
        }
        if part.fills && filled_by.is_none() {
            filled_by = Some(part.located);
        }
    }
}
