# A host from its modules, with the attributes that `nixpkgs.lib.nixosSystem` returns.
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
