{ lib, ... }:
{
  home.desktop = {
    enable = true;
    session = "kiosk";
  };
  services.cage.user = "otto";
  services.openssh.settings.PasswordAuthentication = lib.mkForce false;
  system.autoUpgrade.dates = "03:10";
  boot.loader.systemd-boot.configurationLimit = 3;

  # Installed by hand, before disko.
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/ESP";
    fsType = "vfat";
  };
}
