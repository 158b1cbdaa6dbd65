# What the server reads of one host's configuration to judge its disk layout.
#
# A function from `config` to plain data. It needs neither nixpkgs nor disko, so that it also works on
# a flake whose hosts are bare attribute sets. Everything is optional: what a configuration does not
# have is null. An attribute that throws becomes `{ _failed = true; }`, so that the rest is still read;
# `abort`, type errors and missing attributes cannot be caught and fail the evaluation, as they should.
config:
let
  inherit (builtins)
    attrNames
    concatMap
    deepSeq
    elem
    filter
    isAttrs
    isFunction
    isList
    isString
    listToAttrs
    map
    match
    substring
    tryEval
    typeOf
    unsafeDiscardStringContext
    ;

  # Deep enough for any real nesting (every device below a device takes two or three levels),
  # and a stop for a value that contains itself.
  maxDepth = 40;

  failed = {
    _failed = true;
  };

  # Attributes whose own attributes are names that people chose; elsewhere they are disko's options,
  # of which those with an underscore are its internals (scripts, parents, generated configuration).
  named = [
    "bcachefs_filesystems"
    "datasets"
    "disk"
    "lvm_vg"
    "lvs"
    "mdadm"
    "nodev"
    "options"
    "partitions"
    "rootFsOptions"
    "settings"
    "subvolumes"
    "swap"
    "zpool"
  ];

  dropped =
    inNames: name:
    if inNames then
      # disko's own entry for the root dataset of a pool
      name == "__root"
    else
      substring 0 1 name == "_" || (match ".*Hook" name != null && name != "postCreateHook");

  plainString = text: unsafeDiscardStringContext (toString text);

  clean =
    depth: inNames: value:
    let
      kind = typeOf value;
    in
    if depth > maxDepth then
      null
    else if kind == "set" then
      if (tryEval (value.type or null == "derivation")).value then
        null
      else if value ? outPath then
        plainString value
      else
        cleanAttrs depth inNames value
    else if kind == "list" then
      map (cleanCaught (depth + 1) false) (filter (item: !isFunction (caught null item)) value)
    else if kind == "path" || kind == "string" then
      plainString value
    else if kind == "lambda" then
      null
    else
      value;

  caught =
    fallback: value:
    let
      attempt = tryEval value;
    in
    if attempt.success then attempt.value else fallback;

  cleanCaught =
    depth: inNames: value:
    let
      attempt = tryEval value;
    in
    if attempt.success then clean depth inNames attempt.value else failed;

  cleanAttrs =
    depth: inNames: set:
    listToAttrs (
      concatMap (
        name:
        if dropped inNames name then
          [ ]
        else
          let
            value = cleanCaught (depth + 1) (!inNames && elem name named) set.${name};
          in
          if value == null || name == "postCreateHook" && value == "" then
            [ ]
          else
            [ { inherit name value; } ]
      ) (attrNames set)
    );

  # A fact that is read whole or not at all.
  fact =
    value:
    let
      attempt = tryEval (deepSeq value value);
    in
    if attempt.success then attempt.value else failed;

  string = value: if value == null then null else plainString value;

  loader = config.boot.loader or { };
  grub = loader.grub or null;
  initrd = config.boot.initrd or { };
  platform = caught null (config.nixpkgs.hostPlatform or null);
in
{
  devices =
    let
      devices = config.disko.devices or null;
    in
    if devices == null then null else cleanAttrs 0 false devices;

  # Whether disko's module sets the host's mounts; null where there is no such module.
  enableConfig = fact (config.disko.enableConfig or null);

  boot = {
    grub = fact (
      if grub == null then
        null
      else
        {
          enable = grub.enable or null;
          # Both in a bare attribute set; NixOS folds the first into the second.
          devices =
            let
              devices = map string (grub.devices or [ ]);
              device = string (grub.device or "");
            in
            if device == "" || elem device devices then devices else [ device ] ++ devices;
          efiSupport = grub.efiSupport or null;
          efiInstallAsRemovable = grub.efiInstallAsRemovable or null;
          enableCryptodisk = grub.enableCryptodisk or null;
          mirroredBoots = map (boot: {
            devices = map string (boot.devices or [ ]);
            path = string (boot.path or null);
            efiSysMountPoint = string (boot.efiSysMountPoint or null);
          }) (grub.mirroredBoots or [ ]);
        }
    );
    systemdBoot = fact (loader.systemd-boot.enable or null);
    canTouchEfiVariables = fact (loader.efi.canTouchEfiVariables or null);
    efiSysMountPoint = fact (string (loader.efi.efiSysMountPoint or null));
    xbootldrMountPoint = fact (string (loader.systemd-boot.xbootldrMountPoint or null));
    initrd = {
      systemd = fact (initrd.systemd.enable or null);
      secrets = fact (attrNames (initrd.secrets or { }));
      clevis = fact (attrNames (initrd.clevis.devices or { }));
    };
  };

  fileSystems = fact (
    if config ? fileSystems then
      listToAttrs (
        map (
          name:
          let
            entry = config.fileSystems.${name};
          in
          {
            # NixOS lets an entry be called anything and say where it is mounted.
            name = entry.mountPoint or name;
            value = {
              device =
                if (entry.device or null) != null then
                  string entry.device
                else if (entry.label or null) != null then
                  "/dev/disk/by-label/${string entry.label}"
                else
                  null;
              fsType = string (entry.fsType or null);
              options = filter isString (entry.options or [ ]);
              neededForBoot = entry.neededForBoot or null;
            };
          }
        ) (attrNames config.fileSystems)
      )
    else
      null
  );

  swapDevices = fact (
    if isList (config.swapDevices or null) then
      map (swap: {
        device = string (swap.device or null);
        randomEncryption =
          let
            setting = swap.randomEncryption or null;
          in
          if isAttrs setting then setting.enable or null else setting;
      }) config.swapDevices
    else
      null
  );

  system = fact (
    if isString platform then platform else platform.system or (string (config.nixpkgs.system or null))
  );
}
