//! Splits a layout into parts of bounded size, for results in pages.

use serde::{Deserialize, Serialize};

use super::hazards::Hazard;
use super::model::{Fate, Layout, Mount, Node, mounts};

/// A hazard, or a tree with its mounts.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayoutPart {
    /// A disk that disko wipes.
    Wiped(Fate),
    /// A disk that disko keeps.
    Kept(Fate),
    /// A hazard of the layout.
    Hazard(Hazard),
    /// The mount of an answer without trees.
    Mount(Mount),
    /// A tree, or some of its children below copies of their ancestors.
    Tree {
        /// Its root.
        root: Box<Node>,
        /// The mounts in this part of the tree.
        mounts: Vec<Mount>,
    },
}

impl Layout {
    /// The parts: the disks that are wiped and kept, the hazards, the trees. A tree of more than `room` bytes of JSON is split into several parts, each with
    /// the root.
    #[must_use]
    pub fn into_parts(self, room: usize) -> Vec<LayoutPart> {
        let trees = self.disks.into_iter().flat_map(|root| split(root, room));
        let trees = trees.map(|mut root| {
            let mounts = mounts(std::slice::from_ref(&root));
            root.leave_out_repetitions();
            LayoutPart::Tree { root: Box::new(root), mounts }
        });
        let fates = self.wiped.into_iter().map(LayoutPart::Wiped);
        let fates = fates.chain(self.kept.into_iter().map(LayoutPart::Kept));
        fates.chain(self.hazards.into_iter().map(LayoutPart::Hazard)).chain(trees).collect()
    }
}

impl LayoutPart {
    /// The part as one of this host, for an answer about several.
    #[must_use]
    pub fn of_host(mut self, host: &str) -> Self {
        let name = || Some(host.to_owned());
        match &mut self {
            Self::Wiped(fate) | Self::Kept(fate) => fate.host = name(),
            Self::Hazard(hazard) => hazard.host = name(),
            Self::Mount(mount) => mount.host = name(),
            Self::Tree { root, mounts } => {
                root.host = name();
                for mount in mounts {
                    mount.host = name();
                }
            }
        }
        self
    }
}

impl FromIterator<LayoutPart> for Layout {
    fn from_iter<T: IntoIterator<Item = LayoutPart>>(parts: T) -> Self {
        let mut layout = Self {
            disks: Vec::new(),
            mounts: Vec::new(),
            wiped: Vec::new(),
            kept: Vec::new(),
            hazards: Vec::new(),
        };
        for part in parts {
            match part {
                LayoutPart::Wiped(fate) => layout.wiped.push(fate),
                LayoutPart::Kept(fate) => layout.kept.push(fate),
                LayoutPart::Hazard(hazard) => layout.hazards.push(hazard),
                LayoutPart::Mount(mount) => layout.mounts.push(mount),
                LayoutPart::Tree { root, mounts } => {
                    layout.disks.push(*root);
                    layout.mounts.extend(mounts);
                }
            }
        }
        layout
            .mounts
            .sort_by(|one, other| (&one.host, &one.mountpoint).cmp(&(&other.host, &other.mountpoint)));
        layout
    }
}

/// The tree itself if it fits into `room` bytes, otherwise copies of it with some of its children each.
fn split(mut node: Node, room: usize) -> Vec<Node> {
    if node.children.is_empty() || weight(&node) <= room {
        return vec![node];
    }
    let children = std::mem::take(&mut node.children);
    let count = children.len();
    let own = weight(&node);
    let parts = children.into_iter().enumerate().flat_map(|(index, child)| {
        split(child, room.saturating_sub(own)).into_iter().map(move |part| (index, part))
    });
    let mut trees: Vec<Node> = Vec::new();
    let mut taken = 0;
    for (index, part) in parts {
        let more = weight(&part);
        match trees.last_mut() {
            Some(tree) if taken + more <= room => {
                taken += more;
                tree.more_children = Some(count - index - 1);
                tree.children.push(part);
            }
            _ => {
                taken = own + more;
                trees.push(Node {
                    children: vec![part],
                    more_children: Some(count - index - 1),
                    ..node.bare()
                });
            }
        }
    }
    for tree in &mut trees {
        tree.more_children = tree.more_children.filter(|more| *more > 0);
    }
    trees
}

/// Bytes of its JSON and that of its mounts.
fn weight(node: &Node) -> usize {
    let bytes = |value: serde_json::Result<String>| value.map_or(0, |text| text.len());
    bytes(serde_json::to_string(node)) + bytes(serde_json::to_string(&mounts(std::slice::from_ref(node))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The names of the leaves, in order.
    fn leaves(nodes: &[Node], into: &mut Vec<String>) {
        for node in nodes {
            if node.children.is_empty() {
                into.push(node.name.clone());
            }
            leaves(&node.children, into);
        }
    }

    #[test]
    fn a_tree_larger_than_its_room_comes_in_parts_that_leave_nothing_out() {
        let partitions: serde_json::Map<String, Value> = (0..30)
            .map(|number| {
                let subvolumes: serde_json::Map<String, Value> = (0..40)
                    .map(|below| (format!("v{below}"), json!({"mountpoint": format!("/{number}/{below}")})))
                    .collect();
                let content = json!({"type": "btrfs", "subvolumes": if number == 7 { subvolumes } else { serde_json::Map::new() },
                                     "mountpoint": format!("/{number}")});
                (format!("p{number:02}"), json!({"size": "1G", "content": content}))
            })
            .collect();
        let disk = |name: &str, partitions: &serde_json::Map<String, Value>| {
            json!({"device": format!("/dev/disk/by-id/{name}"), "type": "disk",
                   "content": {"type": "gpt", "partitions": partitions}})
        };
        let disks = json!({"disk": {"large": disk("large", &partitions), "small": disk("small", &serde_json::Map::new())}});
        let layout = || Layout::from_probe(json!({"devices": disks})).unwrap();
        let mut all = Vec::new();
        leaves(&layout().disks, &mut all);
        assert!(all.len() > 69, "{}", all.len());
        for room in [100_000, 2_000, 700] {
            let parts = layout().into_parts(room);
            let (mut seen, mut mounted, mut trees) = (Vec::new(), 0, 0);
            for part in &parts {
                let LayoutPart::Tree { root, mounts } = part else { continue };
                assert!(weight(root) <= room + 200, "{room}: {}", weight(root));
                leaves(std::slice::from_ref(&**root), &mut seen);
                mounted += mounts.len();
                trees += 1;
            }
            assert_eq!(seen, all, "{room}");
            assert_eq!(trees == 2, room == 100_000, "{room}: {trees}");
            let whole: Layout = parts.into_iter().collect();
            assert_eq!(whole.hazards, layout().hazards);
            // Each part has the ancestors of its nodes.
            assert!(
                mounted >= layout().mounts.len()
                    && whole.disks.iter().filter(|disk| disk.more_children.is_none()).count() == 2
            );
        }
    }
}
