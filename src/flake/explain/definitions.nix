# Definitions of options: their properties (`mkIf`, `mkForce`, …), which of them win, and where they are.
{ values, host }:
let
  inherit (builtins)
    concatMap
    filter
    foldl'
    head
    isAttrs
    length
    match
    seq
    stringLength
    substring
    unsafeGetAttrPos
    ;
  inherit (values)
    text
    kindOf
    attempt
    drop
    ;

  # The priority of a definition without one (`lib.defaultOverridePriority`).
  plainPriority = 100;

  # A definition has these attributes: `file` of its module; `pos`, its position or null; `value`; `priority`, or null if it
  # has none; and `conditions`, those of each `mkIf` around it that were not evaluated yet.

  property =
    definition:
    let
      inherit (definition) value;
      kind = kindOf value;
      one = fields: [ (definition // fields) ];
    in
    if kind == "if" then
      one {
        value = value.content;
        conditions = definition.conditions ++ [ value.condition ];
      }
    else if kind == "merge" then
      map (value: definition // { inherit value; }) value.contents
    else if kind == "override" then
      one {
        value = value.content;
        priority = if definition.priority == null then value.priority else definition.priority;
      }
    else if kind == "order" then
      one { value = value.content; }
    else if kind == "definition" then
      one {
        inherit (value) value;
        file = text value.file;
        pos = null;
      }
    else
      null;

  # Takes the properties off a definition and evaluates no condition. Around options, nixpkgs does so, too.
  peel =
    definition:
    let
      further = property definition;
    in
    if further == null then [ definition ] else concatMap peel further;

  # Whether all conditions hold: true, false, or null if one throws.
  holds = foldl' (
    so: condition:
    if so != true then so else attempt null (seq (if condition then true else true) condition)
  ) true;

  # Takes the properties off a definition of an option. What is under a false condition may not evaluate, so nixpkgs does not
  # read it.
  settle =
    definition:
    let
      active = holds definition.conditions;
      # A value that throws has no properties.
      further = attempt null (property definition);
    in
    if active != true then
      [ (definition // { inherit active; }) ]
    else if further == null then
      [
        (
          definition
          // {
            inherit active;
            conditions = [ ];
          }
        )
      ]
    else
      concatMap settle (
        map (next: next // { conditions = drop (length definition.conditions) next.conditions; }) further
      );

  # Of the definitions of one option, those that win and those that do not.
  judge =
    at: definitions:
    let
      all = map (
        definition:
        definition
        // {
          weight = if definition.priority == null then plainPriority else definition.priority;
        }
      ) (concatMap settle definitions);
      active = filter (definition: definition.active == true) all;
      best = foldl' (
        least: definition: if definition.weight < least then definition.weight else least
      ) 9999 active;
      wins = definition: definition.active == true && definition.weight == best;
    in
    {
      winners = filter wins all;
      losers = map (definition: definition // { inherit at; }) (
        filter (definition: !wins definition) all
      );
    };

  # The same definitions as those of an option further in.
  renewed =
    definition:
    definition
    // {
      priority = null;
      conditions = [ ];
    };

  isBelow = folder: file: folder != null && substring 0 (stringLength folder) file == folder;
  # The folder of the library with which the host is made. It makes sets by functions; the position of such an attribute says
  # nothing about a definition.
  library =
    let
      made = unsafeGetAttrPos "_type" host;
      found = if made == null then null else match "(.*/)modules\\.nix" made.file;
    in
    if found == null then null else head found;
  isInLibrary = isBelow library;
  # The folder of nixpkgs, if the host is made with it.
  nixpkgs =
    let
      found = match "(.*/)nixos/modules" (text (host._module.specialArgs.modulesPath or ""));
    in
    if found == null then null else head found;
  isInNixpkgs = isBelow nixpkgs;

  positionOf =
    name: set: otherwise:
    let
      pos = unsafeGetAttrPos name set;
    in
    if pos == null || isInLibrary pos.file then otherwise else pos;

  selectOne =
    name: definition:
    if isAttrs definition.value && definition.value ? ${name} then
      [
        (
          definition
          // {
            value = definition.value.${name};
            pos = positionOf name definition.value definition.pos;
          }
        )
      ]
    else
      [ ];
  # Selects an attribute around options, where properties are pushed down.
  select = name: concatMap (definition: concatMap (selectOne name) (peel definition));
  # Selects an attribute of definitions that lost, which may fail to evaluate. In nixpkgs, these are definitions of services
  # that are not enabled, and are left out.
  selectLost =
    name:
    concatMap (
      definition:
      if isInNixpkgs definition.file then
        [ ]
      else
        attempt [ ] (
          let
            found = concatMap (selectOne name) (peel definition);
          in
          seq (length found) found
        )
    );
in
{
  inherit
    settle
    plainPriority
    peel
    judge
    renewed
    nixpkgs
    isInLibrary
    isInNixpkgs
    selectOne
    select
    selectLost
    ;
}
