{ lib, pkgs, ... }:
{
  imports = [ ./disko.nix ];

  networking.hostName = "db1";
  networking.hostId = "8425e349";
  networking.wg-quick.interfaces.shop.address = [ "10.20.0.21/24" ];

  boot.loader.systemd-boot.enable = true;
  boot.supportedFilesystems = [ "zfs" ];
  boot.zfs.extraPools = [ "archive" ];
  boot.kernel.sysctl."vm.swappiness" = 1;

  services.postgresql = {
    # Stays on 16 until the replica is upgraded.
    package = lib.mkForce pkgs.postgresql_16;
    settings = {
      max_connections = 400;
      shared_buffers = "16GB";
      effective_cache_size = "48GB";
    };
  };

  services.openssh.settings.PermitRootLogin = lib.mkForce "prohibit-password";
  users.users.root.openssh.authorizedKeys.keys = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl replica@db2"
  ];

  services.restic.backups.state.timerConfig.OnCalendar = "04:00";
  time.timeZone = "UTC";
}
