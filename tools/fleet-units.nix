# The units and commands of each host, for tools/render-units: each systemd unit that a module of this flake defines or
# adds to, with the derivations that its text names, and the derivations of the commands that these modules give
# administrators.
outputs:
let
  inherit (builtins)
    attrNames
    concatMap
    filter
    getContext
    hasAttr
    head
    listToAttrs
    mapAttrs
    stringLength
    substring
    unsafeDiscardStringContext
    ;

  hosts = outputs.nixosConfigurations // {
    everything = outputs.checks.x86_64-linux.everything.host;
  };

  partsOf =
    { config, options, ... }:
    let
      # This flake's folder as the module system names it, found by a file that is in it.
      known = "/modules/core/deploy.nix";
      declared = head options.pantheros.deploy.targetHost.declarations;
      root = substring 0 (stringLength declared - stringLength known) declared;
      isOurs = file: substring 0 (stringLength root + 1) (toString file) == "${root}/";

      named =
        kind:
        concatMap (definition: map (name: "${name}.${kind}") (attrNames definition.value)) (
          filter (definition: isOurs definition.file) options.systemd."${kind}s".definitionsWithLocations
        );
      # home-manager makes a unit for each home.
      homes = filter (name: builtins.match "home-manager-.+\\.service" name != null) (
        attrNames config.systemd.units
      );
      defined = concatMap named [
        "path"
        "service"
        "socket"
        "target"
        "timer"
      ];
      # `startAt` of a service makes its timer.
      timers = map (name: builtins.replaceStrings [ ".service" ] [ ".timer" ] name) defined;
      # A conditional definition may define no unit on this host.
      names = filter (name: hasAttr name config.systemd.units) (homes ++ defined ++ timers);
      units = map (name: {
        inherit name;
        value =
          let
            inherit (config.systemd.units.${name}) text;
          in
          {
            text = unsafeDiscardStringContext text;
            derivations = attrNames (getContext text);
          };
      }) names;
    in
    {
      units = listToAttrs units;
      commands = map (package: package.drvPath) (
        concatMap (definition: definition.value) (
          filter (
            definition: isOurs definition.file
          ) options.environment.systemPackages.definitionsWithLocations
        )
      );
    };
in
mapAttrs (_: partsOf) hosts
