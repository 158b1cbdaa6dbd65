//! Checks of swap: encryption and hibernation.
//!
//! Facts: NixOS's option `swapDevices.*.randomEncryption`, which warns of hibernating with it; the OpenZFS
//! FAQ and issue 7734 on swap in a zvol.

use super::layout_index::{LayoutIndex, LocatedNode};
use super::{HazardCode, HazardReport};
use crate::disko::model::Swap;

fn swaps<'a>(layout: &LayoutIndex<'a>) -> impl Iterator<Item = (LocatedNode<'a>, &'a Swap)> {
    layout.all().filter_map(|located| Some((located, located.node.hidden.swap.as_ref()?)))
}

pub(super) fn unencrypted(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Some(root) = layout.mounted("/").filter(|root| layout.is_encrypted(*root)) else { return };
    for (located, swap) in swaps(layout) {
        if swap.random_encryption || layout.is_encrypted(located) {
            continue;
        }
        let path = layout.path(located);
        report.warning(
            HazardCode::SwapUnencrypted,
            &path,
            format!(
                "The root ({}) is encrypted, the swap {path} is not: passwords and keys in memory are \
                written to the drive unencrypted.",
                layout.path(root)
            ),
            "Put the swap inside the encrypted device, or set `randomEncryption = true` if the host does \
             not hibernate.",
        );
    }
}

pub(super) fn resume_from_random_key(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (located, swap) in swaps(layout) {
        if swap.random_encryption && swap.resume {
            let path = layout.path(located);
            report.warning(
                HazardCode::ResumeFromRandomKey,
                &path,
                format!(
                    "{path} gets a new random key at every boot, and the host resumes from it: \
                    the hibernated state is lost."
                ),
                "Choose one: `randomEncryption` for a host that does not hibernate, or `resumeDevice` \
                 with swap inside an encrypted device.",
            );
        }
    }
}

pub(super) fn on_zvol(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (located, _) in swaps(layout) {
        if layout.upwards(located).any(|located| located.node.kind == "zfs_volume") {
            let path = layout.path(located);
            report.warning(
                HazardCode::SwapOnZvol,
                &path,
                format!(
                    "{path} is swap in a ZFS volume: ZFS needs memory to write to it, and a host \
                    that is out of memory can lock up."
                ),
                "Put swap on a partition of its own.",
            );
        }
    }
}
