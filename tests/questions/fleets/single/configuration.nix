{
  config,
  lib,
  pkgs,
  ...
}:
{
  networking.hostName = "vps";
  networking.domain = "example.net";
  time.timeZone = "UTC";
  boot.loader.grub.enable = true;
  boot.initrd.availableKernelModules = [
    "virtio_pci"
    "virtio_scsi"
    "sd_mod"
  ];

  users.users.nina = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
    openssh.authorizedKeys.keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl nina@thinkpad"
    ];
  };
  security.doas.enable = true;
  security.doas.extraRules = [
    {
      users = [ "nina" ];
      keepEnv = true;
      persist = true;
    }
  ];

  services.openssh.enable = true;
  services.openssh.ports = [ 2222 ];
  services.openssh.settings.PermitRootLogin = "prohibit-password";
  # The name from before 23.05.
  services.openssh.passwordAuthentication = false;

  services.caddy = {
    enable = true;
    virtualHosts."git.example.net".extraConfig = "reverse_proxy localhost:3000";
    virtualHosts."vault.example.net".extraConfig = "reverse_proxy localhost:8222";
  };
  services.forgejo = {
    enable = true;
    settings.server.DOMAIN = "git.example.net";
    settings.server.HTTP_ADDR = "127.0.0.1";
    settings.service.DISABLE_REGISTRATION = true;
  };
  services.vaultwarden = {
    enable = true;
    config.ROCKET_PORT = 8222;
    config.DOMAIN = "https://vault.example.net";
    environmentFile = "/var/lib/vaultwarden.env";
  };
  networking.firewall.allowedTCPPorts = [
    80
    443
  ];
  networking.firewall.allowedUDPPorts = [ 443 ];

  services.borgbackup.jobs.home = {
    paths = [
      config.services.forgejo.stateDir
      "/var/lib/vaultwarden"
    ];
    repo = "ssh://u123@u123.example.org:23/./vps";
    encryption.mode = "repokey-blake2";
    encryption.passCommand = "cat /root/borg-passphrase";
    compression = "auto,zstd";
    startAt = "daily";
  };

  environment.systemPackages = with pkgs; [
    vim
    git
    btop
    (lib.lowPrio ncdu)
  ];
  swapDevices = [
    {
      device = "/swapfile";
      size = 2048;
    }
  ];
  system.stateVersion = "25.05";
}
