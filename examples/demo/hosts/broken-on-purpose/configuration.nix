# A host that does not evaluate: the mistake is in motd.nix.
{
  imports = [
    ../web/disko.nix
    ./motd.nix
  ];

  networking.hostName = "broken-on-purpose";
  nixpkgs.hostPlatform = "aarch64-linux";
  system.stateVersion = "25.05";
  boot.loader.systemd-boot.enable = true;
  pantheros.deploy.tags = [ "staging" ];
}
