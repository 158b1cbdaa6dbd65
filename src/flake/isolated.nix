# The outputs of a flake whose sources are in the store, without Nix's own flakes, which fetch.
#
# The inputs are what Nix gives to `outputs` (`call-flake.nix` in `src/libflake` of Nix 2.26 to 2.34). `nodes` are those of the
# lock file. `path` of a node is that of its source in the store, `info` the attributes beside it, `folder` the one with its
# flake.nix, and `missing` the address of a source that is not in the store.
{ nodes, root }:
let
  inherit (builtins)
    compareVersions
    fetchurl
    head
    isFunction
    isList
    mapAttrs
    nixVersion
    path
    tail
    ;

  resolve = edge: if isList edge then at root edge else edge;

  at =
    name: steps:
    if steps == [ ] then name else at (resolve nodes.${name}.inputs.${head steps}) (tail steps);

  below = folder: inner: if inner == "" then folder else "${folder}/${inner}";

  # Pure evaluation allows a path of the store to those who know the hash of its content. Nix reads the source's entry in its
  # database only if the path has a context, as the result of `allow` has, and remembers it. Without it, Nix 2.34 asks the
  # database at each access to a file.
  allow =
    node: source:
    path {
      path = source;
      name = "source";
      sha256 = node.info.narHash;
    };

  tree =
    node:
    if node ? path then
      allow node (allow node node.path)
    else
      # No address is allowed: this fails with an error that names it, and that `tryEval` does not catch.
      fetchurl node.missing;

  all = mapAttrs (
    _: node:
    let
      parent = all.${at root node.parent};
      sourceInfo = if node ? parent then parent.sourceInfo else node.info // { outPath = tree node; };
      outPath = below (if node ? parent then parent.outPath else sourceInfo.outPath) (node.folder or "");
      flake = import (outPath + "/flake.nix");
      inputs = mapAttrs (_: edge: all.${resolve edge}.result) (node.inputs or { });
      outputs = flake.outputs (inputs // { self = result; });
      result =
        if node.flake or true then
          assert isFunction flake.outputs;
          outputs
          // sourceInfo
          // {
            inherit
              outPath
              inputs
              outputs
              sourceInfo
              ;
            _type = "flake";
          }
        # Since Nix 2.30, files have it, too.
        else if compareVersions nixVersion "2.30" < 0 then
          sourceInfo
        else
          sourceInfo // { inherit sourceInfo outPath; };
    in
    {
      inherit
        outPath
        outputs
        result
        sourceInfo
        ;
    }
  ) nodes;
in
all.${root}.outputs
