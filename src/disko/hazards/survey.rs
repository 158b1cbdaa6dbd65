//! A layout laid out flat, with the questions the checks ask of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::disko::facts::Facts;
use crate::disko::model::{Group, Node};
use crate::text;

/// How far a chain of groups on groups (a pool on an array on a volume group…) is followed.
const CHAIN_LIMIT: usize = 8;

/// A node and where it is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    index: usize,
    pub(super) node: &'a Node,
    parent: Option<usize>,
    root: usize,
}

/// A layout and what is known of its host.
pub(super) struct Survey<'a> {
    pub(super) facts: &'a Facts,
    places: Vec<Place<'a>>,
    members: BTreeMap<(Group, &'a str), Vec<usize>>,
}

impl<'a> Survey<'a> {
    pub(super) fn new(roots: &'a [Node], facts: &'a Facts) -> Self {
        let mut survey = Self { facts, places: Vec::new(), members: BTreeMap::new() };
        for root in roots {
            survey.place(root, None);
        }
        survey
    }

    fn place(&mut self, node: &'a Node, parent: Option<usize>) {
        let index = self.places.len();
        let root = parent.and_then(|parent| self.places.get(parent)).map_or(index, |parent| parent.root);
        self.places.push(Place { index, node, parent, root });
        if let (Some(group), Some(name)) = (node.hidden.group, &node.member_of) {
            self.members.entry((group, name)).or_default().push(index);
        }
        for child in &node.children {
            self.place(child, Some(index));
        }
    }

    /// Whether there is more of the layout than is here.
    pub(super) fn is_incomplete(&self) -> bool {
        self.places.iter().any(|place| place.node.hidden.failed || place.node.hidden.cut)
    }

    /// Every node, parents before children.
    pub(super) fn all(&self) -> impl Iterator<Item = Place<'a>> {
        self.places.iter().copied()
    }

    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = Place<'a>> {
        self.all().filter(move |place| place.node.kind == kind)
    }

    pub(super) fn disks(&self) -> impl Iterator<Item = Place<'a>> {
        self.of_kind("disk")
    }

    /// The node and what it is in, up to its root.
    pub(super) fn upwards(&self, place: Place<'a>) -> impl Iterator<Item = Place<'a>> {
        std::iter::successors(Some(place), |place| {
            place.parent.and_then(|parent| self.places.get(parent)).copied()
        })
    }

    pub(super) fn children(&self, place: Place<'a>) -> impl Iterator<Item = Place<'a>> {
        // They come after it, in order, before anything that has another root.
        let after = self.places.iter().skip(place.index + 1).copied();
        after
            .take_while(move |other| other.root == place.root)
            .filter(move |other| other.parent == Some(place.index))
    }

    pub(super) fn root(&self, place: Place<'a>) -> Place<'a> {
        self.places.get(place.root).copied().unwrap_or(place)
    }

    /// Names from the root to the node: `main/luks/crypted`.
    pub(super) fn path(&self, place: Place<'a>) -> String {
        let mut names: Vec<&str> = self
            .upwards(place)
            .map(|place| place.node.name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        names.reverse();
        text::bounded(&names.join("/"), 200)
    }

    /// Everything the layout mounts, by its mount point.
    pub(super) fn mounts(&self) -> impl Iterator<Item = (&'a str, Place<'a>)> {
        self.all().filter_map(|place| place.node.mountpoint.as_deref().map(|at| (normal(at), place)))
    }

    /// What the layout mounts exactly there.
    pub(super) fn mounted(&self, at: &str) -> Option<Place<'a>> {
        self.mounts().find(|(mountpoint, _)| *mountpoint == normal(at)).map(|(_, place)| place)
    }

    /// What the layout mounts at the closest place above, or there.
    pub(super) fn holding(&self, path: &str) -> Option<Place<'a>> {
        let path = normal(path);
        self.mounts()
            .filter(|(mountpoint, _)| is_within(path, mountpoint))
            .max_by_key(|(mountpoint, _)| mountpoint.len())
            .map(|(_, place)| place)
    }

    /// Whether the host's own configuration mounts something there, or may do so.
    pub(super) fn may_be_mounted_by_host(&self, at: &str) -> bool {
        use crate::disko::facts::Known;
        match &self.facts.file_systems {
            Known::Said(entries) => entries.keys().any(|mountpoint| normal(mountpoint) == normal(at)),
            Known::Unsaid => false,
            Known::Unknown => true,
        }
    }

    /// The devices that are members of a group.
    pub(super) fn members(&self, group: Group, name: &str) -> Vec<Place<'a>> {
        let indexes = self.members.get(&(group, name));
        indexes.into_iter().flatten().filter_map(|index| self.places.get(*index)).copied().collect()
    }

    /// The groups that something is a member of, whether they are defined or not.
    pub(super) fn joined(&self) -> impl Iterator<Item = (Group, &'a str, Vec<Place<'a>>)> {
        self.members.keys().map(|(group, name)| (*group, *name, self.members(*group, name)))
    }

    /// The groups of a kind that the layout defines.
    pub(super) fn groups(&self, group: Group) -> impl Iterator<Item = Place<'a>> {
        self.of_kind(group.kind()).filter(|place| place.parent.is_none())
    }

    /// What the node's root is built from, when it is a group.
    fn built_from(&self, place: Place<'a>) -> Option<Vec<Place<'a>>> {
        let root = self.root(place);
        let group = Group::ALL.into_iter().find(|group| group.kind() == root.node.kind)?;
        Some(self.members(group, &root.node.name))
    }

    /// The disks a node lies on, through whatever groups there are; nothing when not all are known.
    pub(super) fn lies_on(&self, place: Place<'a>) -> Option<BTreeSet<usize>> {
        self.lies_on_within(place, CHAIN_LIMIT)
    }

    fn lies_on_within(&self, place: Place<'a>, chain: usize) -> Option<BTreeSet<usize>> {
        let root = self.root(place);
        if root.node.kind == "disk" {
            return Some(BTreeSet::from([root.index]));
        }
        let members = self.built_from(place).filter(|members| !members.is_empty())?;
        let chain = chain.checked_sub(1)?;
        let mut disks = BTreeSet::new();
        for member in members {
            disks.extend(self.lies_on_within(member, chain)?);
        }
        Some(disks)
    }

    /// Whether all of what a node holds is encrypted on its way to the disk.
    pub(super) fn is_encrypted(&self, place: Place<'a>) -> bool {
        self.is_encrypted_within(place, CHAIN_LIMIT)
    }

    fn is_encrypted_within(&self, place: Place<'a>, chain: usize) -> bool {
        if self.upwards(place).any(|place| place.node.hidden.lock.is_some())
            || self.inherits_encryption(place)
        {
            return true;
        }
        let Some(chain) = chain.checked_sub(1) else { return false };
        self.built_from(place).is_some_and(|members| {
            !members.is_empty() && members.into_iter().all(|member| self.is_encrypted_within(member, chain))
        })
    }

    /// A dataset is encrypted like the one its name lies below (zfs-load-key(8)).
    fn inherits_encryption(&self, place: Place<'a>) -> bool {
        let root = self.root(place);
        let Some(dataset) = self.upwards(place).find(|place| place.parent == Some(root.index)) else {
            return false;
        };
        root.node.kind == "zpool"
            && root.node.children.iter().any(|other| {
                other.hidden.lock.is_some()
                    && dataset
                        .node
                        .name
                        .strip_prefix(other.name.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            })
    }

    /// Whether the encryption of a dataset or pool is what a mounted dataset is under.
    pub(super) fn unlocks(&self, lock: Place<'a>, mount: Place<'a>) -> bool {
        let below =
            |name: &str| name.strip_prefix(lock.node.name.as_str()).is_some_and(|rest| rest.starts_with('/'));
        lock.root == mount.root
            && (lock.parent.is_none()
                || self.upwards(mount).any(|place| place.index == lock.index || below(&place.node.name)))
    }

    /// The LUKS containers between the node and the disks, on every way.
    pub(super) fn luks_below(&self, place: Place<'a>) -> Vec<Place<'a>> {
        let mut found = Vec::new();
        self.collect_luks(place, CHAIN_LIMIT, &mut found);
        found
    }

    fn collect_luks(&self, place: Place<'a>, chain: usize, found: &mut Vec<Place<'a>>) {
        found.extend(self.upwards(place).filter(|place| place.node.kind == "luks"));
        if found.len() > 64 {
            return;
        }
        let Some(chain) = chain.checked_sub(1) else { return };
        for member in self.built_from(place).into_iter().flatten() {
            self.collect_luks(member, chain, found);
        }
    }

    /// The partitions a node lies in or is made of, nearest first.
    pub(super) fn partitions_below(&self, place: Place<'a>) -> Vec<Place<'a>> {
        if let Some(partition) = self.upwards(place).find(|place| place.node.kind == "partition") {
            return vec![partition];
        }
        let members = self.built_from(place).unwrap_or_default();
        members
            .into_iter()
            .filter_map(|member| self.upwards(member).find(|place| place.node.kind == "partition"))
            .collect()
    }
}

/// A mount point without a slash at its end.
pub(super) fn normal(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}

/// Whether `path` is `above` or below it; both without a slash at the end.
pub(super) fn is_within(path: &str, above: &str) -> bool {
    above == "/" || path == above || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether what is mounted from this is gone when the host is switched off.
pub(super) fn is_in_memory(node: &Node) -> bool {
    matches!(node.format.as_deref(), Some("tmpfs" | "ramfs"))
}

/// Names as a sentence lists them.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
