# The facts of a host's configuration that decide how it is deployed, and whether it can be reached afterwards.
#
# A function from a host (`config`, and optionally `options` and `pkgs`) to plain data. It needs no nixpkgs, so that it
# also works on hosts that are bare attribute sets. A value that the configuration does not set is null or empty. A
# value that cannot be read is null or empty as well, and its path is in `unread`.
# The server evaluates this for the flake. `pantheros.deploy` also puts the answer into every system
# (/etc/pantheros/facts.json), where it can be read after the flake has changed.
let
  inherit (builtins)
    any
    attrNames
    attrValues
    concatMap
    elem
    filter
    isAttrs
    isList
    isPath
    isString
    length
    map
    mapAttrs
    pathExists
    readFile
    removeAttrs
    seq
    split
    substring
    toJSON
    tryEval
    unsafeDiscardStringContext
    ;

  deep = value: seq (toJSON value) value;

  # The readers for the facts in a system. They are evaluated once, so errors of `throw` and `assert` are caught and
  # their reasons are lost. The server passes `partsOf` of src/flake/probes.nix instead. An error of the part with the
  # empty path is not caught, because all facts depend on it.
  alone =
    let
      attempt =
        at: fallback: value:
        let
          tried = tryEval value;
        in
        if at == [ ] || tried.success then value else fallback;
    in
    {
      enter = attempt;
      part =
        at: fallback: value:
        attempt at fallback (deep value);
    };

  # Stands for a part that was not read, until `settle` replaces it with `fallback`.
  failed = at: fallback: {
    _type = "unread fact";
    inherit at fallback;
  };
  isFailed = value: isAttrs value && value._type or null == "unread fact";
  settle =
    value:
    if isFailed value then
      value.fallback
    else if isAttrs value then
      mapAttrs (_: settle) value
    else if isList value then
      map settle value
    else
      value;
  failures =
    value:
    if isFailed value then
      [ value.at ]
    else if isAttrs value then
      concatMap failures (attrValues value)
    else if isList value then
      concatMap failures value
    else
      [ ];

  hasWord = word: text: length (split word text) > 1;
  words = text: filter (word: isString word && word != "") (split "[[:space:]]+" text);
  # Settings of sshd are lists, or text as in sshd_config.
  several =
    value:
    if isList value then
      value
    else if isString value then
      words value
    else
      null;
  homeFile = file: hasWord "%h/" file || substring 0 1 file != "/";

  tcp = interface: {
    ports = interface.allowedTCPPorts or [ ];
    ranges = map (range: { inherit (range) from to; }) (interface.allowedTCPPortRanges or [ ]);
  };

  # Whether a machine without this file system does not boot completely (fstab(5) has the options).
  needed =
    fileSystem:
    let
      options = fileSystem.options or [ ];
    in
    isString (fileSystem.device or null) && !elem "noauto" options && !elem "nofail" options;

  everything =
    rule:
    filter (command: command == "ALL" || (command.command or null) == "ALL") (rule.commands or [ ]);
in
{
  config,
  options ? { },
  pkgs ? { },
  parts ? alone,
}:
let
  # A part that is read whole.
  whole =
    at: fallback: value:
    parts.part at (failed at fallback) value;
  # A part that `inner` converts, and that has parts of its own.
  within =
    at: fallback: value: inner:
    let
      entered = parts.enter at (failed at fallback) (deep value);
    in
    if isFailed entered then entered else inner entered;

  deploy = config.pantheros.deploy or { };
  firewall = config.networking.firewall or { };
  groups = config.users.groups or { };
  grub = config.boot.loader.grub or { };
  nftables = config.networking.nftables or { };
  secrets = config.services.onepassword-secrets or { };
  security = config.security or { };
  ssh = config.services.openssh or null;
  users = config.users.users or null;

  # `nixpkgs.hostPlatform` has no default: a configuration made with `system = …` does not define it.
  platform =
    let
      isDefined = options.nixpkgs.hostPlatform.isDefined or (config ? nixpkgs.hostPlatform);
      wanted = config.nixpkgs.hostPlatform;
      given = pkgs.stdenv.hostPlatform.system or null;
    in
    if !isDefined then
      given
    else if isString wanted then
      wanted
    else
      wanted.system or given;

  setting = name: ssh.settings.${name} or null;

  # The settings of sudo; null if they cannot be read. `is_known` is false if the configuration has no such options.
  sudo = whole [ "sudo" ] null (
    let
      told =
        if security.sudo-rs.enable or false then
          security.sudo-rs
        else if security.sudo.enable or true then
          security.sudo or null
        else
          null;
    in
    if told == null then
      { is_known = security ? sudo; }
    else
      {
        is_known = true;
        is_there = true;
        rules = told.extraRules or null;
        text = told.extraConfig or "";
        wheel = if told ? wheelNeedsPassword then !told.wheelNeedsPassword else null;
      }
  );
  # Whether this user becomes root without a password; null if unknown. The last matching rule applies (sudoers(5)).
  becomesRoot =
    name: memberOf:
    let
      fits =
        rule:
        everything rule != [ ]
        && (elem name (rule.users or [ ]) || any (group: elem group memberOf) (rule.groups or [ ]));
      rules = filter fits sudo.rules;
      last = builtins.elemAt rules (length rules - 1);
    in
    if isFailed sudo then
      null
    else if !(sudo ? is_there) then
      if sudo.is_known then false else null
    else if sudo.rules != null then
      if rules != [ ] && any (command: elem "NOPASSWD" (command.options or [ ])) (everything last) then
        true
      # Rules in text are not parsed.
      else if hasWord "NOPASSWD" sudo.text then
        null
      else
        false
    else if sudo.wheel != null then
      elem "wheel" memberOf && sudo.wheel
    else
      null;

  user =
    members: name:
    let
      keys = users.${name}.openssh.authorizedKeys or { };
      files = keys.keyFiles or [ ];
      # Other files may have to be built first.
      isRead = file: isPath file && pathExists file;
      memberOf =
        filter isString ([ (users.${name}.group or null) ] ++ users.${name}.extraGroups or [ ])
        ++ filter (group: elem name members.${group}) (attrNames members);
    in
    {
      inherit name;
      groups = memberOf;
      becomes_root = if name == "root" then true else becomesRoot name memberOf;
      keys = map unsafeDiscardStringContext (
        (keys.keys or [ ])
        ++ concatMap (file: filter isString (split "\n" (readFile file))) (filter isRead files)
      );
      more_keys = any (file: !isRead file) files;
    };
  # System users can log in only if they have keys.
  logsIn =
    name:
    let
      keys = users.${name}.openssh.authorizedKeys or { };
    in
    users.${name}.enable or true
    && (
      name == "root"
      || users.${name}.isNormalUser or false
      || keys.keys or [ ] != [ ]
      || keys.keyFiles or [ ] != [ ]
    );

  # The options of the deployment. If they cannot be read, there are no facts at all.
  steps = parts.enter [ ] { } (deep {
    build_on = deploy.buildOn or null;
    rollback_timeout = deploy.rollbackTimeout or null;
    activation_timeout = deploy.activationTimeout or null;
    substitute_on_target = deploy.substituteOnTarget or null;
    reboot_on_failure = deploy.rebootOnFailure or null;
    health_checks = deploy.healthChecks or [ ];
    refusals = map (refusal: { inherit (refusal) code message; }) (deploy.refusals or [ ]);
  });

  read = {
    inherit sudo;
    system = whole [ "system" ] null platform;
    host_name = whole [ "host_name" ] null (config.networking.hostName or null);
    state_version = whole [ "state_version" ] null (config.system.stateVersion or null);
    ssh =
      within [ "ssh" ] null
        (
          if ssh == null then
            null
          else
            {
              enable = ssh.enable or false;
              ports = ssh.ports or [ 22 ];
              listens = map (listen: {
                address = listen.addr or "";
                port = listen.port or null;
              }) (ssh.listenAddresses or [ ]);
              # This text may restrict logins, and is not parsed.
              unread = any (name: hasWord name (ssh.extraConfig or "")) [
                "AllowGroups"
                "AllowUsers"
                "AuthenticationMethods"
                "AuthorizedKeys"
                "DenyGroups"
                "DenyUsers"
                "ListenAddress"
                "PermitRootLogin"
                "PubkeyAuthentication"
              ];
              home_keys = any homeFile (ssh.authorizedKeysFiles or [ ]);
            }
        )
        (
          read:
          let
            told = name: value: whole [ "ssh" name ] null value;
          in
          if read == null then
            null
          else
            read
            // {
              root_login = told "root_login" (setting "PermitRootLogin");
              public_keys = told "public_keys" (setting "PubkeyAuthentication");
              methods = told "methods" (several (setting "AuthenticationMethods"));
              allow_users = told "allow_users" (several (setting "AllowUsers"));
              deny_users = told "deny_users" (several (setting "DenyUsers"));
              allow_groups = told "allow_groups" (several (setting "AllowGroups"));
              deny_groups = told "deny_groups" (several (setting "DenyGroups"));
              # Keys that are in no list of a user: from a program, or signed by an authority.
              other_keys = whole [ "ssh" "other_keys" ] true (
                !elem (ssh.authorizedKeysCommand or null) [
                  null
                  "none"
                ]
                || setting "TrustedUserCAKeys" != null
              );
            }
        );
    firewall = whole [ "firewall" ] null (
      if firewall ? allowedTCPPorts && firewall.enable or true then
        tcp firewall
        // {
          interfaces = mapAttrs (_: tcp) (firewall.interfaces or { });
          trusted = firewall.trustedInterfaces or [ ];
          rules = firewall.extraCommands or "" != "" || firewall.extraInputRules or "" != "";
        }
      # A custom table.
      else if nftables.enable or false then
        {
          rules = true;
        }
      else
        null
    );
    users =
      within [ "users" ] null
        (
          if users == null then
            null
          else
            {
              names = attrNames users;
              members = mapAttrs (_: group: group.members or [ ]) groups;
            }
        )
        (
          shared:
          if shared == null then
            null
          else
            map (
              name:
              whole [ "users" name ] {
                inherit name;
                more_keys = true;
              } (if logsIn name then user shared.members name else null)
            ) shared.names
        );
    file_systems =
      let
        each =
          under: needed: all:
          within under [ ] (attrNames all) (
            map (
              name:
              whole (under ++ [ name ]) null (
                if needed all.${name} then unsafeDiscardStringContext all.${name}.device else null
              )
            )
          );
      in
      {
        mounted = each [ "file_systems" "mounted" ] needed (config.fileSystems or { });
        unlocked = each [ "file_systems" "unlocked" ] (each: isString (each.device or null)) (
          config.boot.initrd.luks.devices or { }
        );
      };
    boot_devices = whole [ "boot_devices" ] [ ] (
      if grub.enable or true then filter (device: device != "nodev") (grub.devices or [ ]) else [ ]
    );
    token_file = whole [ "token_file" ] null (
      if secrets.enable or false then unsafeDiscardStringContext (toString secrets.tokenFile) else null
    );
  };

  present = filter (value: value != null);
  facts = settle (removeAttrs read [ "sudo" ]);
  # Visits all parts in the order of their paths, which is therefore the order in which they are read.
  unread = failures read;
in
seq steps (
  seq (length unread) steps
  // facts
  // {
    # The version of these names and their meaning; the same as in src/deploy/propose/facts.rs.
    version = 2;
    users = if facts.users == null then null else present facts.users;
    file_systems = present (facts.file_systems.mounted ++ facts.file_systems.unlocked);
    # Each is a path: a list of names.
    inherit unread;
  }
)
