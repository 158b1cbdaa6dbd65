{
  description = "The machines at home";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    disko = {
      url = "github:nix-community/disko";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    home-manager = {
      url = "github:nix-community/home-manager";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    inputs@{ nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;
      # Every folder of hosts/ is a host.
      names = lib.attrNames (lib.filterAttrs (_: type: type == "directory") (builtins.readDir ./hosts));
      host =
        name:
        lib.nixosSystem {
          system = "x86_64-linux";
          specialArgs = { inherit inputs; };
          modules = [
            ./modules
            ./hosts/${name}
            { networking.hostName = name; }
          ];
        };
      pkgs = nixpkgs.legacyPackages.x86_64-linux.extend (import ./pkgs);
    in
    {
      nixosConfigurations = lib.genAttrs names host;

      packages.x86_64-linux = { inherit (pkgs) paperless-inbox media-report; };

      devShells.x86_64-linux.default = pkgs.mkShell {
        packages = [
          pkgs.nixfmt
          pkgs.nil
          pkgs.ssh-to-age
          pkgs.opentofu
          pkgs.media-report
        ];
      };
    };
}
