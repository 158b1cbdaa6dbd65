//! The codes of hazards: a contract, since scripts and policies match on them.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($( #[doc = $meaning:literal] $name:ident, )+) => {
        /// Stable name of a kind of hazard.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum HazardCode {
            $( #[doc = $meaning] $name, )+
        }

        impl HazardCode {
            /// All codes, grouped by subject.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$( Self::$name, )+];

            /// The meaning of the code, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $( Self::$name => $meaning.trim_ascii(), )+
                }
            }
        }
    };
}

codes! {
    // The layout as a whole
    /// The host has no disko configuration.
    NoDisko,
    /// disko is set up but formats no disk.
    NoDisks,
    /// A part of the layout could not be evaluated.
    NotEvaluated,
    /// A content type this server does not know.
    UnknownType,
    /// The layout is larger than this server reads.
    LayoutCut,

    // Disks
    /// A device path is a placeholder.
    PlaceholderDevice,
    /// Two disks of the layout are one device.
    SameDeviceTwice,
    /// A disk of the layout is a partition.
    DiskIsPartition,
    /// A device path can lead to another drive after a reboot.
    UnstableDevice,
    /// A disk is named by its content, which formatting removes.
    DeviceNamedByContent,

    // Boot loader
    /// GRUB is enabled without a device.
    GrubNoDevice,
    /// GRUB is installed on a device that the layout does not format.
    BootLoaderElsewhere,
    /// GRUB has the same device twice.
    GrubDeviceRepeated,
    /// GRUB is to be installed on a partition.
    GrubOnPartition,
    /// GRUB is installed for BIOS on a GPT without a BIOS boot partition.
    GrubNeedsBiosBoot,
    /// GRUB has to read an encrypted device without `enableCryptodisk`.
    BootEncrypted,
    /// GRUB has to open LUKS2 with a key derivation that older versions do not support.
    BootKeyDerivation,
    /// GRUB has no driver for the file system of its files.
    BootUnreadable,
    /// GRUB is installed for UEFI in a folder that firmware does not read.
    NoFirmwareEntry,

    /// The initrd lacks the driver of the disk that it mounts.
    InitrdLacksDriver,

    // EFI system partition
    /// A UEFI boot loader has no EFI system partition at its mount point.
    EspMissing,
    /// The EFI system partition has another file system than FAT.
    EspNotFat,
    /// The partition is not marked as an EFI system partition.
    EspWrongType,
    /// Firmware cannot read the EFI system partition.
    EspUnreadable,
    /// The EFI system partition is too small for kernels.
    EspTooSmall,
    /// Every user can read the boot loader's random seed.
    EspWorldReadable,
    /// The root survives the loss of a drive, the boot loader does not.
    SingleBootDisk,

    // Mounts
    /// Nothing is mounted at the root.
    NoRoot,
    /// Two file systems have the same mount point.
    DuplicateMountpoint,
    /// The store or /boot is in memory.
    SystemInMemory,
    /// The store is mounted with `noexec`.
    StoreNoexec,
    /// The layout mounts a file system that the host does not mount at boot.
    NotMountedAtBoot,
    /// The host mounts another device than the layout at a mount point.
    MountedFromElsewhere,
    /// The host mounts a device that is not in the layout.
    MountOutsideLayout,
    /// The host mounts a partition of a disk that the layout wipes.
    MountOnWipedDisk,

    // Partitions and volumes
    /// A size is not valid for disko, LVM or ZFS.
    SizeUnreadable,
    /// A size has no unit, so it counts sectors.
    SizeWithoutUnit,
    /// An earlier partition or volume takes all the space.
    NoSpaceLeft,
    /// Two partitions have the same name or identifier.
    DuplicatePartitionName,
    /// A partition's name is longer than a GPT can hold.
    PartitionNameTooLong,
    /// Two file systems have the same label.
    DuplicateLabel,
    /// A label is longer than the file system can hold.
    LabelTooLong,

    // Arrays, volume groups, pools
    /// A device is a member of a group that is not defined.
    GroupUndefined,
    /// A group has no members.
    GroupWithoutMembers,
    /// A group has fewer members than its level needs.
    TooFewMembers,
    /// The loss of one member loses all data.
    NoRedundancy,
    /// One device without redundancy can lose a redundant pool.
    MixedRedundancy,
    /// All copies are on one drive.
    MirrorOnOneDisk,
    /// The topology and the members of a pool differ.
    TopologyMismatch,
    /// A thin volume has no thin pool.
    ThinPoolUndefined,

    /// A disk that disko keeps is in a group that it destroys.
    KeptDiskInWipedGroup,

    // Encryption
    /// Every user can read a key.
    KeyInStore,
    /// A key file does not exist yet when the host boots.
    KeyNotAtBoot,
    /// A person has to type a passphrase at every boot.
    PassphraseAtBoot,
    /// Two encrypted devices open under the same name.
    DuplicateLuksName,

    // Swap
    /// An encrypted host writes memory to unencrypted swap.
    SwapUnencrypted,
    /// The host cannot resume from hibernation.
    ResumeFromRandomKey,
    /// Swap in a ZFS volume can lock up the host.
    SwapOnZvol,
}
