# An encrypted volume group — and a hazard on purpose. disko formats /dev/sdb, configuration.nix puts GRUB on
# /dev/sda, and this disk has no BIOS boot partition for it either: it evaluates, it builds, and it would
# not start.
{
  disko.devices = {
    disk.main = {
      device = "/dev/sdb";
      content = {
        type = "gpt";
        partitions = {
          boot = {
            size = "1G";
            content = {
              type = "filesystem";
              format = "ext4";
              mountpoint = "/boot";
            };
          };
          crypt = {
            size = "100%";
            content = {
              type = "luks";
              name = "crypt";
              passwordFile = "/tmp/disk.key";
              settings.allowDiscards = true;
              content = {
                type = "lvm_pv";
                vg = "mail";
              };
            };
          };
        };
      };
    };
    lvm_vg.mail.lvs = {
      root = {
        size = "20G";
        content = {
          type = "filesystem";
          format = "ext4";
          mountpoint = "/";
        };
      };
      swap = {
        size = "4G";
        content.type = "swap";
      };
      mailboxes = {
        size = "100%FREE";
        content = {
          type = "filesystem";
          format = "ext4";
          mountpoint = "/var/vmail";
          mountOptions = [
            "noatime"
            "nodev"
            "noexec"
          ];
        };
      };
    };
  };
}
