# The attribute of every derivation of the flake, and the program of every app, for tools/eval-fleet.
outputs:
let
  inherit (builtins) attrNames concatMap;
  perSystem = kind: f: concatMap (system: map (f system) (attrNames kind.${system})) (attrNames kind);
in
{
  derivations =
    map (name: "nixosConfigurations.${name}.config.system.build.toplevel") (
      attrNames outputs.nixosConfigurations
    )
    ++ concatMap (kind: perSystem outputs.${kind} (system: name: "${kind}.${system}.${name}")) [
      "packages"
      "devShells"
      "checks"
    ]
    ++ map (system: "formatter.${system}") (attrNames outputs.formatter);
  apps = perSystem outputs.apps (system: name: outputs.apps.${system}.${name}.program);
}
