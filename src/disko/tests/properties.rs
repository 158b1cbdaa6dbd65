//! No input causes a panic or unlimited growth.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Layout, check_bounds};

/// Arbitrary JSON, mostly with names and texts of layouts, so that the parser accepts parts of it.
fn anything() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "devices",
        "disk",
        "mdadm",
        "zpool",
        "lvm_vg",
        "nodev",
        "bcachefs_filesystems",
        "content",
        "type",
        "partitions",
        "subvolumes",
        "datasets",
        "lvs",
        "swap",
        "device",
        "name",
        "size",
        "start",
        "end",
        "priority",
        "label",
        "uuid",
        "format",
        "mountpoint",
        "mountOptions",
        "extraArgs",
        "pool",
        "vg",
        "filesystem",
        "mode",
        "topology",
        "vdev",
        "special",
        "members",
        "level",
        "metadata",
        "settings",
        "keyFile",
        "options",
        "rootFsOptions",
        "encryption",
        "keylocation",
        "lvm_type",
        "boot",
        "grub",
        "enable",
        "devices",
        "efiSupport",
        "mirroredBoots",
        "systemdBoot",
        "fileSystems",
        "fsType",
        "swapDevices",
        "initrd",
        "secrets",
        "_failed",
        "a",
        "b",
        "/",
        "/boot",
    ];
    const TEXTS: &[&str] = &[
        "disk",
        "gpt",
        "table",
        "filesystem",
        "btrfs",
        "swap",
        "luks",
        "lvm_pv",
        "mdraid",
        "zfs",
        "bcachefs",
        "zfs_fs",
        "zfs_volume",
        "topology",
        "mirror",
        "raidz2",
        "raid1",
        "thinlv",
        "thin-pool",
        "EF00",
        "EF02",
        "100%",
        "1M",
        "512",
        "-0",
        "+1G",
        "0",
        "/",
        "/boot",
        "/nix",
        "/dev/sda",
        "/dev/sda1",
        "/dev/nvme0n1",
        "/dev/disk/by-id/x-part1",
        "vfat",
        "ext4",
        "tmpfs",
        "a",
        "b",
        "-L",
        "é\u{301}🦀",
        "file:///tmp/k",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(TEXTS).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(10, 256, 8, |inner| {
        let name =
            prop_oneof![4 => proptest::sample::select(NAMES).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// JSON in the shape of a layout, with arbitrary values in the places that the parser reads.
fn layouts() -> impl Strategy<Value = Value> {
    (anything(), anything(), anything(), anything(), anything(), anything()).prop_map(
        |(content, partition, groups, pool, boot, mounts)| {
            json!({
                "devices": {
                    "disk": {"a": {"device": "/dev/sda", "content": content},
                             "b": {"device": "/dev/sdb", "content": {"type": "gpt", "partitions": {
                                 "x": partition, "y": {"size": "100%", "content": {"type": "zfs", "pool": "a"}}
                             }}}},
                    "zpool": {"a": pool}, "mdadm": groups, "lvm_vg": groups, "bcachefs_filesystems": groups,
                },
                "boot": boot, "fileSystems": mounts, "swapDevices": mounts,
            })
        },
    )
}

proptest! {
    #[test]
    fn no_json_breaks_it(value in prop_oneof![anything(), anything().prop_map(|devices| json!({"devices": devices})), layouts()]) {
        if let Ok(layout) = Layout::from_probe(value) {
            check_bounds(&layout);
            prop_assert!(serde_json::to_string(&layout).is_ok());
        }
    }
}
