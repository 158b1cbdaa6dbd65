# This fleet's standard library.
let
  inherit (builtins) attrNames listToAttrs;

  # genAttrs [ "a" ] f = { a = f "a"; }
  genAttrs =
    names: f:
    listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );

  # Attributes under other names: f NAME VALUE gives `{ name, value }`.
  mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));

  # f's result, with an `override` that calls f again with some arguments changed.
  makeOverridable = f: args: f args // { override = changed: makeOverridable f (args // changed); };
in
import ./modules.nix
// {
  inherit genAttrs makeOverridable mapAttrs';
  builders = import ./builders.nix;
  disko = import ./disko.nix;
}
