# Every option below a place in a tree of options that is set, with the definitions that decide.
{
  values,
  definitions,
  paths,
}:
let
  inherit (builtins)
    all
    attrNames
    concatMap
    filter
    foldl'
    isAttrs
    isFunction
    length
    mapAttrs
    seq
    ;
  inherit (values) isOption;
  inherit (definitions)
    judge
    peel
    renewed
    select
    selectOne
    ;
  inherit (paths)
    inSubmodule
    isSetType
    isSubmodule
    nestedIn
    ;
in
{
  # What is kept of an option: a function of its path `at`, its `type` and the `winners` among its definitions.
  keep,
  # Whether the options of a submodule are listed, and not the submodule itself: a function of its type.
  opens ? _: true,
  # Whether the attributes of a submodule that are no options of it are listed. To find out whether they are set, their
  # values are evaluated, which takes long for derivations.
  inFreeforms ? true,
  # Whether an option is kept, too, of which the options of its submodules are listed.
  keepHolders ? false,
  # Reads what is below an option: a function of its path and the list that was found.
  enter,
}:
let
  named = foldl' (
    found: definition:
    if isAttrs definition.value then found // mapAttrs (_: _: true) definition.value else found
  ) { };

  setBelow =
    {
      context,
      tree,
      walked,
      definitions,
      ...
    }:
    let
      at = context.prefix ++ walked;
      peeled = concatMap peel definitions;
      # A submodule with a free form takes attributes that are no options of its own.
      freeform = if walked == [ ] then context.config._module.freeformType or null else null;
      freeElement = (nestedIn freeform).nestedTypes.elemType or freeform;
      within =
        name:
        if tree ? ${name} then
          setBelow {
            inherit context;
            tree = tree.${name};
            walked = walked ++ [ name ];
            definitions = select name peeled;
          }
        else if freeform == null || !inFreeforms then
          [ ]
        else
          enter (at ++ [ name ]) (
            let
              found = setIn freeElement (at ++ [ name ]) (select name peeled);
            in
            seq (length found) found
          );
      names = attrNames (named peeled);
    in
    if isOption tree then
      if tree.internal or false || tree.visible or true == false then
        [ ]
      else
        enter at (
          let
            found = setIn tree.type at definitions;
          in
          seq (length found) found
        )
    else if !isAttrs tree then
      [ ]
    else
      concatMap within (filter (name: name != context.hidden && name != "_module") names);

  setIn =
    type: at: definitions:
    let
      judged = judge at definitions;
      holder = nestedIn type;
      element = holder.nestedTypes.elemType;
      winners = map renewed judged.winners;
      # A type such as `coercedTo` takes values that are no modules.
      areModules = all ({ value, ... }: isAttrs value || isFunction value) winners;
      kept = keep {
        inherit at type;
        inherit (judged) winners;
      };
      itself = seq kept [ kept ];
      holding = if keepHolders then itself else [ ];
    in
    if judged.winners == [ ] then
      [ ]
    else if isSubmodule holder && areModules && opens holder then
      holding
      ++ setBelow (
        (inSubmodule {
          type = holder;
          inherit at judged;
          names = [ ];
          gone = [ ];
        }).state
      )
    else if isSetType holder && holder ? nestedTypes.elemType && isSubmodule (nestedIn element) then
      holding
      ++ concatMap (name: setIn element (at ++ [ name ]) (concatMap (selectOne name) winners)) (
        attrNames (named winners)
      )
    else
      itself;
in
setBelow
