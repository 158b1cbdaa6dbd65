# Turns the data of ./default.nix into NixOS systems.
{ inputs, overlays }:

let
  inherit (inputs.nixpkgs) lib;
  fleet = import ./.;
  modules = import ./modules.nix;

  # Third-party modules that the modules of this flake use.
  foreign = [
    inputs.disko.nixosModules.disko
    inputs.home-manager.nixosModules.home-manager
    inputs.opnix.nixosModules.default
  ];

  makeHost =
    name: system:
    lib.nixosSystem {
      # For hosts that import a profile of nixos-hardware; the modules of this flake need no inputs.
      specialArgs = { inherit inputs; };
      modules =
        foreign
        ++ modules.all
        ++ [
          ../hosts/servers/${name}/configuration.nix
          {
            networking.hostName = name;
            nixpkgs = {
              hostPlatform = system;
              config.allowUnfree = true;
              inherit overlays;
            };
            pantheros.users.keys = import ./keys.nix;
            # `nixos-version --json` then prints the commit that a host runs.
            system.configurationRevision = lib.mkIf (inputs.self ? rev) inputs.self.rev;
          }
        ];
    };
in
lib.mapAttrs makeHost fleet.hosts
