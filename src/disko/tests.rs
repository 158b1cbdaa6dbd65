//! Whole layouts: the results of real evaluations, and of invalid input.

use serde_json::{Value, json};

use super::hazards::HazardCode;
use super::model::{LayoutError, Node};
use super::*;

mod properties;

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

fn codes(layout: &Layout) -> Vec<HazardCode> {
    layout.hazards.iter().map(|hazard| hazard.code).collect()
}

/// A layout evaluated by disko and the same bare attribute set give the same result: the defaults are disko's.
fn same(both: [Layout; 2]) -> Layout {
    let [evaluated, bare] = both;
    assert_eq!(draw(&evaluated), draw(&bare));
    // Devices are not compared: only disko knows the numbers of partitions in a table of the older type.
    assert_eq!(evaluated.mounts, bare.mounts);
    assert_eq!(evaluated.hazards, bare.hazards);
    evaluated
}

#[test]
fn one_plain_disk() {
    let layout = same(fixture!("plain"));
    insta::assert_snapshot!(draw(&layout), @r"
    system         disk gpt        /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0
    ├─ bios  1M    EF02 BIOS boot
    ├─ swap  4G    swap
    └─ root  100%  ext4            /
    ");
    assert_eq!(codes(&layout), []);
}

#[test]
fn encrypted_btrfs() {
    let layout = same(fixture!("laptop"));
    insta::assert_snapshot!(draw(&layout), @r"
    main                        disk gpt       /dev/disk/by-id/nvme-Fast_SSD_1TB_S1
    ├─ ESP                1G    EF00 ESP vfat  /boot
    └─ luks               100%  luks
       └─ crypted               luks btrfs
          ├─ @home              subvolume      /home
          ├─ @nix               subvolume      /nix
          ├─ @root              subvolume      /
          ├─ @snapshots         subvolume
          └─ @swap              subvolume      /.swap
             └─ swapfile  16G   swap file
    ");
    assert_eq!(codes(&layout), []);
}

#[test]
fn mirrored_pool_and_array() {
    let layout = same(fixture!("storage"));
    insta::assert_snapshot!(draw(&layout), @r"
    left                   disk gpt                /dev/disk/by-id/ata-Disk_4TB_AAAA
    ├─ esp           1G    EF00 ESP mdraid → boot
    └─ zfs           100%  zfs → tank
    right                  disk gpt                /dev/disk/by-id/ata-Disk_4TB_BBBB
    ├─ esp           1G    EF00 ESP mdraid → boot
    └─ zfs           100%  zfs → tank
    boot                   raid1 vfat              /boot
    tank                   zpool mirror
    ├─ images        100G  zvol xfs                /var/lib/images
    ├─ nix                 dataset                 /nix
    ├─ safe                dataset
    └─ safe/persist        dataset                 /persist
    /                      tmpfs                   /
    ");
    assert_eq!(codes(&layout), []);
}

#[test]
fn logical_volumes() {
    let layout = same(fixture!("volumes"));
    insta::assert_snapshot!(draw(&layout), @r"
    a                   disk gpt            /dev/disk/by-path/pci-0000:00:17.0-ata-1
    ├─ efi    1M..512M  EF00 ESP vfat       /efi
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
    let lines: Vec<String> = layout
        .hazards
        .iter()
        .map(|hazard| format!("{:?} {:?}: {}", hazard.severity, hazard.code, hazard.message))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Danger BootLoaderElsewhere: GRUB is installed on /dev/sda, while the layout formats /dev/sdb: the host does not boot from the formatted disk.
    Danger MountOnWipedDisk: /dev/sdb7, which the host mounts at /old, is on disk "main", which disko formats without it: its data is lost, and the partition does not exist afterwards.
    Danger NoSpaceLeft: main/data is created first and takes all remaining space of the disk: main/swap cannot be created, and formatting stops half-way.
    Danger GroupWithoutMembers: The ZFS pool "tank" has no members: formatting stops there, after the disks were wiped.
    Warning UnstableDevice: The layout formats /dev/sdb, named in the order in which the kernel finds drives: with another drive connected, disko may wipe that one.
    Warning SizeWithoutUnit: The size of main/swap is 8 without a unit, which means sectors: 4.00 KiB on most drives.
    Warning LabelTooLong: The label "a-label-that-is-too-long" has 24 bytes, ext4 holds 16: it is cut, and the long label finds no device.
    Warning GroupUndefined: main/data is to be a member of the ZFS pool "tnak", which the layout does not define: disko creates nothing from it.
    Warning KeyNotAtBoot: main/crypt/root is opened with /tmp/disk.key at boot, which does not exist yet then: it asks for a passphrase at every boot, and only the content of a key file fits.
    Warning SwapUnencrypted: The root (main/crypt/root) is encrypted, the swap main/swap is not: passwords and keys in memory are written to the drive unencrypted.
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
        "format": "tmpfs"
      },
      {
        "mountpoint": "/boot",
        "device": "/dev/md/boot",
        "format": "vfat"
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
    assert!(disks.len() < 600, "{} bytes: {disks}", disks.len());
    assert!(whole.len() < 2_200, "{} bytes: {whole}", whole.len());
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
    assert_eq!(codes(&layout), [HazardCode::UnknownType, HazardCode::UnknownType]);
}

#[test]
fn a_host_without_disko() {
    let layout = Layout::from_probe(json!({"devices": null})).unwrap();
    assert_eq!(codes(&layout), [HazardCode::NoDisko]);
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
    assert_eq!(layout.disks[0].device.as_deref(), Some("/dev/sda\\040b"));
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
    assert!(codes(&layout).contains(&HazardCode::LayoutCut));
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
