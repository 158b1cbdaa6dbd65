# Where the entries of a host's `disko.devices` are defined.
#
# A function from a host and its `config` to a list of `{ path, file, line }`. The evaluated layout has no positions, so
# that this reads the definitions of the option `disko.devices`, before the module system merges them. In a host that is a
# bare attribute set the layout is the definition itself.
host: config:
let
  inherit (builtins)
    attrNames
    concatMap
    elemAt
    filter
    foldl'
    genList
    isAttrs
    length
    match
    tryEval
    unsafeGetAttrPos
    ;

  # Entries are in sets with these names, and have such sets themselves or in their `content`.
  kinds = [
    "bcachefs_filesystems"
    "datasets"
    "disk"
    "lvm_vg"
    "lvs"
    "mdadm"
    "nodev"
    "partitions"
    "subvolumes"
    "zpool"
  ];
  maxDepth = 24;
  most = 2000;

  attempt =
    fallback: value:
    let
      tried = tryEval value;
    in
    if tried.success then tried.value else fallback;

  # The sets that a definition consists of: `mkIf`, `mkMerge`, `mkForce` and `mkOrder` wrap them. Other definitions,
  # such as functions, have no positions.
  held =
    depth: value:
    let
      kind = value._type or null;
    in
    if depth == 0 || !attempt false (isAttrs value) then
      [ ]
    else if attempt null kind == null then
      [ value ]
    else if kind == "if" then
      if attempt false value.condition then held (depth - 1) value.content else [ ]
    else if kind == "merge" then
      concatMap (held (depth - 1)) (attempt [ ] value.contents)
    else if kind == "override" || kind == "order" then
      held (depth - 1) value.content
    else
      [ ];

  # Functions of nixpkgs such as `genAttrs` make sets whose names have positions in its library, which say nothing.
  isWritten = position: position != null && match ".*/lib/attrsets[.]nix" position.file == null;

  below = name: concatMap (value: if value ? ${name} then held maxDepth value.${name} else [ ]);

  # The sets of entries in an entry, which `values` define.
  sets =
    depth: path: values:
    if depth == 0 || values == [ ] then
      [ ]
    else
      concatMap (
        kind: entries depth (map (unsafeGetAttrPos kind) values) (path ++ [ kind ]) (below kind values)
      ) kinds
      ++ sets (depth - 1) (path ++ [ "content" ]) (below "content" values);

  # `around`: the positions of the set, for entries without a position of their own.
  entries =
    depth: around: path: values:
    concatMap (
      name:
      let
        here = path ++ [ name ];
        positions = map (unsafeGetAttrPos name) (filter (value: value ? ${name}) values);
        known = filter isWritten (positions ++ around);
      in
      (
        if known == [ ] then
          [ ]
        else
          [
            {
              path = here;
              inherit (elemAt known 0) file line;
            }
          ]
      )
      ++ sets (depth - 1) here (below name values)
    ) (attrNames (foldl' (all: value: all // value) { } values));

  option = host.options.disko.devices or { };
  definitions =
    if option ? definitionsWithLocations then
      map (definition: definition.value) option.definitionsWithLocations
    else
      [ (config.disko.devices or { }) ];

  places = sets maxDepth [ ] (concatMap (held maxDepth) definitions);
in
genList (elemAt places) (if length places < most then length places else most)
