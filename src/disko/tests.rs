//! Whole layouts: what real evaluations become, and what no input may do.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        [
            layout(include_str!(concat!("../../tests/fixtures/disko/", $name, ".json"))),
            layout(include_str!(concat!("../../tests/fixtures/disko/", $name, ".bare.json"))),
        ]
    };
}

fn layout(probed: &str) -> Layout {
    Layout::from_probe(serde_json::from_str(probed).unwrap()).unwrap()
}

fn codes(layout: &Layout) -> Vec<Code> {
    layout.hazards.iter().map(|hazard| hazard.code).collect()
}

/// What disko evaluates to and what was written read the same: our defaults are its defaults.
fn same(both: [Layout; 2]) -> Layout {
    let [evaluated, bare] = both;
    assert_eq!(draw(&evaluated), draw(&bare));
    // The number of a partition of the older table is all that only disko knows.
    assert_eq!(evaluated.mounts, bare.mounts);
    assert_eq!(evaluated.hazards, bare.hazards);
    evaluated
}

#[test]
fn one_plain_disk() {
    let layout = same(fixture!("plain"));
    insta::assert_snapshot!(draw(&layout), @r"
    system         disk gpt   /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0
    ├─ bios  1M    BIOS boot
    ├─ swap  4G    swap
    └─ root  100%  ext4       /
    ");
    assert_eq!(codes(&layout), []);
}

#[test]
fn encrypted_btrfs() {
    let layout = same(fixture!("laptop"));
    insta::assert_snapshot!(draw(&layout), @r"
    main                        disk gpt    /dev/disk/by-id/nvme-Fast_SSD_1TB_S1
    ├─ ESP                1G    ESP vfat    /boot
    └─ luks               100%  luks
       └─ crypted               luks btrfs
          ├─ @home              subvolume   /home
          ├─ @nix               subvolume   /nix
          ├─ @root              subvolume   /
          ├─ @snapshots         subvolume
          └─ @swap              subvolume   /.swap
             └─ swapfile  16G   swap file
    ");
    assert_eq!(codes(&layout), []);
}

#[test]
fn mirrored_pool_and_array() {
    let layout = same(fixture!("storage"));
    insta::assert_snapshot!(draw(&layout), @r"
    left                   disk gpt           /dev/disk/by-id/ata-Disk_4TB_AAAA
    ├─ esp           1G    ESP mdraid → boot
    └─ zfs           100%  zfs → tank
    right                  disk gpt           /dev/disk/by-id/ata-Disk_4TB_BBBB
    ├─ esp           1G    ESP mdraid → boot
    └─ zfs           100%  zfs → tank
    boot                   raid1 vfat         /boot
    tank                   zpool mirror
    ├─ images        100G  zvol xfs           /var/lib/images
    ├─ nix                 dataset            /nix
    ├─ safe                dataset
    └─ safe/persist        dataset            /persist
    /                      tmpfs              /
    ");
    assert_eq!(codes(&layout), []);
}

#[test]
fn logical_volumes() {
    let layout = same(fixture!("volumes"));
    insta::assert_snapshot!(draw(&layout), @r"
    a                   disk gpt            /dev/disk/by-path/pci-0000:00:17.0-ata-1
    ├─ efi    1M..512M  ESP vfat            /efi
    └─ pv     100%      lvm_pv → pool
    b                   disk luks           /dev/disk/by-path/pci-0000:00:17.0-ata-2
    └─ vault            luks lvm_pv → pool
    pool                volume group
    ├─ thin   200G      thin-pool
    ├─ home   500G      thinlv ext4         /home
    ├─ root   40G       raid1 xfs           /
    └─ spare  100%      lv
    ");
    assert_eq!(codes(&layout), []);
}

#[test]
fn much_at_once() {
    let [layout, _] = fixture!("careless");
    insta::assert_snapshot!(draw(&layout), @r"
    main             disk gpt      /dev/sdb
    ├─ boot     64M  ext4          /boot
    ├─ crypt    50G  luks
    │  └─ root       luks ext4     /
    ├─ data          zfs → tnak
    └─ swap     8    swap
    tank             zpool mirror
    └─ data          dataset       /data
    ");
    let told: Vec<String> = layout
        .hazards
        .iter()
        .map(|hazard| format!("{:?} {:?}: {}", hazard.severity, hazard.code, hazard.message))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    Danger BootLoaderElsewhere: GRUB is installed on /dev/sda, while the layout formats /dev/sdb: the host does not start from the disk that is formatted.
    Danger MountOnWipedDisk: /dev/sdb7, which the host mounts at /old, is on disk "main", and disko formats that without it. What is on it now is lost, and it is not there afterwards.
    Danger NoSpaceLeft: main/data is made first and takes all that is left of the disk: main/swap cannot be made, and formatting stops half-way.
    Danger GroupWithoutMembers: The ZFS pool "tank" has no members: formatting stops there, after the disks were wiped.
    Warning UnstableDevice: The layout formats /dev/sdb, named in the order the kernel finds drives: with another drive plugged in, it can be that one which is wiped.
    Warning SizeWithoutUnit: The size of main/swap is 8 without a unit, which counts sectors: that is 4.00 KiB on most drives.
    Warning LabelTooLong: The label "a-label-that-is-too-long" has 24 bytes, ext4 holds 16: it is cut, and nothing is found by the long one.
    Warning GroupUndefined: main/data is to be a member of the ZFS pool "tnak", which the layout does not define: nothing is made of it.
    Warning KeyNotAtBoot: main/crypt/root is opened with /tmp/disk.key when the host starts, which is not there yet: it asks for a passphrase at every start, and none fits but what is in the key files.
    Warning SwapUnencrypted: The root (main/crypt/root) is encrypted, the swap main/swap is not: passwords and keys in memory are written to the drive in the clear.
    "#);
}

#[test]
fn a_pool_as_reported() {
    let [layout, _] = fixture!("storage");
    insta::assert_json_snapshot!(layout.disks[3], @r#"
    {
      "kind": "zpool",
      "name": "tank",
      "type": "mirror",
      "children": [
        {
          "kind": "zfs_volume",
          "name": "images",
          "device": "/dev/zvol/tank/images",
          "size": "100G",
          "format": "xfs",
          "mountpoint": "/var/lib/images"
        },
        {
          "kind": "zfs_fs",
          "name": "nix",
          "device": "tank/nix",
          "format": "zfs",
          "mountpoint": "/nix"
        },
        {
          "kind": "zfs_fs",
          "name": "safe"
        },
        {
          "kind": "zfs_fs",
          "name": "safe/persist",
          "device": "tank/safe/persist",
          "format": "zfs",
          "mountpoint": "/persist"
        }
      ]
    }
    "#);
    insta::assert_json_snapshot!(layout.mounts, @r#"
    [
      {
        "mountpoint": "/",
        "format": "tmpfs",
        "options": [
          "size=2G",
          "mode=755"
        ]
      },
      {
        "mountpoint": "/boot",
        "device": "/dev/md/boot",
        "format": "vfat",
        "options": [
          "umask=0077"
        ]
      },
      {
        "mountpoint": "/nix",
        "device": "tank/nix",
        "format": "zfs"
      },
      {
        "mountpoint": "/persist",
        "device": "tank/safe/persist",
        "format": "zfs"
      },
      {
        "mountpoint": "/var/lib/images",
        "device": "/dev/zvol/tank/images",
        "format": "xfs"
      }
    ]
    "#);
}

#[test]
fn the_schema_is_small() {
    let schema = schemars::schema_for!(Layout);
    let whole = serde_json::to_string(&schema).unwrap();
    let disks = serde_json::to_string(&schema.get("$defs").unwrap()["Node"]).unwrap();
    assert!(disks.len() < 500, "{} bytes: {disks}", disks.len());
    assert!(whole.len() < 1_300, "{} bytes: {whole}", whole.len());
}

#[test]
fn what_is_reported_fits_its_schema() {
    let [layout, _] = fixture!("careless");
    let schema = serde_json::to_value(schemars::schema_for!(Layout)).unwrap();
    let value = serde_json::to_value(&layout).unwrap();
    let check = |definition: &str, value: &Value| {
        let definition = &schema["$defs"][definition];
        let object = value.as_object().unwrap();
        assert!(object.keys().all(|name| definition["properties"].get(name).is_some()), "{object:?}");
        let required = definition["required"].as_array().unwrap();
        assert!(required.iter().all(|name| object.contains_key(name.as_str().unwrap())), "{object:?}");
        assert!(object.values().all(|value| !value.is_null()), "{object:?}");
    };
    value["disks"].as_array().unwrap().iter().for_each(|node| check("Node", node));
    value["mounts"].as_array().unwrap().iter().for_each(|mount| check("Mount", mount));
    value["hazards"].as_array().unwrap().iter().for_each(|hazard| check("Hazard", hazard));
}

#[test]
fn unknown_things_are_kept() {
    let layout = Layout::from_probe(json!({"devices": {
        "disk": {"a": {"device": "/dev/disk/by-id/a", "content": {
            "type": "stratis", "pool": "x", "content": {"type": "filesystem", "format": "xfs", "mountpoint": "/"}
        }}},
        "tape": {"t": {"device": "/dev/st0"}},
    }}))
    .unwrap();
    insta::assert_snapshot!(draw(&layout), @r"
    a             disk         /dev/disk/by-id/a
    └─ (stratis)  stratis xfs  /
    t             tape
    ");
    assert_eq!(codes(&layout), [Code::UnknownType, Code::UnknownType]);
}

#[test]
fn a_host_without_disko() {
    let layout = Layout::from_probe(json!({"devices": null})).unwrap();
    assert_eq!(codes(&layout), [Code::NoDisko]);
    assert!(layout.disks.is_empty());
    assert_eq!(draw(&layout), "");
    for nothing in [json!(null), json!([]), json!({}), json!({"devices": 3})] {
        assert_eq!(Layout::from_probe(nothing).unwrap_err(), LayoutError::NotAProbe);
    }
}

#[test]
fn text_cannot_steer_a_terminal() {
    let layout = Layout::from_probe(json!({"devices": {"disk": {"a\u{1b}[2J": {
        "device": "/dev/\u{1b}]0;x\u{7}sda\nb", "content": {"type": "ev\u{202e}il"}
    }}}}))
    .unwrap();
    let all = format!("{}{}", draw(&layout), serde_json::to_string(&layout).unwrap());
    assert!(!all.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{all}");
    assert_eq!(layout.disks[0].device.as_deref(), Some("/dev/sda b"));
}

#[test]
fn nesting_and_number_are_bounded() {
    let mut content = json!({"type": "filesystem", "format": "ext4", "mountpoint": "/"});
    for _ in 0..60 {
        content = json!({"type": "luks", "name": "x".repeat(300), "content": content});
    }
    let partitions: serde_json::Map<String, Value> =
        (0..400).map(|n| (format!("p{n}"), json!({"size": "1G", "content": content}))).collect();
    let disk = json!({"device": "/dev/sda", "content": {"type": "gpt", "partitions": partitions}});
    let layout = Layout::from_probe(json!({"devices": {"disk": {"a": disk}}})).unwrap();
    check_bounds(&layout);
    assert!(codes(&layout).contains(&Code::LayoutCut));
}

fn check_bounds(layout: &Layout) {
    fn count(node: &Node, depth: usize) -> usize {
        assert!(depth <= 26, "deeper than what is kept");
        for text in [&node.device, &node.size, &node.format, &node.mountpoint, &node.label, &node.member_of] {
            assert!(text.as_ref().is_none_or(|text| text.chars().count() < 1_000));
        }
        1 + node.children.iter().map(|child| count(child, depth + 1)).sum::<usize>()
    }
    let nodes: usize = layout.disks.iter().map(|root| count(root, 0)).sum();
    assert!(nodes <= 2_000, "{nodes} nodes");
    assert!(layout.hazards.len() <= hazards::HAZARD_LIMIT);
    assert!(draw(layout).lines().count() <= 401);
}

/// Any JSON, mostly with the names and texts a layout has, so that it gets somewhere.
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

/// Something that is shaped like a layout, with anything in the places that matter.
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
