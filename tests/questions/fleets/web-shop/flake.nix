{
  description = "The hosts of a small web shop";

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
    {
      nixpkgs,
      disko,
      home-manager,
      ...
    }:
    let
      system = "x86_64-linux";
      inherit (nixpkgs) lib;
      overlays = import ./overlays;

      mkHost =
        name: roles:
        lib.nixosSystem {
          inherit system;
          specialArgs = { inherit overlays; };
          modules = [
            disko.nixosModules.disko
            home-manager.nixosModules.home-manager
            ./modules/base.nix
            ./hosts/${name}
          ]
          ++ map (role: ./modules/${role}.nix) roles;
        };

      pkgs = import nixpkgs {
        inherit system;
        overlays = [ overlays.tools ];
      };
    in
    {
      nixosConfigurations = {
        web1 = mkHost "web1" [ "web" ];
        web2 = mkHost "web2" [ "web" ];
        db1 = mkHost "db1" [ "database" ];
        staging = mkHost "staging" [
          "web"
          "database"
        ];
      };

      devShells.${system} = import ./shells.nix { inherit pkgs; };

      formatter.${system} = pkgs.nixfmt;
    };
}
