# A server at Hetzner Cloud: a virtual machine that boots by UEFI on newer types and by BIOS on older ones.
{ config, ... }:

{
  pantheros = {
    profiles.server.enable = true;
    hardware.virtualMachine.enable = true;

    # The server's own disk; volumes get later names. Its path below /dev/disk/by-id has a number that differs for
    # each server (scsi-0QEMU_QEMU_HARDDISK_…): set that path here once the server exists.
    bootDisk = "/dev/sda";

    deploy.tags = [
      "cloud"
      "hetzner"
    ];

    # Snapshots only undo mistakes. Against the loss of the machine, give restic a repository and a password
    # (`pantheros.backups.restic`), preferably from `pantheros.secrets`, and remove `restic.enable = false`.
    backups = {
      enable = true;
      restic.enable = false;
    };

    home = {
      enable = true;
      users.admin = ./home.nix;
    };
  };

  disko.devices = import ./disko.nix { device = config.pantheros.bootDisk; };

  networking.useDHCP = true;

  time.timeZone = "Europe/Berlin";

  # The release whose defaults this host's data was created with; do not raise it when nixpkgs is updated.
  system.stateVersion = "25.05";
}
