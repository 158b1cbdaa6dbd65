# What is asked of a flake's outputs. Evaluated as `nix eval FLAKE#. --apply`, never written to disk.
#
# Every question names an attribute and a probe. The answer leaves as a trace, one line each, as
# soon as it is known: where a later question fails, the earlier answers are kept, and it is clear
# which one failed. `marker` is random, so that nothing a configuration traces itself is mistaken
# for an answer.
{
  marker,
  single,
  questions,
  disko,
  facts,
}:
outputs:
let
  inherit (builtins)
    attrNames
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    hasContext
    isAttrs
    isFunction
    isPath
    isString
    length
    map
    mapAttrs
    match
    parseDrvName
    pathExists
    replaceStrings
    seq
    substring
    stringLength
    toJSON
    toXML
    trace
    tryEval
    typeOf
    unsafeDiscardStringContext
    ;

  text = value: unsafeDiscardStringContext (toString value);

  # `value` where it can be had, otherwise `fallback`; catches what `throw` and `assert` raise.
  attempt =
    fallback: value:
    let
      tried = tryEval value;
    in
    if tried.success then tried.value else fallback;

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

  # What Nix takes for a name or a description: text that needs nothing built.
  plainText =
    what: value:
    if !isString value then
      throw "${what} is text, but this is ${typeOf value}"
    else if hasContext value then
      throw "${what} is text that names no store path"
    else
      true;

  # A set of Nix's own with no other attributes than these.
  only =
    what: known: value:
    let
      unknown = filter (name: !elem name known) (attrNames value);
    in
    if unknown == [ ] then true else throw "${what} has no attribute `${elemAt unknown 0}`";

  # How a function takes its argument, as `toXML` shows it; null where it is none, or one of Nix's own.
  parameter =
    value:
    if isFunction value then
      match ".*<function[^>]*> *<(attrspat|varpat name=\"([^\"]*)\").*" (
        replaceStrings [ "\n" ] [ " " ] (substring 0 300 (toXML value))
      )
    else
      null;

  platform =
    host: host.config.nixpkgs.hostPlatform.system or host.pkgs.stdenv.hostPlatform.system or null;

  isModule =
    value: isFunction value || isAttrs value || isPath value || (isString value && pathExists value);

  # The names below an attribute set, and below each of those where `depth` says so.
  outline =
    depth: value:
    if !isAttrs value then
      throw "expected an attribute set here, but found ${typeOf value}"
    else if depth <= 1 then
      attrNames value
    else
      mapAttrs (_: outline (depth - 1)) value;

  package =
    value:
    if isDerivation value then
      let
        named = value.pname or (parseDrvName (value.name or "?")).name;
        version = value.version or (parseDrvName (value.name or "?")).version;
      in
      if version == "" then named else "${named} ${version}"
    else
      "";

  probes = {
    host_names = outputs: attrNames (outputs.nixosConfigurations or { });

    names = outline 1;

    outline = outline 2;

    # All that is below a jobset: a set of the same, or null for a job.
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
        { skipped = "its system is ${platform host}"; }
      else
        derivationPath host.config.system.build.toplevel;

    disko = host: disko host.config;

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
            seq (only "an app" [ "type" "program" "meta" ] value) { }
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
      else if !elem (elemAt taken 1) [ "final" "_final" "_" ] then
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
        deploy =
          if isAttrs host && host ? config then
            host.config.pantheros.deploy or { }
          else
            throw "expected a NixOS configuration here, but found ${typeOf host}${
              if isAttrs host then " without `config`" else ""
            }";
      in
      {
        system = attempt null (platform host);
        host_name = attempt null (host.config.networking.hostName or null);
        state_version = attempt null (host.config.system.stateVersion or null);
        target = attempt null (deploy.targetHost or null);
        # Whoever asks for a tag has to be told of a host whose tags cannot be had.
        tags = deploy.tags or [ ];
      };

    toplevel = host: text host.config.system.build.toplevel.outPath;

    deploy_facts = facts;

    place =
      host:
      let
        deploy = host.config.pantheros.deploy or { };
      in
      {
        target = deploy.targetHost or null;
        user = deploy.user or null;
        port = deploy.port or null;
        host_name = attempt null (host.config.networking.hostName or null);
        system = attempt null (platform host);
      };

    shell =
      shell:
      let
        parts = filter (part: part != null) (
          (shell.nativeBuildInputs or [ ]) ++ (shell.buildInputs or [ ])
        );
      in
      derivationPath shell // { packages = filter (name: name != "") (map package parts); };

    options =
      { most }:
      host:
      let
        clip = value: if stringLength value > 400 then "${substring 0 400 value}…" else value;
        prose = value: if isAttrs value then value.text or "" else text value;
        show =
          value:
          let
            shown = tryEval (toJSON value);
          in
          if value ? _type && value ? text then
            clip value.text
          else if shown.success then
            clip shown.value
          else
            null;
        describe = name: option: {
          inherit name;
          type = attempt null (option.type.description or null);
          description = attempt "" (clip (prose (option.description or "")));
          default = attempt null (
            if option ? defaultText then
              show option.defaultText
            else if option ? default && !isFunction option.default && !isDerivation option.default then
              show option.default
            else
              null
          );
        };
        walk =
          path: depth: value:
          if depth > 24 || !isAttrs value then
            [ ]
          else if value._type or null == "option" then
            if attempt true (value.internal or false) || !(attempt true (value.visible or true != false)) then
              [ ]
            else
              [ (describe (concatStringsSep "." path) value) ]
          else
            builtins.concatMap (
              name:
              if substring 0 1 name == "_" then
                [ ]
              else
                attempt [ ] (walk (path ++ [ name ]) (depth + 1) value.${name})
            ) (attrNames value);
        all = walk [ ] 0 host.options;
      in
      if length all > most then throw "the host has more than ${toString most} options" else all;
  };

  select = foldl' (value: name: value.${name}) outputs;

  look =
    index:
    let
      question = elemAt questions index;
      probe =
        if question ? argument then
          probes.${question.probe} question.argument
        else
          probes.${question.probe};
    in
    probe (select question.path);

  tell =
    index:
    trace "${marker} ${
      toJSON {
        inherit index;
        value = look index;
      }
    }" true;
in
if single then
  look 0
else
  foldl' (before: index: seq before (tell index)) true (
    builtins.genList (index: index) (length questions)
  )
