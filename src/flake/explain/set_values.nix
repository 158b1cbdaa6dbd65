# Every option that a host sets, with its priority, and its value if that is short and of a simple type.
library:
# The readers of parts (`partsOf` in probes.nix).
parts:
{
  # Most bytes of a value as JSON.
  bytes,
}:
host:
let
  inherit (library host)
    modules
    paths
    places
    set
    values
    ;
  inherit (builtins)
    all
    attrValues
    elem
    hasContext
    head
    isList
    length
    match
    seq
    stringLength
    toJSON
    tryEval
    typeOf
    ;
  inherit (values) attempt;

  # Types whose values are short, and read without the packages of the host.
  plainTypes = [
    "bool"
    "boolByOr"
    "enum"
    "float"
    "int"
    "intBetween"
    "nonEmptyStr"
    "number"
    "numberBetween"
    "numberNonnegative"
    "numberPositive"
    "passwdEntry"
    "positiveInt"
    "singleLineStr"
    "str"
  ];
  holderTypes = [
    "coercedTo"
    "either"
    "listOf"
    "nonEmptyListOf"
    "nullOr"
    "unique"
  ];
  isSimpleType =
    depth: type:
    let
      name = type.name or "";
    in
    elem name plainTypes
    || match "(un)?signedInt[0-9]*|strMatching .*" name != null
    ||
      depth > 0 && elem name holderTypes && all (isSimpleType (depth - 1)) (attrValues type.nestedTypes);
  isScalar =
    value:
    let
      kind = typeOf value;
    in
    kind == "string" && !hasContext value
    || elem kind [
      "bool"
      "float"
      "int"
      "null"
    ];
  isSimple = value: if isList value then all isScalar value else isScalar value;

  valueOf =
    at: type:
    if !isSimpleType 4 type then
      null
    else
      let
        found = places.valueAt at;
        text = if found != [ ] && isSimple (head found) then toJSON (head found) else null;
      in
      attempt null (if text != null && stringLength text <= bytes then text else null);

  # A variant of the whole host, as in `virtualisation.vmVariant`, takes as long as the host itself.
  isVariant = type: length type.getSubModules > 200;

  setBelow = set {
    opens = type: !isVariant type;
    # The index has none of these attributes.
    inFreeforms = false;
    keepHolders = true;
    keep =
      {
        at,
        type,
        winners,
      }:
      let
        value = parts.part (at ++ [ "value" ]) null (attempt null (valueOf at type));
      in
      # Read here, before the options after this one.
      seq value {
        inherit at value;
        priority = (head winners).weight;
      };
    enter =
      at: found:
      let
        tried = tryEval (parts.enter at [ ] found);
      in
      if tried.success then tried.value else [ ];
  };
in
if modules.hasModules then setBelow (paths.follow 8 [ ]).state else [ ]
