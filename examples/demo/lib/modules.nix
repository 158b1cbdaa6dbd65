# A small module system: options with types and defaults, definitions merged by type,
# `mkIf`, `mkDefault`, `mkForce`, and the `options` tree that tools read — shaped like NixOS's own.
let
  inherit (builtins)
    all
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    genericClosure
    genList
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isString
    length
    mapAttrs
    tail
    toJSON
    unsafeGetAttrPos
    zipAttrsWith
    ;

  last = list: elemAt list (length list - 1);
  isKind = kind: value: (value._type or null) == kind;
  recursiveUpdate =
    a: b:
    a
    // mapAttrs (
      name: value:
      if a ? ${name} && isAttrs a.${name} && isAttrs value then recursiveUpdate a.${name} value else value
    ) b;

  mkOption = option: option // { _type = "option"; };
  mkEnableOption =
    what:
    mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether to enable ${what}.";
    };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;

  # `merge` gets the option's path and its definitions, `{ file, value }` each.
  mkType =
    {
      name,
      description ? name,
      check,
      merge ? mergeEqual,
    }:
    {
      _type = "option-type";
      inherit
        name
        description
        check
        merge
        ;
    };
  mergeEqual =
    path: definitions:
    let
      inherit (head definitions) value;
    in
    if all (definition: definition.value == value) definitions then
      value
    else
      throw "The option `${showPath path}' has conflicting definition values:${showDefinitions definitions}";

  types = rec {
    bool = mkType {
      name = "bool";
      description = "boolean";
      check = isBool;
    };
    int = mkType {
      name = "int";
      description = "signed integer";
      check = isInt;
    };
    port = mkType {
      name = "port";
      description = "16 bit unsigned integer; between 0 and 65535 (both inclusive)";
      check = value: isInt value && value >= 0 && value < 65536;
    };
    str = mkType {
      name = "str";
      description = "string";
      check = isString;
    };
    lines = mkType {
      name = "lines";
      description = "strings concatenated with \"\\n\"";
      check = isString;
      merge = _: definitions: concatStringsSep "\n" (map (definition: definition.value) definitions);
    };
    package = mkType {
      name = "package";
      check = value: isAttrs value && value.type or null == "derivation";
    };
    anything = mkType {
      name = "anything";
      check = _: true;
      merge =
        path: definitions:
        if all (definition: isAttrs definition.value) definitions then
          foldl' recursiveUpdate { } (map (definition: definition.value) definitions)
        else
          mergeEqual path definitions;
    };
    enum =
      values:
      mkType {
        name = "enum";
        description = "one of ${concatStringsSep ", " (map toJSON values)}";
        check = value: elem value values;
      };
    nullOr =
      type:
      mkType {
        name = "nullOr";
        description = "null or ${type.description}";
        check = value: value == null || type.check value;
        merge =
          path: definitions:
          if all (definition: definition.value == null) definitions then
            null
          else
            type.merge path definitions;
      };
    listOf =
      type:
      mkType {
        name = "listOf";
        description = "list of ${type.description}";
        check = value: isList value && all type.check value;
        merge = _: concatMap (definition: definition.value);
      };
    attrsOf =
      type:
      mkType {
        name = "attrsOf";
        description = "attribute set of ${type.description}";
        check = isAttrs;
        merge =
          path: definitions:
          zipAttrsWith (name: type.merge (path ++ [ name ])) (
            map (definition: mapAttrs (_: value: definition // { inherit value; }) definition.value) definitions
          );
      };
    # A set with default attributes: `defaults` gets the name of the attribute that the set is in.
    submodule =
      defaults:
      mkType {
        name = "submodule";
        check = isAttrs;
        merge = path: definitions: recursiveUpdate (defaults (last path)) (anything.merge path definitions);
      };
  };

  showPath = concatStringsSep ".";
  showDefinitions =
    definitions:
    "\n"
    + concatStringsSep "\n" (
      map (definition: "- In `${definition.file}': ${toJSON definition.value}") definitions
    );

  # The definitions at a path of a module's configuration, without their wrappers: `{ file, priority, value }` each.
  # The condition of a `mkIf` is evaluated last, so that it may itself depend on the configuration.
  definitionsAt =
    file: path: value:
    if isKind "if" value then
      let
        inner = definitionsAt file path value.content;
      in
      if inner == [ ] || !value.condition then [ ] else inner
    else if isKind "override" value then
      map (definition: definition // { inherit (value) priority; }) (
        definitionsAt file path value.content
      )
    else if path == [ ] then
      [
        {
          inherit file value;
          priority = 100;
        }
      ]
    else if value ? ${head path} then
      definitionsAt file (tail path) value.${head path}
    else
      [ ];

  # Every path that a module sets without a declared option.
  undeclared =
    file: options: path: value:
    if isKind "option" options then
      [ ]
    else if isKind "if" value || isKind "override" value then
      undeclared file options path value.content
    else
      concatMap (
        name:
        if options ? ${name} then
          undeclared file options.${name} (path ++ [ name ]) value.${name}
        else
          [
            {
              path = path ++ [ name ];
              definition = {
                inherit file;
                value = value.${name};
              };
            }
          ]
      ) (attrNames value);

  evalModules =
    {
      modules,
      specialArgs ? { },
    }:
    let
      arguments = specialArgs // {
        inherit config options;
      };

      # A module is a path, a function or a set; its settings may be next to `imports` without a `config`.
      # A module given as a path is loaded once, however often it is imported.
      load =
        file: key: module:
        if isFunction module then
          load file key (module arguments)
        else if isAttrs module then
          {
            inherit file key;
            imports = module.imports or [ ];
            options = module.options or { };
            config =
              module.config or (removeAttrs module [
                "imports"
                "options"
              ]);
          }
        else
          load (toString module) (toString module) (import module);
      loadAll =
        file: list: genList (n: load file "${file}, module ${toString n}" (elemAt list n)) (length list);

      loaded = genericClosure {
        startSet = loadAll "<unknown-file>" modules;
        operator = module: loadAll module.file module.imports;
      };

      # Every declared option, with its path and the place of its declaration.
      declared = foldl' recursiveUpdate { } (map (module: locate module.file [ ] module.options) loaded);
      locate =
        file: path: tree:
        mapAttrs (
          name: option:
          if isKind "option" option then
            option
            // {
              loc = path ++ [ name ];
              declarations = [ file ];
              declarationPositions = [ (unsafeGetAttrPos name tree) ];
            }
          else
            locate file (path ++ [ name ]) option
        ) tree;

      resolve =
        option:
        let
          inherit (option) loc type;
          given = concatMap (module: definitionsAt module.file loc module.config) loaded;
          byDefault = {
            file = head option.declarations;
            priority = 1500;
            value = option.default;
          };
          everything = given ++ (if option ? default then [ byDefault ] else [ ]);
          highestPrio = foldl' (
            a: definition: if definition.priority < a then definition.priority else a
          ) 9999 everything;
          winning = filter (definition: definition.priority == highestPrio) everything;
          wrong = filter (definition: !type.check definition.value) winning;
          value =
            if winning == [ ] then
              throw "The option `${showPath loc}' was accessed but has no value defined. Try setting the option."
            else if wrong != [ ] then
              throw "A definition for option `${showPath loc}' is not of type `${type.description}'. Definition values:${showDefinitions wrong}"
            else
              type.merge loc winning;
        in
        option
        // {
          inherit highestPrio;
          value = (option.apply or (v: v)) value;
          isDefined = winning != [ ];
          files = map (definition: definition.file) winning;
          definitions = map (definition: definition.value) winning;
          definitionsWithLocations = map (definition: { inherit (definition) file value; }) winning;
        };

      mapOptions =
        f: mapAttrs (_: option: if isKind "option" option then f option else mapOptions f option);
      options = mapOptions resolve declared;

      strangers = concatMap (module: undeclared module.file declared [ ] module.config) loaded;
      config =
        if strangers == [ ] then
          mapOptions (option: option.value) options
        else
          throw "The option `${showPath (head strangers).path}' does not exist. Definition values:${
            showDefinitions [ (head strangers).definition ]
          }";
    in
    {
      _type = "configuration";
      class = "nixos";
      inherit config options;
      # Tools read the modules from the type, and their arguments from here.
      type = {
        _type = "option-type";
        name = "submodule";
        getSubModules = modules;
      };
      _module = {
        inherit specialArgs;
        args = { };
      };
      extendModules =
        more:
        evalModules {
          modules = modules ++ more.modules or [ ];
          specialArgs = specialArgs // more.specialArgs or { };
        };
    };
in
{
  inherit
    evalModules
    mkDefault
    mkEnableOption
    mkForce
    mkIf
    mkOption
    recursiveUpdate
    types
    ;
}
