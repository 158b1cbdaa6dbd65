# The mail server. Its boot loader is on the wrong disk on purpose: see disko.nix.
{
  imports = [ ./disko.nix ];

  networking.hostName = "mail";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";

  boot.loader.grub = {
    enable = true;
    device = "/dev/sda";
  };

  services.postfix = {
    enable = true;
    hostname = "mail.fleet.example";
  };

  pantheros.deploy = {
    targetHost = "mail.fleet.example";
    tags = [
      "production"
      "stateful"
    ];
    healthChecks = [
      { tcp = 25; }
    ];
  };
}
