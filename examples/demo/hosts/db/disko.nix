# Two disks. The host boots from either: each has a BIOS boot partition and one half of two mirrors,
# one for /boot, one for the volume group with the other file systems.
let
  half = device: {
    inherit device;
    content = {
      type = "gpt";
      partitions = {
        bios = {
          size = "1M";
          type = "EF02";
        };
        boot = {
          size = "1G";
          type = "FD00";
          content = {
            type = "mdraid";
            name = "boot";
          };
        };
        system = {
          size = "100%";
          type = "FD00";
          content = {
            type = "mdraid";
            name = "system";
          };
        };
      };
    };
  };
in
{
  disko.devices = {
    disk = {
      one = half "/dev/disk/by-id/nvme-demo-0001";
      two = half "/dev/disk/by-id/nvme-demo-0002";
    };
    mdadm = {
      boot = {
        level = 1;
        metadata = "1.0";
        content = {
          type = "filesystem";
          format = "ext4";
          mountpoint = "/boot";
        };
      };
      system = {
        level = 1;
        content = {
          type = "lvm_pv";
          vg = "data";
        };
      };
    };
    lvm_vg.data.lvs = {
      root = {
        size = "40G";
        content = {
          type = "filesystem";
          format = "ext4";
          mountpoint = "/";
        };
      };
      swap = {
        size = "8G";
        content.type = "swap";
      };
      postgresql = {
        size = "100%FREE";
        content = {
          type = "filesystem";
          format = "xfs";
          mountpoint = "/var/lib/postgresql";
          mountOptions = [ "noatime" ];
        };
      };
    };
  };
}
