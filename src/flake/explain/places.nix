# Where values, definitions and declarations are.
{
  values,
  definitions,
  paths,
  host,
}:
let
  inherit (builtins)
    concatMap
    elemAt
    filter
    foldl'
    genList
    head
    isAttrs
    length
    ;
  inherit (values) attempt text;
  inherit (definitions) isInLibrary isInNixpkgs judge;
  inherit (paths) follow;

  placeOf =
    definition:
    if definition.pos != null then
      { inherit (definition.pos) file line; }
    else
      { inherit (definition) file; };

  declarationsOf =
    option:
    genList (
      n:
      let
        file = text (elemAt option.declarations n);
        pos = elemAt option.declarationPositions n;
      in
      if
        length (option.declarationPositions or [ ]) <= n || pos.line or null == null || isInLibrary pos.file
      then
        { inherit file; }
      else
        { inherit (pos) file line; }
    ) (length (option.declarations or [ ]));

  # The value in the configuration, as a list: it is empty if there is none.
  valueAt = foldl' (
    found: name:
    if found != [ ] && isAttrs (head found) && (head found) ? ${name} then
      [ (head found).${name} ]
    else
      [ ]
  ) [ host.config ];

  # Definitions of the flake and its modules first, and those that add nothing last.
  ordered =
    definitions:
    let
      adds = { value, ... }: attempt true (value != [ ] && value != { });
      isOwn = definition: !isInNixpkgs definition.file;
      ranked =
        is: adding: filter (definition: isOwn definition == is && adds definition == adding) definitions;
    in
    concatMap (is: ranked is true) [
      true
      false
    ]
    ++ concatMap (is: ranked is false) [
      true
      false
    ];
  # The place that decides the value at a path: the first winning definition, or the declaration if the default decides. Of a
  # set of options, it is the first definition of the set. Null if it is not known.
  decided =
    names:
    let
      found = follow 8 names;
      definitions =
        if found.kind == "prefix" then
          filter (definition: definition.pos != null) found.state.definitions
        else if found.kind == "option" || found.kind == "part" then
          (judge found.at found.definitions).winners
        else
          [ ];
      option = found.option or null;
    in
    attempt null (
      if definitions != [ ] then
        placeOf (head (ordered definitions))
      else if option != null && option.declarations or [ ] != [ ] then
        head (declarationsOf option)
      else
        null
    );
in
{
  inherit
    decided
    declarationsOf
    ordered
    placeOf
    valueAt
    ;
}
