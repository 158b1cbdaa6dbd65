let
  member = device: {
    type = "disk";
    inherit device;
    content = {
      type = "gpt";
      partitions = {
        ESP = {
          size = "1G";
          type = "EF00";
          content = {
            type = "filesystem";
            format = "vfat";
            mountpoint = if device == "/dev/disk/by-id/nvme-DB_A" then "/boot" else null;
            mountOptions = [ "umask=0077" ];
          };
        };
        pool = {
          size = "100%";
          content = {
            type = "zfs";
            pool = "tank";
          };
        };
      };
    };
  };
in
{
  disko.devices = {
    disk = {
      a = member "/dev/disk/by-id/nvme-DB_A";
      b = member "/dev/disk/by-id/nvme-DB_B";
    };
    zpool.tank = {
      type = "zpool";
      mode = "mirror";
      options.ashift = "12";
      rootFsOptions = {
        compression = "zstd";
        mountpoint = "none";
      };
      datasets = {
        root = {
          type = "zfs_fs";
          mountpoint = "/";
          options.mountpoint = "legacy";
        };
        nix = {
          type = "zfs_fs";
          mountpoint = "/nix";
          options.mountpoint = "legacy";
        };
        postgresql = {
          type = "zfs_fs";
          mountpoint = "/var/lib/postgresql";
          options = {
            mountpoint = "legacy";
            recordsize = "16K";
            primarycache = "metadata";
          };
        };
      };
    };
  };

  # The pool with the archive is older than this configuration. disko does not know it.
  fileSystems."/srv/archive" = {
    device = "archive/dumps";
    fsType = "zfs";
    options = [ "nofail" ];
  };
}
