# The layout of one disk that boots by BIOS and by UEFI, with Btrfs subvolumes. Plain data: it needs no nixpkgs.
{
  # The disk's path.
  device,
}:

let
  # Compression is worth its CPU time on a virtual disk, where writes are expensive. `discard=async` returns unused
  # blocks to the provider's storage. Nothing on these hosts uses access times.
  btrfsOptions = [
    "compress=zstd:1"
    "discard=async"
    "noatime"
  ];
  subvolume = mountpoint: {
    inherit mountpoint;
    mountOptions = btrfsOptions;
  };
in
{
  disk.boot = {
    type = "disk";
    inherit device;
    content = {
      type = "gpt";
      partitions = {
        # For GRUB's core image on a machine that boots by BIOS: a GPT disk has no other space for it.
        bios = {
          priority = 1;
          size = "1M";
          type = "EF02";
        };
        efi = {
          priority = 2;
          size = "512M";
          type = "EF00";
          content = {
            type = "filesystem";
            format = "vfat";
            extraArgs = [
              "-n"
              "EFI"
            ];
            mountpoint = "/boot/efi";
            mountOptions = [ "umask=0077" ];
          };
        };
        # ext4, because GRUB must be able to write to it, to record an entry that is to boot only once.
        boot = {
          priority = 3;
          size = "1G";
          content = {
            type = "filesystem";
            format = "ext4";
            extraArgs = [
              "-L"
              "boot"
            ];
            mountpoint = "/boot";
            mountOptions = [ "noatime" ];
          };
        };
        root = {
          size = "100%";
          content = {
            type = "btrfs";
            extraArgs = [
              "-f"
              "-L"
              "nixos"
            ];
            subvolumes = {
              "@root" = subvolume "/";
              "@home" = subvolume "/home";
              "@var" = subvolume "/var";
              # Separate, so that snapshots and backups can leave it out: its files can be built or fetched again.
              "@nix" = subvolume "/nix";
            };
          };
        };
      };
    };
  };
}
