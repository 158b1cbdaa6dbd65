# The modules of a configuration and their definitions. nixpkgs drops the definitions that lose before it lists the others,
# so the modules are collected a second time. `host.type` lists them, and the evaluated configuration is their argument, so
# that nothing but the modules' own code is evaluated again. The modules of a submodule are collected in the same way.
{
  values,
  host,
}:
let
  inherit (builtins)
    concatMap
    elem
    filter
    functionArgs
    genericClosure
    isAttrs
    isFunction
    isList
    isString
    mapAttrs
    removeAttrs
    substring
    ;
  inherit (values) text indexed;

  isCallable = value: isFunction value || isAttrs value && isFunction (value.__functor or null);
  parameters =
    value:
    if isFunction value then
      functionArgs value
    else
      value.__functionArgs or (functionArgs (value.__functor value));

  # Every module that these modules import, with its definitions. `context` has the arguments of modules.
  collect =
    context: start:
    let
      given = {
        inherit (context)
          config
          lib
          options
          specialArgs
          ;
        _class = context.class;
        _prefix = context.prefix;
      }
      // context.specialArgs;
      apply =
        function:
        function (
          given
          // mapAttrs (name: _: given.${name} or context.config._module.args.${name}) (parameters function)
        );
      unify =
        file: key: module:
        let
          hasSections = module ? config || module ? options;
        in
        {
          file = text (module._file or file);
          key = text (module.key or key);
          disabled = module.disabledModules or [ ];
          imports = (if hasSections then [ ] else module.require or [ ]) ++ module.imports or [ ];
          config =
            if hasSections then
              module.config or { }
            else
              removeAttrs module [
                "_class"
                "_file"
                "disabledModules"
                "freeformType"
                "imports"
                "key"
                "require"
              ];
        };
      load =
        file: key: module:
        if isCallable module then
          unify file key (apply module)
        else if isAttrs module then
          if module._type or "module" == "module" then
            unify file key module
          else
            unify file key { config = module; }
        else
          let
            name = toString module;
            loaded = import module;
          in
          unify name name (if isCallable loaded then apply loaded else loaded);
      loadAll =
        file: key: modules:
        map (
          each:
          let
            module = load file "${key}:anon-${toString (each.index + 1)}" each.value;
          in
          module // { modules = loadAll module.file module.key module.imports; }
        ) (indexed modules);
      tree = concatMap (group: loadAll group.file group.file group.modules) start;

      disabled =
        let
          below = modules: concatMap (module: module.disabled ++ below module.modules) modules;
          keyOf =
            module:
            if isString module && substring 0 1 module != "/" then
              "${toString (context.specialArgs.modulesPath or "")}/${module}"
            else if isAttrs module && module ? key then
              text module.key
            else
              text module;
        in
        map keyOf (below tree);
      present = filter (module: !elem module.key disabled);
    in
    genericClosure {
      startSet = present tree;
      operator = module: present module.modules;
    };

  definitionsOf = map (module: {
    inherit (module) file;
    value = module.config;
    pos = null;
    priority = null;
    conditions = [ ];
  });

  # The arguments that the modules of a submodule get, its options among them: a further module returns them.
  captured =
    type: loc: definitions:
    let
      own = "the arguments of modules";
    in
    (type.merge loc (
      definitions
      ++ [
        {
          file = "explain.nix";
          value = given: {
            options.${own} = {
              _type = "option";
              internal = true;
              default = given;
            };
          };
        }
      ]
    )).${own}
    // {
      hidden = own;
    };

  outermost =
    let
      whole = captured host.type [ ] [ ];
      lib = host.lib or (host._module.specialArgs.lib or whole.lib);
    in
    {
      inherit lib;
      inherit (host) options;
      config = host.config // {
        _module = host._module or { };
      };
      specialArgs = host._module.specialArgs or { };
      class = host.class or null;
      prefix = [ ];
      hidden = "_module";
    };
  # An evaluation without `type` does not tell its modules.
  hasModules = isList (host.type.getSubModules or null);
  outerDefinitions =
    if hasModules then
      definitionsOf (
        collect outermost [
          {
            file = "<unknown-file>";
            modules = host.type.getSubModules;
          }
        ]
      )
    else
      [ ];
in
{
  inherit
    isCallable
    collect
    definitionsOf
    captured
    outermost
    hasModules
    outerDefinitions
    ;
}
