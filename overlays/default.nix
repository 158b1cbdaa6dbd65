# Packages of this repository, for every nixpkgs of this flake and for those of others.
{
  default = final: _: {
    pantheros-mcp = final.callPackage ../package.nix { };
  };
}
