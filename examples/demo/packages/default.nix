# The fleet's package set: `pkgs`, as small as it gets. What carries a known name is a stand-in of that name.
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
