# What of a host's configuration decides how it is deployed, and whether it can be reached afterwards.
#
# A function from a host (`config`, and perhaps `pkgs`) to plain data. It needs no nixpkgs, so that it also
# works on hosts that are bare attribute sets. What a configuration does not have is null or empty.
# The server asks this of the flake, and `pantheros.deploy` puts the answer into every system it
# makes (/etc/pantheros/facts.json), where it can be read when the flake says something else.
host:
let
  inherit (builtins)
    any
    attrNames
    attrValues
    concatMap
    elem
    filter
    isList
    isPath
    isString
    length
    map
    mapAttrs
    pathExists
    readFile
    split
    tryEval
    unsafeDiscardStringContext
    ;
  inherit (host) config;

  # `value` where it can be had, otherwise `fallback`; catches what `throw` and `assert` raise.
  attempt =
    fallback: value:
    let
      tried = tryEval value;
    in
    if tried.success then tried.value else fallback;

  deploy = config.pantheros.deploy or { };
  fileSystems = config.fileSystems or { };
  firewall = config.networking.firewall or { };
  groups = config.users.groups or { };
  grub = config.boot.loader.grub or { };
  luks = config.boot.initrd.luks.devices or { };
  nftables = config.networking.nftables or { };
  secrets = config.services.onepassword-secrets or { };
  security = config.security or { };
  ssh = config.services.openssh or null;
  users = config.users.users or null;

  hasWord = word: text: length (split word text) > 1;
  words = text: filter (word: isString word && word != "") (split "[[:space:]]+" text);
  # Settings of sshd are lists, or text as in its own file.
  several =
    value:
    if isList value then
      value
    else if isString value then
      words value
    else
      null;
  setting = name: attempt null (ssh.settings.${name} or null);
  homeFile = file: hasWord "%h/" file || builtins.substring 0 1 file != "/";

  # What sudo is told, or null where there is none or it is not known.
  sudo =
    if security.sudo-rs.enable or false then
      security.sudo-rs
    else if security.sudo.enable or true then
      security.sudo or null
    else
      null;
  everything =
    rule:
    filter (command: command == "ALL" || (command.command or null) == "ALL") (rule.commands or [ ]);
  # Whether sudo asks this user for a password: as sudoers(5) says, the last rule that fits counts.
  becomesRoot =
    name: memberOf:
    let
      fits =
        rule:
        everything rule != [ ]
        && (elem name (rule.users or [ ]) || any (group: elem group memberOf) (rule.groups or [ ]));
      rules = filter fits sudo.extraRules;
      last = builtins.elemAt rules (length rules - 1);
    in
    if sudo == null then
      if security ? sudo then false else null
    else if sudo ? extraRules then
      if rules != [ ] && any (command: elem "NOPASSWD" (command.options or [ ])) (everything last) then
        true
      # Rules in text are not read here.
      else if hasWord "NOPASSWD" (sudo.extraConfig or "") then
        null
      else
        false
    else if sudo ? wheelNeedsPassword then
      elem "wheel" memberOf && !sudo.wheelNeedsPassword
    else
      null;

  user =
    name:
    let
      keys = users.${name}.openssh.authorizedKeys or { };
      files = keys.keyFiles or [ ];
      # Others may have to be built first.
      isRead = file: isPath file && pathExists file;
      memberOf =
        filter isString ([ (users.${name}.group or null) ] ++ users.${name}.extraGroups or [ ])
        ++ filter (group: elem name (groups.${group}.members or [ ])) (attrNames groups);
    in
    {
      inherit name;
      groups = memberOf;
      becomes_root = if name == "root" then true else attempt null (becomesRoot name memberOf);
      keys = map unsafeDiscardStringContext (
        (keys.keys or [ ])
        ++ concatMap (file: filter isString (split "\n" (readFile file))) (filter isRead files)
      );
      more_keys = any (file: !isRead file) files;
    };
  # A system's own users log in only where they have keys.
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

  tcp = interface: {
    ports = interface.allowedTCPPorts or [ ];
    ranges = map (range: { inherit (range) from to; }) (interface.allowedTCPPortRanges or [ ]);
  };

  # Without one of these a machine does not start up whole; fstab(5) has the names.
  needed =
    fileSystem:
    let
      options = fileSystem.options or [ ];
    in
    isString (fileSystem.device or null) && !elem "noauto" options && !elem "nofail" options;
in
{
  # Of these names and what they mean; src/deploy/facts.rs has it too.
  version = 1;
  system =
    let
      wanted = attempt null (config.nixpkgs.hostPlatform.system or null);
    in
    if wanted != null then wanted else attempt null (host.pkgs.stdenv.hostPlatform.system or null);
  host_name = attempt null (config.networking.hostName or null);
  state_version = attempt null (config.system.stateVersion or null);
  build_on = deploy.buildOn or null;
  rollback_timeout = deploy.rollbackTimeout or null;
  activation_timeout = deploy.activationTimeout or null;
  substitute_on_target = deploy.substituteOnTarget or null;
  reboot_on_failure = deploy.rebootOnFailure or null;
  health_checks = deploy.healthChecks or [ ];
  refusals = map (refusal: { inherit (refusal) code message; }) (deploy.refusals or [ ]);
  ssh =
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
        root_login = setting "PermitRootLogin";
        public_keys = setting "PubkeyAuthentication";
        methods = several (setting "AuthenticationMethods");
        allow_users = several (setting "AllowUsers");
        deny_users = several (setting "DenyUsers");
        allow_groups = several (setting "AllowGroups");
        deny_groups = several (setting "DenyGroups");
        # Text that may say otherwise, and is not read here.
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
        # Keys that no list of a user's holds: asked of a program, or signed by an authority.
        other_keys =
          !elem (ssh.authorizedKeysCommand or null) [
            null
            "none"
          ]
          || setting "TrustedUserCAKeys" != null;
      };
  firewall =
    if firewall ? allowedTCPPorts && firewall.enable or true then
      tcp firewall
      // {
        interfaces = mapAttrs (_: tcp) (firewall.interfaces or { });
        trusted = firewall.trustedInterfaces or [ ];
        rules = firewall.extraCommands or "" != "" || firewall.extraInputRules or "" != "";
      }
    # A table that somebody else wrote.
    else if nftables.enable or false then
      {
        rules = true;
      }
    else
      null;
  users = if users == null then null else map user (filter logsIn (attrNames users));
  file_systems = attempt [ ] (
    map (each: unsafeDiscardStringContext each.device) (
      filter needed (attrValues fileSystems)
      ++ filter (each: isString (each.device or null)) (attrValues luks)
    )
  );
  boot_devices = attempt [ ] (
    if grub.enable or true then filter (device: device != "nodev") (grub.devices or [ ]) else [ ]
  );
  token_file =
    if secrets.enable or false then unsafeDiscardStringContext (toString secrets.tokenFile) else null;
}
