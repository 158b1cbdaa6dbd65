# How a host starts: boot loader, kernel, initial ramdisk.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (config.boot.loader) grub systemd-boot;
in
{
  options.boot = {
    kernelPackages = lib.mkOption {
      type = lib.types.anything;
      default.kernel = pkgs.linux;
      description = "The kernel and what is built against it.";
    };
    kernelParams = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "console=ttyS0" ];
      description = "Parameters added to the kernel's command line.";
    };
    initrd.luks.devices = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.submodule (name: {
          inherit name;
        })
      );
      default = { };
      description = "Encrypted devices to unlock before the root file system is mounted.";
    };
    swraid.enable = lib.mkEnableOption "software RAID (mdadm)";
    loader = {
      systemd-boot.enable = lib.mkEnableOption "the systemd-boot (formerly gummiboot) EFI boot manager";
      efi.canTouchEfiVariables = lib.mkOption {
        type = lib.types.bool;
        default = false;
        description = "Whether the installation may change the firmware's boot entries.";
      };
      grub = {
        enable = lib.mkEnableOption "the GNU GRUB boot loader";
        device = lib.mkOption {
          type = lib.types.str;
          default = "";
          example = "/dev/disk/by-id/wwn-0x500001234567890a";
          description = "The device GRUB is installed on, or `nodev` for an EFI system.";
        };
        devices = lib.mkOption {
          type = lib.types.listOf lib.types.str;
          default = [ ];
          description = "The devices GRUB is installed on; for machines that start from either of two disks.";
        };
        efiSupport = lib.mkOption {
          type = lib.types.bool;
          default = false;
          description = "Whether GRUB is built with EFI support.";
        };
      };
    };
  };

  config = {
    boot.loader.grub.devices = lib.mkIf (grub.device != "") [ grub.device ];
    assertions = [
      {
        assertion = grub.enable || systemd-boot.enable;
        message = "A host needs a boot loader: enable boot.loader.systemd-boot or boot.loader.grub.";
      }
      {
        assertion = grub.enable -> grub.devices != [ ];
        message = "You must set the option 'boot.loader.grub.devices' to make the system bootable.";
      }
    ];
    system.build = {
      inherit (config.boot.kernelPackages) kernel;
      initialRamdisk = pkgs.mkTree {
        name = "initrd-${config.boot.kernelPackages.kernel.version}";
        buildPhase = ''
          echo "packing the initial ramdisk"
          echo "  for ${toString (builtins.attrNames config.fileSystems)}"
        '';
        tree.initrd = pkgs.file "mounts ${toString (builtins.attrNames config.fileSystems)}\n";
      };
    };
  };
}
