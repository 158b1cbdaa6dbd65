{
  description = "My fleet";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { nixpkgs, ... }:
    {
      nixosConfigurations.first = nixpkgs.lib.nixosSystem {
        modules = [ ./configuration.nix ];
      };
    };
}
