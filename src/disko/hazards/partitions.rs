//! Sizes that can be read and that fit.

use super::survey::{Place, Survey};
use super::{Code, Report};
use crate::disko::model::Table;
use crate::disko::size;

pub(super) fn size_unreadable(survey: &Survey<'_>, report: &mut Report) {
    for place in survey.all() {
        let Some(given) = place.node.hidden.extent.size.as_deref() else { continue };
        let thin = place.node.hidden.lvm_type.as_deref() == Some("thinlv");
        let (good, takes) = match place.node.kind.as_str() {
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
            let path = survey.path(place);
            report.danger(
                Code::SizeUnreadable,
                &path,
                format!("The size {given:?} of {path} is none: {takes}."),
                "Write the size that way.",
            );
        }
    }
}

/// One of the things a disk or volume group is divided into, in their turn.
struct Part<'a> {
    place: Place<'a>,
    /// It takes all there is left.
    fills: bool,
    /// It takes what is left, whatever that is, and not a place of its own.
    floats: bool,
}

/// `sgdisk --new` with the largest end leaves nothing to the next (disko makes partitions by priority).
pub(super) fn no_space_left(survey: &Survey<'_>, report: &mut Report) {
    for table in survey.all().filter(|place| place.node.hidden.table == Some(Table::Gpt)) {
        let parts = children(survey, table).map(|place| {
            let extent = &place.node.hidden.extent;
            Part {
                place,
                fills: extent.size.as_deref() == Some("100%") && extent.end.is_none(),
                floats: extent.start.is_none(),
            }
        });
        starved(survey, parts, "disk", report);
    }
}

/// `lvcreate -l 100%FREE` leaves nothing to the next; a thin volume takes its space from its pool.
pub(super) fn volume_space(survey: &Survey<'_>, report: &mut Report) {
    for group in survey.of_kind("lvm_vg") {
        let parts = children(survey, group).map(|place| {
            let thin = place.node.hidden.lvm_type.as_deref() == Some("thinlv");
            let given = place.node.hidden.extent.size.as_deref();
            Part { place, fills: !thin && matches!(given, Some("100%" | "100%FREE")), floats: !thin }
        });
        starved(survey, parts, "volume group", report);
    }
}

fn children<'a>(survey: &Survey<'a>, above: Place<'a>) -> impl Iterator<Item = Place<'a>> {
    survey.all().filter(move |place| above.node.children.iter().any(|child| std::ptr::eq(child, place.node)))
}

fn starved<'a>(survey: &Survey<'a>, parts: impl Iterator<Item = Part<'a>>, of: &str, report: &mut Report) {
    let mut filled_by: Option<Place<'_>> = None;
    for part in parts {
        if let Some(first) = filled_by.filter(|_| part.floats) {
            let (path, first) = (survey.path(part.place), survey.path(first));
            let order = if part.fills {
                "Only one can have \"100%\": give the other a size."
            } else {
                "Leave `priority` to disko, which makes what takes the rest last, or give the first a size."
            };
            report.danger(
                Code::NoSpaceLeft,
                &path,
                format!(
                    "{first} is made first and takes all that is left of the {of}: {path} cannot be \
                    made, and formatting stops half-way."
                ),
                order,
            );
        }
        if part.fills && filled_by.is_none() {
            filled_by = Some(part.place);
        }
    }
}
