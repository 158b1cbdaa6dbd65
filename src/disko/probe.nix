# The values of a host's configuration that the server needs to check its disk layout.
#
# A function from the readers of parts (`partsOf` in src/flake/probes.nix), the host's platform and `config` to plain
# data. It needs neither nixpkgs nor disko, so that it also works on a flake whose hosts are bare attribute sets. A value
# that the configuration does not have is null. A part that fails becomes `{ _failed = true; }` when the question is
# asked again, so that the rest is still read.
parts: platform: config:
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    elemAt
    filter
    genList
    isAttrs
    isList
    isString
    length
    listToAttrs
    map
    match
    seq
    substring
    typeOf
    unsafeDiscardStringContext
    ;

  # Deep enough for real layouts (a device in a device takes two or three levels); ends at a value that contains itself.
  maxDepth = 40;

  failed = {
    _failed = true;
  };

  # Attributes whose attributes have names that the user chose. Other attributes are disko's options; those with an
  # underscore are internal (scripts, parents, generated configuration).
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
      # disko's entry for the root dataset of a pool
      name == "__root"
    else
      substring 0 1 name == "_" || (match ".*Hook" name != null && name != "postCreateHook");

  plainString = text: unsafeDiscardStringContext (toString text);

  clean =
    at: depth: inNames: value:
    let
      kind = typeOf value;
      whole = parts.part at null;
    in
    if depth > maxDepth then
      null
    else if kind == "set" then
      # Recognises a derivation by these: reading `type` would break the order of the parts.
      if value ? drvPath && value ? outPath then
        null
      else if value ? outPath then
        whole (plainString value)
      else
        cleanAttrs at depth inNames value
    else if kind == "list" then
      filter (item: item != null) (
        genList (index: cleanPart (at ++ [ index ]) (depth + 1) false (elemAt value index)) (length value)
      )
    else if kind == "path" || kind == "string" then
      whole (plainString value)
    else if kind == "lambda" then
      null
    else
      value;

  cleanPart =
    at: depth: inNames: value:
    let
      entered = parts.enter at failed value;
    in
    if entered ? _failed then failed else clean at depth inNames entered;

  cleanAttrs =
    at: depth: inNames: set:
    listToAttrs (
      concatMap (
        name:
        if dropped inNames name then
          [ ]
        else
          let
            value = cleanPart (at ++ [ name ]) (depth + 1) (!inNames && elem name named) set.${name};
          in
          if value == null || name == "postCreateHook" && value == "" then
            [ ]
          else
            [ { inherit name value; } ]
      ) (attrNames set)
    );

  # Reads a fact as one part.
  fact = at: parts.part at failed;

  string = value: if value == null then null else plainString value;

  loader = config.boot.loader or { };
  grub = loader.grub or null;
  initrd = config.boot.initrd or { };
  # A list of names, or a set of booleans.
  moduleNames =
    modules:
    if isList modules then
      filter isString modules
    else
      filter (name: modules.${name} == true) (attrNames modules);

  # Without the devices there is no answer, so they have the empty path, which stands for the whole answer.
  devices = parts.enter [ ] null (config.disko.devices or null);
in
seq devices {
  devices = if devices == null then null else cleanAttrs [ "devices" ] 0 false devices;

  # Whether disko's module sets the host's mounts; null without the module.
  enableConfig = fact [ "enableConfig" ] (config.disko.enableConfig or null);

  boot = {
    grub = fact [ "boot" "grub" ] (
      if grub == null then
        null
      else
        {
          enable = grub.enable or null;
          # NixOS adds `device` to `devices`; a bare attribute set may have both.
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
    systemdBoot = fact [ "boot" "systemdBoot" ] (loader.systemd-boot.enable or null);
    canTouchEfiVariables = fact [ "boot" "canTouchEfiVariables" ] (
      loader.efi.canTouchEfiVariables or null
    );
    efiSysMountPoint = fact [ "boot" "efiSysMountPoint" ] (
      string (loader.efi.efiSysMountPoint or null)
    );
    xbootldrMountPoint = fact [ "boot" "xbootldrMountPoint" ] (
      string (loader.systemd-boot.xbootldrMountPoint or null)
    );
    initrd = {
      systemd = fact [ "boot" "initrd" "systemd" ] (initrd.systemd.enable or null);
      secrets = fact [ "boot" "initrd" "secrets" ] (attrNames (initrd.secrets or { }));
      clevis = fact [ "boot" "initrd" "clevis" ] (attrNames (initrd.clevis.devices or { }));
      # Null without an initrd, and in a bare attribute set, to which no module adds the usual drivers.
      modules = fact [ "boot" "initrd" "modules" ] (
        if initrd ? availableKernelModules && initrd ? kernelModules && initrd.enable or true then
          moduleNames initrd.availableKernelModules ++ moduleNames initrd.kernelModules
        else
          null
      );
    };
  };

  fileSystems = fact [ "fileSystems" ] (
    if config ? fileSystems then
      listToAttrs (
        map (
          name:
          let
            entry = config.fileSystems.${name};
          in
          {
            # An entry may have any name and set `mountPoint`.
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

  swapDevices = fact [ "swapDevices" ] (
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

  # A configuration with `system = …` has no `nixpkgs.hostPlatform`.
  system = fact [ "system" ] (
    if platform != null then platform else string (config.nixpkgs.system or null)
  );
}
