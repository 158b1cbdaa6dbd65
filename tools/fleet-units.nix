# What tools/render-units writes down: by host, each systemd unit that a module of this flake defines or adds to, with the
# derivations its text names, and the derivations of the commands that modules of this flake give administrators.
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
      # This flake's folder as the module system names it, from a file that is known to be in it.
      known = "/modules/core/deploy.nix";
      declared = head options.pantheros.deploy.targetHost.declarations;
      root = substring 0 (stringLength declared - stringLength known) declared;
      isOurs = file: substring 0 (stringLength root + 1) (toString file) == "${root}/";

      named =
        kind:
        concatMap (definition: map (name: "${name}.${kind}") (attrNames definition.value)) (
          filter (definition: isOurs definition.file) options.systemd."${kind}s".definitionsWithLocations
        );
      # home-manager makes one for each home of ours.
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
      # A definition may be conditional, and then it is no unit here.
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
