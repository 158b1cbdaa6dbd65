# The fleet's package set: a minimal `pkgs`. A package with a well-known name is a stand-in.
{ lib, system }:
let
  builders = lib.builders { inherit system; };
  pkgs =
    builders
    // import ./fleet.nix { inherit lib pkgs; }
    // import ./stand-ins.nix { inherit pkgs; }
    // import ./on-purpose.nix { inherit pkgs; }
    // {
      inherit system;
      stdenv.hostPlatform = { inherit system; };
    };
in
pkgs
