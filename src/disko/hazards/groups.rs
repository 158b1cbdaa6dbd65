//! Checks of arrays, volume groups and pools: definition, members and redundancy.
//!
//! Facts: mdadm's `Create.c` (at least 2 devices from level 4 up, 4 for level 6; disko passes `--force`);
//! zpoolconcepts(7) (a mirror has 2 or more devices, raidz one more than its parity; without a special
//! or dedup device the pool is lost) and zpool-create(8); lvmraid(7).

use std::collections::BTreeSet;

use super::layout_index::{LayoutIndex, LocatedNode, list};
use super::{HazardCode, HazardReport, Severity};
use crate::disko::model::{Group, Vdev};
use crate::text;

pub(super) fn undefined(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (group, name, members) in layout.joined() {
        let defined: Vec<&str> = layout.groups(group).map(|located| located.node.name.as_str()).collect();
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
            let path = layout.path(member);
            report.warning(
                HazardCode::GroupUndefined,
                &path,
                format!(
                    "{path} is to be a member of the {} {name:?}, which the layout does not define: \
                    disko creates nothing from it.",
                    group.noun()
                ),
                &fix,
            );
        }
    }
}

/// disko's scripts stop at a pool, group or array without members.
pub(super) fn without_members(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for group in Group::ALL {
        for located in layout.groups(group) {
            let name = &located.node.name;
            if layout.members(group, name).is_empty() {
                let noun = group.noun();
                report.danger(
                    HazardCode::GroupWithoutMembers,
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

/// The groups that have members, with their members.
fn groups_with_members<'a>(
    layout: &LayoutIndex<'a>,
    group: Group,
) -> impl Iterator<Item = (LocatedNode<'a>, Vec<LocatedNode<'a>>)> {
    layout
        .groups(group)
        .map(move |located| (located, layout.members(group, &located.node.name)))
        .filter(|(_, members)| !members.is_empty())
}

pub(super) fn array_members(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (array, members) in groups_with_members(layout, Group::Mdadm) {
        let (name, count) = (&array.node.name, members.len());
        let level = array.node.type_code.as_deref().unwrap_or_default();
        let minimum = match level {
            "raid6" => 4,
            "raid4" | "raid5" | "raid10" => 2,
            _ => 1,
        };
        if count < minimum {
            report.danger(
                HazardCode::TooFewMembers,
                name,
                format!(
                    "The array {name:?} of level {level} has {count} member{}: mdadm refuses fewer \
                    than {minimum}, and formatting stops half-way.",
                    plural(count)
                ),
                "Add members, or choose a level for as many as there are.",
            );
        } else if level == "raid1" && count == 1 {
            report.warning(
                HazardCode::TooFewMembers,
                name,
                format!("The array {name:?} is a mirror with one member: there is no second copy."),
                "Add a member, or do without the array.",
            );
        } else if matches!(level, "raid4" | "raid5") && count == 2 {
            report.warning(
                HazardCode::TooFewMembers,
                name,
                format!(
                    "The array {name:?} of level {level} has 2 members: that is a mirror with slower \
                    writes."
                ),
                "Add a third member, or use level 1.",
            );
        } else if level == "raid0" && count > 1 {
            report.note(
                HazardCode::NoRedundancy,
                name,
                format!(
                    "The array {name:?} is striped over {count} devices: losing one loses everything on it."
                ),
                "Use level 1, 5, 6 or 10 if that matters.",
            );
        }
    }
}

/// Least number of devices that `zpool create` accepts for a mode.
fn minimum_for(mode: &str) -> usize {
    match mode {
        "mirror" | "raidz" | "raidz1" => 2,
        "raidz2" => 3,
        "raidz3" => 4,
        _ => 1,
    }
}

pub(super) fn pool_members(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (pool, members) in groups_with_members(layout, Group::Zpool) {
        let name = &pool.node.name;
        let too_few = |mode: &str, count: usize, report: &mut HazardReport| {
            if count < minimum_for(mode) {
                report.danger(
                    HazardCode::TooFewMembers,
                    name,
                    format!(
                        "The pool {name:?} has a {mode} of {count} device{}: ZFS refuses fewer than \
                        {}, and formatting stops half-way.",
                        plural(count),
                        minimum_for(mode)
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
                HazardCode::NoRedundancy,
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

/// Checks the number of images and stripes that `lvcreate` creates by default.
pub(super) fn volume_members(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (group, members) in groups_with_members(layout, Group::Lvm) {
        for volume in &group.node.children {
            let kind = volume.hidden.lvm_type.as_deref().unwrap_or_default();
            let minimum = match kind {
                "mirror" | "raid0" | "raid1" => 2,
                "raid4" | "raid5" => 3,
                "raid6" => 5,
                _ => 1,
            };
            if members.len() < minimum && !volume.hidden.tuned {
                report.danger(
                    HazardCode::TooFewMembers,
                    &group.node.name,
                    format!(
                        "The logical volume {:?} of type {kind} needs {minimum} physical volumes, the \
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

pub(super) fn mixed_redundancy(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for pool in layout.groups(Group::Zpool) {
        let Some(topology) = &pool.node.hidden.topology else { continue };
        let safe = |vdev: &&Vdev| !vdev.mode.is_empty();
        if !topology.iter().filter(|vdev| vdev.role == "vdev").any(|vdev| safe(&vdev)) {
            continue;
        }
        let vital = topology.iter().filter(|vdev| matches!(vdev.role, "vdev" | "special" | "dedup"));
        for vdev in vital.filter(|vdev| !safe(vdev)) {
            let role = if vdev.role == "vdev" { "data" } else { vdev.role };
            report.warning(
                HazardCode::MixedRedundancy,
                &pool.node.name,
                format!(
                    "The pool {:?} has redundant devices, but its {role} device {} has no second \
                    copy: if it fails, the whole pool is lost.",
                    pool.node.name,
                    list(vdev.members.iter().map(String::as_str))
                ),
                "Mirror it as well.",
            );
        }
    }
}

pub(super) fn mirror_on_one_disk(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for group in [Group::Mdadm, Group::Zpool] {
        for (located, members) in groups_with_members(layout, group).filter(|(_, members)| members.len() > 1)
        {
            let kind = located.node.type_code.as_deref().unwrap_or_default();
            let redundant = match group {
                Group::Mdadm => kind != "raid0",
                _ => kind.starts_with("mirror") || kind.starts_with("raidz"),
            };
            let on: Option<BTreeSet<usize>> = members.iter().try_fold(BTreeSet::new(), |mut all, member| {
                all.extend(layout.lies_on(*member)?);
                Some(all)
            });
            if redundant && on.is_some_and(|disks| disks.len() == 1) {
                let disk = layout.root(members.first().copied().unwrap_or(located)).node;
                report.add(
                    HazardCode::MirrorOnOneDisk,
                    Severity::Warning,
                    located.node.name.clone(),
                    format!(
                        "All members of the {} {:?} ({kind}) are on disk {:?}: if that fails, all \
                        copies are lost.",
                        group.noun(),
                        located.node.name,
                        disk.name
                    ),
                    "Put the members on different drives.",
                );
            }
        }
    }
}

/// disko does not create a pool whose topology and members differ ("not all disks accounted for").
pub(super) fn topology_mismatch(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (pool, members) in groups_with_members(layout, Group::Zpool) {
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
            HazardCode::TopologyMismatch,
            &pool.node.name,
            format!(
                "The topology of the pool {:?} and the devices that are its members differ ({which}): \
                disko does not create the pool.",
                pool.node.name
            ),
            "Name every member once. A name without a slash means the partition called \"zfs\" of the \
             disk of that name; for any other write the device's path.",
        );
    }
}

pub(super) fn thin_pool_undefined(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for group in layout.groups(Group::Lvm) {
        for volume in &group.node.children {
            if volume.hidden.lvm_type.as_deref() != Some("thinlv") {
                continue;
            }
            let pool = volume.hidden.thin_pool.as_deref();
            let is_defined = group.node.children.iter().any(|other| {
                Some(other.name.as_str()) == pool && other.hidden.lvm_type.as_deref() == Some("thin-pool")
            });
            if is_defined {
                continue;
            }
            let what = pool.map_or("names no pool".to_owned(), |pool| {
                format!("is to be in {pool:?}, which is no thin pool of its group")
            });
            report.danger(
                HazardCode::ThinPoolUndefined,
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
