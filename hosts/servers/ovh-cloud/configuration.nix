# A VPS at OVHcloud: a virtual machine that boots by BIOS.
{ config, ... }:

{
  pantheros = {
    profiles.server.enable = true;
    hardware.virtualMachine.enable = true;

    # The VPS's only disk. OVHcloud gives it no stable path that is the same on every VPS; if `ls -l /dev/disk/by-id`
    # lists one on yours, set that here. The rescue system names this disk /dev/sdb: install from the normal system.
    bootDisk = "/dev/sda";

    deploy.tags = [
      "cloud"
      "ovh"
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

  time.timeZone = "Europe/Paris";

  # The release whose defaults this host's data was created with; do not raise it when nixpkgs is updated.
  system.stateVersion = "25.05";
}
