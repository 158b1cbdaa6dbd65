{ pkgs, ... }:
{
  imports = [ ./disko.nix ];

  home.desktop.enable = true;
  home.desktop.games = true;

  boot.kernelPackages = pkgs.linuxPackages_latest;
  boot.initrd.systemd.enable = true;
  services.openssh.enable = false;
  services.tlp.enable = true;
  services.power-profiles-daemon.enable = false;
  virtualisation.podman.enable = true;
  system.autoUpgrade.enable = false;
  hardware.enableRedistributableFirmware = true;
}
