//! Reads groups of devices: arrays, volume groups, pools.

use serde_json::Value;

use super::{Holder, Parser, mount_options, node};
use crate::disko::model::{Encryption, Extent, Node, Vdev};
use crate::disko::read::{Attrs, text_of, word};

/// Each group is a tree of its own; its members refer to it by name.
const ROLES: [&str; 6] = ["vdev", "spare", "log", "dedup", "special", "cache"];

impl Parser {
    pub(super) fn mdadm(&mut self, name: &str, value: &Value) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node = node("mdadm", attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        node.device = Some(format!("/dev/md/{}", node.name));
        // disko's default, for a bare attribute set.
        node.type_code = Some(format!("raid{}", attrs.integer("level").unwrap_or(1)));
        node.hidden.metadata = attrs.text("metadata");
        let holder = node.name.clone();
        self.content(&mut node, attrs, Holder { kind: "mdadm", name: &holder }, super::DEPTH_LIMIT);
        node
    }

    pub(super) fn lvm_vg(&mut self, name: &str, value: &Value) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut group = node("lvm_vg", attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        let holder = group.name.clone();
        self.children(&mut group, super::DEPTH_LIMIT, attrs.attrs("lvs").entries(), |parser, name, value| {
            let attrs = Attrs::of(Some(value));
            let mut volume = node("lv", attrs.text("name").unwrap_or_else(|| word(name)), attrs);
            volume.device = Some(format!("/dev/{holder}/{}", volume.name));
            volume.size = attrs.text("size");
            volume.type_code = attrs.text("lvm_type");
            volume.hidden.extent =
                Extent { size: attrs.text("size"), priority: attrs.integer("priority"), ..Extent::default() };
            volume.hidden.lvm_type = attrs.text("lvm_type");
            volume.hidden.thin_pool = attrs.text("pool");
            volume.hidden.tuned = !attrs.texts("extraArgs").is_empty();
            let own = volume.name.clone();
            parser.content(&mut volume, attrs, Holder { kind: "lv", name: &own }, super::DEPTH_LIMIT - 1);
            volume
        });
        group.children.sort_by_key(volume_turn);
        group
    }

    pub(super) fn zpool(&mut self, name: &str, value: &Value) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut pool = node("zpool", attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        let properties = attrs.attrs("rootFsOptions");
        pool.type_code = attrs.text("mode");
        if let Some(mode) = attrs.value("mode")
            && mode.is_object()
        {
            let topology = topology(Attrs::of(Some(mode)).attrs("topology"));
            pool.type_code = Some("topology".to_owned());
            pool.hidden.topology = Some(topology);
        }
        mount_dataset(&mut pool, attrs, properties, None);
        let holder = pool.name.clone();
        let depth = super::DEPTH_LIMIT;
        self.children(&mut pool, depth, attrs.attrs("datasets").entries(), |parser, name, value| {
            parser.dataset(&holder, name, value, depth - 1)
        });
        pool
    }

    fn dataset(&mut self, pool: &str, name: &str, value: &Value, depth: usize) -> Node {
        let attrs = Attrs::of(Some(value));
        let kind = attrs.text("type").unwrap_or_else(|| "zfs_fs".to_owned());
        if kind != "zfs_fs" && kind != "zfs_volume" {
            return self.unknown(&kind, name, value, depth);
        }
        let mut node = node(&kind, attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        let path = format!("{pool}/{}", node.name);
        let properties = attrs.attrs("options");
        if kind == "zfs_fs" {
            mount_dataset(&mut node, attrs, properties, Some(path));
        } else {
            node.device = Some(format!("/dev/zvol/{path}"));
            node.size = attrs.text("size");
            node.hidden.extent.size = attrs.text("size");
            node.hidden.encryption = dataset_lock(attrs, properties);
            let own = node.name.clone();
            self.content(&mut node, attrs, Holder { kind: "zfs_volume", name: &own }, depth);
        }
        node
    }

    pub(super) fn bcachefs_filesystem(&mut self, name: &str, value: &Value) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node = node("bcachefs_filesystem", attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        node.device = attrs.text("uuid").map(|uuid| format!("/dev/disk/by-uuid/{uuid}"));
        node.format = Some("bcachefs".to_owned());
        node.mountpoint = attrs.text("mountpoint");
        node.options = mount_options(attrs);
        node.hidden.args = attrs.texts("extraFormatArgs");
        node.label = super::label("bcachefs", &node.hidden.args);
        if let Some(file) = attrs.text("passwordFile") {
            node.hidden.encryption =
                Some(Encryption { format_keys: vec![file], other_ways: true, ..Encryption::default() });
        }
        let device = node.device.clone();
        let depth = super::DEPTH_LIMIT;
        self.children(&mut node, depth, attrs.attrs("subvolumes").entries(), |parser, name, value| {
            parser.subvolume("bcachefs_subvolume", name, value, device.clone(), depth - 1)
        });
        node
    }
}

/// disko's priority of a volume (`priority` in `lib/types/lvm_vg.nix`): lower ones are created first.
pub(in crate::disko) fn volume_turn(volume: &Node) -> i64 {
    volume.hidden.extent.priority.unwrap_or_else(|| {
        let thin_pool = volume.hidden.lvm_type.as_deref() == Some("thin-pool");
        let fills = volume.size.as_deref().is_some_and(|size| size.contains("100%"));
        (if thin_pool { 501 } else { 1000 }) + if fills { 251 } else { 0 }
    })
}

/// Sets the mount point of a dataset under the conditions of `_mount` in `lib/types/zfs_fs.nix`.
fn mount_dataset(node: &mut Node, attrs: Attrs<'_>, properties: Attrs<'_>, path: Option<String>) {
    node.hidden.encryption = dataset_lock(attrs, properties);
    let mounted = properties.text("mountpoint").as_deref() != Some("none")
        && properties.text("canmount").as_deref() != Some("off");
    if let Some(mountpoint) = attrs.text("mountpoint").filter(|_| mounted) {
        node.mountpoint = Some(mountpoint);
        node.options = mount_options(attrs);
        node.format = Some("zfs".to_owned());
        node.device = Some(path.unwrap_or_else(|| node.name.clone()));
    }
}

/// ZFS's own encryption (zfsprops(7): `encryption`, `keylocation`).
fn dataset_lock(attrs: Attrs<'_>, properties: Attrs<'_>) -> Option<Encryption> {
    let encryption = properties.text("encryption")?;
    if encryption == "off" {
        return None;
    }
    let file =
        properties.text("keylocation").and_then(|place| place.strip_prefix("file://").map(str::to_owned));
    // The usual hook to create a dataset with a file and open it with a passphrase.
    let moved = attrs.text("postCreateHook").is_some_and(|hook| hook.contains("keylocation"));
    let (boot_key, format_keys) = if moved { (None, file) } else { (file, None) };
    Some(Encryption {
        boot_key,
        format_keys: format_keys.into_iter().collect(),
        at_boot: true,
        ..Encryption::default()
    })
}

fn topology(attrs: Attrs<'_>) -> Vec<Vdev> {
    let mut out = Vec::new();
    for role in ROLES {
        let mut plain = Vec::new();
        // `special` may be one vdev or a list of them.
        let single = attrs.value(role).filter(|value| value.is_object());
        for value in attrs.list(role).chain(single) {
            if let Some(member) = text_of(value) {
                plain.push(member);
            } else {
                let vdev = Attrs::of(Some(value));
                out.push(Vdev {
                    role,
                    mode: vdev.text("mode").unwrap_or_default(),
                    members: vdev.texts("members"),
                });
            }
        }
        if !plain.is_empty() {
            out.push(Vdev { role, mode: String::new(), members: plain });
        }
    }
    out
}
