# Turns the data of ./default.nix into NixOS systems.
{ inputs, overlays }:

let
  inherit (inputs.nixpkgs) lib;
  fleet = import ./.;
  modules = import ./modules.nix;

  # The modules of others that ours build upon.
  foreign = [
    inputs.disko.nixosModules.disko
    inputs.home-manager.nixosModules.home-manager
    inputs.opnix.nixosModules.default
  ];

  makeHost =
    name: system:
    lib.nixosSystem {
      # For hosts that pick a profile of nixos-hardware; our own modules need no inputs.
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
            # Which commit a host runs is then told by `nixos-version --json`.
            system.configurationRevision = lib.mkIf (inputs.self ? rev) inputs.self.rev;
          }
        ];
    };
in
lib.mapAttrs makeHost fleet.hosts
