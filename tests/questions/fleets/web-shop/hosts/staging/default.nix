{ lib, ... }:
{
  imports = [ ./disko.nix ];

  networking.hostName = "staging";
  networking.wg-quick.interfaces.shop.address = [ "10.20.0.31/24" ];

  boot.loader.grub.enable = true;

  # The testers have no keys.
  services.openssh.settings.PasswordAuthentication = true;
  services.openssh.settings.KbdInteractiveAuthentication = lib.mkForce true;

  users.users.tester = {
    isNormalUser = true;
    group = "analytics";
    hashedPasswordFile = "/run/agenix/tester-password";
    extraGroups = [ "docker" ];
  };
  virtualisation.docker.enable = true;

  services.nginx.virtualHosts."shop.example.org".forceSSL = lib.mkForce false;
  services.restic.backups.state.initialize = lib.mkForce false;
  services.mailpit.instances.default = { };
}
