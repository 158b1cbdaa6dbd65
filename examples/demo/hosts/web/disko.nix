# One disk: an EFI system partition, and Btrfs with one subvolume for each unit of snapshots.
{
  disko.devices.disk.main = {
    device = "/dev/disk/by-id/virtio-web-system";
    imageSize = "20G";
    content = {
      type = "gpt";
      partitions = {
        ESP = {
          size = "512M";
          type = "EF00";
          content = {
            type = "filesystem";
            format = "vfat";
            mountpoint = "/boot";
            mountOptions = [ "umask=0077" ];
          };
        };
        root = {
          size = "100%";
          content = {
            type = "btrfs";
            extraArgs = [
              "-L"
              "web"
            ];
            subvolumes = {
              "@" = {
                mountpoint = "/";
                mountOptions = [ "compress=zstd" ];
              };
              "@home" = {
                mountpoint = "/home";
                mountOptions = [ "compress=zstd" ];
              };
              "@nix" = {
                mountpoint = "/nix";
                mountOptions = [
                  "compress=zstd"
                  "noatime"
                ];
              };
              "@www" = {
                mountpoint = "/var/www";
                mountOptions = [ "compress=zstd" ];
              };
              "@snapshots" = { };
              "@swap" = {
                mountpoint = "/swap";
                swap.swapfile.size = "2G";
              };
            };
          };
        };
      };
    };
  };
}
