# The inputs that flake.nix declares, read as Nix does (src/libflake/flake.cc), without fetching anything.
flake:
let
  inherit (builtins)
    elemAt
    filter
    functionArgs
    isAttrs
    isFunction
    isList
    isPath
    isString
    mapAttrs
    match
    parseFlakeRef
    removeAttrs
    split
    substring
    toJSON
    typeOf
    ;

  # A relative path starts at the flake's folder, which is not known here; null: this reference is not compared.
  reference =
    url:
    if isPath url then
      null
    else if substring 0 1 url == "." || substring 0 1 url == "/" then
      ownPath (match "([^?]*)[?](.*)" url) url
    else
      parseFlakeRef url;

  # `parseFlakeRef` takes only encoded paths, and only parameters have to be parsed.
  ownPath =
    parts: url:
    if parts == null then
      {
        type = "path";
        path = url;
      }
    else
      parseFlakeRef "path:.?${elemAt parts 1}" // { path = elemAt parts 0; };

  # The lock file has lists as JSON text.
  attribute = value: if isList value then toJSON value else value;

  declared =
    fallback: name: input:
    if !isAttrs input then
      throw "an input must be a set, but this is of type ${typeOf input}"
    else
      {
        follows =
          if input ? follows then
            filter (step: isString step && step != "") (split "/" input.follows)
          else
            null;
        reference =
          if input ? follows then
            null
          else if input ? type then
            mapAttrs (_: attribute) (
              removeAttrs input [
                "flake"
                "inputs"
              ]
            )
          else if input ? url then
            reference input.url
          else
            fallback name;
        # These override inputs of the input, and declare no new ones.
        inputs = mapAttrs (declared (_: null)) (input.inputs or { });
      };

  outputs = flake.outputs or null;
  # An argument of `outputs` that is missing from `inputs` is an input that a registry names.
  taken = if isFunction outputs then mapAttrs (_: _: { }) (functionArgs outputs) else { };
in
mapAttrs (declared (name: {
  type = "indirect";
  id = name;
})) (removeAttrs (taken // (flake.inputs or { })) [ "self" ])
