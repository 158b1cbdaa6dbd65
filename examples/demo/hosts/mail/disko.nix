# An encrypted volume group, with a mistake on purpose: disko formats /dev/sdb, but configuration.nix installs GRUB
# on /dev/sda, and /dev/sdb has no BIOS boot partition for GRUB either. The host evaluates and builds, but would
# not boot.
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
