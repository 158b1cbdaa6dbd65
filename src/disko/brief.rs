//! Answers without repetitions: a tree that leaves out what stands beside it, and a few facts for each of several hosts.

use super::hazards::{Hazard, Severity};
use super::model::{Group, Layout, Mount, Node, mounts};
use super::part::LayoutPart;

/// The mount point of the root file system.
const ROOT: &str = "/";

/// Notes on each mounted node how it, or a device that it lies on, is encrypted.
pub(super) fn note_encryption(disks: &mut [Node]) {
    let members = Members::of(disks);
    disks.iter_mut().for_each(|root| note_below(root, None, &members));
}

fn note_below(node: &mut Node, around: Option<&'static str>, members: &Members) {
    let by = own_encryption(node).or(around).or_else(|| members.encryption(node, MOST_GROUPS));
    node.hidden.encrypted = by;
    for child in &mut node.children {
        note_below(child, by, members);
    }
}

fn own_encryption(node: &Node) -> Option<&'static str> {
    node.hidden.encryption.as_ref()?;
    Some(match node.kind.as_str() {
        "luks" => "luks",
        "bcachefs_filesystem" => "bcachefs",
        _ => "zfs",
    })
}

/// Most groups that lie on one another: a volume group on an array.
const MOST_GROUPS: u8 = 4;

/// The members of groups, each with the encryption around it and the group that it is a part of.
struct Members(Vec<Member>);

struct Member {
    group: Group,
    name: String,
    encrypted: Option<&'static str>,
    /// The root of the tree with the member.
    within: Option<(Group, String)>,
}

impl Members {
    fn of(disks: &[Node]) -> Self {
        fn collect(
            node: &Node,
            around: Option<&'static str>,
            within: Option<&(Group, String)>,
            found: &mut Vec<Member>,
        ) {
            let encrypted = own_encryption(node).or(around);
            if let (Some(group), Some(name)) = (node.hidden.group, &node.member_of) {
                found.push(Member { group, name: name.clone(), encrypted, within: within.cloned() });
            }
            for child in &node.children {
                collect(child, encrypted, within, found);
            }
        }
        let mut found = Vec::new();
        for root in disks {
            collect(root, None, group_of(root).as_ref(), &mut found);
        }
        Self(found)
    }

    /// How all members of the group are encrypted; `None` if one is not.
    fn encryption(&self, root: &Node, depth: u8) -> Option<&'static str> {
        self.of_group(&group_of(root)?, depth)
    }

    fn of_group(&self, (group, name): &(Group, String), depth: u8) -> Option<&'static str> {
        let depth = depth.checked_sub(1)?;
        let mut by = None;
        for member in self.0.iter().filter(|member| (member.group, &member.name) == (*group, name)) {
            let around = || self.of_group(member.within.as_ref()?, depth);
            by = Some(member.encrypted.or_else(around)?);
        }
        by
    }
}

fn group_of(root: &Node) -> Option<(Group, String)> {
    Group::ALL.into_iter().find(|group| group.kind() == root.kind).map(|group| (group, root.name.clone()))
}

impl Node {
    /// Leaves out what `mounts` or the parent has.
    pub(super) fn leave_out_repetitions(&mut self) {
        self.leave_out_below(None);
    }

    /// The tree without what is in it; where it is defined stands in `wiped` or `kept`.
    fn into_brief_part(self) -> LayoutPart {
        let Self { kind, name, device, .. } = self;
        LayoutPart::Tree {
            root: Box::new(Self { kind, name, device, ..Self::default() }),
            mounts: Vec::new(),
        }
    }

    fn leave_out_below(&mut self, parent: Option<&str>) {
        let device = self.device.clone();
        let is_mounted = self.mountpoint.is_some() && self.kind != "disk";
        if is_mounted || parent.is_some() && parent == device.as_deref() {
            self.device = None;
        }
        // These have the file system of their parent.
        if matches!(self.kind.as_str(), "btrfs_subvol" | "bcachefs_subvolume" | "zfs_fs") {
            self.format = None;
        }
        for child in &mut self.children {
            child.leave_out_below(device.as_deref());
        }
    }
}

impl Hazard {
    /// The hazard for an answer about several hosts: how to correct it, and what a note is about, are in the answer about
    /// its host.
    fn brief(mut self) -> Self {
        self.fix.clear();
        if self.severity == Severity::Note {
            self.message.clear();
        }
        self
    }
}

impl Layout {
    /// The parts for an answer about several hosts: the disks, those that are wiped and kept, the hazards, and the mount of `/`.
    #[must_use]
    pub fn into_brief_parts(self) -> Vec<LayoutPart> {
        let root = mounts(&self.disks).into_iter().find(|mount| mount.mountpoint == ROOT);
        let fates = self.wiped.into_iter().map(LayoutPart::Wiped);
        let fates = fates.chain(self.kept.into_iter().map(LayoutPart::Kept));
        let hazards = self.hazards.into_iter().map(|hazard| LayoutPart::Hazard(hazard.brief()));
        let roots = self.disks.into_iter().map(Node::into_brief_part);
        fates.chain(hazards).chain(root.map(LayoutPart::Mount)).chain(roots).collect()
    }
}

impl Mount {
    /// The mount in a sentence.
    #[must_use]
    pub fn described(&self) -> String {
        use crate::text::word;
        let host = self.host.as_deref().map(|host| format!("{}: ", word(host))).unwrap_or_default();
        let format = self.format.as_deref().map_or("not known", word);
        let device = self.device.as_deref().map(|device| format!(" on {}", word(device)));
        let encrypted = self.encrypted.as_deref().map(|by| format!(", encrypted ({})", word(by)));
        let (device, encrypted) = (device.unwrap_or_default(), encrypted.unwrap_or_default());
        format!("{host}{} is {format}{device}{encrypted}", word(&self.mountpoint))
    }
}
