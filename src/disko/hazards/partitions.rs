//! Sizes that can be read and that fit.

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
                format!("The size {given:?} of {path} is none: {takes}."),
                "Write the size that way.",
            );
        }
    }
}

/// sgdisk(8) counts sectors where there is no unit, and disko hands the number on as it is.
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
                "The size of {path} is {sectors} without a unit, which counts sectors: that is {} on most \
                 drives.",
                crate::text::bytes(sectors.saturating_mul(512))
            ),
            format!("Write the unit: \"{sectors}M\" or \"{sectors}G\"."),
        );
    }
}

/// One of the things a disk or volume group is divided into, in their turn.
struct SizedNode<'a> {
    located: LocatedNode<'a>,
    /// It takes all there is left.
    fills: bool,
    /// It takes from what is left, and has no place of its own.
    floats: bool,
}

/// Partitions are made by priority, and `sgdisk --new` with no end takes everything.
///
/// Tried with sgdisk 1.0.9: after such a partition a size is refused ("Could not create partition"), and
/// no size gets the less than 1 MiB that alignment has left over.
pub(super) fn no_space_left(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for table in layout.all().filter(|located| located.node.hidden.table == Some(Table::Gpt)) {
        let parts = layout.children(table).map(|located| {
            let extent = &located.node.hidden.extent;
            // disko's default of a size is "0", which sgdisk takes for the largest there is.
            let fills = match (extent.size.as_deref(), extent.end.as_deref()) {
                (_, Some(end)) => end == "-0" || end == "0",
                (size, None) => matches!(size, None | Some("100%")),
            };
            SizedNode { located, fills, floats: extent.start.is_none() }
        });
        report_starved(layout, parts, "disk", report);
    }
}

/// `lvcreate -l 100%FREE` leaves nothing to the next; a thin volume takes its space from its pool.
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
                "gets the less than 1 MiB that is left over"
            } else {
                "cannot be made, and formatting stops half-way"
            };
            let fix = if sizeless {
                "Give the first a size."
            } else if part.fills {
                "Only one can take the rest: give the other a size."
            } else {
                "Give the first a size, or leave `priority` to disko, which makes last what takes the rest."
            };
            report.danger(
                HazardCode::NoSpaceLeft,
                &path,
                format!(
                    "{first} is made first and takes all that is left of the {of}: {path} {comes_of_it}."
                ),
                fix,
            );
        }
        if part.fills && filled_by.is_none() {
            filled_by = Some(part.located);
        }
    }
}
