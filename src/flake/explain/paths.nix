# From a path to an option or to a part of its value, with the definitions of what was reached.
{
  values,
  definitions,
  modules,
  host,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    filter
    foldl'
    head
    isAttrs
    isString
    match
    split
    tail
    ;
  inherit (values) isOption;
  inherit (definitions)
    judge
    renewed
    selectOne
    select
    selectLost
    ;
  inherit (modules)
    isCallable
    collect
    definitionsOf
    captured
    outermost
    outerDefinitions
    ;

  # What `names` lead to in a tree of options:
  # - `option`, or `part` of the value of an option;
  # - `prefix`: a tree of options;
  # - `missing`.
  # `definitions` are those of the place that was reached, and `lost` those that lost further out.
  inTree =
    {
      context,
      tree,
      walked,
      names,
      definitions,
      lost,
    }@state:
    let
      name = head names;
      at = context.prefix ++ walked;
      freeform = context.config._module.freeformType or null;
    in
    if isOption tree && aliasOf tree != null then
      {
        kind = "alias";
        inherit at;
        to = aliasOf tree ++ names;
      }
    else if isOption tree then
      inType {
        inherit (tree) type;
        inherit
          at
          names
          definitions
          lost
          ;
        option = tree;
        freeform = false;
      }
    else if names == [ ] then
      {
        kind = "prefix";
        inherit at;
        inherit state;
      }
    else if isAttrs tree && tree ? ${name} && name != context.hidden then
      inTree (
        state
        // {
          tree = tree.${name};
          walked = walked ++ [ name ];
          names = tail names;
          definitions = select name definitions;
          lost = selectLost name lost;
        }
      )
    else if freeform != null && walked == [ ] then
      inType {
        type = freeform;
        at = context.prefix;
        option = null;
        freeform = true;
        inherit names definitions lost;
      }
    else
      {
        kind = "missing";
        inherit at;
        rest = names;
        siblings =
          if isAttrs tree then
            filter (name: name != context.hidden && name != "_module") (attrNames tree)
          else
            [ ];
      };

  isSubmodule = type: type.name or "" == "submodule" && type.getSubModules or null != null;

  # Whether a value of this type can have attributes.
  isNested =
    type:
    let
      nested = type.nestedTypes or { };
    in
    elem (type.name or "") [
      "anything"
      "attrs"
      "attrsOf"
      "attrsWith"
      "lazyAttrsOf"
      "raw"
      "submodule"
      "unspecified"
    ]
    || nested ? elemType && !isListType type && isNested nested.elemType
    || nested ? left && (isNested nested.left || isNested nested.right)
    || nested ? finalType && isNested nested.finalType;
  isListType =
    type:
    elem (type.name or "") [
      "listOf"
      "nonEmptyListOf"
    ];
  isSetType =
    type:
    elem (type.name or "") [
      "attrsOf"
      "attrsWith"
      "lazyAttrsOf"
    ];
  # The type of which the attributes of a value are: without `nullOr` and the like.
  nestedIn =
    type:
    let
      nested = type.nestedTypes or { };
    in
    # nixpkgs finds out the nested types of a submodule by an evaluation without definitions, which may fail.
    if isSetType type || isListType type || isSubmodule type || !isNested type then
      type
    else if nested ? finalType then
      nestedIn nested.finalType
    else if nested ? left then
      nestedIn (if isNested nested.left then nested.left else nested.right)
    else if nested ? elemType then
      nestedIn nested.elemType
    else
      type;

  inType =
    {
      type,
      at,
      names,
      option,
      definitions,
      lost,
      freeform,
    }@state:
    let
      name = head names;
      holder = nestedIn type;
      judged = judge at definitions;
      winners = map renewed judged.winners;
      gone = lost ++ judged.losers;
    in
    if names == [ ] && !(isSubmodule holder && option == null) then
      {
        kind = if option == null then "part" else "option";
        inherit
          at
          type
          option
          definitions
          lost
          freeform
          ;
      }
    else if isSubmodule holder then
      inSubmodule {
        type = holder;
        inherit
          at
          names
          judged
          gone
          ;
      }
    else if isSetType holder && holder ? nestedTypes.elemType then
      inType (
        state
        // {
          type = holder.nestedTypes.elemType;
          at = at ++ [ name ];
          names = tail names;
          option = null;
          definitions = concatMap (selectOne name) winners;
          lost = selectLost name gone;
        }
      )
    else
      # What is in such a value has no type of its own, and no properties.
      {
        kind = "part";
        at = at ++ names;
        inherit option type freeform;
        definitions = foldl' (found: name: concatMap (selectOne name) found) winners names;
        lost = foldl' (found: name: selectLost name found) gone names;
      };

  inSubmodule =
    {
      type,
      at,
      names,
      judged,
      gone,
    }:
    let
      given = captured type at (map (definition: { inherit (definition) file value; }) judged.winners);
      context = {
        inherit (given)
          config
          hidden
          lib
          options
          ;
        specialArgs = given.specialArgs or { };
        class = given._class or null;
        prefix = at;
      };
      shorthand = type.functor.payload.shorthandOnlyDefinesConfig or false == true;
      # A plain set is no module of its own, and its attributes have positions.
      isPlain =
        { value, ... }:
        isAttrs value
        && !isCallable value
        && (shorthand || !(value ? config || value ? imports || value ? options));
      winners = map renewed judged.winners;
    in
    inTree {
      inherit context names;
      tree = context.options;
      walked = [ ];
      definitions =
        filter isPlain winners
        ++ definitionsOf (
          collect context (
            [
              {
                file = "<unknown-file>";
                modules = type.getSubModules;
              }
            ]
            ++ map (definition: {
              inherit (definition) file;
              modules = [ definition.value ];
            }) (filter (definition: !isPlain definition) winners)
          )
        );
      lost = gone;
    };

  # The option that an option of `mkRenamedOptionModule` or `mkAliasOptionModule` stands for; null for other options.
  aliasOf =
    option:
    let
      said = option.description or "";
      found = if isString said then match "Alias of [{]option[}]`([^`\"]*)`\\.?" said else null;
    in
    if found == null then null else filter isString (split "\\." (head found));

  # Follows aliases, of which the target may be an alias again.
  follow =
    left: names:
    let
      found = inTree {
        context = outermost;
        tree = host.options;
        walked = [ ];
        inherit names;
        definitions = outerDefinitions;
        lost = [ ];
      };
    in
    if found.kind != "alias" then
      found // { inherit names; }
    else if left == 0 then
      throw "the aliases of this option lead to one another"
    else
      follow (left - 1) found.to;
in
{
  inherit
    aliasOf
    isSetType
    isSubmodule
    nestedIn
    inSubmodule
    follow
    ;
}
