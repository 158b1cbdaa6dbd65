# Values of a configuration as plain data of bounded size.

let
  inherit (builtins)
    attrNames
    elem
    elemAt
    genList
    isAttrs
    isFunction
    isString
    length
    parseDrvName
    stringLength
    substring
    tryEval
    typeOf
    unsafeDiscardStringContext
    ;

  text = value: unsafeDiscardStringContext (toString value);
  # Cuts text to `most` bytes, not within a character: JSON takes whole characters only.
  clip =
    let
      continues = byte: !(byte < substring 1 1 "À") && byte < substring 0 1 "¡";
      cut =
        value: end:
        if end > 0 && continues (substring end 1 value) then cut value (end - 1) else substring 0 end value;
    in
    most: value: if stringLength value <= most then value else "${cut value most}…";
  kindOf = value: if isAttrs value then value._type or null else null;
  isProperty =
    value:
    elem (kindOf value) [
      "if"
      "merge"
      "order"
      "override"
    ];
  isOption = value: kindOf value == "option";
  isDerivation = value: isAttrs value && value.type or null == "derivation";
  attempt =
    fallback: value:
    let
      tried = tryEval value;
    in
    if tried.success then tried.value else fallback;
  take = count: list: genList (elemAt list) (if length list < count then length list else count);
  drop = count: list: genList (n: elemAt list (n + count)) (length list - count);
  indexed =
    list:
    genList (index: {
      inherit index;
      value = elemAt list index;
    }) (length list);

  # A value as plain data of bounded size. What JSON cannot hold is a set with the attribute `_shown`.
  shown = what: told: { _shown = what; } // told;
  packageOf =
    value:
    let
      parsed = parseDrvName (text (value.name or "?"));
    in
    shown "package" {
      name = text (value.pname or parsed.name);
      version = text (value.version or parsed.version);
    };
  render =
    depth: value:
    let
      kind = typeOf value;
      most = if depth >= 3 then 100 else 24;
      below =
        inner:
        let
          tried = tryEval (render (depth - 1) inner);
        in
        if tried.success then tried.value else shown "throws" { };
    in
    if kind == "set" then
      if isDerivation value then
        packageOf value
      else if isProperty value then
        shown "property" {
          text =
            {
              "if" = "mkIf …";
              merge = "mkMerge …";
              order = "mkOrder ${toString value.priority}";
              override = "mkOverride ${toString value.priority}";
            }
            .${value._type};
          value = if value ? priority then below value.content else null;
        }
      else if isFunction (value.__functor or null) then
        shown "function" { }
      else if value._type or null == "literalExpression" || value._type or null == "literalMD" then
        shown "expression" { text = clip 2000 (text value.text); }
      else if isString (value._type or null) && !(value._type == "pkgs") then
        shown value._type { }
      else if value._type or null == "pkgs" then
        shown "package set" { }
      else if depth == 0 then
        shown "set" { size = length (attrNames value); }
      else
        let
          names = attrNames value;
        in
        shown "attrs" {
          size = length names;
          attrs = map (name: {
            inherit name;
            value = below value.${name};
          }) (take most names);
        }
    else if kind == "list" then
      if depth == 0 then
        shown "list" { size = length value; }
      else
        shown "items" {
          size = length value;
          items = map below (take most value);
        }
    else if kind == "string" then
      clip 2000 (unsafeDiscardStringContext value)
    else if kind == "path" then
      shown "path" { text = clip 400 (toString value); }
    else if kind == "lambda" then
      shown "function" { }
    else
      value;
in
{
  inherit
    text
    kindOf
    isOption
    attempt
    take
    drop
    indexed
    shown
    render
    ;
}
