//! Swap: what it gives away and whether the host can come back from it.
//!
//! Facts: NixOS's option `swapDevices.*.randomEncryption`, which warns of hibernating with it; the OpenZFS
//! FAQ and issue 7734 on swap in a zvol.

use super::survey::{Place, Survey};
use super::{Code, Report};
use crate::disko::model::Swap;

fn swaps<'a>(survey: &Survey<'a>) -> impl Iterator<Item = (Place<'a>, &'a Swap)> {
    survey.all().filter_map(|place| Some((place, place.node.hidden.swap.as_ref()?)))
}

pub(super) fn unencrypted(survey: &Survey<'_>, report: &mut Report) {
    let Some(root) = survey.mounted("/").filter(|root| survey.is_encrypted(*root)) else { return };
    for (place, swap) in swaps(survey) {
        if swap.random_encryption || survey.is_encrypted(place) {
            continue;
        }
        let path = survey.path(place);
        report.warning(
            Code::SwapUnencrypted,
            &path,
            format!(
                "The root ({}) is encrypted, the swap {path} is not: passwords and keys in memory are \
                written to the drive in the clear.",
                survey.path(root)
            ),
            "Put the swap inside the encrypted device, or set `randomEncryption = true` if the host does \
             not hibernate.",
        );
    }
}

pub(super) fn resume_from_random_key(survey: &Survey<'_>, report: &mut Report) {
    for (place, swap) in swaps(survey) {
        if swap.random_encryption && swap.resume {
            let path = survey.path(place);
            report.warning(
                Code::ResumeFromRandomKey,
                &path,
                format!(
                    "{path} gets a new random key at every start and is what the host resumes from: \
                    whatever was hibernated is lost."
                ),
                "Choose one: `randomEncryption` for a host that does not hibernate, or `resumeDevice` \
                 with swap inside an encrypted device.",
            );
        }
    }
}

pub(super) fn on_zvol(survey: &Survey<'_>, report: &mut Report) {
    for (place, _) in swaps(survey) {
        if survey.upwards(place).any(|place| place.node.kind == "zfs_volume") {
            let path = survey.path(place);
            report.warning(
                Code::SwapOnZvol,
                &path,
                format!(
                    "{path} is swap in a ZFS volume: ZFS needs memory to write it out, and a host \
                    that is out of memory can lock up."
                ),
                "Put swap on a partition of its own.",
            );
        }
    }
}
