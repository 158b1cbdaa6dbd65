//! Checks of disks that disko keeps (`destroy = false`).
//!
//! Facts: `disk-deactivate.jq` of disko destroys a ZFS pool and removes a volume group as a whole, if one of their members is
//! on a disk that is wiped.

use super::layout_index::{LayoutIndex, list};
use super::{HazardCode, HazardReport};
use crate::disko::model::Group;

pub(super) fn destroyed_with_group(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (group, name, members) in layout.joined() {
        if !matches!(group, Group::Zpool | Group::Lvm) {
            continue;
        }
        let disks_with = |destroyed: bool| {
            members
                .iter()
                .map(|member| layout.root(*member).node)
                .filter(move |disk| disk.hidden.destroy == Some(destroyed))
        };
        let (Some(wiped), Some(kept)) = (disks_with(true).next(), disks_with(false).next()) else { continue };
        let device = kept.device.as_deref().unwrap_or(&kept.name);
        report.danger(
            HazardCode::KeptDiskInWipedGroup,
            device,
            format!(
                "The {} {name} has members on disk {:?}, which disko wipes, and on {}, which it keeps \
                 (`destroy = false`): before it wipes a disk, disko destroys the whole {} on it, with the data on \
                 the disks that it keeps.",
                group.noun(),
                wiped.name,
                list(disks_with(false).map(|disk| disk.name.as_str())),
                group.noun()
            ),
            "Set `destroy = false` for all disks of the group, or keep its data on disks of its own.",
        );
    }
}
