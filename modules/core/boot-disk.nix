# The disk a host boots from, named once: disko formats it and GRUB is installed on it.
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
  # Module systems without disko have nothing to compare.
  disks = if options ? disko then lib.attrValues config.disko.devices.disk else [ ];
  formatted = map (disk: disk.device) disks;
  # disko tells GRUB the disks that have a BIOS boot partition.
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
      The disk this host boots from, by a path that stays the same where the provider has one. The host's
      `disko.nix` formats it, and GRUB is installed on it for machines that start by BIOS and, in the
      EFI system partition, for those that start by UEFI.
    '';
  };

  config = lib.mkIf (cfg != null) {
    boot.loader = {
      efi = {
        # A virtual machine's firmware may forget what is written to it.
        canTouchEfiVariables = false;
        efiSysMountPoint = "/boot/efi";
      };
      grub = {
        enable = true;
        efiSupport = lib.mkDefault true;
        # The path every firmware tries when it knows of nothing else.
        efiInstallAsRemovable = lib.mkDefault true;
        configurationLimit = lib.mkDefault 20;
      };
    };

    assertions = [
      {
        assertion = lib.elem cfg formatted;
        message = "pantheros.bootDisk is ${cfg}, while disko formats ${
          if formatted == [ ] then "nothing" else toString formatted
        }: the host would not start from the disk that is formatted.";
      }
      {
        assertion = installed == [ cfg ];
        message = "pantheros.bootDisk is ${cfg}, while GRUB is installed on ${
          if installed == [ ] then "no disk" else toString installed
        }: leave boot.loader.grub.device and devices alone, and give the disk a partition of type EF02.";
      }
      {
        assertion = grub.efiSupport -> config.fileSystems ? "/boot/efi";
        message = "pantheros.bootDisk: nothing is mounted at /boot/efi, so the host would not start by UEFI.";
      }
    ];
  };
}
