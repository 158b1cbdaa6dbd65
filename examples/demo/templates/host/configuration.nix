{
  imports = [ ./disko.nix ];

  networking.hostName = "another";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";
  boot.loader.systemd-boot.enable = true;

  pantheros.deploy = {
    targetHost = "another.fleet.example";
    tags = [ "staging" ];
  };
}
