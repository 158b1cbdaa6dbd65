# One disk that starts by BIOS and by UEFI, with Btrfs subvolumes. Plain data: it needs no nixpkgs.
{
  # The disk's path.
  device,
}:

let
  # Compression pays on a virtual disk, where writing is what costs. `discard=async` gives blocks back to the
  # provider's storage; times of reading are of use to nobody here.
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
        # Where GRUB puts itself on a machine that starts by BIOS: a GPT disk has no other room for it.
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
        # ext4, so that GRUB can also write to it: there it notes an entry that is to start only once.
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
              # Apart, because it can be built or fetched again: no snapshot and no backup has to hold it.
              "@nix" = subvolume "/nix";
            };
          };
        };
      };
    };
  };
}
