//! The names of hazards: a contract, since scripts and policies match on them.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($( #[doc = $meaning:literal] $name:ident, )+) => {
        /// The stable name of a kind of hazard.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum HazardCode {
            $( #[doc = $meaning] $name, )+
        }

        impl HazardCode {
            /// Every code, in the order of its subject.
            pub const ALL: &[Self] = &[$( Self::$name, )+];

            /// What the code stands for, in a sentence.
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
    /// disko is there but formats no disk.
    NoDisks,
    /// A part of the layout could not be evaluated.
    NotEvaluated,
    /// A content type this server does not know.
    UnknownType,
    /// The layout is larger than what is looked at.
    LayoutCut,

    // Disks
    /// A device path that was meant to be filled in.
    PlaceholderDevice,
    /// Two disks of the layout are one device.
    SameDeviceTwice,
    /// A partition table is put into a partition.
    DiskIsPartition,
    /// A device name that can move to another drive.
    UnstableDevice,
    /// A device found by what is on it, which formatting removes.
    DeviceNamedByContent,

    // Boot loader
    /// GRUB is enabled and told no device.
    GrubNoDevice,
    /// The boot loader goes onto a device the layout does not format.
    BootLoaderElsewhere,
    /// GRUB is told the same device twice.
    GrubDeviceRepeated,
    /// GRUB is to be installed into a partition.
    GrubOnPartition,
    /// GRUB for BIOS on a GPT without a BIOS boot partition.
    GrubNeedsBiosBoot,
    /// GRUB has to read an encrypted device and is not told so.
    BootEncrypted,
    /// GRUB has to open LUKS2 with a key derivation older versions cannot do.
    BootKeyDerivation,
    /// GRUB has no driver for the file system its files are on.
    BootUnreadable,
    /// GRUB for UEFI is installed where no firmware looks.
    NoFirmwareEntry,

    // EFI system partition
    /// A UEFI boot loader without an EFI system partition where it is expected.
    EspMissing,
    /// The EFI system partition has another file system than FAT.
    EspNotFat,
    /// The partition is not marked as an EFI system partition.
    EspWrongType,
    /// The firmware cannot read the EFI system partition where it is.
    EspUnreadable,
    /// Kernels do not fit.
    EspTooSmall,
    /// Everybody can read the boot loader's random seed.
    EspWorldReadable,
    /// The root survives a drive, the boot loader does not.
    SingleBootDisk,

    // Mounts
    /// Nothing is mounted at the root.
    NoRoot,
    /// Two things are mounted at the same place.
    DuplicateMountpoint,
    /// What the host starts from is in memory.
    SystemInMemory,
    /// Programs cannot be run from the store.
    StoreNoexec,
    /// The layout mounts it while installing, the host does not.
    NotMountedAtBoot,
    /// The host mounts another device there than the layout does.
    MountedFromElsewhere,
    /// The host mounts a device the layout does not have.
    MountOutsideLayout,
    /// The host mounts a partition of a disk that the layout wipes.
    MountOnWipedDisk,

    // Partitions and volumes
    /// A size that disko, LVM or ZFS does not take.
    SizeUnreadable,
    /// A size in sectors, where a unit was probably forgotten.
    SizeWithoutUnit,
    /// Something before it takes all the space.
    NoSpaceLeft,
    /// Two partitions are found by the same name or identifier.
    DuplicatePartitionName,
    /// A partition's name is longer than a GPT can hold.
    PartitionNameTooLong,
    /// Two file systems have the same label.
    DuplicateLabel,
    /// A label is longer than the file system can hold.
    LabelTooLong,

    // Arrays, volume groups, pools
    /// A member of something that is not defined.
    GroupUndefined,
    /// Something that has no members.
    GroupWithoutMembers,
    /// Fewer members than its level needs.
    TooFewMembers,
    /// Losing any one member loses everything.
    NoRedundancy,
    /// One part without redundancy makes the rest of it useless.
    MixedRedundancy,
    /// The copies are on one drive.
    MirrorOnOneDisk,
    /// The topology and the members are not the same devices.
    TopologyMismatch,
    /// A thin volume without its pool.
    ThinPoolUndefined,

    // Encryption
    /// A key that every user of the host can read.
    KeyInStore,
    /// A key file that is not there when the host starts.
    KeyNotAtBoot,
    /// Somebody has to type a passphrase at every start.
    PassphraseAtBoot,
    /// Two encrypted devices open under the same name.
    DuplicateLuksName,

    // Swap
    /// Memory of an encrypted host is written out in the clear.
    SwapUnencrypted,
    /// The host cannot come back from hibernation.
    ResumeFromRandomKey,
    /// Swap in a ZFS volume can lock up.
    SwapOnZvol,
}
