{
  description = "pantherOS: a NixOS fleet, and an MCP server with which AI assistants inspect and deploy it safely";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    home-manager = {
      url = "github:nix-community/home-manager";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    disko = {
      url = "github:nix-community/disko";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    nixos-hardware = {
      url = "github:NixOS/nixos-hardware";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    nixos-anywhere = {
      url = "github:nix-community/nixos-anywhere";
      inputs = {
        nixpkgs.follows = "nixpkgs";
        disko.follows = "disko";
        # Only its own tests and its formatter need these.
        nix-vm-test.follows = "";
        nixos-images.follows = "";
        nixos-stable.follows = "";
        treefmt-nix.follows = "";
      };
    };
    opnix = {
      url = "github:brizzbuzz/opnix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    # Formerly nix-ai-tools.
    llm-agents = {
      url = "github:numtide/llm-agents.nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    inputs@{ self, nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;
      fleet = import ./fleet;
      modules = import ./fleet/modules.nix;
      overlays = import ./overlays;

      pkgsOf =
        system:
        import nixpkgs {
          inherit system;
          config.allowUnfree = true;
          overlays = lib.attrValues overlays;
        };
      forEachSystem = f: lib.genAttrs fleet.systems (system: f (pkgsOf system));
    in
    {
      inherit overlays;

      nixosConfigurations = import ./fleet/hosts.nix {
        inherit inputs;
        overlays = lib.attrValues overlays;
      };

      nixosModules =
        modules.services
        // modules.hardware
        // modules.profiles
        // {
          default.imports = modules.all;
          # For other flakes: the options that declare how a host is reached and deployed.
          deploy = ./modules/core/deploy.nix;
        };

      packages = forEachSystem (
        pkgs:
        {
          inherit (pkgs) pantheros-mcp;
        }
        // lib.optionalAttrs (pkgs.stdenv.hostPlatform.system == fleet.hosts.${fleet.defaultHost}) {
          default = self.nixosConfigurations.${fleet.defaultHost}.config.system.build.toplevel;
        }
      );

      apps = forEachSystem (pkgs: rec {
        pantheros-mcp = {
          type = "app";
          program = lib.getExe pkgs.pantheros-mcp;
          meta.description = "Serve MCP, or run one tool by hand";
        };
        default = pantheros-mcp;
      });

      devShells = forEachSystem (
        pkgs: lib.genAttrs fleet.shells (import ./fleet/shell.nix { inherit pkgs inputs; })
      );

      checks = forEachSystem (pkgs: import ./checks { inherit pkgs self lib; });

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
