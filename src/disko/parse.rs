//! Reads the JSON of `disko.devices` into trees of nodes.
//!
//! Accepts the result of disko's modules and bare attribute sets of the same shape. For the latter it applies disko's
//! defaults (device paths, names).

use serde_json::Value;

use super::model::{Extent, Group, Node, Table, UnreportedSettings};
use super::place::place_of;
use super::read::{Attrs, word};
use crate::text;

mod content;
mod groups;

/// Most nodes of a layout.
pub(super) const NODE_LIMIT: usize = 2_000;
/// Greatest depth of a tree.
pub(super) const DEPTH_LIMIT: usize = 24;

/// The trees of a layout: disks, then groups of devices, then mounts without a device, then unknown types.
pub(super) fn devices(devices: Attrs<'_>) -> Vec<Node> {
    let mut roots = roots(devices);
    for root in &mut roots {
        root.place.clone_from(&root.hidden.place);
    }
    roots
}

fn roots(devices: Attrs<'_>) -> Vec<Node> {
    let mut parser = Parser { left: NODE_LIMIT };
    let mut roots = Vec::new();
    let known: [(&str, ReadNode); 6] = [
        ("disk", Parser::disk),
        ("mdadm", Parser::mdadm),
        ("lvm_vg", Parser::lvm_vg),
        ("zpool", Parser::zpool),
        ("bcachefs_filesystems", Parser::bcachefs_filesystem),
        ("nodev", Parser::nodev),
    ];
    for (attribute, read) in known {
        for (name, value) in devices.attrs(attribute).entries() {
            if !parser.reserve() {
                return roots;
            }
            roots.push(read(&mut parser, name, value));
        }
    }
    for (attribute, value) in devices.entries() {
        if known.iter().any(|(name, _)| *name == attribute) {
            continue;
        }
        for (name, value) in Attrs::of(Some(value)).entries() {
            if !parser.reserve() {
                return roots;
            }
            roots.push(parser.unknown(attribute, name, value, DEPTH_LIMIT));
        }
    }
    roots
}

/// Reads an entry of an attribute of `disko.devices` into a node.
type ReadNode = fn(&mut Parser, &str, &Value) -> Node;

struct Parser {
    /// Number of nodes that may still be added.
    left: usize,
}

/// The device that has a content; disko derives paths and labels from its names.
#[derive(Clone, Copy)]
struct Holder<'a> {
    /// Its `type` in disko: `disk`, `mdadm`, …
    kind: &'a str,
    name: &'a str,
}

impl Parser {
    /// Reserves a node. Returns `false` at [`NODE_LIMIT`].
    fn reserve(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Adds a child to `parent` for each value, up to the limits of depth and number.
    fn children<'a>(
        &mut self,
        parent: &mut Node,
        depth: usize,
        values: impl Iterator<Item = (&'a str, &'a Value)>,
        mut read: impl FnMut(&mut Self, &str, &Value) -> Node,
    ) {
        for (name, value) in values {
            if depth == 0 || !self.reserve() {
                parent.hidden.cut = true;
                return;
            }
            parent.children.push(read(self, name, value));
        }
    }

    fn disk(&mut self, name: &str, value: &Value) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node =
            node("disk", attrs.text("name").unwrap_or_else(|| word(name).replace('/', "_")), attrs);
        node.device = attrs.text("device");
        node.hidden.destroy = match attrs.value("destroy") {
            // disko's default, which a bare attribute set does not have.
            None if attrs.exists() && !attrs.failed() => Some(true),
            None => None,
            Some(destroy) => destroy.as_bool(),
        };
        let holder = node.name.clone();
        self.content(&mut node, attrs, Holder { kind: "disk", name: &holder }, DEPTH_LIMIT);
        node
    }

    fn nodev(&mut self, name: &str, value: &Value) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node = node("nodev", word(name), attrs);
        node.format = attrs.text("fsType");
        node.device =
            attrs.text("device").filter(|device| Some(device) != node.format.as_ref() && device != "none");
        // disko's default is the name. The probe leaves out null, which a bare attribute set has no reason to contain.
        node.mountpoint = attrs.text("mountpoint").or_else(|| name.starts_with('/').then(|| word(name)));
        node.options = mount_options(attrs);
        node
    }

    /// An entry of a type that this server does not know: its name, and the usual attributes if it has them.
    fn unknown(&mut self, kind: &str, name: &str, value: &Value, depth: usize) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node = node(kind, attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        node.hidden.unknown = true;
        node.device = attrs.text("device");
        node.size = attrs.text("size");
        node.format = attrs.text("format").or_else(|| attrs.text("fsType"));
        node.mountpoint = attrs.text("mountpoint");
        node.options = mount_options(attrs);
        let holder = node.name.clone();
        self.content(&mut node, attrs, Holder { kind, name: &holder }, depth);
        node
    }
}

fn node(kind: &str, name: String, attrs: Attrs<'_>) -> Node {
    Node {
        kind: word(kind),
        name,
        hidden: UnreportedSettings {
            place: place_of(attrs),
            failed: attrs.partly_failed() || !attrs.exists(),
            ..UnreportedSettings::default()
        },
        ..Node::default()
    }
}

/// The mount options without disko's default, `defaults`.
fn mount_options(attrs: Attrs<'_>) -> Vec<String> {
    let mut options = attrs.texts("mountOptions");
    options.retain(|option| option != "defaults");
    options
}

/// The label in the arguments of a program that creates file systems: `-L x`, `-Lx`, `--label=x`, in one argument or
/// in two (disko joins them unquoted for some types, quoted for others).
fn label(format: &str, args: &[String]) -> Option<String> {
    // mkfs.fat(8) takes -n; mkfs.ext4, .xfs, .btrfs, .ntfs and mkswap take -L; mkfs.f2fs -l;
    // bcachefs --fs_label, where -L is a label too.
    let short = match format {
        "vfat" | "fat" | "msdos" => "-n",
        "f2fs" => "-l",
        _ => "-L",
    };
    let mut words = args.iter().flat_map(|arg| arg.split(text::BLANK)).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if word == short || word == "--label" || word == "--fs_label" {
            return words.next().map(unquoted);
        }
        if let Some(label) = word.strip_prefix("--label=").or_else(|| word.strip_prefix("--fs_label=")) {
            return Some(unquoted(label));
        }
        if let Some(label) = word.strip_prefix(short) {
            return Some(unquoted(label));
        }
    }
    None
}

fn unquoted(text: &str) -> String {
    text.trim_matches(['"', '\'']).to_owned()
}

impl Extent {
    fn read(attrs: Attrs<'_>) -> Self {
        // Leave out disko's defaults: start and size "0", and the end that follows from the size.
        let meant = |name: &str| attrs.text(name).filter(|text| text != "0");
        let size = meant("size");
        let implied = size.as_ref().map_or_else(
            || "+0".to_owned(),
            |size| if size == "100%" { "-0".to_owned() } else { format!("+{size}") },
        );
        Self {
            start: meant("start"),
            end: attrs.text("end").filter(|end| *end != implied),
            priority: attrs.integer("priority"),
            size,
        }
    }

    /// The extent for people: the size, or `START..END`.
    fn shown(&self) -> Option<String> {
        match (&self.size, &self.start, &self.end) {
            (_, start, Some(end)) => Some(format!("{}..{end}", start.as_deref().unwrap_or_default())),
            (Some(size), _, None) => Some(size.clone()),
            (None, _, None) => None,
        }
    }
}

impl Group {
    /// The group that a content of this type joins, and the attribute with the group's name.
    fn of_content(kind: &str) -> Option<(Self, &'static str)> {
        match kind {
            "mdraid" => Some((Self::Mdadm, "name")),
            "lvm_pv" => Some((Self::Lvm, "vg")),
            "zfs" => Some((Self::Zpool, "pool")),
            "bcachefs" => Some((Self::Bcachefs, "filesystem")),
            _ => None,
        }
    }
}

impl Table {
    fn of_content(kind: &str, content: Attrs<'_>) -> Option<Self> {
        match (kind, content.text("format").as_deref()) {
            ("gpt", _) => Some(Self::Gpt),
            ("table", Some("msdos")) => Some(Self::LegacyMbr),
            ("table", _) => Some(Self::LegacyGpt),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Vec<String> {
        words.iter().map(|given| word(given)).collect()
    }

    #[test]
    fn labels_are_found_in_arguments() {
        assert_eq!(label("ext4", &args(&["-L", "root"])).as_deref(), Some("root"));
        assert_eq!(label("btrfs", &args(&["-f", "-L nixos"])).as_deref(), Some("nixos"));
        assert_eq!(label("btrfs", &args(&["--label=nixos"])).as_deref(), Some("nixos"));
        assert_eq!(label("vfat", &args(&["-F32", "-n", "ESP"])).as_deref(), Some("ESP"));
        assert_eq!(label("xfs", &args(&["-Lroot"])).as_deref(), Some("root"));
        assert_eq!(label("ext4", &args(&["-n"])), None);
        assert_eq!(label("ext4", &args(&["-L"])), None);
    }
}
