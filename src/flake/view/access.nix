# Who can log in, how, and who can become root.
{
  attempt,
  decided,
  host,
  isOn,
  names,
  ownPlace,
  text,
  valueOr,
  ...
}:
let
  inherit (builtins)
    any
    attrNames
    concatLists
    concatMap
    elem
    filter
    isAttrs
    isList
    isString
    match
    ;

  users = valueOr { } (names "users.users");
  groups = valueOr { } (names "users.groups");
  setting = name: names "services.openssh.settings.${name}";
  sshd = isOn (names "services.openssh.enable");
  withPlace = row: place: row // (if place == null then { } else place);
  several =
    value:
    if isList value then
      map text value
    else if isString value then
      filter isString (builtins.split "[[:space:]]+" value)
    else
      [ ];

  # --- becoming root ------------------------------------------------------------------------------------------------

  membersOf =
    name:
    filter isString ([ (users.${name}.group or null) ] ++ users.${name}.extraGroups or [ ])
    ++ filter (group: elem name (groups.${group}.members or [ ])) (attrNames groups);
  isAll = command: command == "ALL" || isAttrs command && command.command or null == "ALL";
  without = command: isAttrs command && elem "NOPASSWD" (command.options or [ ]);
  sudo = filter (name: isOn (names "security.${name}.enable")) [
    "sudo"
    "sudo-rs"
  ];
  bySudo =
    user: memberOf: name:
    let
      at = field: names "security.${name}.${field}";
      wheel =
        if elem "wheel" memberOf then
          if valueOr true (at "wheelNeedsPassword") then
            [ "${name} with a password (wheel)" ]
          else
            [ "${name} without a password (wheel)" ]
        else
          [ ];
      fits = rule: elem user (rule.users or [ ]) || any (group: elem group memberOf) (rule.groups or [ ]);
      asking = commands: if any without commands then "without a password" else "with a password";
      # A single command may be enough to become root.
      some =
        commands:
        let
          first = builtins.head commands;
        in
        {
          way = "${name} ${asking commands}";
          command = text (first.command or first);
          more = builtins.length commands - 1;
        };
      rules = concatMap (
        rule:
        let
          commands = rule.commands or [ ];
          every = filter isAll commands;
        in
        if !fits rule || commands == [ ] || rule.groups or [ ] == [ "wheel" ] && every != [ ] then
          [ ]
        else if every != [ ] then
          [ "${name} ${asking every} (extraRules)" ]
        else
          [ (some commands) ]
      ) (valueOr [ ] (at "extraRules"));
    in
    wheel ++ rules;
  byDoas =
    user: memberOf:
    if !(isOn (names "security.doas.enable")) then
      [ ]
    else
      concatMap (
        rule:
        if
          (elem user (rule.users or [ ]) || any (group: elem group memberOf) (rule.groups or [ ]))
          && rule.cmd or null == null
        then
          [ (if rule.noPass or false then "doas without a password" else "doas with a password") ]
        else
          [ ]
      ) (valueOr [ ] (names "security.doas.extraRules"));
  # Groups whose members can do everything on the machine.
  strongGroups = {
    docker = "virtualisation.docker.enable";
    incus-admin = "virtualisation.incus.enable";
    lxd = "virtualisation.lxd.enable";
    disk = null;
    shadow = null;
  };
  byGroup =
    memberOf:
    concatMap (
      group:
      if elem group memberOf && (strongGroups.${group} == null || isOn (names strongGroups.${group})) then
        [ "the group ${group}" ]
      else
        [ ]
    ) (attrNames strongGroups);
  trusted = several (valueOr [ ] (names "nix.settings.trusted-users"));
  byNix =
    user: memberOf:
    if
      user != "root"
      && (elem user trusted || elem "*" trusted || any (group: elem "@${group}" trusted) memberOf)
    then
      [ "nix (trusted-users)" ]
    else
      [ ];

  # --- users --------------------------------------------------------------------------------------------------------

  passwordOf =
    user:
    let
      isHash = value: value != null && match "[!*].*" value == null && value != "";
      has = name: user.${name} or null != null;
    in
    if user.hashedPassword or null != null && !isHash user.hashedPassword then
      "locked"
    else if isHash (user.hashedPassword or null) || has "password" then
      "set"
    else if has "hashedPasswordFile" || has "passwordFile" then
      "from a file"
    else if has "initialPassword" || isHash (user.initialHashedPassword or null) then
      "set at first"
    else if user.initialHashedPassword or null == "" || user.hashedPassword or null == "" then
      "empty"
    else
      "none";
  rowOf =
    name:
    let
      user = users.${name};
      keys = user.openssh.authorizedKeys or { };
      memberOf = membersOf name;
      place = decided [
        "users"
        "users"
        name
      ];
      shell = user.shell or null;
    in
    withPlace {
      user = name;
      keys = map text (keys.keys or [ ]);
      key_files = builtins.length (keys.keyFiles or [ ]);
      password = passwordOf user;
      shell =
        match ".*/(nologin|false)" (text (shell.shellPath or (if shell == null then "" else shell)))
        == null;
      root =
        if name == "root" then
          [ "is root" ]
        else
          concatMap (bySudo name memberOf) sudo
          ++ byDoas name memberOf
          ++ byGroup memberOf
          ++ byNix name memberOf;
    } (keysPlace name keys place);
  # The place of the keys, if there are any.
  keysPlace =
    name: keys: otherwise:
    let
      found = decided [
        "users"
        "users"
        name
        "openssh"
        "authorizedKeys"
        "keys"
      ];
    in
    if keys.keys or [ ] != [ ] && found != null then found else otherwise;
  isPerson =
    name:
    let
      user = users.${name};
    in
    attempt true (
      user.enable or true
      && (
        name == "root"
        || user.isNormalUser or false
        || user.openssh.authorizedKeys.keys or [ ] != [ ]
        || user.openssh.authorizedKeys.keyFiles or [ ] != [ ]
        || elem (passwordOf user) [
          "set"
          "set at first"
          "from a file"
          "empty"
        ]
      )
    );

  # --- rules --------------------------------------------------------------------------------------------------------

  shownValue =
    value:
    if value == true then
      "yes"
    else if value == false then
      "no"
    else if isList value then
      builtins.concatStringsSep "," (map text value)
    else
      text value;
  ruleAt =
    name: path:
    let
      value = valueOr null path;
    in
    if value == null then
      [ ]
    else
      [
        (withPlace {
          rule = name;
          value = shownValue value;
        } (decided path))
      ];
  rules =
    ruleAt "sshd" (names "services.openssh.enable")
    ++ (
      if !sshd then
        [ ]
      else
        concatMap (name: ruleAt "sshd ${name}" (setting name)) [
          "AllowGroups"
          "AllowUsers"
          "AuthenticationMethods"
          "DenyGroups"
          "DenyUsers"
          "KbdInteractiveAuthentication"
          "PasswordAuthentication"
          "PermitRootLogin"
          "PubkeyAuthentication"
        ]
    )
    ++ concatMap (
      name: ruleAt "${name} asks wheel for a password" (names "security.${name}.wheelNeedsPassword")
    ) sudo
    ++ (
      if isOn (names "security.doas.enable") then ruleAt "doas" (names "security.doas.enable") else [ ]
    )
    ++ ruleAt "users can be changed on the machine" (names "users.mutableUsers");

  about =
    what: why: place:
    withPlace { inherit what why; } place;
  textOf =
    path: why:
    let
      place = ownPlace (names path);
    in
    if place == null then [ ] else [ (about path why place) ];
  setTo =
    path: why:
    if
      attempt true (
        !elem (valueOr null (names path)) [
          null
          "none"
          ""
        ]
      )
    then
      [ (about path why (decided (names path))) ]
    else
      [ ];
  enabled =
    path: if isOn (names path) then [ (about path "accounts" (decided (names path))) ] else [ ];
in
if !(host.config ? users) then
  {
    rows = [ ];
    unknown = [
      {
        what = "users.users";
        why = "absent";
      }
    ];
  }
else
  {
    rows = map rowOf (filter isPerson (attrNames users)) ++ rules;
    unknown = concatLists [
      (if sshd then textOf "services.openssh.extraConfig" "rules" else [ ])
      (if sshd then setTo "services.openssh.authorizedKeysCommand" "keys" else [ ])
      (if sshd then setTo "services.openssh.settings.TrustedUserCAKeys" "keys" else [ ])
      (concatMap (name: textOf "security.${name}.extraConfig" "rules") sudo)
      (enabled "users.ldap.enable")
      (enabled "services.sssd.enable")
      (enabled "services.kanidm.enablePam")
      (enabled "security.pam.krb5.enable")
    ];
  }
