# The packages of this repository, for the nixpkgs of this flake and of other flakes.
{
  default = final: _: {
    pantheros-mcp = final.callPackage ../package.nix { };
  };
}
