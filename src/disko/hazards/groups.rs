//! Arrays, volume groups and pools: defined, with members, and as safe as they look.
//!
//! Facts: mdadm's `Create.c` (at least 2 devices from level 4 up, 4 for level 6; disko passes `--force`);
//! zpoolconcepts(7) (a mirror has 2 or more devices, raidz one more than its parity; the loss of a special
//! or dedup device is the loss of the pool) and zpool-create(8); lvmraid(7).

use std::collections::BTreeSet;

use super::survey::{Place, Survey, list};
use super::{Code, Report, Severity};
use crate::disko::model::{Group, Vdev};
use crate::text;

pub(super) fn undefined(survey: &Survey<'_>, report: &mut Report) {
    for (group, name, members) in survey.joined() {
        let defined: Vec<&str> = survey.groups(group).map(|place| place.node.name.as_str()).collect();
        if defined.contains(&name) {
            continue;
        }
        let near = text::nearest(name, defined, 1);
        let fix = near.first().map_or_else(
            || format!("Define `disko.devices.{}.{name}`.", group.attribute()),
            |near| {
                format!(
                    "If {near:?} is meant, write that; otherwise define `disko.devices.{}.{name}`.",
                    group.attribute()
                )
            },
        );
        for member in members {
            let path = survey.path(member);
            report.warning(
                Code::GroupUndefined,
                &path,
                format!(
                    "{path} is to be a member of the {} {name:?}, which the layout does not define: \
                    nothing is made of it.",
                    group.noun()
                ),
                &fix,
            );
        }
    }
}

/// disko's scripts stop at a pool, group or array that no device has announced itself for.
pub(super) fn without_members(survey: &Survey<'_>, report: &mut Report) {
    for group in Group::ALL {
        for place in survey.groups(group) {
            let name = &place.node.name;
            if survey.members(group, name).is_empty() {
                let noun = group.noun();
                report.danger(
                    Code::GroupWithoutMembers,
                    name,
                    format!(
                        "The {noun} {name:?} has no members: formatting stops there, after the disks \
                        were wiped."
                    ),
                    format!(
                        "Name it in a partition's content, or remove `disko.devices.{}.{name}`.",
                        group.attribute()
                    ),
                );
            }
        }
    }
}

/// Groups with their members, where every member is known and there is at least one.
fn staffed<'a>(survey: &Survey<'a>, group: Group) -> impl Iterator<Item = (Place<'a>, Vec<Place<'a>>)> {
    survey
        .groups(group)
        .map(move |place| (place, survey.members(group, &place.node.name)))
        .filter(|(_, members)| !members.is_empty())
}

pub(super) fn array_members(survey: &Survey<'_>, report: &mut Report) {
    for (array, members) in staffed(survey, Group::Mdadm) {
        let (name, count) = (&array.node.name, members.len());
        let level = array.node.type_code.as_deref().unwrap_or_default();
        let least = match level {
            "raid6" => 4,
            "raid4" | "raid5" | "raid10" => 2,
            _ => 1,
        };
        if count < least {
            report.danger(
                Code::TooFewMembers,
                name,
                format!(
                    "The array {name:?} of level {level} has {count} member{}: mdadm refuses fewer \
                    than {least}, and formatting stops half-way.",
                    plural(count)
                ),
                "Add members, or choose a level for as many as there are.",
            );
        } else if level == "raid1" && count == 1 {
            report.warning(
                Code::TooFewMembers,
                name,
                format!("The array {name:?} is a mirror with one member: there is no second copy."),
                "Add a member, or do without the array.",
            );
        } else if matches!(level, "raid4" | "raid5") && count == 2 {
            report.warning(
                Code::TooFewMembers,
                name,
                format!(
                    "The array {name:?} of level {level} has 2 members: that is a mirror, with more \
                    work for every write."
                ),
                "Add a third member, or use level 1.",
            );
        } else if level == "raid0" && count > 1 {
            report.note(
                Code::NoRedundancy,
                name,
                format!(
                    "The array {name:?} is striped over {count} devices: losing one loses everything on it."
                ),
                "Use level 1, 5, 6 or 10 if that matters.",
            );
        }
    }
}

/// The fewest devices `zpool create` accepts for this.
fn least_for(mode: &str) -> usize {
    match mode {
        "mirror" | "raidz" | "raidz1" => 2,
        "raidz2" => 3,
        "raidz3" => 4,
        _ => 1,
    }
}

pub(super) fn pool_members(survey: &Survey<'_>, report: &mut Report) {
    for (pool, members) in staffed(survey, Group::Zpool) {
        let name = &pool.node.name;
        let too_few = |mode: &str, count: usize, report: &mut Report| {
            if count < least_for(mode) {
                report.danger(
                    Code::TooFewMembers,
                    name,
                    format!(
                        "The pool {name:?} has a {mode} of {count} device{}: ZFS refuses fewer than \
                        {}, and formatting stops half-way.",
                        plural(count),
                        least_for(mode)
                    ),
                    "Add devices, or choose a mode for as many as there are.",
                );
            }
        };
        if let Some(topology) = &pool.node.hidden.topology {
            for vdev in topology {
                too_few(&vdev.mode, vdev.members.len(), report);
            }
            continue;
        }
        let mode = pool.node.type_code.as_deref().unwrap_or_default();
        too_few(mode, members.len(), report);
        if mode.is_empty() && members.len() > 1 {
            report.note(
                Code::NoRedundancy,
                name,
                format!(
                    "The pool {name:?} is striped over {} devices: losing one loses everything in it.",
                    members.len()
                ),
                "Use the mode mirror or raidz if that matters.",
            );
        }
    }
}

/// The images and stripes `lvcreate` makes when it is told nothing more.
pub(super) fn volume_members(survey: &Survey<'_>, report: &mut Report) {
    for (group, members) in staffed(survey, Group::Lvm) {
        for volume in &group.node.children {
            let kind = volume.hidden.lvm_type.as_deref().unwrap_or_default();
            let least = match kind {
                "mirror" | "raid0" | "raid1" => 2,
                "raid4" | "raid5" => 3,
                "raid6" => 5,
                _ => 1,
            };
            if members.len() < least && !volume.hidden.tuned {
                report.danger(
                    Code::TooFewMembers,
                    &group.node.name,
                    format!(
                        "The logical volume {:?} of type {kind} needs {least} physical volumes, the \
                        group {:?} has {}: `lvcreate` refuses, and formatting stops half-way.",
                        volume.name,
                        group.node.name,
                        members.len()
                    ),
                    "Add physical volumes, or make it a plain volume.",
                );
            }
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

pub(super) fn mixed_redundancy(survey: &Survey<'_>, report: &mut Report) {
    for pool in survey.groups(Group::Zpool) {
        let Some(topology) = &pool.node.hidden.topology else { continue };
        let safe = |vdev: &&Vdev| !vdev.mode.is_empty();
        if !topology.iter().filter(|vdev| vdev.role == "vdev").any(|vdev| safe(&vdev)) {
            continue;
        }
        let vital = topology.iter().filter(|vdev| matches!(vdev.role, "vdev" | "special" | "dedup"));
        for vdev in vital.filter(|vdev| !safe(vdev)) {
            let role = if vdev.role == "vdev" { "data" } else { vdev.role };
            report.warning(
                Code::MixedRedundancy,
                &pool.node.name,
                format!(
                    "The pool {:?} has redundant devices, but its {role} device {} has no second \
                    copy: when it fails, the whole pool is lost.",
                    pool.node.name,
                    list(vdev.members.iter().map(String::as_str))
                ),
                "Mirror it as well.",
            );
        }
    }
}

pub(super) fn mirror_on_one_disk(survey: &Survey<'_>, report: &mut Report) {
    for group in [Group::Mdadm, Group::Zpool] {
        for (place, members) in staffed(survey, group).filter(|(_, members)| members.len() > 1) {
            let kind = place.node.type_code.as_deref().unwrap_or_default();
            let redundant = match group {
                Group::Mdadm => kind != "raid0",
                _ => kind.starts_with("mirror") || kind.starts_with("raidz"),
            };
            let on: Option<BTreeSet<usize>> = members.iter().try_fold(BTreeSet::new(), |mut all, member| {
                all.extend(survey.lies_on(*member)?);
                Some(all)
            });
            if redundant && on.is_some_and(|disks| disks.len() == 1) {
                let disk = survey.root(members.first().copied().unwrap_or(place)).node;
                report.add(
                    Code::MirrorOnOneDisk,
                    Severity::Warning,
                    place.node.name.clone(),
                    format!(
                        "All members of the {} {:?} ({kind}) are on disk {:?}: when that fails, all \
                        copies are lost.",
                        group.noun(),
                        place.node.name,
                        disk.name
                    ),
                    "Put the members on different drives.",
                );
            }
        }
    }
}

/// disko leaves a pool unmade whose topology and members differ ("not all disks accounted for").
pub(super) fn topology_mismatch(survey: &Survey<'_>, report: &mut Report) {
    for (pool, members) in staffed(survey, Group::Zpool) {
        let Some(topology) = &pool.node.hidden.topology else { continue };
        let mut wanted: Vec<String> = topology
            .iter()
            .flat_map(|vdev| &vdev.members)
            .map(|member| {
                if member.starts_with('/') {
                    member.clone()
                } else {
                    format!("/dev/disk/by-partlabel/disk-{member}-zfs")
                }
            })
            .collect();
        let Some(mut present) =
            members.iter().map(|member| member.node.device.clone()).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        wanted.sort();
        present.sort();
        if wanted == present {
            continue;
        }
        let differing: Vec<&str> = wanted
            .iter()
            .filter(|device| !present.contains(device))
            .chain(present.iter().filter(|device| !wanted.contains(device)))
            .map(String::as_str)
            .collect();
        let which =
            if differing.is_empty() { "one is named more than once".to_owned() } else { list(differing) };
        report.danger(
            Code::TopologyMismatch,
            &pool.node.name,
            format!(
                "The topology of the pool {:?} and the devices that are its members differ ({which}): \
                disko does not make the pool.",
                pool.node.name
            ),
            "Name every member once. A name without a slash means the partition called \"zfs\" of the \
             disk of that name; for any other write the device's path.",
        );
    }
}

pub(super) fn thin_pool_undefined(survey: &Survey<'_>, report: &mut Report) {
    for group in survey.groups(Group::Lvm) {
        for volume in &group.node.children {
            if volume.hidden.lvm_type.as_deref() != Some("thinlv") {
                continue;
            }
            let pool = volume.hidden.thin_pool.as_deref();
            let there = group.node.children.iter().any(|other| {
                Some(other.name.as_str()) == pool && other.hidden.lvm_type.as_deref() == Some("thin-pool")
            });
            if there {
                continue;
            }
            let what = pool.map_or("names no pool".to_owned(), |pool| {
                format!("is to be in {pool:?}, which is no thin pool of its group")
            });
            report.danger(
                Code::ThinPoolUndefined,
                &group.node.name,
                format!(
                    "The thin volume {:?} {what}: `lvcreate` refuses, and formatting stops half-way.",
                    volume.name
                ),
                "Define a logical volume with `lvm_type = \"thin-pool\"` and name it in `pool`.",
            );
        }
    }
}
