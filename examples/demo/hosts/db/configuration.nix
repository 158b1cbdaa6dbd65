# The database server: boots from either of two disks, and has SSH on port 2222.
{ lib, ... }:
{
  imports = [ ./disko.nix ];

  networking.hostName = "db";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "24.11";
  time.timeZone = "Europe/Berlin";

  boot = {
    kernelParams = [ "console=ttyS0" ];
    loader.grub.enable = true;
  };

  services = {
    openssh = {
      ports = lib.mkForce [ 2222 ];
      settings.PermitRootLogin = "prohibit-password";
    };
    postgresql = {
      enable = true;
      ensureDatabases = [
        "shop"
        "status"
      ];
    };
  };

  pantheros.deploy = {
    targetHost = "db.fleet.example";
    tags = [
      "production"
      "stateful"
    ];
    buildOn = "target";
    healthChecks = [
      { tcp = 5432; }
    ];
    rollbackTimeout = 300;
  };
}
