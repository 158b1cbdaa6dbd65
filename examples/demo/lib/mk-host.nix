# A host from its modules, in the shape `nixpkgs.lib.nixosSystem` gives it.
lib: modules:
let
  pkgs = import ../packages {
    inherit lib;
    inherit (host.config.nixpkgs.hostPlatform) system;
  };
  host = lib.evalModules {
    modules = [ ../modules ] ++ modules;
    specialArgs = { inherit lib pkgs; };
  };
in
host // { inherit pkgs; }
