{ lib, ... }:
let
  bays = [
    "ata-WDC_WD40EFRX_1"
    "ata-WDC_WD40EFRX_2"
    "ata-WDC_WD40EFRX_3"
    "ata-WDC_WD40EFRX_4"
  ];
  bay = id: {
    type = "disk";
    device = "/dev/disk/by-id/${id}";
    content = {
      type = "gpt";
      partitions.zfs = {
        size = "100%";
        content = {
          type = "zfs";
          pool = "tank";
        };
      };
    };
  };
in
{
  disko.devices.disk = {
    system = {
      type = "disk";
      device = "/dev/disk/by-id/ata-KINGSTON_SA400";
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
            };
          };
          root = {
            size = "100%";
            content = {
              type = "filesystem";
              format = "ext4";
              mountpoint = "/";
            };
          };
        };
      };
    };
  }
  // lib.listToAttrs (lib.imap1 (n: id: lib.nameValuePair "bay${toString n}" (bay id)) bays);

  disko.devices.zpool.tank = {
    type = "zpool";
    mode = "raidz";
    rootFsOptions.compression = "lz4";
    rootFsOptions.mountpoint = "none";
    datasets = {
      family = {
        type = "zfs_fs";
        mountpoint = "/srv/family";
        options.mountpoint = "legacy";
      };
      media = {
        type = "zfs_fs";
        mountpoint = "/srv/media";
        options.mountpoint = "legacy";
        options.recordsize = "1M";
      };
      scans = {
        type = "zfs_fs";
        mountpoint = "/srv/scans";
        options.mountpoint = "legacy";
        options.quota = "200G";
      };
    };
  };
}
