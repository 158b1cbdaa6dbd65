{ inputs, ... }:
{
  imports = [
    inputs.disko.nixosModules.disko
    inputs.home-manager.nixosModules.home-manager
    ./common.nix
    ./desktop.nix
    ./media.nix
    ./people.nix
    ./sharing.nix
  ];
}
