# A server at Hetzner Cloud: a virtual machine that starts by UEFI on newer types and by BIOS on older ones.
{ config, ... }:

{
  pantheros = {
    profiles.server.enable = true;
    hardware.virtualMachine.enable = true;

    # The server's own disk; volumes come after it. Its path below /dev/disk/by-id holds a number of its own
    # (scsi-0QEMU_QEMU_HARDDISK_…): put yours here once the server exists.
    bootDisk = "/dev/sda";

    deploy.tags = [
      "cloud"
      "hetzner"
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

  time.timeZone = "Europe/Berlin";

  # The release whose defaults this host's data was made with; it does not follow nixpkgs.
  system.stateVersion = "25.05";
}
