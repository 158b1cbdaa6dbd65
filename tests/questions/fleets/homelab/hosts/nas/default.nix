{ lib, ... }:
{
  imports = [ ./disko.nix ];

  networking.hostId = "1f9d9a21";
  networking.useDHCP = false;
  networking.interfaces.enp3s0.ipv4.addresses = [
    {
      address = "192.168.7.10";
      prefixLength = 24;
    }
  ];
  networking.defaultGateway = "192.168.7.1";
  networking.nameservers = [ "192.168.7.1" ];

  home.media.enable = true;
  home.shares = {
    family.path = "/srv/family";
    scans = {
      path = "/srv/scans";
      guests = true;
    };
  };

  services.openssh.settings.PasswordAuthentication = false;
  security.sudo.wheelNeedsPassword = true;
  services.zfs.autoScrub.enable = true;
  services.zfs.autoScrub.interval = "monthly";
  services.sanoid = {
    enable = true;
    datasets."tank/family" = {
      daily = 30;
      monthly = 12;
      autosnap = true;
      autoprune = true;
    };
  };
  system.autoUpgrade.allowReboot = true;
  boot.kernelParams = [ "zfs.zfs_arc_max=8589934592" ];
  system.stateVersion = "23.11";
  networking.firewall.allowedUDPPorts = lib.mkAfter [ 1900 ];
}
