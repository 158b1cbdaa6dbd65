# The facts of a host that deploy.sh needs before an installation, one a line: `name<TAB>value`.
# Evaluated as `nix eval FLAKE#nixosConfigurations.HOST --apply`.
host:
let
  inherit (builtins)
    attrValues
    concatMap
    concatStringsSep
    readFile
    replaceStrings
    toString
    unsafeDiscardStringContext
    ;
  inherit (host) config;

  deploy =
    config.pantheros.deploy
      or (throw "this host has no `pantheros.deploy`, so nothing says whether it can be deployed to safely; import `nixosModules.default`");

  # A value with a line break would read as two facts.
  line =
    name: value:
    "${name}\t${
      replaceStrings [ "\n" "\r" "\t" ] [ " " " " " " ] (unsafeDiscardStringContext (toString value))
    }";
  lines = name: map (line name);

  # The keys of a user who may log in, as `USER KEY`. A key file has one key a line.
  keysOf =
    user:
    let
      keys = user.openssh.authorizedKeys or { };
      inFile = file: builtins.filter builtins.isString (builtins.split "\n" (readFile file));
    in
    map (key: "${user.name} ${key}") (keys.keys or [ ] ++ concatMap inFile (keys.keyFiles or [ ]));
in
concatStringsSep "\n" (
  [
    (line "system" (config.nixpkgs.hostPlatform.system or host.pkgs.stdenv.hostPlatform.system))
    (line "host-name" config.networking.hostName)
    (line "address" (if deploy.targetHost == null then "" else deploy.targetHost))
    (line "user" deploy.user)
    (line "port" deploy.port)
    (line "build-on" deploy.buildOn)
  ]
  ++ lines "refusal" (map (refusal: refusal.message or refusal) deploy.refusals)
  ++ lines "disk" (map (disk: disk.device) (attrValues (config.disko.devices.disk or { })))
  ++ lines "key" (concatMap keysOf (attrValues config.users.users))
  ++ [
    # Last, because it evaluates everything, including the host's assertions.
    (line "toplevel" config.system.build.toplevel.drvPath)
  ]
)
