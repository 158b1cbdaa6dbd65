//! Every hazard by the smallest change that brings it into a layout that has none.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{HazardCode, Severity};
use crate::disko::Layout;

const PLAIN: &str = include_str!("../../../tests/fixtures/disko/plain.bare.json");
const LAPTOP: &str = include_str!("../../../tests/fixtures/disko/laptop.bare.json");
const STORAGE: &str = include_str!("../../../tests/fixtures/disko/storage.bare.json");
const VOLUMES: &str = include_str!("../../../tests/fixtures/disko/volumes.bare.json");

/// A change to a probe's answer: a JSON pointer (with `/` in a name written `~1`), and the value.
type Change = (&'static str, Value);

fn changed(base: &str, changes: &[Change]) -> Layout {
    let mut probe: Value = serde_json::from_str(base).unwrap();
    for (path, value) in changes {
        let (above, name) = path.rsplit_once('/').unwrap();
        let target = probe.pointer_mut(above).unwrap_or_else(|| panic!("nothing at {above}"));
        let name = name.replace("~1", "/");
        target.as_object_mut().unwrap().insert(name, value.clone());
    }
    Layout::from_probe(probe).unwrap()
}

fn found(layout: &Layout) -> Vec<(HazardCode, Severity)> {
    layout.hazards.iter().map(|hazard| (hazard.code, hazard.severity)).collect()
}

const SYSTEM: &str = "/devices/disk/system";
const ESP: &str = "/devices/disk/main/content/partitions/ESP";

fn at(above: &str, below: &str) -> &'static str {
    format!("{above}{below}").leak()
}

fn grub(device: &str) -> Value {
    json!({"enable": true, "efiSupport": false, "devices": [device], "mirroredBoots": []})
}

fn file_system(mountpoint: &str) -> Value {
    json!({"type": "filesystem", "format": "ext4", "mountpoint": mountpoint})
}

/// The hazards, each with the changes that bring it and nothing else into a layout.
#[rustfmt::skip]
fn cases() -> Vec<(HazardCode, Severity, &'static str, Vec<Change>)> {
    use HazardCode as C;
    use Severity::{Danger, Note, Warning};
    let system_partitions = at(SYSTEM, "/content/partitions");
    let drive = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0";
    let luks = "/devices/disk/main/content/partitions/luks/content";
    let tank = "/devices/zpool/tank";
    let lvs = "/devices/lvm_vg/pool/lvs";
    vec![
        (C::NoDisko, Note, PLAIN, vec![("/devices", json!(null))]),
        (C::NoDisks, Warning, LAPTOP, vec![("/devices/disk", json!({}))]),
        (C::NotEvaluated, Warning, PLAIN, vec![(at(system_partitions, "/root/content/mountOptions"), json!({"_failed": true}))]),
        (C::NotEvaluated, Warning, PLAIN, vec![(at(system_partitions, "/swap/content"), json!({"_failed": true}))]),
        (C::NotEvaluated, Warning, PLAIN, vec![(at(system_partitions, "/root/content"), json!({"_failed": true}))]),
        (C::NotEvaluated, Warning, STORAGE, vec![("/devices/disk/left", json!({"_failed": true}))]),
        (C::NotEvaluated, Warning, PLAIN, vec![(at(system_partitions, "/swap/size"), json!({"_failed": true}))]),
        (C::UnknownType, Note, PLAIN, vec![(at(system_partitions, "/swap/content/type"), json!("stratis"))]),

        (C::PlaceholderDevice, Danger, PLAIN, vec![(at(SYSTEM, "/device"), json!("/dev/disk/by-id/some-disk-id"))]),
        (C::PlaceholderDevice, Danger, PLAIN, vec![(at(SYSTEM, "/device"), json!("/dev/CHANGE-ME"))]),
        (C::SameDeviceTwice, Danger, PLAIN, vec![("/devices/disk/other", json!({"device": drive}))]),
        (C::SameDeviceTwice, Danger, PLAIN, vec![("/devices/disk/other", json!({"device": at(drive, "-part2")}))]),
        (C::DiskIsPartition, Warning, PLAIN, vec![(at(SYSTEM, "/device"), json!("/dev/disk/by-id/ata-X-part2"))]),
        (C::UnstableDevice, Warning, PLAIN, vec![(at(SYSTEM, "/device"), json!("/dev/sda"))]),
        (C::UnstableDevice, Note, PLAIN, vec![(at(SYSTEM, "/device"), json!("/dev/nvme0n1"))]),
        (C::DeviceNamedByContent, Warning, PLAIN, vec![(at(SYSTEM, "/device"), json!("/dev/disk/by-uuid/2c1f"))]),

        (C::InitrdLacksDriver, Warning, PLAIN, vec![("/boot/initrd/modules", json!(["ahci", "sd_mod"]))]),
        (C::InitrdLacksDriver, Warning, LAPTOP, vec![("/boot/initrd/modules", json!(["ahci", "sd_mod"]))]),
        (C::KeptDiskInWipedGroup, Danger, STORAGE, vec![("/devices/disk/left/destroy", json!(false))]),

        (C::GrubNoDevice, Danger, LAPTOP, vec![("/boot/grub", json!({"enable": true})), ("/boot/systemdBoot", json!(false))]),
        (C::BootLoaderElsewhere, Warning, PLAIN, vec![("/boot/grub", grub("/dev/sda"))]),
        (C::BootLoaderElsewhere, Warning, PLAIN, vec![("/boot/grub", grub("/dev/disk/by-id/wwn-0x5"))]),
        (C::GrubDeviceRepeated, Warning, PLAIN, vec![("/boot/grub", json!({"enable": true, "devices": [drive, drive]}))]),
        (C::GrubOnPartition, Danger, PLAIN, vec![("/boot/grub", grub(at(drive, "-part1")))]),
        (C::GrubOnPartition, Danger, PLAIN, vec![("/boot/grub", grub("/dev/disk/by-partlabel/disk-system-bios"))]),
        (C::GrubNeedsBiosBoot, Danger, PLAIN, vec![("/boot/grub", grub(drive)), (at(system_partitions, "/bios/type"), json!("8300"))]),
        (C::BootEncrypted, Danger, PLAIN, vec![
            ("/boot/grub", json!({"enable": true, "devices": [drive], "enableCryptodisk": false})),
            (at(system_partitions, "/root/content"), json!({"type": "luks", "name": "r", "settings": {"crypttabExtraOpts": ["tpm2-device=auto"]}, "content": file_system("/")})),
        ]),
        (C::BootKeyDerivation, Warning, PLAIN, vec![
            ("/boot/grub", json!({"enable": true, "devices": [drive], "enableCryptodisk": true})),
            (at(system_partitions, "/root/content"), json!({"type": "luks", "name": "r", "settings": {"crypttabExtraOpts": ["tpm2-device=auto"]}, "content": file_system("/")})),
        ]),
        (C::BootUnreadable, Danger, PLAIN, vec![
            ("/boot/grub", grub(drive)),
            (at(system_partitions, "/root/content"), json!({"type": "bcachefs", "filesystem": "fs"})),
            ("/devices/bcachefs_filesystems", json!({"fs": {"mountpoint": "/"}})),
        ]),
        (C::NoFirmwareEntry, Warning, STORAGE, vec![("/boot/grub/efiInstallAsRemovable", json!(false)), ("/boot/canTouchEfiVariables", json!(false))]),

        (C::EspMissing, Danger, PLAIN, vec![("/boot/systemdBoot", json!(true)), ("/boot/grub", json!(null))]),
        (C::EspMissing, Danger, LAPTOP, vec![(at(ESP, "/content/mountpoint"), json!("/efi"))]),
        (C::EspMissing, Danger, VOLUMES, vec![("/boot/efiSysMountPoint", json!(null))]),
        (C::EspNotFat, Danger, LAPTOP, vec![(at(ESP, "/content/format"), json!("ext4"))]),
        (C::EspWrongType, Danger, LAPTOP, vec![(at(ESP, "/type"), json!("8300"))]),
        (C::EspUnreadable, Danger, STORAGE, vec![("/devices/mdadm/boot/metadata", json!("1.2"))]),
        (C::EspUnreadable, Danger, STORAGE, vec![("/devices/mdadm/boot/metadata", json!("default"))]),
        (C::EspTooSmall, Warning, LAPTOP, vec![(at(ESP, "/size"), json!("64M"))]),
        (C::EspTooSmall, Warning, STORAGE, vec![("/devices/disk/left/content/partitions/esp/size", json!("50M"))]),
        (C::EspWorldReadable, Note, LAPTOP, vec![(at(ESP, "/content/mountOptions"), json!(["noatime"]))]),
        (C::SingleBootDisk, Note, STORAGE, vec![
            ("/devices/nodev", json!({})),
            (at(tank, "/datasets/nix/mountpoint"), json!("/")),
            ("/devices/mdadm", json!({})),
            ("/devices/disk/left/content/partitions/esp/content", json!({"type": "filesystem", "format": "vfat", "mountpoint": "/boot"})),
            ("/devices/disk/right/content/partitions/esp/content", json!({"type": "filesystem", "format": "vfat"})),
        ]),

        (C::NoRoot, Danger, PLAIN, vec![(at(system_partitions, "/root/content/mountpoint"), json!("/data"))]),
        (C::DuplicateMountpoint, Danger, PLAIN, vec![(at(system_partitions, "/swap/content"), file_system("/"))]),
        (C::SystemInMemory, Danger, STORAGE, vec![(at(tank, "/datasets/nix/mountpoint"), json!(null))]),
        (C::StoreNoexec, Danger, PLAIN, vec![(at(system_partitions, "/root/content/mountOptions"), json!(["nodev,noexec"]))]),
        (C::NotMountedAtBoot, Danger, PLAIN, vec![("/enableConfig", json!(false)), ("/fileSystems", json!({}))]),
        (C::MountedFromElsewhere, Warning, PLAIN, vec![("/fileSystems", json!({"/": {"device": "/dev/disk/by-uuid/2c1f"}}))]),
        (C::MountOutsideLayout, Note, PLAIN, vec![("/fileSystems", json!({"/data": {"device": "/dev/sdc1"}}))]),
        (C::MountOutsideLayout, Note, PLAIN, vec![("/swapDevices", json!([{"device": "/dev/disk/by-label/swap"}]))]),
        (C::MountOnWipedDisk, Danger, PLAIN, vec![("/fileSystems", json!({"/old": {"device": at(drive, "-part7")}}))]),

        (C::SizeUnreadable, Danger, PLAIN, vec![(at(system_partitions, "/swap/size"), json!("4 GB"))]),
        (C::SizeUnreadable, Danger, VOLUMES, vec![(at(lvs, "/root/size"), json!("most of it"))]),
        (C::SizeUnreadable, Danger, VOLUMES, vec![(at(lvs, "/home/size"), json!("50%"))]),
        (C::SizeUnreadable, Danger, STORAGE, vec![(at(tank, "/datasets/images/size"), json!("100%"))]),
        (C::SizeWithoutUnit, Warning, PLAIN, vec![(at(system_partitions, "/swap/size"), json!("512"))]),
        (C::NoSpaceLeft, Danger, PLAIN, vec![(at(system_partitions, "/swap/size"), json!("100%"))]),
        (C::NoSpaceLeft, Danger, PLAIN, vec![(at(system_partitions, "/swap/priority"), json!(9002))]),
        (C::NoSpaceLeft, Danger, PLAIN, vec![(at(system_partitions, "/swap/size"), json!(null))]),
        (C::NoSpaceLeft, Danger, VOLUMES, vec![
            (at(lvs, "/thin/size"), json!("100%")),
            (at(lvs, "/spare"), json!({"size": "1G", "lvm_type": "thinlv", "pool": "thin"})),
        ]),
        (C::DuplicatePartitionName, Danger, PLAIN, vec![(at(system_partitions, "/swap/label"), json!("disk-system-root"))]),
        (C::DuplicatePartitionName, Danger, STORAGE, vec![
            ("/devices/disk/left/content/partitions/esp/uuid", json!("809b3a2b-828a-4730-95e1-75b6343e415a")),
            ("/devices/disk/right/content/partitions/esp/uuid", json!("809b3a2b-828a-4730-95e1-75b6343e415a")),
        ]),
        (C::PartitionNameTooLong, Danger, PLAIN, vec![(at(system_partitions, "/swap/label"), json!("a-name-that-is-longer-than-a-gpt-entry"))]),
        (C::DuplicateLabel, Warning, PLAIN, vec![(at(system_partitions, "/swap/content"), json!({"type": "filesystem", "format": "ext4", "extraArgs": ["-Lnixos"]}))]),
        (C::LabelTooLong, Warning, PLAIN, vec![(at(system_partitions, "/root/content/extraArgs"), json!(["-L", "12345678901234567"]))]),
        (C::LabelTooLong, Danger, LAPTOP, vec![(at(ESP, "/content/extraArgs"), json!(["-n", "TWELVE-CHARS"]))]),

        (C::GroupUndefined, Warning, PLAIN, vec![(at(system_partitions, "/swap/content"), json!({"type": "lvm_pv", "vg": "none"}))]),
        (C::GroupWithoutMembers, Danger, PLAIN, vec![("/devices/mdadm", json!({"md": {"level": 1}}))]),
        (C::TooFewMembers, Danger, STORAGE, vec![("/devices/mdadm/boot/level", json!(6)), ("/boot/grub", json!(null))]),
        (C::TooFewMembers, Warning, STORAGE, vec![("/devices/mdadm/boot/level", json!(5)), ("/boot/grub", json!(null))]),
        (C::TooFewMembers, Warning, STORAGE, vec![("/devices/disk/left/content/partitions/esp/content", json!(null))]),
        (C::TooFewMembers, Danger, STORAGE, vec![(at(tank, "/mode"), json!("raidz2"))]),
        (C::TooFewMembers, Danger, STORAGE, vec![("/devices/disk/left/content/partitions/zfs/content", json!(null))]),
        (C::TooFewMembers, Danger, VOLUMES, vec![(at(lvs, "/root/lvm_type"), json!("raid5"))]),
        (C::NoRedundancy, Note, STORAGE, vec![(at(tank, "/mode"), json!(null))]),
        (C::NoRedundancy, Note, STORAGE, vec![("/devices/mdadm/boot/level", json!(0)), ("/boot/grub", json!(null))]),
        (C::MixedRedundancy, Warning, STORAGE, vec![
            ("/devices/disk/fast", json!({"device": "/dev/disk/by-id/nvme-F", "content": {"type": "gpt", "partitions": {"zfs": {"size": "100%", "content": {"type": "zfs", "pool": "tank"}}}}})),
            (at(tank, "/mode"), json!({"topology": {"type": "topology", "vdev": [{"mode": "mirror", "members": ["left", "right"]}], "special": {"members": ["fast"]}}})),
        ]),
        (C::MirrorOnOneDisk, Warning, STORAGE, vec![
            ("/devices/disk/right/content/partitions/zfs/content", json!(null)),
            ("/devices/disk/left/content/partitions/second", json!({"size": "1T", "content": {"type": "zfs", "pool": "tank"}})),
        ]),
        (C::TopologyMismatch, Danger, STORAGE, vec![(at(tank, "/mode"), json!({"topology": {"vdev": [{"mode": "mirror", "members": ["left", "rihgt"]}]}}))]),
        (C::ThinPoolUndefined, Danger, VOLUMES, vec![(at(lvs, "/home/pool"), json!("root"))]),

        (C::KeyInStore, Danger, LAPTOP, vec![(at(luks, "/passwordFile"), json!("/nix/store/aaaa-source/key"))]),
        (C::KeyInStore, Danger, STORAGE, vec![(at(tank, "/datasets/safe/options"), json!({"mountpoint": "none", "encryption": "on", "keylocation": "file:///nix/store/aaaa-key"}))]),
        (C::KeyNotAtBoot, Warning, LAPTOP, vec![(at(luks, "/settings"), json!({"keyFile": "/tmp/key"}))]),
        (C::KeyNotAtBoot, Danger, LAPTOP, vec![(at(luks, "/settings"), json!({"keyFile": "/tmp/key"})), ("/boot/initrd/systemd", json!(false))]),
        (C::KeyNotAtBoot, Danger, STORAGE, vec![(at(tank, "/rootFsOptions"), json!({"mountpoint": "none", "encryption": "on", "keylocation": "file:///tmp/key"}))]),
        (C::PassphraseAtBoot, Note, LAPTOP, vec![(at(luks, "/settings"), json!({}))]),
        (C::DuplicateLuksName, Danger, VOLUMES, vec![("/devices/disk/a/content/partitions/pv/content", json!({"type": "luks", "name": "vault", "content": {"type": "lvm_pv", "vg": "pool"}}))]),

        (C::SwapUnencrypted, Warning, LAPTOP, vec![("/devices/disk/main/content/partitions/swap", json!({"size": "8G", "content": {"type": "swap"}}))]),
        (C::ResumeFromRandomKey, Warning, PLAIN, vec![(at(system_partitions, "/swap/content/resumeDevice"), json!(true))]),
        (C::SwapOnZvol, Warning, STORAGE, vec![(at(tank, "/datasets/images/content"), json!({"type": "swap"}))]),
    ]
}

#[test]
fn good_layouts_have_none() {
    for base in [PLAIN, LAPTOP, STORAGE, VOLUMES] {
        assert_eq!(found(&changed(base, &[])), []);
    }
}

#[test]
fn each_hazard_is_found_alone() {
    let wrong: Vec<String> = cases()
        .into_iter()
        .map(|(code, severity, base, changes)| (found(&changed(base, &changes)), [(code, severity)], changes))
        .filter(|(found, expected, _)| found != expected)
        .map(|(found, expected, changes)| format!("{found:?} instead of {expected:?} with {changes:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_word_of_ours_is_taken_for_a_name() {
    // Left out: its size has a blank.
    let no_word = HazardCode::SizeUnreadable;
    for (code, _, base, changes) in cases().into_iter().filter(|(code, ..)| *code != no_word) {
        for hazard in changed(base, &changes).hazards {
            let mut words = hazard.message.split(' ').chain(hazard.fix.split(' '));
            assert!(words.all(|word| word != "…"), "{code:?}: {hazard:#?}");
        }
    }
}

#[test]
fn every_hazard_has_a_case() {
    let mut covered: BTreeSet<HazardCode> = cases().into_iter().map(|(code, ..)| code).collect();
    // Covered by the test of the limits.
    covered.insert(HazardCode::LayoutCut);
    let missing: Vec<_> = HazardCode::ALL.iter().filter(|code| !covered.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(HazardCode::ALL.iter().all(|code| code.meaning().ends_with('.')));
}

/// A setting that is unknown, or may be correct, is not a hazard.
#[test]
fn doubt_is_silent() {
    let unknown = json!({"_failed": true});
    let root = "/devices/disk/system/content/partitions/root/content/mountpoint";
    let silent: Vec<(&str, Vec<Change>)> = vec![
        // An entry that could not be evaluated, or one of the host itself, may mount the root.
        (PLAIN, vec![(root, json!("/data")), ("/fileSystems", unknown)]),
        (PLAIN, vec![(root, json!("/data")), ("/fileSystems", json!({"/": {"device": "rpool/root"}}))]),
        // A layout of data disks; GRUB is on a separate system disk.
        (
            PLAIN,
            vec![
                (root, json!("/data")),
                ("/fileSystems", json!({"/": {"device": "rpool/root"}})),
                ("/boot/grub", grub("/dev/sda")),
            ],
        ),
        // The device by its partition, by its label, and by a partition that the layout may have.
        (PLAIN, vec![("/fileSystems", json!({"/": {"device": "/dev/disk/by-partlabel/disk-system-root"}}))]),
        (PLAIN, vec![("/fileSystems", json!({"/": {"device": "/dev/disk/by-label/nixos"}}))]),
        (
            PLAIN,
            vec![(
                "/swapDevices",
                json!([{"device": "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0-part2"}]),
            )],
        ),
        // The drivers are there, in either spelling.
        (PLAIN, vec![("/boot/initrd/modules", json!(["sd-mod", "virtio-scsi"]))]),
        (LAPTOP, vec![("/boot/initrd/modules", json!(["nvme"]))]),
        // A disk of data is not needed in the initrd.
        (
            STORAGE,
            vec![
                ("/boot/initrd/modules", json!(["sd_mod"])),
                (
                    "/devices/disk/data",
                    json!({"device": "/dev/disk/by-id/nvme-x", "content": file_system("/data")}),
                ),
            ],
        ),
        // It is not known which modules the initrd has.
        (LAPTOP, vec![("/boot/initrd/modules", json!({"_failed": true}))]),
        // A link that depends on the content stays, and so does a partition that the layout does not have.
        (
            PLAIN,
            vec![
                (at(SYSTEM, "/device"), json!("/dev/disk/by-uuid/2c1f")),
                (at(SYSTEM, "/destroy"), json!(false)),
            ],
        ),
        (
            PLAIN,
            vec![
                (at(SYSTEM, "/destroy"), json!(false)),
                (
                    "/fileSystems",
                    json!({"/old": {"device": "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0-part7"}}),
                ),
            ],
        ),
        // GRUB for BIOS has no effect on a machine without BIOS.
        (PLAIN, vec![("/boot/grub", grub("/dev/sda")), ("/system", json!("aarch64-linux"))]),
        // A partition with a fixed start after the one that takes the remaining space.
        (
            PLAIN,
            vec![
                ("/devices/disk/system/content/partitions/swap/priority", json!(9002)),
                ("/devices/disk/system/content/partitions/swap/start", json!("-4G")),
            ],
        ),
        // The key is put into the initrd.
        (
            LAPTOP,
            vec![
                (
                    "/devices/disk/main/content/partitions/luks/content/settings",
                    json!({"keyFile": "/tmp/key"}),
                ),
                ("/boot/initrd/secrets", json!(["/tmp/key"])),
            ],
        ),
    ];
    for (base, changes) in silent {
        assert_eq!(found(&changed(base, &changes)), [], "with {changes:#?}");
    }
}

/// Two kernel names are two drives; any other two names may be one drive.
#[test]
fn only_certain_differences_are_dangers() {
    let device = "/devices/disk/system/device";
    let layout = changed(PLAIN, &[(device, json!("/dev/sdb")), ("/boot/grub", grub("/dev/sda"))]);
    assert!(found(&layout).contains(&(HazardCode::BootLoaderElsewhere, Severity::Danger)));
    let layout = changed(PLAIN, &[(device, json!("/dev/sda")), ("/boot/grub", grub("/dev/sda"))]);
    assert_eq!(found(&layout), [(HazardCode::UnstableDevice, Severity::Warning)]);
}

#[test]
fn an_inner_esp_is_unreadable() {
    let layout = changed(
        LAPTOP,
        &[
            ("/devices/disk/main/content/partitions/ESP/content", Value::Null),
            (
                "/devices/disk/main/content/partitions/luks/content/content",
                json!({"type": "gpt", "partitions": {
                    "ESP": {"size": "1G", "type": "EF00", "content": {
                        "type": "filesystem", "format": "vfat", "mountpoint": "/boot", "mountOptions": ["umask=0077"]
                    }},
                    "root": {"size": "100%", "content": {"type": "filesystem", "format": "ext4", "mountpoint": "/"}}
                }}),
            ),
        ],
    );
    assert_eq!(found(&layout), [(HazardCode::EspUnreadable, Severity::Danger)]);
}
