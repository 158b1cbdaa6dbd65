# A VPS at OVHcloud: a virtual machine that starts by BIOS.
{ config, ... }:

{
  pantheros = {
    profiles.server.enable = true;
    hardware.virtualMachine.enable = true;

    # The VPS's only disk. OVHcloud gives it no path that is the same on every VPS; where `ls -l /dev/disk/by-id`
    # shows one on yours, put that here. In the rescue system this very disk is /dev/sdb: install from the normal one.
    bootDisk = "/dev/sda";

    deploy.tags = [
      "cloud"
      "ovh"
    ];

    # Snapshots undo a slip of the hand. For the loss of the machine give restic a repository and a password
    # (`pantheros.backups.restic`), best from `pantheros.secrets`, and take the last line away.
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

  # The release whose defaults this host's data was made with; it does not follow nixpkgs.
  system.stateVersion = "25.05";
}
