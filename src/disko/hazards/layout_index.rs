//! A flat index of a layout, with the queries of the checks.

use std::collections::{BTreeMap, BTreeSet};

use crate::disko::facts::ConfigFacts;
use crate::disko::model::{Group, Node, Place};
use crate::text;

/// Greatest depth of groups on groups (a pool on an array on a volume group…).
const CHAIN_LIMIT: usize = 8;

/// A node and its position in the index.
#[derive(Clone, Copy)]
pub(super) struct LocatedNode<'a> {
    index: usize,
    pub(super) node: &'a Node,
    parent: Option<usize>,
    root: usize,
}

/// The nodes of a layout, and the facts of its host.
pub(super) struct LayoutIndex<'a> {
    pub(super) facts: &'a ConfigFacts,
    nodes: Vec<LocatedNode<'a>>,
    members: BTreeMap<(Group, &'a str), Vec<usize>>,
}

impl<'a> LayoutIndex<'a> {
    pub(super) fn new(roots: &'a [Node], facts: &'a ConfigFacts) -> Self {
        let mut layout = Self { facts, nodes: Vec::new(), members: BTreeMap::new() };
        for root in roots {
            layout.add(root, None);
        }
        layout
    }

    fn add(&mut self, node: &'a Node, parent: Option<usize>) {
        let index = self.nodes.len();
        let root = parent.and_then(|parent| self.nodes.get(parent)).map_or(index, |parent| parent.root);
        self.nodes.push(LocatedNode { index, node, parent, root });
        if let (Some(group), Some(name)) = (node.hidden.group, &node.member_of) {
            self.members.entry((group, name)).or_default().push(index);
        }
        for child in &node.children {
            self.add(child, Some(index));
        }
    }

    /// Whether a part of the layout could not be evaluated or was left out.
    pub(super) fn is_incomplete(&self) -> bool {
        self.nodes.iter().any(|located| located.node.hidden.failed || located.node.hidden.cut)
    }

    /// Every node, parents before children.
    pub(super) fn all(&self) -> impl Iterator<Item = LocatedNode<'a>> {
        self.nodes.iter().copied()
    }

    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = LocatedNode<'a>> {
        self.all().filter(move |located| located.node.kind == kind)
    }

    pub(super) fn disks(&self) -> impl Iterator<Item = LocatedNode<'a>> {
        self.of_kind("disk")
    }

    /// The node and its ancestors, up to the root.
    pub(super) fn upwards(&self, located: LocatedNode<'a>) -> impl Iterator<Item = LocatedNode<'a>> {
        std::iter::successors(Some(located), |located| {
            located.parent.and_then(|parent| self.nodes.get(parent)).copied()
        })
    }

    pub(super) fn children(&self, located: LocatedNode<'a>) -> impl Iterator<Item = LocatedNode<'a>> {
        // They follow their parent, before the next root.
        let after = self.nodes.iter().skip(located.index + 1).copied();
        after
            .take_while(move |other| other.root == located.root)
            .filter(move |other| other.parent == Some(located.index))
    }

    pub(super) fn root(&self, located: LocatedNode<'a>) -> LocatedNode<'a> {
        self.nodes.get(located.root).copied().unwrap_or(located)
    }

    /// The names from the root to the node: `main/luks/crypted`.
    pub(super) fn path(&self, located: LocatedNode<'a>) -> String {
        let mut names: Vec<&str> = self
            .upwards(located)
            .map(|located| located.node.name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        names.reverse();
        text::bounded(&names.join("/"), 200)
    }

    /// All mounts of the layout, with their mount points.
    pub(super) fn mounts(&self) -> impl Iterator<Item = (&'a str, LocatedNode<'a>)> {
        self.all().filter_map(|located| {
            located.node.mountpoint.as_deref().map(|at| (without_trailing_slash(at), located))
        })
    }

    /// The node that the layout mounts at that mount point.
    pub(super) fn mounted(&self, at: &str) -> Option<LocatedNode<'a>> {
        self.mounts()
            .find(|(mountpoint, _)| *mountpoint == without_trailing_slash(at))
            .map(|(_, located)| located)
    }

    /// The node that the layout mounts at `path` or at its closest parent.
    pub(super) fn mount_above(&self, path: &str) -> Option<LocatedNode<'a>> {
        let path = without_trailing_slash(path);
        self.mounts()
            .filter(|(mountpoint, _)| is_within(path, mountpoint))
            .max_by_key(|(mountpoint, _)| mountpoint.len())
            .map(|(_, located)| located)
    }

    /// Whether the host's configuration mounts something there, or its mounts could not be evaluated.
    pub(super) fn may_be_mounted_by_host(&self, at: &str) -> bool {
        use crate::disko::facts::Fact;
        match &self.facts.file_systems {
            Fact::Value(entries) => entries
                .keys()
                .any(|mountpoint| without_trailing_slash(mountpoint) == without_trailing_slash(at)),
            Fact::Absent => false,
            Fact::Unreadable => true,
        }
    }

    /// The members of a group.
    pub(super) fn members(&self, group: Group, name: &str) -> Vec<LocatedNode<'a>> {
        let indexes = self.members.get(&(group, name));
        indexes.into_iter().flatten().filter_map(|index| self.nodes.get(*index)).copied().collect()
    }

    /// The groups that have members, whether the layout defines them or not.
    pub(super) fn joined(&self) -> impl Iterator<Item = (Group, &'a str, Vec<LocatedNode<'a>>)> {
        self.members.keys().map(|(group, name)| (*group, *name, self.members(*group, name)))
    }

    /// The groups of a kind that the layout defines.
    pub(super) fn groups(&self, group: Group) -> impl Iterator<Item = LocatedNode<'a>> {
        self.of_kind(group.kind()).filter(|located| located.parent.is_none())
    }

    /// The members of the group that is the node's root; `None` if the root is no group.
    fn built_from(&self, located: LocatedNode<'a>) -> Option<Vec<LocatedNode<'a>>> {
        let root = self.root(located);
        let group = Group::ALL.into_iter().find(|group| group.kind() == root.node.kind)?;
        Some(self.members(group, &root.node.name))
    }

    /// The disks that a node is on, through all groups; `None` if not all are known.
    pub(super) fn lies_on(&self, located: LocatedNode<'a>) -> Option<BTreeSet<usize>> {
        self.lies_on_within(located, CHAIN_LIMIT)
    }

    fn lies_on_within(&self, located: LocatedNode<'a>, chain: usize) -> Option<BTreeSet<usize>> {
        let root = self.root(located);
        if root.node.kind == "disk" {
            return Some(BTreeSet::from([root.index]));
        }
        let members = self.built_from(located).filter(|members| !members.is_empty())?;
        let chain = chain.checked_sub(1)?;
        let mut disks = BTreeSet::new();
        for member in members {
            disks.extend(self.lies_on_within(member, chain)?);
        }
        Some(disks)
    }

    /// Whether a node has data on a disk.
    pub(super) fn is_on_disk(&self, located: LocatedNode<'a>, disk: LocatedNode<'a>) -> bool {
        self.lies_on(located).is_some_and(|disks| disks.contains(&disk.index))
    }

    /// Where the node that a hazard concerns is defined: the node with this path in the layout, else with this device, else with
    /// this mount point, or the closest node above it that has a place.
    pub(super) fn place_of(&self, device: &str) -> Option<Place> {
        let by_path = self.all().find(|located| self.path(*located) == device);
        let by_device = || self.all().find(|located| located.node.device.as_deref() == Some(device));
        let located = by_path.or_else(by_device).or_else(|| self.mounted(device))?;
        self.upwards(located).find_map(|located| located.node.hidden.place.clone())
    }

    /// Whether all data of a node is encrypted before it reaches a disk.
    pub(super) fn is_encrypted(&self, located: LocatedNode<'a>) -> bool {
        self.is_encrypted_within(located, CHAIN_LIMIT)
    }

    fn is_encrypted_within(&self, located: LocatedNode<'a>, chain: usize) -> bool {
        if self.upwards(located).any(|located| located.node.hidden.encryption.is_some())
            || self.inherits_encryption(located)
        {
            return true;
        }
        let Some(chain) = chain.checked_sub(1) else { return false };
        self.built_from(located).is_some_and(|members| {
            !members.is_empty() && members.into_iter().all(|member| self.is_encrypted_within(member, chain))
        })
    }

    /// Whether a dataset inherits the encryption of a parent dataset, which is the prefix of its name
    /// (zfs-load-key(8)).
    fn inherits_encryption(&self, located: LocatedNode<'a>) -> bool {
        let root = self.root(located);
        let Some(dataset) = self.upwards(located).find(|located| located.parent == Some(root.index)) else {
            return false;
        };
        root.node.kind == "zpool"
            && root.node.children.iter().any(|other| {
                other.hidden.encryption.is_some()
                    && dataset
                        .node
                        .name
                        .strip_prefix(other.name.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            })
    }

    /// Whether a mounted dataset needs the key of an encrypted dataset or pool.
    pub(super) fn unlocks(&self, encryption: LocatedNode<'a>, mount: LocatedNode<'a>) -> bool {
        let below = |name: &str| {
            name.strip_prefix(encryption.node.name.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        encryption.root == mount.root
            && (encryption.parent.is_none()
                || self
                    .upwards(mount)
                    .any(|located| located.index == encryption.index || below(&located.node.name)))
    }

    /// The LUKS containers between the node and its disks.
    pub(super) fn luks_below(&self, located: LocatedNode<'a>) -> Vec<LocatedNode<'a>> {
        let mut found = Vec::new();
        self.collect_luks(located, CHAIN_LIMIT, &mut found);
        found
    }

    fn collect_luks(&self, located: LocatedNode<'a>, chain: usize, found: &mut Vec<LocatedNode<'a>>) {
        found.extend(self.upwards(located).filter(|located| located.node.kind == "luks"));
        if found.len() > 64 {
            return;
        }
        let Some(chain) = chain.checked_sub(1) else { return };
        for member in self.built_from(located).into_iter().flatten() {
            self.collect_luks(member, chain, found);
        }
    }

    /// The partition that contains a node, or the partitions of its members.
    pub(super) fn partitions_below(&self, located: LocatedNode<'a>) -> Vec<LocatedNode<'a>> {
        if let Some(partition) = self.upwards(located).find(|located| located.node.kind == "partition") {
            return vec![partition];
        }
        let members = self.built_from(located).unwrap_or_default();
        members
            .into_iter()
            .filter_map(|member| self.upwards(member).find(|located| located.node.kind == "partition"))
            .collect()
    }
}

/// A mount point without slashes at its end; `/` for the root.
pub(super) fn without_trailing_slash(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}

/// Whether `path` is `above` or inside it; both without slashes at the end.
pub(super) fn is_within(path: &str, above: &str) -> bool {
    above == "/" || path == above || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether its files are in memory and lost when the host is switched off.
pub(super) fn is_in_memory(node: &Node) -> bool {
    matches!(node.format.as_deref(), Some("tmpfs" | "ramfs"))
}

/// At most five names for a sentence, and the number of others.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
