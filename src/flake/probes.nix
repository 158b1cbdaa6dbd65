# The questions that the server asks a flake's outputs. Evaluated by `nix eval FLAKE#. --apply`, never written to disk.
#
# A question names an attribute and a probe. Each answer is printed by `trace` on a line of its own as soon as it is
# known: if a later question fails, the earlier answers are kept, and it is clear which question failed. `marker` is
# random, so that no trace of the configuration can be mistaken for an answer.
#
# `tryEval` catches `throw` and `assert`, and nothing else. A probe therefore reads values that may fail in parts. It
# traces the path of each part before reading it, so that the last path is that of the part at which the process ended.
# The server then asks the question again with that part in `bad`, which skips it.
#
# After too many failures the server asks the question with a `stop`: no part at or after that path is read. So parts
# are read in the order of their paths: names as `attrNames` and `toJSON` sort them, positions in a list as numbers, and
# a part before the parts inside it. `tests/tools/order.rs` checks this for every probe.
{
  marker,
  single,
  questions,
  disko,
  disko_places,
  facts,
  # The function of questions that bring their own. It gets the readers of parts if the probe is `own_in_parts`.
  own ? null,
}:
outputs:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    genList
    hasContext
    isAttrs
    isFunction
    isPath
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    parseDrvName
    pathExists
    removeAttrs
    replaceStrings
    scopedImport
    seq
    substring
    stringLength
    toJSON
    toXML
    trace
    tryEval
    typeOf
    unsafeDiscardStringContext
    unsafeGetAttrPos
    ;

  text = value: unsafeDiscardStringContext (toString value);

  say = message: trace "${marker} ${toJSON message}" true;

  # The readers of a question's parts. `at` is the path of a part, a list of names and of positions in lists. A part that
  # is in `bad`, or not before `stop`, is not read: its value is `fallback`.
  partsOf =
    index: question:
    let
      bad = question.bad or [ ];
      stop = question.stop or null;
      isUnread = at: elem at bad || stop != null && !(at < stop);
      # The first try of a large question traces no parts, since most have no part that fails.
      named = at: if question.quiet or false then true else say { inherit index at; };
    in
    {
      # Reads a part that has parts of its own, to weak head normal form, before these.
      enter =
        at: fallback: value:
        if isUnread at then fallback else seq (named at) (seq value value);
      # Reads a whole part by printing it as JSON: text that is not UTF-8 fails here, not later.
      part =
        at: fallback: value:
        if isUnread at then fallback else seq (named at) (seq (toJSON value) value);
    };

  # Cuts text to `most` bytes, not within a character: JSON takes whole characters only.
  clip =
    let
      continues = byte: !(byte < substring 1 1 "À") && byte < substring 0 1 "¡";
      cut =
        value: end:
        if end > 0 && continues (substring end 1 value) then cut value (end - 1) else substring 0 end value;
    in
    most: value: if stringLength value <= most then value else "${cut value most}…";

  # Turns a value of any type into plain data of bounded size, without copying anything to the store.
  view =
    depth: value:
    let
      kind = typeOf value;
      most = 16;
      first = list: genList (elemAt list) (if length list < most then length list else most);
      below =
        value:
        let
          tried = tryEval value;
        in
        if tried.success then view (depth - 1) tried.value else "«throws»";
      rest = list: if length list > most then [ "…" ] else [ ];
    in
    if kind == "lambda" then
      "«function»"
    else if kind == "string" || kind == "path" then
      clip 400 (text value)
    else if isDerivation value then
      "«derivation»"
    else if kind == "set" then
      if depth == 0 then
        "«set»"
      else
        listToAttrs (
          map (name: {
            inherit name;
            value = below value.${name};
          }) (first (attrNames value))
          ++ map (name: {
            inherit name;
            value = name;
          }) (rest (attrNames value))
        )
    else if kind == "list" then
      if depth == 0 then "«list»" else map below (first value) ++ rest value
    else if
      elem kind [
        "bool"
        "float"
        "int"
        "null"
      ]
    then
      value
    else
      "«${kind}»";

  isDerivation = value: isAttrs value && value.type or null == "derivation";

  derivationPath =
    value:
    if isDerivation value then
      {
        drv_path = unsafeDiscardStringContext value.drvPath;
        system = value.system or null;
      }
    else
      throw "expected a derivation here, but found ${typeOf value}";

  # Requires what Nix accepts as a name or a description: a string without context, which needs no build.
  plainText =
    what: value:
    if !isString value then
      throw "${what} is text, but this is ${typeOf value}"
    else if hasContext value then
      throw "${what} is text that names no store path"
    else
      true;

  # A name for use in a sentence: itself if it is one word, otherwise an ellipsis.
  word = name: if match "[A-Za-z0-9_.+-]{1,120}" name != null then name else "…";

  # Requires that a set has no attributes but these.
  only =
    what: known: value:
    let
      unknown = filter (name: !elem name known) (attrNames value);
    in
    if unknown == [ ] then true else throw "${what} has no attribute `${word (elemAt unknown 0)}`";

  # The argument pattern of a function, as `toXML` prints it; null if the value is no function, or a builtin.
  parameter =
    value:
    if isFunction value then
      match ".*<function[^>]*> *<(attrspat|varpat name=\"([^\"]*)\").*" (
        replaceStrings [ "\n" ] [ " " ] (substring 0 300 (toXML value))
      )
    else
      null;

  # `nixpkgs.hostPlatform` has no default: a configuration with `system = …` does not define it.
  platform =
    host:
    let
      isDefined = host.options.nixpkgs.hostPlatform.isDefined or (host.config ? nixpkgs.hostPlatform);
      wanted = host.config.nixpkgs.hostPlatform;
    in
    if !isDefined then
      host.pkgs.stdenv.hostPlatform.system or null
    else if isString wanted then
      wanted
    else
      wanted.system or null;

  # Requires that a host is a NixOS configuration; returns its `config`.
  configOf =
    host:
    if !isAttrs host then
      throw "expected a NixOS configuration here, but found ${typeOf host}"
    else if !(host ? config) then
      throw "this is no NixOS configuration: it has no `config` (nixpkgs.lib.nixosSystem makes one)"
    else if !isAttrs host.config then
      throw "expected a set in `config`, but found ${typeOf host.config}"
    else
      host.config;

  isModule =
    value: isFunction value || isAttrs value || isPath value || (isString value && pathExists value);

  # The names in an attribute set, nested to `depth` levels.
  outline =
    depth: value:
    if !isAttrs value then
      throw "expected an attribute set here, but found ${typeOf value}"
    else if depth <= 1 then
      attrNames value
    else
      mapAttrs (_: outline (depth - 1)) value;

  # The name and version of a package, as `nix search` prints them.
  called =
    value:
    let
      parsed = parseDrvName (text (value.name or "?"));
    in
    {
      pname = text (value.pname or parsed.name);
      version = text (value.version or parsed.version);
    };

  # nixpkgs without its aliases.
  withoutAliases =
    set:
    import set.path {
      inherit (set.stdenv.hostPlatform) system;
      config.allowAliases = false;
      overlays = [ ];
    };

  # A package as the search index has it.
  describePackage =
    let
      optional = value: if isString value then clip 400 (text value) else null;
      licence =
        value:
        if isAttrs value then value.spdxId or value.shortName or value.fullName or null else optional value;
      each = value: if builtins.isList value then value else [ value ];
      first = list: if list == [ ] then null else elemAt list 0;
    in
    attr: value:
    let
      meta = value.meta or { };
    in
    called value
    // {
      inherit attr;
      description = clip 400 (text (meta.description or ""));
      program = optional (meta.mainProgram or null);
      licences = filter isString (map licence (each (meta.license or [ ])));
      homepage = optional (first (each (meta.homepage or [ ])));
      position = optional (meta.position or null);
      unfree = meta.unfree or false;
      broken = meta.broken or false;
      insecure = meta.insecure or false;
      unsupported = meta.unsupported or false;
    };

  attempt =
    fallback: value:
    let
      tried = tryEval (seq (toJSON value) value);
    in
    if tried.success then tried.value else fallback;

  pathOf = value: attempt null (if isDerivation value then text value.outPath else null);

  probes = parts: {
    names = outline 1;

    outline = outline 2;

    # The tree of a jobset: a set of trees, or null for a job.
    jobs =
      let
        below =
          depth: value:
          if !isAttrs value then
            throw "expected a job or a set of jobs here, but found ${typeOf value}"
          else if isDerivation value then
            null
          else if depth == 0 then
            throw "these jobs lie too deep"
          else
            mapAttrs (_: below (depth - 1)) value;
      in
      below 16;

    derivation =
      value:
      let
        found = derivationPath value;
      in
      seq (plainText "a derivation's `name`" (value.name or (throw "a derivation needs `name`"))) found;

    forced = value: seq value { };

    host =
      {
        system ? null,
      }:
      host:
      if system != null && platform host != null && platform host != system then
        { skipped = "its system is ${word (platform host)}"; }
      else
        derivationPath host.config.system.build.toplevel;

    disko =
      host:
      let
        config = parts.enter [ ] { } (configOf host);
      in
      seq config (
        disko parts (platform host) config
        // {
          places = parts.part [ "places" ] [ ] (disko_places host config);
        }
      );

    activation = home: derivationPath home.activationPackage;

    app =
      value:
      if !isAttrs value then
        throw "expected an app here, but found ${typeOf value}"
      else if value.type or null != "app" then
        throw "an app needs `type = \"app\"`"
      else if !isString (value.program or null) then
        throw "an app needs `program`, the path of what to run"
      else if value ? meta && !isAttrs value.meta then
        throw "an app's `meta` is a set, but this is ${typeOf value.meta}"
      else
        seq (plainText "an app's `type`" value.type) (
          seq (plainText "an app's `meta.description`" (value.meta.description or "")) (
            seq (only "an app" [ "type" "program" "meta" ] value) (
              if !(value ? meta) then
                { remark = "an app should have `meta`, with a `description`"; }
              else if !(value.meta ? description) then
                { remark = "an app's `meta` should have a `description`"; }
              else
                { }
            )
          )
        );

    module =
      value: if isModule value then { } else throw "expected a module here, but found ${typeOf value}";

    overlay =
      value:
      let
        taken = parameter value;
      in
      if !isFunction value then
        throw "an overlay is a function (final: prev: { … }), but this is ${typeOf value}"
      else if taken == null then
        throw "an overlay is a function of its own (final: prev: { … }), not one of Nix's"
      else if elemAt taken 0 == "attrspat" then
        throw "an overlay takes its arguments one by one (final: prev: { … }), not as a set"
      else if
        !elem (elemAt taken 1) [
          "final"
          "_final"
          "_"
        ]
      then
        throw "an overlay's first argument is called `final`, but here `${elemAt taken 1}`"
      else
        { };

    template =
      value:
      if !isAttrs value then
        throw "expected a template here, but found ${typeOf value}"
      else if !pathExists (value.path or (throw "a template needs `path`")) then
        throw "the template's `path` does not exist"
      else
        seq (plainText "a template's `description`" (value.description or null)) (
          seq (only "a template" [ "path" "description" "welcomeText" ] value) { }
        );

    function =
      value:
      if parameter value != null then
        { }
      else
        throw "expected a function of the flake's own here, but found ${typeOf value}";

    host_facts =
      host:
      let
        config = parts.enter [ ] { } (configOf host);
        fact = name: parts.part [ name ] null;
      in
      seq config {
        system = fact "system" (platform host);
        host_name = fact "host_name" (config.networking.hostName or null);
        state_version = fact "state_version" (config.system.stateVersion or null);
        target = fact "target" (config.pantheros.deploy.targetHost or null);
        tags = fact "tags" (config.pantheros.deploy.tags or null);
      };

    toplevel = host: text host.config.system.build.toplevel.outPath;

    deploy_facts =
      host:
      let
        config = parts.enter [ ] { } (configOf host);
      in
      seq config (facts {
        inherit config parts;
        options = host.options or { };
        pkgs = host.pkgs or { };
      });

    # All facts for a plan from one process, and so from one state of the flake. The parts are read in the order of their
    # names.
    proposal =
      host:
      let
        below =
          name:
          probes (
            mapAttrs (
              _: read: at:
              read ([ name ] ++ at)
            ) parts
          );
      in
      seq (configOf host) {
        built = parts.part [ "built" ] null ((probes parts).toplevel host);
        facts = (below "facts").deploy_facts host;
        place = (below "place").place host;
      };

    place =
      host:
      let
        config = parts.enter [ ] { } (configOf host);
        fact = name: parts.part [ name ] null;
      in
      seq config {
        target = fact "target" (config.pantheros.deploy.targetHost or null);
        user = fact "user" (config.pantheros.deploy.user or null);
        port = fact "port" (config.pantheros.deploy.port or null);
        host_name = fact "host_name" (config.networking.hostName or null);
        system = fact "system" (platform host);
      };

    # What a shell gets from a derivation in `inputsFrom`.
    build_inputs = value: {
      path = (derivationPath value).drv_path;
      native = map pathOf (value.nativeBuildInputs or [ ]);
      build = map pathOf (value.buildInputs or [ ]);
    };

    shell =
      { system }:
      shell:
      let
        whole = parts.enter [ ] null (
          if isDerivation shell then shell else throw "expected a derivation here, but found ${typeOf shell}"
        );
        lists =
          parts.enter [ "packages" ]
            {
              native = 0;
              inputs = [ ];
            }
            (
              let
                native = shell.nativeBuildInputs or [ ];
                inputs = native ++ (shell.buildInputs or [ ]);
              in
              seq (length inputs) {
                inherit inputs;
                native = length native;
              }
            );
        inherit (lists) inputs;
        # An output of the flake that is the package, among those with a name of the package.
        ownAttribute =
          value: path: pname:
          let
            fits =
              name: path != null && attempt false (pathOf (outputs.packages.${system}.${name} or null) == path);
            names = filter fits [
              pname
              (attempt "" (parseDrvName (text (value.name or "?"))).name)
              "default"
            ];
          in
          if names == [ ] then null else "packages.${system}.${elemAt names 0}";
        describe =
          index:
          let
            value = elemAt inputs index;
            at = [
              "packages"
              index
            ];
            name = parts.part at null (if isDerivation value then called value else null);
            path = pathOf value;
            more = parts.part (at ++ [ "more" ]) { } {
              attr = ownAttribute value path name.pname;
              main = attempt null (text (value.meta.mainProgram or ""));
              position = attempt null (text (value.meta.position or ""));
              inherit path;
              # A shell has the output `dev`; the programs are in `bin` or `out`.
              programs = attempt path (text (value.bin or value.out or value).outPath);
            };
          in
          if name == null then null else seq more (name // more // { inherit index; });
      in
      seq whole {
        derivation = parts.part [ "derivation" ] null (derivationPath shell);
        inputs = length inputs;
        inherit (lists) native;
        packages = filter (package: package != null) (genList describe (length inputs));
      };

    # A value of any type as a list of levels, those nearest to it first, since nothing bounds a value. A level has its
    # nodes, and `share`: the most nodes of the next level that are below each of them. A node has a name if it is in a set,
    # and either plain data, a marker, or the number of nodes below it. It names its place by the level, and then by its path,
    # so that the parts are read in order.
    value =
      {
        depth,
        nodes,
        bytes,
        positions ? false,
      }:
      value:
      let
        named =
          derivation:
          let
            name = tryEval (clip 200 (text derivation.name));
          in
          "«derivation${if name.success then " ${name.value}" else ""}»";
        leaf = shown: {
          inherit shown;
          below = [ ];
        };
        # What a value is, and the values in it. `seq` of the result reads nothing of these.
        open =
          level: place: value:
          let
            kind = typeOf value;
            names = attrNames value;
            within =
              count: below:
              let
                shown = if kind == "set" then { set = count; } else { list = count; };
              in
              {
                inherit shown;
                below = if level == depth then [ ] else below;
              };
          in
          if kind == "string" || kind == "path" then
            let
              all = text value;
            in
            leaf (
              {
                value = clip bytes all;
              }
              // (if stringLength all > bytes then { bytes = stringLength all; } else { })
            )
          else if kind == "lambda" then
            leaf { marker = "«function»"; }
          else if isDerivation value then
            leaf { marker = named value; }
          else if kind == "set" then
            within (length names) (
              map (name: {
                inherit name;
                place = place ++ [ name ];
                value = value.${name};
                position = if positions then unsafeGetAttrPos name value else null;
              }) names
            )
          else if kind == "list" then
            within (length value) (
              genList (index: {
                place = place ++ [ index ];
                value = elemAt value index;
              }) (length value)
            )
          else if kind == "null" || kind == "bool" || kind == "int" || kind == "float" then
            leaf { inherit value; }
          else
            leaf { marker = "«${kind}»"; };
        read =
          level: item:
          let
            opened = open level item.place item.value;
            # The value itself has no level: if it fails, so does the question.
            part = if level == 0 then [ ] else [ level ] ++ item.place;
            entered = parts.enter part (leaf { unread = true; }) (seq (toJSON opened.shown) opened);
            tried =
              if level == 0 then
                {
                  success = true;
                  value = entered;
                }
              else
                tryEval entered;
            found = if tried.success then tried.value else leaf { marker = "«throws»"; };
            position = item.position or null;
          in
          {
            inherit (found) below;
            node =
              found.shown
              // (if item ? name then { inherit (item) name; } else { })
              // (if position == null then { } else { position = { inherit (position) file line; }; });
          };
        first = most: list: if length list <= most then list else genList (elemAt list) most;
        levels =
          level: left: items:
          let
            opened = map (read level) items;
            holders = filter (one: one.below != [ ]) opened;
            share = if holders == [ ] then 0 else left / length holders;
            next = concatMap (one: first share one.below) opened;
          in
          [
            {
              inherit share;
              nodes = map (one: one.node) opened;
            }
          ]
          ++ (if next == [ ] then [ ] else levels (level + 1) (left - length next) next);
      in
      levels 0 nodes [
        {
          place = [ ];
          value = if own == null then value else own value;
        }
      ];

    # Every option of a host that is not internal, those of submodules included. An option in a submodule has the part "~"
    # before the names below it, so that it is read after the fields of the option itself. Hidden options are listed if they
    # stand for a renamed or removed option.
    options =
      { most }:
      host:
      let
        prose = value: clip 400 (if isAttrs value then text (value.text or "") else text value);
        show =
          value: if value ? _type && value ? text then prose value else clip 400 (toJSON (view 4 value));
        quote = name: if match "[^.\" ]+" name != null then name else "\"${name}\"";
        pathOf =
          path: option:
          concatStringsSep "." (
            map (name: quote (text name)) (if builtins.isList (option.loc or null) then option.loc else path)
          );
        kind =
          value:
          if !isAttrs value then
            "none"
          else if value._type or null != "option" then
            "set"
          else if value.internal or false then
            "internal"
          else
            "option";
        # lib/modules.nix describes an option that was renamed with these words.
        renamed =
          option:
          let
            named = match "Alias of .option.`([^`]+)`.*" (prose (option.description or ""));
          in
          if named == null then null else elemAt named 0;
        # An option that was removed fails with a message for whatever value it is given.
        removed =
          option: !(option ? description) && option ? apply && !(tryEval (option.apply null)).success;
        describe =
          at: path: option:
          let
            field = name: value: tryEval (parts.part (at ++ [ name ]) null value);
            hidden = fields.hidden.success && fields.hidden.value == true;
            fields = {
              declared_in = field "declared_in" (
                let
                  all = map text (option.declarations or [ ]);
                in
                genList (elemAt all) (if length all < 4 then length all else 4)
              );
              default = field "default" (
                if option ? defaultText then
                  show option.defaultText
                else if option ? default then
                  show option.default
                else
                  null
              );
              description = field "description" (prose (option.description or ""));
              example = field "example" (if option ? example then show option.example else null);
              # An option of which this cannot be read is shown.
              hidden = field "hidden" (option.visible or true == false);
              path = field "path" (pathOf path option);
              removed = field "removed" (hidden && removed option);
              target = field "target" (renamed option);
              type = field "type" (option.type.description or null);
            };
            thrown = filter (name: !fields.${name}.success && name != "hidden") (attrNames fields);
            described = {
              inherit thrown;
            }
            // mapAttrs (_: field: if field.success then field.value else null) (
              removeAttrs fields [ "hidden" ]
            )
            // (if fields.path.success && isString fields.path.value then { } else { path = pathOf path { }; });
          in
          # Read here, before the options after this one.
          seq (length thrown) (
            if hidden && described.target == null && described.removed != true then [ ] else [ described ]
          );
        # home-manager hides the options of users from the manual of NixOS, not from users.
        enters =
          path: option:
          (
            option.visible or true == true
            ||
              path == [
                "home-manager"
                "users"
              ]
          )
          && option ? type.getSubOptions;
        members =
          at: path: option:
          let
            here = at ++ [ "~" ];
            # Without a name, the options of the elements have the place of an element in their own `loc`.
            tried = tryEval (
              parts.enter here { } (
                if enters path option then
                  removeAttrs (option.type.getSubOptions (option.loc or path)) [ "_module" ]
                else
                  { }
              )
            );
          in
          if tried.success && isAttrs tried.value then below here path tried.value else [ ];
        below =
          at: path: set:
          concatMap (name: walk (at ++ [ name ]) (path ++ [ name ]) set.${name}) (
            filter (name: substring 0 1 name != "_") (attrNames set)
          );
        walk =
          at: path: value:
          let
            tried = tryEval (parts.enter at "none" (kind value));
          in
          if !tried.success then
            [
              {
                path = pathOf path { };
                thrown = [ "option" ];
              }
            ]
          else if length at >= 24 then
            [ ]
          else if tried.value == "option" then
            describe at path value ++ members at path value
          # As in the manual, the members of an internal submodule are not internal.
          else if tried.value == "internal" then
            members at path value
          else if tried.value == "set" then
            below at path value
          else
            [ ];
        all = walk [ ] [ ] host.options;
      in
      if length all > most then throw "the host has more than ${toString most} options" else all;

    # Fails with the message of an option that was removed.
    removal = option: seq (option.apply null) { };

    # The number of names of a package set, and, for nixpkgs, the names that exist without aliases (else null).
    package_names =
      set:
      let
        genuine = tryEval (
          parts.part [ "genuine" ] null (if set ? path then attrNames (withoutAliases set) else null)
        );
      in
      {
        genuine = if genuine.success then genuine.value else null;
        names = parts.part [ "names" ] 0 (length (attrNames set));
      };

    # The packages that a host's overlays define, as the host has them, with the place of the last definition.
    overlay_packages =
      { most }:
      host:
      let
        pkgs = host.pkgs or { };
        sets = map (overlay: overlay pkgs pkgs) (pkgs.overlays or [ ]);
        merged = foldl' (before: set: before // set) { } sets;
        names = attrNames merged;
        place =
          name:
          let
            position = unsafeGetAttrPos name merged;
          in
          if position == null then null else "${text position.file}:${toString position.line}";
        read =
          name:
          let
            package = tryEval (
              parts.part [ name ] null (
                if pkgs ? ${name} && isDerivation pkgs.${name} then
                  describePackage name pkgs.${name} // { defined_at = place name; }
                else
                  null
              )
            );
          in
          if !package.success then
            [
              {
                attr = name;
                thrown = true;
              }
            ]
          else if package.value == null then
            [ ]
          else
            [ package.value ];
      in
      if length names > most then
        throw "the overlays have more than ${toString most} names"
      else
        concatMap read (parts.enter [ ] [ ] names);

    # What nixpkgs' own list of aliases says of its names: the package that a name stands for, or the message of a removal.
    # The list is evaluated with packages that know their own path, and with a `throw` that returns its message.
    package_aliases =
      set:
      let
        file = set.path + "/pkgs/top-level/aliases.nix";
        mark =
          path: value:
          if isAttrs value then
            mapAttrs (name: mark (path ++ [ name ])) value // { __path = path; }
          else
            value;
        self = mapAttrs (name: mark [ name ]) set;
        list = scopedImport {
          throw = message: { __removed = text message; };
        } file set.lib self (withoutAliases set);
        describe =
          path: value:
          let
            name = concatStringsSep "." path;
          in
          if !isAttrs value then
            [ ]
          else if value ? __removed then
            [
              {
                inherit name;
                message = clip 600 value.__removed;
              }
            ]
          else if value ? __path then
            [
              {
                inherit name;
                target = concatStringsSep "." value.__path;
              }
            ]
          else if length path < 3 && !isDerivation value then
            concatMap (below: read (path ++ [ below ]) value.${below}) (attrNames value)
          else
            [ ];
        read =
          path: value:
          let
            tried = tryEval (parts.part path [ ] (describe path value));
          in
          if tried.success then tried.value else [ ];
      in
      if set ? path && set ? lib && pathExists file then
        concatMap (name: read [ name ] list.${name}) (attrNames list)
      else
        [ ];

    # The packages of these names in a package set, or of at most `most` of its names from the one with the number `from`:
    # names of thousands of packages would not fit in the argument of a process. Sets among them that are marked for
    # recursion are read, too, if they have at most `small` names, and are listed with the number of their names if not.
    # Names that throw are listed: nixpkgs replaces a removed package by an error.
    package_index =
      {
        names ? null,
        from ? 0,
        most ? 0,
        small ? 0,
        after ? "",
      }:
      set:
      let
        all = attrNames set;
        count = length all;
        end = if from + most < count then from + most else count;
        slice = genList (index: elemAt all (from + index)) (end - from);
        chosen = if names != null then names else filter (name: after < name) slice;
        # A set may contain itself.
        deepest = 4;
        kindOf =
          value:
          if !isAttrs value then
            { kind = "plain"; }
          else if isDerivation value then
            { kind = "package"; }
          else if value.recurseForDerivations or false == true then
            {
              kind = "set";
              names = length (attrNames value);
            }
          else
            { kind = "plain"; };
        read =
          above: set: name:
          let
            at = above ++ [ name ];
            kind = tryEval (
              parts.part at { kind = "unread"; } (
                if set ? ${name} then kindOf set.${name} else { kind = "missing"; }
              )
            );
            path = concatStringsSep "." at;
            package = tryEval (parts.part (at ++ [ "package" ]) null (describePackage path set.${name}));
            thrown = {
              kind = "thrown";
              inherit at;
            };
          in
          if !kind.success then
            [ thrown ]
          else if kind.value.kind == "unread" then
            [ ]
          else if kind.value.kind == "package" then
            if !package.success then
              [ thrown ]
            else if package.value == null then
              [ ]
            else
              [
                {
                  kind = "package";
                  package = package.value;
                }
              ]
          else if kind.value.kind == "set" && kind.value.names <= small && length at < deepest then
            [
              {
                kind = "plain";
                inherit at;
              }
            ]
            ++ concatMap (read at set.${name}) (attrNames set.${name})
          else
            [ (kind.value // { inherit at; }) ];
      in
      concatMap (read [ ] set) chosen;

    # What `nix search` finds in an output (src/nix/search.cc), without ending at the first package that fails.
    packages =
      { output, system }:
      flake:
      let
        kind =
          path: value:
          if !isAttrs value then
            if output == "packages" then throw "expected a package here" else "none"
          else if isDerivation value then
            "package"
          else if length path <= 2 || output == "legacyPackages" && value.recurseForDerivations or false then
            "set"
          else
            "none";
        # Below the output and the system.
        attrOf =
          path:
          if length path <= 2 then
            ""
          else
            concatStringsSep "." (genList (index: elemAt path (index + 2)) (length path - 2));
        # nixpkgs has attributes that throw on purpose.
        thrown =
          path:
          if output == "legacyPackages" then
            [ ]
          else
            [
              {
                attr = concatStringsSep "." path;
                thrown = true;
              }
            ];
        walk =
          path: value:
          let
            kindOf = tryEval (parts.enter path "none" (kind path value));
            described = tryEval (parts.part path null (describePackage (attrOf path) value));
          in
          if !kindOf.success then
            thrown path
          else if kindOf.value == "set" then
            concatMap (name: walk (path ++ [ name ]) value.${name}) (attrNames value)
          else if kindOf.value == "none" then
            [ ]
          else if described.success then
            [ described.value ]
          else
            thrown path;
        systems = tryEval (parts.enter [ output ] { } (flake.${output} or { }));
      in
      if !systems.success then
        thrown [ output ]
      else if systems.value ? ${system} then
        walk [
          output
          system
        ] systems.value.${system}
      else
        [ ];
  };

  select = foldl' (value: name: value.${name}) outputs;

  look =
    index:
    let
      question = elemAt questions index;
      parts = partsOf index question;
      probe =
        if question.probe == "own" then
          own
        else if question.probe == "own_in_parts" then
          own parts
        else
          (probes parts).${question.probe};
    in
    (if question ? argument then probe question.argument else probe) (select question.path);

  tell =
    index:
    say {
      inherit index;
      value = look index;
    };
in
if single then
  look 0
else
  foldl' (before: index: seq before (tell index)) true (genList (index: index) (length questions))
