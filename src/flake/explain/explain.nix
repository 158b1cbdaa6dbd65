# Explains an option of a host: its value, its declaration, and every definition of it; or lists what is set below a prefix.
library:
# The readers of parts (`partsOf` in probes.nix).
parts:
{
  # The path of the option, as a list of names.
  path,
  # Most options listed below a prefix.
  most,
  # Whether only the kind of what the path leads to is asked for.
  onlyKind ? false,
}:
host:
let
  inherit (library host)
    values
    definitions
    modules
    paths
    places
    set
    ;
  inherit (builtins)
    any
    attrNames
    concatMap
    elemAt
    filter
    genList
    head
    isAttrs
    length
    match
    seq
    ;
  inherit (values)
    text
    attempt
    take
    shown
    render
    ;
  inherit (definitions)
    plainPriority
    peel
    judge
    nixpkgs
    isInNixpkgs
    ;
  inherit (modules) hasModules;
  inherit (paths)
    isSubmodule
    nestedIn
    follow
    ;

  inherit (places)
    declarationsOf
    ordered
    placeOf
    valueAt
    ;

  reached = follow 8 path;
  isAlias = reached.names != path;

  valued = definition: attempt (shown "throws" { }) (render 2 definition.value);

  winnerOf =
    definition:
    placeOf definition
    // {
      wins = true;
      priority = definition.weight;
      value = valued definition;
    };
  loserOf =
    at: definition:
    let
      isHere = definition.at == at;
      isInactive = definition.active != true;
      # Properties that were not evaluated.
      bare = if isHere && !isInactive then [ definition ] else peel definition;
      common =
        placeOf definition
        // {
          wins = false;
        }
        // (if isHere then { } else { lost_at = definition.at; })
        // (
          if isInactive then { condition = if definition.active == null then "throws" else "false"; } else { }
        );
    in
    if isInactive && isInNixpkgs definition.file then
      [ common ]
    else
      attempt [ common ] (
        let
          all = map (
            each:
            common
            // placeOf each
            // {
              priority = if each.priority == null then plainPriority else each.priority;
              value = valued each;
            }
          ) bare;
        in
        seq (length all) all
      );

  setBelow = set {
    keep = { at, winners, ... }: { inherit at winners; };
    enter = at: attempt [ { inherit at; } ];
  };
  rowOf =
    index: row:
    if !(row ? winners) then
      { inherit (row) at; }
    else
      parts.enter
        [
          "set"
          index
        ]
        {
          inherit (row) at;
        }
        (
          let
            last = head (ordered row.winners);
          in
          placeOf last
          // {
            inherit (row) at;
            more = length row.winners - 1;
            priority = last.weight;
            value = attempt (shown "throws" { }) (
              let
                found = valueAt row.at;
              in
              if found == [ ] then shown "unknown" { } else render 1 (head found)
            );
          }
        );

  whole = parts.enter [ ] { } reached;
  option = whole.option or null;
  at = whole.at;
  judged = judge at whole.definitions;
  holdsOptions = type: isSubmodule (nestedIn ((nestedIn type).nestedTypes.elemType or type));
  isGeneric = any (name: name == "*" || match "<.*>" name != null) path;
  told =
    if whole.kind == "missing" then
      {
        inherit (whole) kind at;
        names = whole.rest;
        siblings = take 4000 whole.siblings;
      }
    else if whole.kind == "prefix" then
      let
        found = parts.enter [ "found" ] [ ] (
          let
            all = setBelow whole.state;
          in
          seq (length all) all
        );
        rows = take most found;
      in
      {
        inherit (whole) kind at;
        total = length found;
        names = filter (name: name != whole.state.context.hidden && name != "_module") (
          if isAttrs whole.state.tree then attrNames whole.state.tree else [ ]
        );
        set = genList (n: rowOf n (elemAt rows n)) (length rows);
      }
    else
      let
        byDefault = if option != null && whole.kind == "option" then option.default or null else null;
        losers = parts.enter [ "conditional" ] [ ] (
          let
            all = concatMap (loserOf at) (judged.losers ++ whole.lost);
          in
          seq (length all) all
        );
        hasDefault = whole.kind == "option" && option ? default;
        isSet = judged.winners != [ ] || hasDefault || !hasModules && option.isDefined or true;
        # `mkRemovedOptionModule` makes options that throw its message.
        isRemoved = option != null && option ? apply && option.visible or true == false;
      in
      {
        inherit (whole) kind at freeform;
        # Read in this order, that of their names.
        conditional = losers;
        declared = if whole.kind == "option" then declarationsOf option else [ ];
        default =
          if !hasDefault then
            null
          else
            parts.part [ "default" ] null (attempt (shown "throws" { }) (render 3 byDefault));
        default_text =
          if whole.kind == "option" && option ? defaultText then
            parts.part [ "default_text" ] null (render 1 option.defaultText)
          else
            null;
        definitions = parts.part [ "definitions" ] [ ] (
          if hasModules then
            map winnerOf (ordered judged.winners)
          else
            map (definition: {
              file = text definition.file;
              wins = true;
              value = valued definition;
            }) (option.definitionsWithLocations or [ ])
        );
        example =
          if whole.kind == "option" && option ? example then
            parts.part [ "example" ] null (attempt (shown "throws" { }) (render 3 option.example))
          else
            null;
        has_default = hasDefault;
        has_example = whole.kind == "option" && option ? example;
        has_losers = hasModules;
        type = parts.part [ "type" ] null (text (whole.type.description or whole.type.name or ""));
        # A list: empty if there is no value.
        value =
          if isGeneric then
            [ ]
          else
            parts.part [ "value" ] [ ] (
              map (
                value:
                if !isSet && !isRemoved then
                  attempt (shown "unset" { }) (render 3 value)
                else
                  render (if holdsOptions whole.type then 1 else 3) value
              ) (valueAt whole.names)
            );
      };
in
seq whole (
  if onlyKind then
    { inherit (whole) kind; }
  else
    told
    // {
      renamed = isAlias;
      inherit nixpkgs;
    }
)
