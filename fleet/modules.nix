# The NixOS modules by name, found by listing their folders: a new file is a new module.
let
  inherit (builtins)
    attrNames
    filter
    listToAttrs
    match
    readDir
    ;

  # NAME.nix or NAME/default.nix, as `{ NAME = path; }`.
  listed =
    folder:
    let
      entries = readDir folder;
      isModule = name: entries.${name} == "directory" || match ".+\\.nix" name != null;
      nameOf = entry: builtins.head (match "([^.]+)(\\.nix)?" entry);
    in
    listToAttrs (
      map (entry: {
        name = nameOf entry;
        value = folder + "/${entry}";
      }) (filter isModule (attrNames entries))
    );

  core = listed ../modules/core;
  services = listed ../modules/services;
  hardware = listed ../modules/hardware;
  profiles = listed ../modules/profiles;
in
{
  inherit
    core
    services
    hardware
    profiles
    ;

  # The modules that every host of this fleet imports. Most do nothing until they are enabled.
  all = builtins.concatMap builtins.attrValues [
    core
    services
    hardware
    profiles
  ];
}
