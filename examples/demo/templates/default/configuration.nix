{
  networking.hostName = "first";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";

  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/root";
    fsType = "ext4";
  };

  services.openssh = {
    enable = true;
    settings.PasswordAuthentication = false;
  };
}
