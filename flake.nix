{
  description = "pantherOS: a NixOS fleet, and an MCP server that gives AI assistants typed, safe hands on it";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEachSystem = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEachSystem (pkgs: rec {
        pantheros-mcp = pkgs.callPackage ./package.nix { };
        default = pantheros-mcp;
      });

      apps = forEachSystem (pkgs: rec {
        pantheros-mcp = {
          type = "app";
          program = nixpkgs.lib.getExe self.packages.${pkgs.stdenv.hostPlatform.system}.pantheros-mcp;
          meta.description = "Serve MCP, or run one tool by hand";
        };
        default = pantheros-mcp;
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.callPackage ./shell.nix { };
      });

      formatter = forEachSystem (pkgs: pkgs.nixfmt);
    };
}
