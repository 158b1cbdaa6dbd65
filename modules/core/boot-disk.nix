# The disk that a host boots from, set once for disko, which formats it, and for GRUB, which is installed on it.
{
  config,
  lib,
  options,
  ...
}:

let
  inherit (lib) mkOption types;
  cfg = config.pantheros.bootDisk;
  grub = config.boot.loader.grub;
  # Without disko's module there are no disks to compare.
  disks = if options ? disko then lib.attrValues config.disko.devices.disk else [ ];
  formatted = map (disk: disk.device) disks;
  # disko adds the disks that have a BIOS boot partition to GRUB's devices.
  installed = lib.unique (
    lib.filter (device: device != "nodev") (lib.concatMap (boot: boot.devices) grub.mirroredBoots)
  );
in
{
  options.pantheros.bootDisk = mkOption {
    type = types.nullOr (types.strMatching "/dev/[A-Za-z0-9/._:+@=-]+");
    default = null;
    example = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_12345678";
    description = ''
      Path of the disk that this host boots from; use a stable path if the provider has one. The host's
      `disko.nix` formats the disk. GRUB is installed on it for machines that boot by BIOS and, in the
      EFI system partition, for machines that boot by UEFI. With null, this module sets up no boot loader.
    '';
  };

  config = lib.mkIf (cfg != null) {
    boot.loader = {
      efi = {
        # A virtual machine's firmware may lose variables that are written to it.
        canTouchEfiVariables = false;
        efiSysMountPoint = "/boot/efi";
      };
      grub = {
        enable = true;
        efiSupport = lib.mkDefault true;
        # Installs GRUB at the path that every firmware tries if it has no boot entry.
        efiInstallAsRemovable = lib.mkDefault true;
        configurationLimit = lib.mkDefault 20;
      };
    };

    assertions = [
      {
        assertion = lib.elem cfg formatted;
        message = "pantheros.bootDisk is ${cfg}, while disko formats ${
          if formatted == [ ] then "nothing" else toString formatted
        }: the host would not boot from the disk that is formatted.";
      }
      {
        assertion = installed == [ cfg ];
        message = "pantheros.bootDisk is ${cfg}, while GRUB is installed on ${
          if installed == [ ] then "no disk" else toString installed
        }: leave boot.loader.grub.device and devices alone, and give the disk a partition of type EF02.";
      }
      {
        assertion = grub.efiSupport -> config.fileSystems ? "/boot/efi";
        message = "pantheros.bootDisk: nothing is mounted at /boot/efi, so the host would not boot by UEFI.";
      }
    ];
  };
}
