//! Checks whether the initrd has the driver of the disks that it mounts.
//!
//! Facts: NixOS's options `boot.initrd.availableKernelModules` and `kernelModules`, which add the modules that others depend
//! on, and the mounts of its stage 1 (`pathsNeededForBoot` in `nixos/lib/utils.nix`); the links of udev's
//! 60-persistent-storage.rules, whose names tell how a drive is connected; the controllers that QEMU offers for SCSI
//! disks (its manual, "Device Emulation").

use super::layout_index::LayoutIndex;
use super::{HazardCode, HazardReport};
use crate::disko::device::{kernel_family, split_partition};
use crate::disko::facts::Fact;

/// Mount points that the initrd mounts, whatever their options say.
const NEEDED_FOR_BOOT: &[&str] =
    &["/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"];

/// Drivers of which a disk needs one at least.
struct Need {
    /// What the path says about the disk.
    kind: &'static str,
    modules: &'static [&'static str],
}

const NVME: Need = Need { kind: "an NVMe drive", modules: &["nvme"] };
const VIRTIO: Need = Need { kind: "a virtio block device", modules: &["virtio_blk"] };
const XEN: Need = Need { kind: "a Xen block device", modules: &["xen_blkfront"] };
const MMC: Need = Need { kind: "an SD card or eMMC", modules: &["mmc_block"] };
const SCSI: Need = Need {
    kind: "a disk that the kernel drives as SCSI (SATA, SAS, USB, virtio-scsi)",
    modules: &["sd_mod"],
};
const USB: Need = Need { kind: "a USB drive", modules: &["usb_storage", "uas"] };
const QEMU_SCSI: Need = Need {
    kind: "a SCSI disk of QEMU",
    modules: &[
        "virtio_scsi",
        "am53c974",
        "megaraid_sas",
        "mptsas",
        "mptspi",
        "sym53c8xx",
        "uas",
        "usb_storage",
        "vmw_pvscsi",
    ],
};

/// What a disk with this path needs. Empty if the path does not tell how the disk is connected.
fn needs(device: &str) -> Vec<&'static Need> {
    let (disk, _) = split_partition(device);
    if let Some(id) = disk.strip_prefix("/dev/disk/by-id/") {
        return match id.split_once('-').unwrap_or_default() {
            ("nvme", _) => vec![&NVME],
            ("virtio", _) => vec![&VIRTIO],
            ("mmc", _) => vec![&MMC],
            ("usb", _) => vec![&SCSI, &USB],
            ("scsi", drive) if drive.starts_with("0QEMU_QEMU_HARDDISK") => vec![&SCSI, &QEMU_SCSI],
            ("scsi" | "ata", _) => vec![&SCSI],
            _ => Vec::new(),
        };
    }
    match kernel_family(disk) {
        Some("nvme") => vec![&NVME],
        Some("vd") => vec![&VIRTIO],
        Some("xvd") => vec![&XEN],
        Some("mmcblk") => vec![&MMC],
        Some("sd") => vec![&SCSI],
        _ => Vec::new(),
    }
}

pub(super) fn missing(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let Fact::Value(modules) = &layout.facts.initrd_modules else { return };
    // The kernel takes both spellings for one name (modprobe(8)).
    let modules: Vec<String> = modules.iter().map(|module| module.replace('-', "_").to_lowercase()).collect();
    for disk in layout.disks() {
        let Some(device) = disk.node.device.as_deref() else { continue };
        let mount = layout
            .mounts()
            .find(|(at, located)| NEEDED_FOR_BOOT.contains(at) && layout.is_on_disk(*located, disk));
        let Some((mountpoint, _)) = mount else { continue };
        for need in needs(device) {
            if need.modules.iter().any(|module| modules.iter().any(|known| known == module)) {
                continue;
            }
            let names = match need.modules {
                [only] => format!("the driver {only}"),
                several => format!("any of the drivers {}", several.join(", ")),
            };
            report.warning(
                HazardCode::InitrdLacksDriver,
                device,
                format!(
                    "The initrd mounts {mountpoint} from disk {:?}, which is {} by its path {device}, but neither \
                     `boot.initrd.availableKernelModules` nor `kernelModules` has {names}: unless the kernel has it \
                     built in, the host does not find its disk and does not boot.",
                    disk.node.name, need.kind
                ),
                format!(
                    "Add it: `boot.initrd.availableKernelModules = [ \"{}\" ];` (`nixos-generate-config` on the host \
                     writes the drivers that it needs).",
                    need.modules.first().unwrap_or(&"")
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_driver_only_if_it_is_certain() {
        let of = |device: &str| needs(device).iter().map(|need| need.modules[0]).collect::<Vec<_>>();
        assert_eq!(of("/dev/nvme0n1"), ["nvme"]);
        assert_eq!(of("/dev/disk/by-id/nvme-Samsung_SSD_980"), ["nvme"]);
        assert_eq!(of("/dev/vda"), ["virtio_blk"]);
        assert_eq!(of("/dev/disk/by-id/virtio-1234"), ["virtio_blk"]);
        assert_eq!(of("/dev/disk/by-id/usb-Flash"), ["sd_mod", "usb_storage"]);
        assert_eq!(of("/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0"), ["sd_mod", "virtio_scsi"]);
        assert_eq!(of("/dev/disk/by-id/ata-WDC"), ["sd_mod"]);
        assert_eq!(of("/dev/sda"), ["sd_mod"]);
        for open in [
            "/dev/disk/by-id/wwn-0x5",
            "/dev/disk/by-path/virtio-pci-0000:00:04.0",
            "/dev/disk/by-label/root",
            "/dev/mapper/x",
        ] {
            assert!(of(open).is_empty(), "{open}");
        }
    }
}
